"""The one place where errors of redis-py become errors of coatcheck.

No message holds a value. The server may quote one, and so may a codec, so a driver's exception
stays as the cause only where it speaks of the connection.
"""

import re
from typing import Any
from uuid import UUID

from redis import exceptions as of_redis

from coatcheck import BackendError, BackendUnavailable, OutcomeUnknown

FAILURES = (of_redis.RedisError, of_redis.ChildDeadlockedError, OSError, UnicodeError)
"""All that redis-py raises while it connects, encodes, sends and waits."""

_READS = {"ping", "load", "find", "count"}
_REFUSED = (
    *(of_redis.AuthenticationError, of_redis.NoPermissionError, of_redis.BusyLoadingError),
    *(of_redis.AskError, of_redis.TryAgainError, of_redis.ClusterDownError),
    *(of_redis.OutOfMemoryError, of_redis.ReadOnlyError),
)


def translated(error: Exception, hook: str, args: tuple[Any, ...], *, is_sent: bool) -> Exception:
    """What to raise instead. To be raised outside of the `except` block, or the driver's error
    would come along as its context.

    :param is_sent: a command is on its way, so that nobody can know whether it is done.
    """
    words = str(error)
    if isinstance(error, _REFUSED) or re.match("BUSY|CLUSTERDOWN|MISCONF|MOVED|NOREPL", words):
        return BackendUnavailable(f"redis: the server refused with {type(error).__name__}")
    if isinstance(error, of_redis.ResponseError):
        named = re.search("UNREADABLE ([0-9a-f]{32})", words)
        which = UUID(named[1]) if named else args[0] if hook == "load" else None
        what = f"session {which} cannot be read" if which else f"the server refused {hook}"
        return BackendError(f"redis: {what}")
    if isinstance(error, of_redis.DataError | UnicodeError):
        return BackendError("redis: a value cannot be stored")
    kind = OutcomeUnknown if is_sent and hook not in _READS else BackendUnavailable
    failure = kind("redis: the connection failed, or no answer came within the deadline")
    failure.__cause__ = error
    return failure
