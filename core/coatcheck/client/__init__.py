"""The client's end of a session: the token in each request, and what happens when it ends.

Everything is imported from here. It needs httpx2, which comes with the extra `client`;
`KeyringTokenStore` needs keyring too, which comes with the extra `keyring`.
"""

from __future__ import annotations

try:
    import httpx2 as _httpx2  # noqa: F401  # pyright: ignore[reportUnusedImport]
except ModuleNotFoundError as error:
    raise ImportError(
        f"coatcheck.client needs the module {error.name!r}, which cannot be imported; "
        'install it with: pip install "coatcheck[client]"',
        name=error.name,
    ) from error

from ._auth import SessionAuth
from ._file import FileTokenStore
from ._keyring import KeyringTokenStore
from ._stores import MemoryTokenStore, TokenStore

__all__ = [
    "FileTokenStore",
    "KeyringTokenStore",
    "MemoryTokenStore",
    "SessionAuth",
    "TokenStore",
]
