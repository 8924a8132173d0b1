"""What credentials become; whatever is wrong with them is told before anything is probed."""

from __future__ import annotations

import logging
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest

from agent.credentials import look_at, opened
from agent.errors import Unusable
from agent.plan import plan
from probes.model import Province
from probes.protocols.http import ENCRYPTED
from tests.unit.fakes import province

PORTAL = "https://10.4.250.1/"


def with_service(credential: Mapping[str, object], **settings: object) -> Province:
    """A province with one service, asked with this credential."""
    service = {"id": "portal", "kind": "http", "credential": "portal", "settings": {"url": PORTAL, **settings}}
    return province(credentials={"portal": credential}, communes=[], services=[service])


def flaws(credential: Mapping[str, object], folder: Path) -> list[str]:
    return [str(flaw).replace(f"{folder}/", "") for flaw in look_at(with_service(credential), folder).flaws]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """With a password, and a certificate with its key."""
    (tmp_path / "word").write_text("hidden-word\n", encoding="utf-8")
    (tmp_path / "word").chmod(0o600)
    if shutil.which("openssl") is None:
        pytest.skip("no openssl")
    words = (
        "openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 2 -subj /CN=a -keyout key -out crt"
    )
    subprocess.run(words.split(), check=True, capture_output=True, cwd=tmp_path)
    return tmp_path


def test_a_service_is_asked_with_its_credential(folder: Path) -> None:
    basic = with_service({"user": "lienxa", "password": {"file": "word"}})
    bearer = with_service({"token": {"file": "word"}})
    for whole, user in ((basic, "lienxa"), (bearer, "")):
        credentials = opened(whole, folder)
        (target,) = (item for item in plan(whole, credentials.ask, credentials.auth).targets if item.kind == "http")
        auth = target.settings.auth  # type: ignore[attr-defined]
        assert (auth.user, "hidden-word") == (user, (auth.password.get_secret_value() or auth.token.get_secret_value()))
        assert "hidden-word" not in f"{target!r} {credentials!r}"


def test_services_with_one_oauth_client_share_its_token_and_show_no_secret(folder: Path) -> None:
    client = {"token_url": "https://lgsp.example/token", "client_id": "lienxa", "client_secret": {"file": "word"}}
    whole = with_service(client)
    credentials = opened(whole, folder)
    first, second = (credentials.auth(whole.services[0]) for _ in range(2))
    assert first is not None
    assert second is not None
    assert first.grant is second.grant
    assert first.grant is not None
    assert first.grant.client_secret.get_secret_value() == "hidden-word"
    assert "hidden-word" not in f"{first!r} {credentials!r}"
    assert opened(whole, folder).auth(whole.services[0]) == first  # the same target after a reload


def test_a_certificate_becomes_one_context_for_all_that_verify_alike(folder: Path) -> None:
    credential = {"certificate": "crt", "key": {"file": "key"}}
    verified, again, unverified = (
        with_service(credential, verify_tls=verify).services[0] for verify in (True, True, False)
    )
    credentials = opened(with_service(credential), folder)
    contexts = [credentials.auth(service).context for service in (verified, again, unverified)]  # type: ignore[union-attr]
    assert contexts[0] is contexts[1]
    assert [context.check_hostname for context in contexts if context] == [True, True, False]


def test_a_target_whose_credential_is_the_same_is_the_same_after_a_reload(folder: Path) -> None:
    whole = with_service({"certificate": "crt", "key": {"file": "key"}})
    before, after = (plan(whole, loaded.ask, loaded.auth).targets for loaded in [opened(whole, folder) for _ in "12"])
    assert before == after
    (folder / "key").write_text((folder / "key").read_text(encoding="ascii") + "\n#", encoding="ascii")
    changed = opened(whole, folder)
    assert plan(whole, changed.ask, changed.auth).targets != after


