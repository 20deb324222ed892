"""Where a client keeps its token: what that must do, and the store in memory."""

from __future__ import annotations

from typing import NoReturn, Protocol, runtime_checkable

from .._secret import Secret
from ._locks import Lock
from ._tokens import is_same


@runtime_checkable
class TokenStore(Protocol):
    """Keeps at most one token. Write one of your own to keep it elsewhere.

    The calls are synchronous, and may come from any thread; a `SessionAuth` makes one at a
    time. What they raise reaches the caller of the client.
    """

    def load(self) -> Secret[str] | None:
        """The token, as it is now: another process may have changed it. `None`: there is none."""
        ...

    def save(self, token: Secret[str]) -> None:
        """Keep this token, in place of any other."""
        ...

    def forget(self, token: Secret[str]) -> bool:
        """Remove the token if it is this one, in one step with the comparison.

        `False` if it was another, which is kept, or none.
        """
        ...


class MemoryTokenStore:
    """A token that ends with the process. Shows it in no repr, and refuses to be pickled."""

    def __init__(self) -> None:
        self._token: Secret[str] | None = None
        self._lock = Lock()

    def load(self) -> Secret[str] | None:
        """The token, or `None`."""
        return self._token

    def save(self, token: Secret[str]) -> None:
        """Keep this token, in place of any other."""
        with self._lock:
            self._token = token

    def forget(self, token: Secret[str]) -> bool:
        """Remove the token if it is this one, and say whether it was."""
        with self._lock:
            was_it = is_same(self._token, token)
            if was_it:
                self._token = None
            return was_it

    def __repr__(self) -> str:
        return "MemoryTokenStore()"

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a MemoryTokenStore holds a token and cannot be pickled or copied")
