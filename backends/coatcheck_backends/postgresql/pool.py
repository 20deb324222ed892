"""The connections of a synchronous backend: at most so many, each used by one caller at a time.

A list of the driver's own connections. SQLAlchemy's pool costs a tenth of a validation with
one thread, and as much as the whole statement with eight.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from time import monotonic

from coatcheck import BackendUnavailable, remaining

from .._forks import renew_after_fork
from .errors import ALL_IN_USE, Expired, not_connected
from .links import Link


class Pool:
    """Hands out connections, and waits no longer than the call may.

    :param connect: makes a connection in about as many seconds as it is given.
    :param size: connections at the same time.
    :param idle: seconds after which an idle connection is not trusted any more.
    """

    def __init__(self, connect: Callable[[float], Link], size: int, idle: float) -> None:
        self._connect = connect
        self._size = size
        self._trusted_for = idle
        self._closed = False
        self._begin()
        renew_after_fork(self)

    def _begin(self) -> None:
        self._idle: list[Link] = []
        self._links: set[Link] = set()
        self._made = 0  # or being made
        self._waiting = 0
        self._changed = threading.Condition(threading.Lock())

    def take(self) -> Link:
        """A connection that was alive a moment ago. Taking one and giving it back are one step
        of the interpreter each, as long as there is an idle one."""
        while True:
            try:
                link = self._idle.pop()
            except IndexError:
                link = self._take_slowly()
            if link.is_usable(self._trusted_for):
                return link
            self.discard(link)

    def give_back(self, link: Link) -> None:
        """The caller is done."""
        self._idle.append(link)
        if self._waiting:
            with self._changed:
                self._changed.notify()
        if self._closed:
            self.close()

    def discard(self, link: Link) -> None:
        """The connection is of no use any more."""
        link.discard()
        self._links.discard(link)
        self._unmade()

    def close(self) -> None:
        """Close all connections; one that is in use, when it is given back."""
        self._closed = True
        self.drop_idle()

    def drop_idle(self) -> None:
        """Trust none of the idle ones any more."""
        while self._idle:
            try:
                self.discard(self._idle.pop())
            except IndexError:
                return

    def after_fork(self) -> None:
        """In the child: none of the parent's connections."""
        inherited = self._links
        self._begin()
        for link in inherited:
            link.abandon()

    def _take_slowly(self) -> Link:
        end = monotonic() + remaining()
        with self._changed:
            # Before the look into the list: whoever gives one back after it will notify.
            self._waiting += 1
            try:
                while self._made >= self._size:
                    try:
                        return self._idle.pop()
                    except IndexError:  # or somebody who did not wait was faster
                        pass
                    if not self._changed.wait(end - monotonic()):
                        raise BackendUnavailable(ALL_IN_USE)
                self._made += 1
            finally:
                self._waiting -= 1
        return self._make(end)

    def _make(self, end: float) -> Link:
        making = Making(self._connect, end, self._unmade)
        link = making.wait()
        self._links.add(link)
        return link

    def _unmade(self) -> None:
        with self._changed:
            self._made -= 1
            self._changed.notify()


class Making:
    """A connection in the making, in a thread of its own: neither the look-up of a name nor
    the greetings of a frozen server can be ended from outside."""

    def __init__(
        self, connect: Callable[[float], Link], end: float, failed: Callable[[], None]
    ) -> None:
        self._connect = connect
        self._end = end
        self._failed = failed
        self._lock = threading.Lock()
        self._done = threading.Event()
        self._link: Link | None = None
        self._error: Exception | None = None
        self._is_late = False

    def wait(self) -> Link:
        """The connection. Raises what it failed with, as one of our errors."""
        threading.Thread(target=self._run, name="coatcheck-connect", daemon=True).start()
        try:
            self._done.wait(self._end - monotonic())
        finally:
            with self._lock:
                link, error = self._link, self._error
                self._is_late = link is None
        if link is not None:
            return link
        raise not_connected(error or Expired())

    def _run(self) -> None:
        link, error = None, None
        try:
            link = self._connect(max(0.001, self._end - monotonic()))
        except Exception as failure:  # noqa: BLE001 - raised by whoever waits
            error = failure
        with self._lock:
            self._link, self._error = link, error
            is_wanted = link is not None and not self._is_late
        if not is_wanted:
            if link is not None:
                link.discard()
            self._failed()
        self._done.set()
