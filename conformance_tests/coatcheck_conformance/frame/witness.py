"""What a single touch or rewrite of a hash did to a row, seen from just before and just after."""

from __future__ import annotations

from coatcheck import Record, Session

from .expecting import Broken, equal


def judge_touch(
    before: Record | None, after: Record | None, issued: Session, now: int, answer: object
) -> None:
    """Laws 4 and 9, of one touch at `now` that answered so.

    :param issued: the session as it was at first.
    """
    changed = _changed(before, after) - {"last_used_at"}
    is_live = before is not None and before.state(now) == "live"
    if bool(answer) is not is_live:
        words = "a touch says whether the session is there and live"
        raise Broken(words, expected=is_live, actual=answer, law=9 if before and answer else 4)
    if before is None or after is None:
        return
    if changed == {"expires_at"} and Session(after).expires_at == issued.expires_at:
        raise Broken("a touch does not put back `expires_at`", law=9)
    if changed == {"inactivity_timeout"}:
        raise Broken("a touch does not put back the timeout", law=9)
    equal(changed, set[str](), "a touch changes nothing but `last_used_at`", law=4)
    if after.last_used_at < before.last_used_at:
        raise Broken("a touch never moves `last_used_at` back", expected=before.last_used_at,
                     actual=after.last_used_at, law=4)  # fmt: skip


def judge_rewrite(before: Record | None, after: Record | None, old: str, answer: object) -> None:
    """Laws 8, 9 and 10, of one rewrite of the hash `old` that answered so."""
    is_old = before is not None and before.key_hash == old
    changed = _changed(before, after)
    others = changed - {"key_hash", "pepper_id"}
    equal(others, set[str](), "a rewrite changes the hash alone", law=8)
    words = "a rewrite is done while the hash is still the old one, and says whether it was"
    equal(bool(answer), is_old, words, law=10)
    equal(bool(changed), is_old, words, law=10)


def _changed(before: Record | None, after: Record | None) -> set[str]:
    """The fields that differ."""
    if before is None and after is not None:
        raise Broken("nothing but `issue` creates a session", law=9)
    if before is None or after is None:
        return set()
    return {name for name in Record._fields if getattr(before, name) != getattr(after, name)}
