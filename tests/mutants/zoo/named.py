"""The kinds of broken backends and managers that were thought of first, by their animals."""

from __future__ import annotations

from typing import Final

NAMED: Final[dict[str, tuple[str, ...]]] = {
    # Existence
    "touch upserts": ("a touch upserts",),
    "touch, update or update_all revives an ended session": (
        "a touch revives an ended session",
        "an update revives an ended session",
        "a bulk update revives ended sessions",
    ),
    "touch writes a deadline computed from an earlier read": (
        "a touch writes the deadlines of an earlier read",
    ),
    "update upserts": ("an update upserts",),
    "hash rewrite upserts": ("a hash rewrite upserts",),
    "touch writes the whole row": ("a touch writes the whole row as it was loaded",),
    "update writes the whole row": (
        "an update writes the whole row as it was read a little earlier",
        "update writes back every field that it read",
    ),
    "insert overwrites": ("an insert overwrites",),
    "duplicate insert reports success": ("a second insert of one id reports success",),
    "delete reports True for an absent id, or False though it removed": (
        "delete reports an absent id as deleted",
        "delete says no though it removed",
    ),
    "second delete raises": ("a second delete raises",),
    "delete acknowledged before commit": (
        "a revocation is acknowledged before it is written",
        "a delete is done at the next write",
    ),
    "w: 1": ("a revocation is written over by an older copy in a crash",),
    # Time
    "valid at expires_at": ("valid at expires_at",),
    "valid at the inactivity limit": ("valid at the inactivity limit",),
    "list or purge on another boundary than validate": (
        "a list has another boundary than a validation",
        "a purge has another boundary than a validation",
    ),
    "touch moves last_used_at back": ("a touch moves last_used_at back",),
    "touch extends expires_at": ("a touch extends expires_at",),
    "throttle as long as the timeout": ("a throttle as long as the timeout",),
    "throttle with > where >= is meant": ("throttle with > where >= is meant",),
    "local time": ("the clock is read as local time",),
    "no expiry stored as 0": ("no expiry is stored as 0",),
    "zero timeout means never": ("a zero lifetime left means never",),
    # Filters
    "limit before filter": ("the limit comes before the filter",),
    "one filter ignored": ("find ignores the method", "update_all ignores the pepper"),
    "no filter means all": ("no filter means all",),
    "a filter of None means all": ("a filter of None means all",),
    "filters joined by OR": ("filters are joined by OR",),
    "cursor without tie-breaker": ("the cursor is a time without a tie-breaker",),
    "cursor inclusive": ("the cursor is inclusive",),
    "count includes what find does not": ("count includes what has ended, which find does not",),
    "results carry the hash": ("results carry the hash",),
    # Values
    "case-insensitive ids": ("look-ups ignore case",),
    "normalised Unicode": ("user ids are normalised (NFC)",),
    'empty scopes become null or [""]': (
        "no scopes become null",
        "empty scopes become one empty scope",
    ),
    "update merges scopes": ("an update merges scopes", "a bulk update merges scopes"),
    "dots in metadata keys become nesting": ("dots in metadata keys become nesting",),
    "the returned record aliases the stored one": ("sessions share their metadata",),
    # Hash
    "salt not hashed": ("the salt is not hashed",),
    "hash not bound to the id": ("the hash is not bound to the id",),
    "fallback ignored": ("fallbacks are ignored",),
    "only the first fallback tried": ("only the first fallback is tried",),
    "new hashes under the oldest pepper": ("new hashes are made under the oldest pepper",),
    "rewrite under the old pepper": ("a rewrite stays under the old pepper",),
    "empty or truncated digest accepted": (
        "an empty digest fits every secret",
        "a cut digest is compared as far as it goes",
    ),
    "non-canonical token accepted": ("spare bits of the last character are ignored",),
    "checksum not checked": ("the checksum is not checked",),
    # Runtime
    "transaction ignored": ("the transaction is ignored",),
    "composed bulk calls without their guard": (
        "a composed update_all without its guard",
        "a composed revoke_all without its guard",
        "a composed purge removes without its guard",
    ),
    "a read cache of one second": ("a read cache of one second",),
    "prepare drops data": ("prepare begins with nothing",),
    "purge misses sessions that are only inactive, or takes live ones": (
        "a purge misses what is only inactive",
        "a purge takes live sessions",
    ),
    "a store error becomes 'unknown token'": ("a store error becomes an unknown token",),
}
