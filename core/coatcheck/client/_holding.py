"""A token store, and which token was seen in it last."""

from __future__ import annotations

from typing import NamedTuple

from .._errors import BackendError
from .._secret import Secret, sealed
from ._locks import Lock
from ._stores import TokenStore
from ._tokens import is_bearer_token, is_same


class Found(NamedTuple):
    """What the store has: a token, or none and the token that it had when last seen."""

    token: Secret[str] | None
    lost: Secret[str] | None


class Holding:
    """Knows when a token has gone, and sees to it that one caller only says so.

    Between the store and the memory of what was seen in it no other call comes, or a load
    could recall a token that was forgotten meanwhile. A token that is gone stays seen until
    somebody claims the telling of it: a call that is cancelled on the way leaves it to the
    next. The claim waits for no store, so that it may be made on an event loop.
    """

    def __init__(self, store: TokenStore) -> None:
        self.store = store
        self._seen: Secret[str] | None = None
        self._working = Lock()
        self._noting = Lock()

    def load(self) -> Found:
        """The store's token, which is then the one seen last."""
        with self._working:
            token = self.store.load()
            if token is None:
                return Found(None, self._seen)
            token = sealed(token)
            if not is_bearer_token(token):
                raise BackendError(
                    f"what the {type(self.store).__name__} holds is no bearer token; "
                    "sign out, or in again"
                )
            self._note(token)
            return Found(token, None)

    def save(self, token: Secret[str]) -> None:
        """Put a token into the store, which is then the one seen last."""
        with self._working:
            self.store.save(token)
            self._note(token)

    def forget(self, token: Secret[str]) -> bool:
        """Remove this token and no other. `True` if the store has none now."""
        with self._working:
            return self.store.forget(token) or self.store.load() is None

    def drop(self) -> None:
        """Remove whatever token the store has; none is seen any more."""
        with self._working:
            token = self.store.load()
            if token is not None:
                self.store.forget(token)
            self._note(None)

    def claim(self, token: Secret[str]) -> bool:
        """Whether the caller is to tell that this token has gone: `True` once."""
        with self._noting:
            is_mine = is_same(self._seen, token)
            if is_mine:
                self._seen = None
            return is_mine

    def _note(self, token: Secret[str] | None) -> None:
        with self._noting:
            self._seen = token
