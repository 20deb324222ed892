"""Backends of keyring's own kind, and the machine's keyring exchanged for one of them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import keyring
from keyring.backend import KeyringBackend
from keyring.errors import KeyringLocked, PasswordDeleteError


class KeyringInMemory(KeyringBackend):
    """Keeps passwords in a dictionary."""

    priority = 0.1  # type: ignore[assignment]  # never chosen by itself

    def __init__(self) -> None:
        super().__init__()
        self.passwords: dict[tuple[str, str], str] = {}

    def get_password(self, service: str, username: str) -> str | None:
        return self.passwords.get((service, username))

    def set_password(self, service: str, username: str, password: str) -> None:
        self.passwords[service, username] = password

    def delete_password(self, service: str, username: str) -> None:
        if self.passwords.pop((service, username), None) is None:
            raise PasswordDeleteError("not found")


class LockedKeyring(KeyringInMemory):
    """Refuses, and says so with what it must not say."""

    def get_password(self, service: str, username: str) -> str | None:
        raise KeyringLocked("locked")

    def set_password(self, service: str, username: str, password: str) -> None:
        raise KeyringLocked("locked")


class ForgetfulKeyring(KeyringInMemory):
    """Cannot delete, since another process has done so, or because it will not."""

    is_gone = True

    def delete_password(self, service: str, username: str) -> None:
        if self.is_gone:
            self.passwords.clear()
        raise PasswordDeleteError("no")


@contextmanager
def keyring_of_the_system(backend: KeyringBackend) -> Iterator[None]:
    """While this lasts, `keyring` is this one."""
    before = keyring.core._keyring_backend
    keyring.set_keyring(backend)
    try:
        yield
    finally:
        keyring.core._keyring_backend = before
