"""Secrets from files, environment or systemd credentials; never from the inventory itself."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

from pydantic import SecretStr

from probes.model import Credential, SecretSource


class SecretError(Exception):
    """A secret cannot be read; the message says which and how to give it."""


def read_secret(source: SecretSource, folder: Path) -> SecretStr:
    """The secret that `source` names; relative files lie beside the inventory, in `folder`."""
    if source.env is not None:
        value = os.environ.get(source.env)
        if value is None:
            raise SecretError(f"the environment variable {source.env} is not set")
        return SecretStr(value)
    if source.credential is not None:
        directory = os.environ.get("CREDENTIALS_DIRECTORY")
        if directory is None:
            raise SecretError(
                f"systemd gave no credentials; add `LoadCredential={source.credential}:/path` to the unit"
            )
        path = Path(directory, source.credential)
    else:
        path = folder / str(source.file)
    try:
        return SecretStr(path.read_text(encoding="utf-8").strip())
    except (OSError, ValueError) as error:  # ValueError: no UTF-8, or a path that cannot be
        raise SecretError(
            f"the secret file {path} cannot be read: {getattr(error, 'strerror', None) or error}"
        ) from None


def secrets_of(name: str, credential: Credential, folder: Path) -> dict[str, SecretStr]:
    """The secrets of one named credential, by its key: `community`, `auth_key`, `password`, `token` …"""
    secrets = {}
    for part, source in sources_of(credential):
        try:
            secrets[part] = read_secret(source, folder)
        except SecretError as error:
            raise SecretError(f"credentials.{name}.{part}: {error}") from None
    return secrets


def sources_of(credential: Credential) -> Iterator[tuple[str, SecretSource]]:
    """Every secret that a credential needs: its key, and where it is read from."""
    for part in type(credential).model_fields:
        source = getattr(credential, part)
        if isinstance(source, SecretSource):
            yield part, source
