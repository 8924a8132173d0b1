"""Secrets come from files, environment or systemd, and say what to do when they do not; none is ever repeated."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from agent.secrets import SecretError, SecretNotSet, exposed, read_secret
from probes.model import SecretSource

HIDDEN = "hidden-word"


def told(source: SecretSource, folder: Path, *, lines: bool = False) -> str:
    with pytest.raises(SecretError) as caught:
        read_secret(source, folder, lines=lines)
    assert HIDDEN not in str(caught.value)
    return str(caught.value).replace(f"{folder}/", "")


@pytest.mark.parametrize("text", ["s3cret", "s3cret\n", "\ufeffs3cret\r\n", "  s3cret  \n\n"])
def test_a_file_lies_beside_the_inventory_and_white_space_around_it_does_not_count(tmp_path: Path, text: str) -> None:
    (tmp_path / "community").write_bytes(text.encode())
    assert read_secret(SecretSource(file="community"), tmp_path).get_secret_value() == "s3cret"


def test_a_key_has_several_lines(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("-----BEGIN\na\nb\n", encoding="utf-8")
    assert read_secret(SecretSource(file="key"), tmp_path, lines=True).get_secret_value() == "-----BEGIN\na\nb"


def test_a_link_to_a_file_is_followed(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("s3cret", encoding="utf-8")
    (tmp_path / "community").symlink_to("data")  # as container platforms lay secrets out
    assert read_secret(SecretSource(file="community"), tmp_path).get_secret_value() == "s3cret"


def test_a_systemd_credential_is_read_where_systemd_puts_it(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "snmp").write_text("s3cret", encoding="utf-8")
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    assert read_secret(SecretSource(credential="snmp"), Path("/")).get_secret_value() == "s3cret"


@pytest.mark.parametrize(
    ("source", "message"),
    [
        (SecretSource(env="LIENXA_NOT_SET"), "the environment variable LIENXA_NOT_SET is not set"),
        (
            SecretSource(file="none"),
            "the secret file /nowhere/none cannot be read: No such file or directory; "
            "`touch /nowhere/none && chmod 600 /nowhere/none`, then write the secret into it",
        ),
        (SecretSource(file="a\0b"), "the secret file /nowhere/a\0b cannot be read: embedded null byte"),
        (
            SecretSource(credential="snmp"),
            "systemd gave no credentials; add `LoadCredential=snmp:/path` to the unit",
        ),
        (
            SecretSource(credential="../../etc/shadow"),
            "'../../etc/shadow' cannot be the name of a credential of systemd's: it is the name of one file",
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


def test_what_may_be_set_on_another_machine_is_told_apart(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    for source, what in (
        (SecretSource(env="LIENXA_NOT_SET"), "the environment variable LIENXA_NOT_SET"),
        (SecretSource(credential="snmp"), "systemd's credential snmp"),
    ):
        with pytest.raises(SecretNotSet) as caught:
            read_secret(source, Path("/"))
        assert caught.value.source == what


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "the secret file community is empty; a secret belongs there"),
        (b" \r\n\n", "the secret file community is empty; a secret belongs there"),
        (b"hidden-word\nsecond\n", "the secret file community holds 2 lines; a secret is one line"),
        (b"hidden\0-word", "the secret file community holds what is no text; is it the right one?"),
        (b"hidden-word\x07", "the secret file community holds a control character; is it the right one?"),
        (b"hidden-word\xff", "the secret file community is not UTF-8 text; save it as UTF-8"),
        (b"hidden-word" * 10_000, "the secret file community is larger than 64 kB; is it the right one?"),
    ],
)
def test_a_file_that_can_be_no_secret_is_told_without_repeating_it(tmp_path: Path, data: bytes, message: str) -> None:
    (tmp_path / "community").write_bytes(data)
    assert told(SecretSource(file="community"), tmp_path) == message


def test_a_key_with_nul_in_it_is_no_text(tmp_path: Path) -> None:
    (tmp_path / "key").write_bytes(b"-----BEGIN\0")
    assert told(SecretSource(file="key"), tmp_path, lines=True) == (
        "the secret file key holds what is no text; is it the right one?"
    )


def test_an_environment_variable_is_looked_at_in_the_same_way(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for value, message in (
        ("", "the environment variable COMMUNITY is empty; a secret belongs there"),
        ("hidden-word\nx", "the environment variable COMMUNITY holds 2 lines; a secret is one line"),
        ("hidden-word\udcff", "the environment variable COMMUNITY holds what is no text; is it the right one?"),
    ):
        monkeypatch.setenv("COMMUNITY", value)
        assert told(SecretSource(env="COMMUNITY"), tmp_path) == message


def test_what_is_no_ordinary_file_is_not_opened(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")  # whoever opened it would wait for ever
    (tmp_path / "folder").mkdir()
    (tmp_path / "loop").symlink_to("loop")
    assert [told(SecretSource(file=name), tmp_path) for name in ("pipe", "folder", "/dev/zero", "loop")] == [
        "the secret file pipe is a pipe; it must be an ordinary file",
        "the secret file folder is a folder; it must be an ordinary file; name a file in it",
        "the secret file /dev/zero is a device; it must be an ordinary file",
        "the secret file loop cannot be read: Too many levels of symbolic links",
    ]


@pytest.mark.parametrize(
    ("mode", "owner", "shown"),
    [
        (0o600, 0, None),
        (0o400, 1000, None),
        (0o640, 0, None),  # root's, and the agent's group may read it
        (0o640, 1000, "community (mode 0640)"),
        (0o660, 0, "community (mode 0660)"),
        (0o644, 0, "community (mode 0644)"),
        (0o602, 1000, "community (mode 0602)"),
    ],
)
def test_a_file_that_others_can_read_is_told_with_its_mode(
    tmp_path: Path, mode: int, owner: int, shown: str | None
) -> None:
    file = tmp_path / "community"
    file.write_text(HIDDEN, encoding="utf-8")
    file.chmod(mode)
    if file.stat().st_uid != owner:
        if os.geteuid() != 0:
            pytest.skip("needs root to give a file away")
        os.chown(file, owner, owner)
    found = exposed(SecretSource(file="community"), tmp_path)
    assert (found and found.replace(f"{tmp_path}/", "")) == shown


def test_what_is_no_file_of_the_inventorys_is_never_told_as_readable(tmp_path: Path) -> None:
    tmp_path.chmod(0o755)
    for source in (
        *(SecretSource(file=name) for name in ("none", ".")),
        SecretSource(env="PATH"),
        SecretSource(credential="x"),
    ):
        assert exposed(source, tmp_path) is None
