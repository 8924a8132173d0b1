"""Secrets come from files, environment or systemd, and say what to do when they do not."""

from pathlib import Path

import pytest

from agent.secrets import SecretError, read_secret, secrets_of
from probes.model import SecretSource, SnmpCommunity


def test_a_file_lies_beside_the_inventory_and_its_line_end_does_not_count(tmp_path: Path) -> None:
    (tmp_path / "community").write_text("s3cret\n", encoding="utf-8")
    assert read_secret(SecretSource(file="community"), tmp_path).get_secret_value() == "s3cret"


def test_a_systemd_credential_is_read_where_systemd_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "snmp").write_text("s3cret", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(SecretSource(credential="snmp"), Path("/")).get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SecretSource(env="LIENXA_NOT_SET"), "the environment variable LIENXA_NOT_SET is not set"),
        (SecretSource(file="none"), "the secret file /nowhere/none cannot be read: No such file or directory"),
        (SecretSource(file="a\0b"), "the secret file /nowhere/a\0b cannot be read: embedded null byte"),
        (
            SecretSource(credential="snmp"),
            "systemd gave no credentials; add `LoadCredential=snmp:/path` to the unit",
        ),
    ],
)
def test_a_missing_secret_is_told_with_a_way_out(
    source: SecretSource, message: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CREDENTIALS_DIRECTORY", raising=False)
    with pytest.raises(SecretError) as caught:
        read_secret(source, Path("/nowhere"))
    assert str(caught.value) == message


def test_the_message_names_the_credential_and_its_part() -> None:
    credential = SnmpCommunity(community=SecretSource(env="LIENXA_NOT_SET"))
    with pytest.raises(SecretError, match=r"^credentials\.lab\.community: the environment variable"):
        secrets_of("lab", credential, Path("/"))


def test_a_secret_shows_nowhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COMMUNITY", "s3cret")
    found = secrets_of("lab", SnmpCommunity(community=SecretSource(env="COMMUNITY")), Path("/"))
    assert "s3cret" not in f"{found!r}{found['community']!s}"
