"""What a URL says. No message and no frame that raises shows any of it."""

import re
from typing import Any, NamedTuple, cast
from urllib.parse import parse_qsl, urlencode, urlsplit

import redis

from coatcheck import ConfigError, Secret

_SCHEMES = {"redis": "redis", "rediss": "rediss", "valkey": "redis", "valkeys": "rediss"}
_SETTLED = {
    *("socket_timeout", "socket_connect_timeout", "timeout", "retry_on_timeout", "retry_on_error"),
    *("decode_responses", "encoding", "encoding_errors", "protocol"),
}


class Location(NamedTuple):
    """Which server, and where in it."""

    url: Secret[str]
    """For redis-py, without our own options."""
    base: str
    """What every key begins with: a hash tag, so that a cluster has them in one slot."""
    durable: bool


def parse(url: Secret[str]) -> Location:
    """Read a URL. Raises `ConfigError` that says which part of it is wrong."""
    found = _read(url)
    if isinstance(found, str):
        raise ConfigError(f"redis: {found}")
    return found


def _read(url: Secret[str]) -> Location | str:
    """What it says, or what is wrong. Apart, so that no frame that raises has seen it."""
    try:
        parts = urlsplit(url.reveal())
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        for name in query.keys() & _SETTLED:
            return f"option {name!r} cannot be given: times are the manager's, nothing is repeated"
        prefix, durable = query.pop("prefix", "coatcheck"), query.pop("durable", "false")
        own = f"{prefix} {durable} {parts.path}"
        if not re.fullmatch("[A-Za-z0-9_.:-]{1,64} (true|false) /?[0-9]{0,4}", own):
            return "'prefix' must be a plain name, 'durable' true or false, and the path a number"
        plain = parts._replace(scheme=_SCHEMES[parts.scheme], query=urlencode(query)).geturl()
        cast(Any, redis.ConnectionPool).from_url(plain).make_connection()  # not connected yet
    except Exception:  # noqa: BLE001 - it may show the URL, and must be no error's context
        return "an option is not known to redis-py, or a part of the URL cannot be used"
    return Location(Secret(plain), "{" + prefix + "}", durable == "true")
