"""The client of a backend: made at first use, and anew in a forked child."""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic
from typing import Any, Final, Generic, NamedTuple, Protocol, TypeVar

from pymongo.read_concern import ReadConcern
from pymongo.read_preferences import ReadPreference

from coatcheck import BackendUnavailable, ConfigError, WouldBlock, remaining

from .._forks import renew_after_fork
from . import silence
from .documents import CODEC, LENIENT, Document
from .errors import TooLate
from .location import Location

C = TypeVar("C")

FAREWELL: Final = 1.0
"""Seconds that a close may take to tell the servers which of their sessions are over."""


EARLIER: Final = 0.2
"""Seconds, or a fifth of what is left, that pymongo is given less: it looks for a server in
steps of half a second, and does not end the last of them sooner."""


class Collections(NamedTuple):
    """Where calls go; of either kind of client, whose collections have the same methods."""

    sessions: Any
    loading: Any
    """For validations: linearizable, if the URL says so."""
    certain: Any
    """Linearizable, whatever the URL says."""
    lenient: Any
    """Decodes any text."""
    version: Any
    admin: Any


class Loading:
    """Reads one document by one plain command, which takes a tenth less time than `find_one`.

    :param level: the read concern; `None` within a transaction, which has its own.
    """

    def __init__(self, database: Any, collection: str, level: str | None) -> None:
        self._command = database.command
        self._of_all: Document = {"find": collection, "limit": 1, "singleBatch": True}
        if level is not None:
            self._of_all["readConcern"] = {"level": level}

    def one(self, condition: Document, **options: Any) -> Any:
        """The server's answer, or what gives it when it is awaited."""
        return self._command(self._of_all | {"filter": condition}, codec_options=CODEC, **options)


class Source(Protocol):
    """Where the calls of a backend get their collections.

    :ivar believed: see `elections`.
    """

    believed: object

    @property
    def session(self) -> Any:
        """The driver's session of the caller's transaction, if there is one."""
        ...

    def collections(self) -> Collections: ...

    def latest(self) -> object: ...


def collections_of(client: Any, location: Location, level: str | None) -> Collections:
    """The collections of a client of either kind, read on the primary whatever its defaults.

    :param level: the read concern of validations; `None` within a transaction.
    """
    database = client.get_database(location.database, read_preference=ReadPreference.PRIMARY)
    sessions = database.get_collection(location.collection, codec_options=CODEC)
    linearizable = ReadConcern("linearizable")
    version = database.get_collection(f"{location.collection}_version", codec_options=CODEC)
    return Collections(
        sessions=sessions,
        loading=Loading(database, location.collection, level),
        lenient=sessions.with_options(codec_options=LENIENT),
        certain=version.with_options(read_concern=linearizable),
        version=version,
        admin=client.get_database("admin", codec_options=CODEC),
    )


class Deadline:
    """When all that is asked of the driver must have ended. Raises `WouldBlock` if that is now:
    to pymongo, no time at all would mean for ever."""

    __slots__ = ("_at", "left")

    def __init__(self) -> None:
        left = remaining()
        if left <= 0.0:
            raise WouldBlock("mongodb: the deadline has passed")
        self.left = left - min(EARLIER, left / 5)
        self._at = monotonic() + self.left

    def allows(self, seconds: float) -> bool:
        """Whether there is more time than that."""
        return monotonic() + seconds < self._at

    def check(self) -> None:
        """Raises `TooLate`. pymongo itself tries for many seconds more with no time left."""
        if not self.allows(0.0):
            raise TooLate


class OwnClient(Generic[C]):
    """A backend's own client.

    :param make: `MongoClient` or its asynchronous kin.
    """

    def __init__(self, location: Location, make: Callable[..., C]) -> None:
        self._location = location
        self._make = make
        self._level = "linearizable" if location.strict else "majority"
        self._closed = False
        self.believed: object = None
        self._lock = threading.Lock()
        self._collections: Collections | None = None
        self.client: C | None = None
        renew_after_fork(self)

    @property
    def session(self) -> None:
        """None: each call stands by itself."""

    def collections(self) -> Collections:
        """Those of this process's client. Makes it, which takes no answer of any server."""
        return self._collections or self._open()

    def latest(self) -> object:
        """The election of the newest primary; `None` where there are none."""
        client: Any = self.client
        return None if client is None else client.topology_description.max_election_id

    def reopen(self) -> None:
        """Let a client be made again."""
        self._closed = False

    def settle(self, *, replicated: bool) -> None:
        """What the server says of itself: one by itself knows no linearizable reads, and all of
        its reads are."""
        self._level = "linearizable" if self._location.strict and replicated else "majority"
        if self.client is not None:
            self._collections = collections_of(self.client, self._location, self._level)

    def take(self) -> C | None:
        """The client, to be closed, unless there is none. No other is made from here on."""
        with self._lock:
            client, self.client = self.client, None
            self._collections, self._closed = None, True
        return client

    def _open(self) -> Collections:
        with self._lock:
            if self._closed:
                raise BackendUnavailable("mongodb: the backend is closed")
            opened = self._collections
            if opened is None:
                silence.install()
                self.client = client = self._made()
                self._collections = opened = collections_of(client, self._location, self._level)
            return opened

    def _made(self) -> C:
        try:
            return self._make(self._location.address.reveal(), **self._location.options)
        except Exception:  # noqa: BLE001, S110 - it may show the URL, and must be no context
            pass
        raise ConfigError("mongodb: no client can be made of the URL")

    def after_fork(self) -> None:
        """In the child: leave the parent's client alone, and begin anew."""
        bury(self.client)
        self.client = self._collections = None
        self._lock = threading.Lock()


_graveyard: list[object] = []


def bury(client: object) -> None:
    """Keep a parent's client for ever, beyond the end of the interpreter. Closed, it would end
    sessions on the server that the parent uses; dropped, pymongo would warn of it."""
    if client is None:
        return
    _graveyard.append(client)
    try:
        import ctypes
    except ImportError:
        return
    # The interpreter empties even the graveyard when it ends.
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(client))
