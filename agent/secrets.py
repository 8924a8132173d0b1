"""Secrets from files, environment or systemd credentials; never from the inventory itself."""

from __future__ import annotations

import os
import shlex
import stat
from pathlib import Path

from pydantic import SecretStr

from probes.model import SecretSource

MAX_BYTES = 65_536
PEM = frozenset({"key"})
"""Parts of a credential that have several lines; every other secret is one line."""


class SecretError(Exception):
    """A secret cannot be used; the message says which and how to give it, and nothing of what was read."""


class SecretNotSet(SecretError):
    """`source` is not set, as it may be on another machine: an environment variable, or a credential of systemd's."""

    def __init__(self, source: str, message: str) -> None:
        """`message` is for the machine that needs it."""
        super().__init__(message)
        self.source = source


def read_secret(source: SecretSource, folder: Path, *, lines: bool = False) -> SecretStr:
    """The secret that `source` names; relative files lie beside the inventory, in `folder`.

    White space around it does not count. One line, unless `lines`. Raises `SecretError`.
    """
    if source.env is not None:
        where, value = f"the environment variable {source.env}", os.environ.get(source.env)
        if value is None:
            raise SecretNotSet(where, f"{where} is not set")
        return _usable(value, where, lines=lines)
    if source.credential is not None:
        where = f"systemd's credential {source.credential}"
        return _usable(_text(_of_systemd(source.credential, where)), where, lines=lines)
    path = folder / str(source.file)
    return _usable(_text(path), f"the secret file {path}", lines=lines)


def read_certificate(path: Path) -> str:
    """A file that is not secret, for the certificate that a key belongs to. Raises `SecretError`."""
    return _text(path, "certificate").strip()


def exposed(source: SecretSource, folder: Path) -> str | None:
    """The file of a secret that others can read, with its mode; none where all is well.

    A file of root's that one group may read (mode 0640) is well: so the agent can read it and never write it.
    """
    if source.file is None:
        return None
    path = folder / source.file
    try:
        facts = path.stat()
    except (OSError, ValueError):
        return None  # whoever reads it says so
    if not stat.S_ISREG(facts.st_mode):
        return None  # likewise
    mode = stat.S_IMODE(facts.st_mode)
    allowed = 0o740 if facts.st_uid == 0 else 0o700
    return f"{path} (mode {mode:04o})" if mode & 0o777 & ~allowed else None


def _of_systemd(name: str, where: str) -> Path:
    wanted = f"add `LoadCredential={name}:/path` to the unit"
    if not name or "/" in name or name in {".", ".."}:
        raise SecretError(f"{name!r} cannot be the name of a credential of systemd's: it is the name of one file")
    directory = os.environ.get("CREDENTIALS_DIRECTORY")
    if directory is None:
        raise SecretNotSet(where, f"systemd gave no credentials; {wanted}")
    path = Path(directory, name)
    if not os.path.lexists(path):
        raise SecretNotSet(where, f"systemd gave no credential {name}; {wanted}")
    return path


def _text(path: Path, what: str = "secret") -> str:
    """What a small ordinary file holds. Nothing else is opened: a pipe would be waited for, a device may act."""
    try:
        kind = path.stat().st_mode
        if not stat.S_ISREG(kind):
            name = "; name a file in it" if stat.S_ISDIR(kind) else ""
            raise SecretError(f"the {what} file {path} is {_kind(kind)}; it must be an ordinary file{name}")
        descriptor = os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC)
        with os.fdopen(descriptor, "rb") as file:
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:  # ValueError: a path that cannot be
        missing = what == "secret" and isinstance(error, FileNotFoundError) and not path.is_symlink()
        problem = f"{getattr(error, 'strerror', None) or error}{_how_to_make(path) if missing else ''}"
        raise SecretError(f"the {what} file {path} cannot be read: {problem}") from None
    if len(data) > MAX_BYTES:
        raise SecretError(f"the {what} file {path} is larger than {MAX_BYTES // 1024} kB; is it the right one?")
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise SecretError(f"the {what} file {path} is not UTF-8 text; save it as UTF-8") from None


def _how_to_make(path: Path) -> str:
    name = shlex.quote(str(path))
    return f"; `touch {name} && chmod 600 {name}`, then write the secret into it"


def _kind(mode: int) -> str:
    if stat.S_ISDIR(mode):
        return "a folder"
    return "a pipe" if stat.S_ISFIFO(mode) else "a socket" if stat.S_ISSOCK(mode) else "a device"


def _usable(text: str, where: str, *, lines: bool) -> SecretStr:
    value = text.strip()
    if not value:
        raise SecretError(f"{where} is empty; a secret belongs there")
    if "\0" in value or any("\ud800" <= sign <= "\udfff" for sign in value):  # so Python keeps what is no UTF-8
        raise SecretError(f"{where} holds what is no text; is it the right one?")
    if lines:
        return SecretStr(value)
    if (count := len(value.splitlines())) > 1:
        raise SecretError(f"{where} holds {count} lines; a secret is one line")
    if any(sign < " " or sign == "\x7f" for sign in value):
        raise SecretError(f"{where} holds a control character; is it the right one?")
    return SecretStr(value)
