"""The options of a manager: their names, defaults and checks, in one place."""

from __future__ import annotations

import difflib
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Literal, TypedDict, cast

from . import _fields
from ._contract.deadline import DEFAULT_DEADLINE
from ._credentials.argon2id import LEAST_MEMORY_PER_LANE, MOST_MEMORY_KIB, Argon2Cost
from ._credentials.hashes import KeyHasher
from ._credentials.peppers import Keyring, open_keyring
from ._credentials.tokens import MAX_SECRET_LENGTH, MIN_SECRET_LENGTH, TokenFormat
from ._errors import ConfigError, InvalidInput
from ._secret import Secret, sealed
from ._shapes import is_collection
from ._times import Milliseconds, clock_in_ms, span_to_ms, system_clock

HashScheme = Literal["hmac-sha256", "argon2id"]
HASH_SCHEMES: tuple[HashScheme, ...] = ("hmac-sha256", "argon2id")

_TOKEN_PREFIX = re.compile("[a-z][a-z0-9]{1,15}")


class ManagerOptions(TypedDict, total=False):
    """The keyword arguments of `open` and of both managers, and the names of the settings."""

    pepper: str | Secret[str]
    fallback_peppers: Iterable[str | Secret[str]]
    lifetime: timedelta | None
    inactivity_timeout: timedelta | None
    touch_interval: timedelta
    secret_length: int
    salt_length: int
    token_prefix: str
    hash_scheme: HashScheme
    argon2_memory_kib: int
    argon2_time_cost: int
    argon2_parallelism: int
    deadline: timedelta
    prepare: bool
    clock: Callable[[], datetime]
    plugins: Iterable[object]


DEFAULTS: Mapping[str, Any] = {
    "pepper": None,
    "fallback_peppers": (),
    "lifetime": timedelta(days=30),
    "inactivity_timeout": timedelta(days=7),
    "touch_interval": timedelta(seconds=60),
    "secret_length": 32,
    "salt_length": 16,
    "token_prefix": "cck",
    "hash_scheme": "hmac-sha256",
    "argon2_memory_kib": 19 * 1024,
    "argon2_time_cost": 2,
    "argon2_parallelism": 1,
    "deadline": timedelta(seconds=DEFAULT_DEADLINE),
    "prepare": True,
    "clock": None,
    "plugins": (),
}


@dataclass(frozen=True, slots=True)
class Config:
    """Options, checked, in the form that the flows use."""

    tokens: TokenFormat
    hasher: KeyHasher
    keyring: Keyring
    secret_length: int
    lifetime: Milliseconds | None
    inactivity_timeout: Milliseconds | None
    touch_interval: Milliseconds
    deadline: float
    """Seconds, for one call or one page of a bulk call."""
    prepare: bool
    now: Callable[[], Milliseconds]
    plugins: tuple[object, ...]


def seal_options(options: Mapping[str, Any]) -> dict[str, Any]:
    """The options with each pepper wrapped, before any frame can show them."""
    wrapped = dict(options)
    if "pepper" in wrapped:
        wrapped["pepper"] = sealed(wrapped["pepper"])
    if "fallback_peppers" in wrapped:
        wrapped["fallback_peppers"] = _sealed_list(sealed(wrapped["fallback_peppers"]))
    return wrapped


def _sealed_list(given: Secret[Any]) -> Any:
    """Each pepper of a list in a `Secret`; what is no list stays one, for `configure` to refuse."""
    peppers = given.reveal()
    if not is_collection(peppers):
        return given
    return tuple(sealed(pepper) for pepper in peppers)


def configure(options: Mapping[str, Any]) -> Config:
    """Check sealed options and open the keyring. Raises `ConfigError`, naming the option."""
    for name in options:
        if name not in DEFAULTS:
            close = difflib.get_close_matches(name, DEFAULTS, 1)
            hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(DEFAULTS)}"
            raise ConfigError(f"unknown option {name}{hint}")
    chosen = {**DEFAULTS, **options}
    try:
        return _checked(chosen)
    except InvalidInput as error:
        # The field rules are the same; here it is the configuration that breaks them.
        raise ConfigError(str(error)) from None


def _checked(chosen: Mapping[str, Any]) -> Config:
    cost = _argon2_cost(chosen)
    salt_length = _fields.size("salt_length", chosen["salt_length"], 8, 64)
    lengths = MIN_SECRET_LENGTH, MAX_SECRET_LENGTH
    secret_length = _fields.size("secret_length", chosen["secret_length"], *lengths)
    tokens = TokenFormat(_token_prefix(chosen["token_prefix"]))
    lifetime = chosen["lifetime"]
    deadline = _fields.span("deadline", chosen["deadline"])
    now = system_clock if chosen["clock"] is None else _clock(chosen["clock"])
    plugins = _collection("plugins", chosen["plugins"])
    prepare = _fields.flag("prepare", chosen["prepare"])
    timeout = _fields.inactivity_timeout(chosen["inactivity_timeout"])
    touch_interval = _touch_interval(chosen["touch_interval"])
    life = None if lifetime is None else _fields.span("lifetime", lifetime)
    fallbacks = _collection("fallback_peppers", chosen["fallback_peppers"])
    # Last, since each pepper takes about 30 ms to stretch.
    keyring = open_keyring(sealed(chosen["pepper"]), fallbacks)
    return Config(
        tokens=tokens,
        hasher=KeyHasher(keyring, salt_length, cost),
        keyring=keyring,
        secret_length=secret_length,
        lifetime=life,
        inactivity_timeout=timeout,
        touch_interval=touch_interval,
        deadline=deadline / 1000,
        prepare=prepare,
        now=now,
        plugins=plugins,
    )


def _argon2_cost(chosen: Mapping[str, Any]) -> Argon2Cost | None:
    parallelism = _fields.size("argon2_parallelism", chosen["argon2_parallelism"], 1, 64)
    least_memory = LEAST_MEMORY_PER_LANE * parallelism
    cost = Argon2Cost(
        _fields.size(
            "argon2_memory_kib", chosen["argon2_memory_kib"], least_memory, MOST_MEMORY_KIB
        ),
        _fields.size("argon2_time_cost", chosen["argon2_time_cost"], 1, 99),
        parallelism,
    )
    if chosen["hash_scheme"] not in HASH_SCHEMES:
        raise ConfigError(f"hash_scheme must be one of: {', '.join(HASH_SCHEMES)}")
    return cost if chosen["hash_scheme"] == "argon2id" else None


def _token_prefix(given: object) -> str:
    if not isinstance(given, str) or _TOKEN_PREFIX.fullmatch(given) is None:
        raise ConfigError("token_prefix must match [a-z][a-z0-9]{1,15}")
    return given


def _touch_interval(given: object) -> Milliseconds:
    if not isinstance(given, timedelta) or not timedelta(0) <= given <= _fields.MAX_SPAN:
        raise ConfigError("touch_interval must be a timedelta of 0 s to 1,000 years")
    return span_to_ms(given)


def _clock(given: Any) -> Callable[[], Milliseconds]:
    if not callable(given):
        raise ConfigError("clock must be a callable that returns an aware datetime")
    return clock_in_ms(cast(Callable[[], datetime], given))


def _collection(name: str, given: Any) -> tuple[Any, ...]:
    if not is_collection(given):
        raise ConfigError(f"{name} must be a list")
    return tuple(given)
