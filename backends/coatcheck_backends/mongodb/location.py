"""What a `mongodb:` URL says. No message and no frame that raises shows any of it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final, NamedTuple
from urllib.parse import unquote

from pymongo import MongoClient
from pymongo.uri_parser import parse_uri

from coatcheck import ConfigError, Secret

SCHEMES: Final = ("mongodb", "mongodb+srv")

ALWAYS: Final[Mapping[str, Any]] = {
    "w": "majority",
    "journal": True,
    "readPreference": "primary",
    "readConcernLevel": "majority",
    "retryWrites": True,
    "retryReads": True,
    "uuidRepresentation": "standard",
    # Each hook sets what its call has left; this is for what a hook might forget.
    "timeoutMS": 5000,
    "connect": False,
}
"""Options of every client, whatever the URL says."""

CONNECT_TIMEOUT_MS: Final = 5000
"""Unless the URL says otherwise: it bounds the look-up of `mongodb+srv`, which no deadline does."""

_LOSES: Final = "with less, a failover could undo a revocation that was acknowledged"
_STALE: Final = "other reads could accept a session that was revoked"
_ERRS: Final = "without it, every failover would be an error for users"
_ONLY: Final[Mapping[str, tuple[str, str]]] = {
    "w": ("majority", _LOSES),
    "journal": ("true", _LOSES),
    "j": ("true", _LOSES),
    "readpreference": ("primary", _STALE),
    "readconcernlevel": ("majority", f"{_STALE}; for linearizable reads, say strict=true"),
    "directconnection": ("false", "the one server could become a secondary, and its reads stale"),
    "retrywrites": ("true", _ERRS),
    "retryreads": ("true", _ERRS),
}
"""Options that may be given with the one value that they have anyway, and why with no other."""

_NEVER: Final[Mapping[str, str]] = {
    "readpreferencetags": "reads go to the primary",
    "maxstalenessseconds": "reads go to the primary",
    "timeoutms": "the time of a call is the manager's deadline",
}

_SRV_ONLY: Final = ("srvservicename", "srvmaxhosts", "srvallowedhostssuffix")
_DATABASE: Final = re.compile(r'[^/\\. "$*<>:|?\x00-\x1f]{1,63}')
_COLLECTION: Final = re.compile(r"(?!system\.)[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}")


class Location(NamedTuple):
    """Which deployment, and where in it."""

    address: Secret[str]
    """The URL for pymongo, without our own options."""
    options: Mapping[str, Any]
    """Options for the client that count before those in the URL."""
    database: str
    collection: str
    strict: bool


class _Parts(NamedTuple):
    scheme: str
    place: str
    """User, password and hosts."""
    path: str
    query: tuple[tuple[str, str], ...]
    """Names, as they were written, and values, not decoded."""

    def address(self, scheme: str, names: frozenset[str]) -> str:
        """As a URL again, with the options of these names, in lower case."""
        kept = "&".join(f"{name}={value}" for name, value in self.query if name.lower() in names)
        return f"{scheme}://{self.place}/{self.path}?{kept}"


def parse(url: Secret[str]) -> Location:
    """Read a URL. Raises `ConfigError` that says which part of it is wrong."""
    parts = Secret(_split(url))
    problem = _problem(parts)
    if problem:
        raise ConfigError(f"mongodb: {problem}")
    return _location(parts)


def _location(parts: Secret[_Parts]) -> Location:
    given = parts.reveal()
    own = {name.lower(): unquote(value) for name, value in given.query}
    drivers = frozenset(own) - {"strict", "collection"}
    options = dict(ALWAYS)
    if "connecttimeoutms" not in drivers:
        options["connectTimeoutMS"] = CONNECT_TIMEOUT_MS
    return Location(
        address=Secret(given.address(given.scheme, drivers)),
        options=options,
        database=unquote(given.path) or "coatcheck",
        collection=own.get("collection", "coatcheck_session"),
        strict=own.get("strict") == "true",
    )


def _split(url: Secret[str]) -> _Parts:
    """Where MongoDB's rules for connection strings part it."""
    scheme, _, rest = url.reveal().partition("://")
    rest, _, query = rest.partition("?")
    place, _, path = rest.partition("/")
    pairs = (pair.partition("=") for pair in re.split("[&;]", query) if pair)
    return _Parts(scheme.lower(), place, path, tuple((name, value) for name, _, value in pairs))


def _problem(hidden: Secret[_Parts]) -> str:
    """What is wrong with it. Apart, so that no frame that raises has seen it."""
    parts = hidden.reveal()
    if parts.scheme not in SCHEMES:
        return "the URL begins with mongodb:// or mongodb+srv://"
    if not parts.place.rpartition("@")[2]:
        return "the URL names no host"
    database = unquote(parts.path)
    if database and not _DATABASE.fullmatch(database):
        return "the path of the URL is no name of a database"
    if database in ("admin", "config", "local"):
        return f"sessions cannot be kept in {database!r}; to sign in there, say authSource"
    return _problem_of_options(parts) or _problem_for_driver(parts)


def _problem_of_options(parts: _Parts) -> str:
    seen = set[str]()
    for written, value in parts.query:
        name = written.lower()
        if name in seen:
            return f"option {written!r} is given more than once"
        seen.add(name)
        if name == "strict" and value not in ("true", "false"):
            return "option 'strict' must be true or false"
        if name == "collection" and not _COLLECTION.fullmatch(unquote(value)):
            return "option 'collection' must be a plain name of at most 100 characters"
        if name in _NEVER:
            return f"option {written!r} cannot be given: {_NEVER[name]}"
        if name in _ONLY and value.lower() != _ONLY[name][0]:
            return f"option {written!r} must be {_ONLY[name][0]}: {_ONLY[name][1]}"
        if name not in ("strict", "collection", *_SRV_ONLY) and not _is_readable(written, value):
            return f"option {written!r} is not known, or its value cannot be used"
    return ""


def _is_readable(name: str, value: str) -> bool:
    try:
        parse_uri(f"mongodb://localhost/?{name}={value}", validate=True, warn=False)
    except Exception:  # noqa: BLE001 - it shows the value, and must be no error's context
        return False
    return True


def _problem_for_driver(parts: _Parts) -> str:
    """What pymongo says to all of it together, where that asks no name server."""
    names = frozenset(name.lower() for name, _ in parts.query) - {"strict", "collection"}
    try:
        if parts.scheme == "mongodb":
            MongoClient[dict[str, Any]](parts.address("mongodb", names), **ALWAYS)
        else:
            if "," in parts.place or ":" in parts.place.rpartition("@")[2]:
                return "with mongodb+srv the URL names one host, and no port"
            parse_uri(parts.address("mongodb", names - frozenset(_SRV_ONLY)), validate=True)
    except Exception:  # noqa: BLE001 - it shows the URL, and must be no error's context
        return "the URL's hosts, user, password or options cannot be used as they are"
    return ""
