"""A token in the system's keyring."""

from __future__ import annotations

from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

from .._errors import BackendError, ConfigError
from .._secret import Secret
from ._locks import Lock
from ._tokens import is_same


class KeyringTokenStore:
    """Keeps the token in the keyring of the desktop or the system, by the package keyring.

    A keyring cannot compare and remove in one step. Among the threads of a process the store
    sees to that; a token that another process saves in the instant between may be removed.

    Every call raises `BackendError` if the keyring refuses or fails, and `ConfigError` if the
    machine has none.

    :param service: what the keyring's owner sees the entry as, such as the application's name.
    :param username: tells the entries of one service apart; need not be a user's name.
    :raises ConfigError: keyring is not installed (names the extra).
    """

    def __init__(self, service: str, username: str) -> None:
        try:
            import keyring
            import keyring.errors
        except ImportError as error:
            raise ConfigError(
                f"KeyringTokenStore needs the module {error.name!r}, which cannot be imported; "
                'install it with: pip install "coatcheck[keyring]"'
            ) from error
        self._keyring = keyring
        self._service = service
        self._username = username
        self._lock = Lock()

    def load(self) -> Secret[str] | None:
        """The token, or `None` if the keyring has no such entry."""
        with self._explained("read"):
            return self._read()

    def save(self, token: Secret[str]) -> None:
        """Write the token into the keyring, in place of any other."""
        with self._lock, self._explained("written"):
            self._keyring.set_password(self._service, self._username, token.reveal())
            # The null backend, with which a keyring is turned off, takes everything.
            if not is_same(self._read(), token):
                raise ConfigError("the keyring does not keep what is written into it")

    def forget(self, token: Secret[str]) -> bool:
        """Remove the entry if it holds this token, and say whether it did."""
        with self._lock, self._explained("changed"):
            if not is_same(self._read(), token):
                return False
            try:
                self._keyring.delete_password(self._service, self._username)
            except self._keyring.errors.PasswordDeleteError:
                if self._read() is not None:
                    raise
                return False  # another process was faster
            return True

    def __repr__(self) -> str:
        return f"KeyringTokenStore({self._service!r}, {self._username!r})"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a KeyringTokenStore cannot be pickled or copied")

    def _read(self) -> Secret[str] | None:
        found = Secret(self._keyring.get_password(self._service, self._username))
        return None if found.reveal() is None else found  # type: ignore[return-value]

    @contextmanager
    def _explained(self, done: str) -> Generator[None]:
        try:
            yield
        except self._keyring.errors.NoKeyringError as error:
            raise ConfigError("this machine has no keyring that can be used") from error
        except self._keyring.errors.KeyringError as error:
            raise BackendError(f"the keyring cannot be {done}: {type(error).__name__}") from error
