"""The nineteen laws by number, in a few words each.

The numbers are the ones by which tests, issues and the documentation refer to them.
"""

from __future__ import annotations

from typing import Final, NamedTuple


class Law(NamedTuple):
    """One law that a backend, together with the core, must keep."""

    number: int
    title: str
    words: str

    def __str__(self) -> str:
        return f"law {self.number}, {self.title.lower()}"


_ALL = (
    Law(
        1,
        "Round trip",
        "What `issue` returned, `get` and `validate` return, field for field, for every legal "
        "value. Times are kept to the millisecond.",
    ),
    Law(
        2,
        "Expiry",
        "A session is accepted until one millisecond before `valid_until`, and at `valid_until` "
        "no more. Reads, filters and purges use the same boundary.",
    ),
    Law(
        3,
        "Sliding",
        "A use is recorded when the interval has passed: `touch_interval`, or a tenth of the "
        "session's own timeout if that is less. Regular use keeps a session for ever; rest for "
        "`inactivity_timeout` ends it.",
    ),
    Law(
        4,
        "Touch",
        "Recording a use never moves `last_used_at` back, changes nothing else, and comes after "
        "the secret was verified. If the session vanished meanwhile, it is rejected as unknown.",
    ),
    Law(
        5,
        "Revocation",
        "A validation that starts after `revoke` returned is rejected, in every process that "
        "shares the store.",
    ),
    Law(
        6,
        "Scopes",
        "A change of scopes counts at the next validation, and replaces what was there.",
    ),
    Law(
        7,
        "Isolation",
        "An operation with filters reads or changes exactly the sessions that match all of them.",
    ),
    Law(
        8,
        "No lost update",
        "A write to an existing session is one guarded step on named fields; changes of different "
        "fields at the same time both survive.",
    ),
    Law(
        9,
        "No return",
        "Nothing but `issue` creates a session, and one that has ended never becomes live again.",
    ),
    Law(
        10,
        "Peppers",
        "A token issued under any configured pepper validates, and its hash moves to the first "
        "one; under none of them it is rejected, and nothing is written. Other lengths and "
        "another hash scheme sign nobody out.",
    ),
    Law(
        11,
        "Hash",
        "Salt, pepper, session and user all enter the digest, so equal secrets never give equal "
        "hashes and a copied hash is worthless. A failed validation writes nothing.",
    ),
    Law(
        12,
        "Token",
        "One token has one spelling; any edit is rejected as malformed, and nobody asks the store.",
    ),
    Law(
        13,
        "Paging",
        "Walking `find` gives every session that matches throughout exactly once, in the order "
        "of ids, while others come and go.",
    ),
    Law(
        14,
        "Purge",
        "Removes exactly what is not live at that instant, and says how many.",
    ),
    Law(
        15,
        "Once acknowledged, kept",
        "An acknowledged issue, update or revocation survives what the backend declares to "
        "survive. Only a touch may be lost.",
    ),
    Law(
        16,
        "Closed",
        "A store that cannot answer is an error, never a session and never a refusal. What fails "
        "after a good read does not fail the validation.",
    ),
    Law(
        17,
        "Transactions",
        "Changes within a transaction are seen inside it, appear together at its commit and not "
        "at all after a rollback; no observer is told of what did not survive. A validation "
        "inside writes nothing.",
    ),
    Law(
        18,
        "Silence",
        "No token, secret, pepper, hash or password of a URL reaches a log, a repr, a pickle or "
        "an exception.",
    ),
    Law(
        19,
        "Same face",
        "The synchronous and the asynchronous manager give the same results for the same history.",
    ),
)

LAWS: Final[dict[int, Law]] = {law.number: law for law in _ALL}
"""Every law by its number."""
