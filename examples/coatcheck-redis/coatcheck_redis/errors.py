"""The one place where errors of redis-py become errors of coatcheck.

No message holds a value. The server may quote one, and so may a codec, so a driver's exception
stays as the cause only where it speaks of the connection.
"""

import re
from uuid import UUID

from redis import exceptions as of_redis

from coatcheck import BackendError, BackendUnavailable, OutcomeUnknown

FAILURES = (of_redis.RedisError, of_redis.ChildDeadlockedError, OSError, UnicodeError)
"""All that redis-py raises while it connects, encodes, sends and waits."""

READS = {"ping", "load", "find", "count"}
"""Hooks that change nothing, so that a lost answer leaves nothing unknown."""

_REFUSED = (
    *(of_redis.AuthenticationError, of_redis.NoPermissionError, of_redis.BusyLoadingError),
    *(of_redis.AskError, of_redis.TryAgainError, of_redis.ClusterDownError),
    *(of_redis.OutOfMemoryError, of_redis.ReadOnlyError),
)


def translated(error: Exception, *, writing: bool) -> BackendError:
    """What to raise instead. To be raised outside of the `except` block, or the driver's error
    would come along as its context.

    :param writing: a command was sent that may have changed something.
    """
    if isinstance(error, _REFUSED) or re.match("BUSY|MISCONF|NOREPLICAS", str(error)):
        return BackendUnavailable(f"redis: the server refused with {type(error).__name__}")
    if isinstance(error, of_redis.ResponseError):
        unreadable = re.search("UNREADABLE ([0-9a-f]{32})", str(error))
        what = f"session {UUID(unreadable[1])} cannot be read" if unreadable else "a command failed"
        return BackendError(f"redis: {what}")
    if isinstance(error, of_redis.DataError | UnicodeError):
        return BackendError("redis: a value cannot be stored")
    kind = OutcomeUnknown if writing else BackendUnavailable
    failure = kind("redis: the connection failed, or no answer came within the deadline")
    failure.__cause__ = error
    return failure
