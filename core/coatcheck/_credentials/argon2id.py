"""The slow half of `hash_scheme="argon2id"`: costs, a limit on how many run at once, and a
record of what was verified, so that only the first validation of a token pays."""

from __future__ import annotations

import os
from collections import OrderedDict
from hashlib import blake2b
from threading import BoundedSemaphore, Lock
from typing import NamedTuple

from .._contract.deadline import remaining
from .._errors import BackendUnavailable
from .._forks import renew_after_fork
from .._secret import Secret

AT_ONCE = 2
"""Argon2 computations at the same time in one manager; each takes `memory_kib`."""

LEAST_MEMORY_PER_LANE = 8
MOST_MEMORY_KIB = 2**22
"""4 GiB."""

REMEMBERED = 16_384
"""Verified hashes that are remembered, 32 bytes each; the least recently used goes first."""


class Argon2Cost(NamedTuple):
    """Parameters of Argon2id (RFC 9106, section 3.1)."""

    memory_kib: int
    time_cost: int
    parallelism: int

    @property
    def is_possible(self) -> bool:
        """Within the bounds of RFC 9106 below, and of reason above: a damaged row must not
        ask for a terabyte."""
        least = LEAST_MEMORY_PER_LANE * self.parallelism
        return least <= self.memory_kib <= MOST_MEMORY_KIB

    def __str__(self) -> str:
        return f"m={self.memory_kib},t={self.time_cost},p={self.parallelism}"


class Argon2id:
    """Argon2id for one manager."""

    __slots__ = ("__weakref__", "_places")

    def __init__(self) -> None:
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Nobody computes in a new process."""
        self._places = BoundedSemaphore(AT_ONCE)

    def digest(self, secret: Secret[bytes], salt: bytes, cost: Argon2Cost) -> bytes:
        """32 bytes. Waits its turn; `BackendUnavailable` if that does not come in time."""
        from argon2.exceptions import HashingError
        from argon2.low_level import Type, hash_secret_raw

        if not self._places.acquire(timeout=remaining()):
            raise BackendUnavailable("no turn for an Argon2 hash within the deadline")
        try:
            return hash_secret_raw(
                secret.reveal(),
                salt,
                time_cost=cost.time_cost,
                memory_cost=cost.memory_kib,
                parallelism=cost.parallelism,
                hash_len=32,
                type=Type.ID,
            )
        except HashingError as error:
            raise BackendUnavailable("no memory for an Argon2 hash") from error
        finally:
            self._places.release()


class VerifiedHashes:
    """Which stored hash was verified with which secret, in this process, and nothing else.

    An entry is a MAC under a random key of this process, so it holds no secret and
    is worth nothing elsewhere. The session itself is read anew at every validation.
    """

    __slots__ = ("__weakref__", "_key", "_lock", "_seen")

    def __init__(self) -> None:
        self._key = Secret(os.urandom(32))
        self.after_fork()
        renew_after_fork(self)

    def after_fork(self) -> None:
        """Forget all: another thread may have been in the middle of a change."""
        self._lock = Lock()
        self._seen: OrderedDict[bytes, None] = OrderedDict()

    def mark(self, key_hash: str, fast_digest: bytes) -> bytes:
        """The entry for a stored hash and the HMAC of the secret that was presented."""
        mac = blake2b(fast_digest, key=self._key.reveal(), digest_size=32)
        mac.update(key_hash.encode())
        return mac.digest()

    def knows(self, mark: bytes) -> bool:
        """Whether this was verified before."""
        with self._lock:
            if mark not in self._seen:
                return False
            self._seen.move_to_end(mark)
            return True

    def add(self, mark: bytes) -> None:
        """Remember it, and forget the oldest if there are too many."""
        with self._lock:
            self._seen[mark] = None
            if len(self._seen) > REMEMBERED:
                self._seen.popitem(last=False)