def test_a_service_without_a_credential_says_nothing(folder: Path) -> None:
    credentials = opened(province(credentials={}, communes=[]), folder)
    assert credentials.auth(province().services[0]) is None


@pytest.mark.parametrize(
    ("credential", "expected"),
    [
        (
            {"user": "a:b", "password": {"file": "word"}},
            "credentials.portal.user: must hold neither a colon nor control characters (RFC 7617)",
        ),
        (
            {"user": "a", "password": {"file": "none"}},
            "credentials.portal.password: the secret file none cannot be read: No such file or directory; "
            "`touch none && chmod 600 none`, then write the secret into it",
        ),
        (
            {"token": {"file": "spaced"}},
            "credentials.portal.token: a bearer token is ASCII without spaces (RFC 6750); is it the right one?",
        ),
        (
            {"certificate": "none", "key": {"file": "key"}},
            "credentials.portal.certificate: the certificate file none cannot be read: No such file or directory",
        ),
        (
            {"certificate": "key", "key": {"file": "key"}},
            "credentials.portal.certificate: holds no certificate in PEM form (`-----BEGIN CERTIFICATE-----`)",
        ),
        (
            {"certificate": "crt", "key": {"file": "word"}},
            "credentials.portal.key: holds no private key in PEM form (`-----BEGIN PRIVATE KEY-----`)",
        ),
        (
            {"certificate": "crt", "key": {"file": "other"}},
            "credentials.portal.key: does not belong to the certificate",
        ),
        ({"certificate": "crt", "key": {"file": "locked"}}, f"credentials.portal.key: {ENCRYPTED}"),
    ],
)
def test_what_cannot_be_used_is_told(folder: Path, credential: Mapping[str, object], expected: str) -> None:
    (folder / "spaced").write_text("two words", encoding="utf-8")
    for words in (
        "openssl ecparam -name prime256v1 -genkey -noout -out other",
        "openssl pkey -in key -aes256 -passout pass:hidden-word -out locked",
    ):
        subprocess.run(words.split(), check=True, capture_output=True, cwd=folder)
    assert flaws(credential, folder) == [expected]
    with pytest.raises(Unusable) as caught:
        opened(with_service(credential), folder)
    assert str(caught.value).replace(f"{folder}/", "") == expected


def test_all_that_is_wrong_is_told_at_once(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("COMMUNITY", raising=False)
    whole = province(
        credentials={"lab": {"community": {"env": "COMMUNITY"}}, "b": {"user": "a", "password": {"file": "none"}}}
    )
    with pytest.raises(Unusable) as caught:
        opened(whole, tmp_path)
    assert str(caught.value).splitlines() == [
        "credentials.lab.community: the environment variable COMMUNITY is not set",
        f"credentials.b.password: the secret file {tmp_path}/none cannot be read: No such file or directory; "
        f"`touch {tmp_path}/none && chmod 600 {tmp_path}/none`, then write the secret into it",
    ]


@pytest.mark.parametrize(
    ("community", "known"),
    [("public", True), ("PUBLIC", True), ("Private", True), ("cisco", True), ("public-04-x7", False)],
)
def test_a_community_that_everybody_tries_first_is_known_by_its_credentials_name(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, community: str, known: bool
) -> None:
    monkeypatch.setenv("COMMUNITY", community)
    assert look_at(province(), tmp_path).default_communities == (("lab",) if known else ())


def test_files_that_others_can_read_are_one_line_in_the_log(folder: Path, caplog: pytest.LogCaptureFixture) -> None:
    (folder / "word").chmod(0o644)
    whole = province(
        credentials={name: {"user": "a", "password": {"file": "word"}} for name in ("one", "two")}, communes=[]
    )
    with caplog.at_level(logging.INFO):
        opened(whole, folder)
    assert [record.getMessage() for record in caplog.records] == [
        f"secret files that others can read, chmod 600 them: {folder}/word (mode 0644)"
    ]
