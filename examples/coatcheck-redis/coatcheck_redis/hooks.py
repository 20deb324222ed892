"""The storage hooks, each as a generator that yields commands and is sent their answers.

A hook on one session is one command, or one run of the script; one on many sessions is as many
runs as it takes. Commands are wrapped in `Secret`, since a key hash may be in one.
"""

import hashlib
from collections.abc import Generator
from pathlib import Path
from typing import Any, TypeAlias, TypeVar
from uuid import UUID

from redis.exceptions import NoScriptError

import coatcheck
from coatcheck import Changes, Record, Secret, SessionRef, Where

from .location import Location
from .rows import FIELDS, filter_of, record_of, ref_of, text_of, texts_of

T = TypeVar("T")
Flow: TypeAlias = Generator[Secret[tuple[str | int, ...]], Any, T]

_SCRIPT = Path(__file__).with_name("store.lua").read_text("utf-8")
_DIGEST = hashlib.sha1(_SCRIPT.encode(), usedforsecurity=False).hexdigest()
_SCHEMA = 1


class Hooks:
    """All required ones but `info` and `close`, and the optional ones that an index is for."""

    def __init__(self, at: Location) -> None:
        self.at = at

    def prepare(self, create: bool) -> Flow[None]:
        said = (yield Secret(("INFO",))).decode().split()
        if "role:master" not in said:
            raise coatcheck.ConfigError("redis: a replica knows of a revocation late")
        if any(line.startswith("maxmemory_policy:allkeys") for line in said):
            raise coatcheck.ConfigError("redis: by its maxmemory-policy the server drops sessions")
        for name, value in ("appendonly", b"yes"), ("appendfsync", b"always"):
            if self.at.durable and (yield Secret(("CONFIG", "GET", name)))[1:] != [value]:
                raise coatcheck.ConfigError(f"redis: durable=true needs {name} {value.decode()}")
        key = f"{self.at.base}:schema"
        if create:
            yield Secret(("SET", key, _SCHEMA, "NX"))
        version = yield Secret(("GET", key))
        if version is None:
            raise coatcheck.SchemaMissing("redis: no schema; run `coatcheck prepare`")
        if int(version) > _SCHEMA:
            raise coatcheck.SchemaTooNew("redis: made by a newer coatcheck-redis")

    def ping(self) -> Flow[None]:
        yield Secret(("PING",))

    def insert(self, record: Record) -> Flow[None]:
        row = dict(zip(FIELDS, record[1:], strict=True))
        if not (yield from self._ask("insert", record.id.hex, *texts_of(row))):
            raise coatcheck.DuplicateSession(f"session {record.id} exists already")

    def load(self, session_id: UUID) -> Flow[Record | None]:
        values = yield Secret(("HMGET", f"{self.at.base}:session:{session_id.hex}", *FIELDS))
        return record_of(session_id, values) if any(values) else None

    def touch(self, session_id: UUID, now: int) -> Flow[bool]:
        return bool((yield from self._ask("touch", session_id.hex, text_of(now))))

    def replace_key_hash(self, session_id: UUID, old: str, new: str, pepper_id: str) -> Flow[bool]:
        args = session_id.hex, old, new, pepper_id
        return bool((yield from self._ask("replace_key_hash", *args)))

    def update(self, session_id: UUID, changes: Changes, where: Where) -> Flow[Record | None]:
        this = filter_of(where, id=session_id.hex)
        rows = yield from self._each("update", this, *texts_of(changes))
        return record_of(session_id, rows[0][1]) if rows else None

    def delete(self, session_id: UUID, where: Where) -> Flow[SessionRef | None]:
        gone = yield from self._each("delete", filter_of(where, id=session_id.hex))
        return ref_of(*gone[0]) if gone else None

    def find(self, where: Where, after: UUID | None, limit: int) -> Flow[list[Record]]:
        start = after.hex if after else ""
        rows = yield from self._each("find", filter_of(where), after=start, limit=limit)
        return [record_of(UUID(row[0].decode()), row[1]) for row in rows]

    def count(self, where: Where) -> Flow[int]:
        return len((yield from self._each("count", filter_of(where))))

    def delete_where(self, where: Where, keep: frozenset[UUID]) -> Flow[list[SessionRef]]:
        these = filter_of(where, keep={session_id.hex: True for session_id in keep})
        return [ref_of(*row) for row in (yield from self._each("delete", these))]

    def purge(self, where: Where, limit: int) -> Flow[int]:
        # Of all that have ended there is an index; of those that did so in one way, none.
        is_all = where == Where(state=frozenset({"expired", "inactive"}), now=where.now)
        ended = filter_of(where, ended=is_all)
        return len((yield from self._each("delete", ended, limit=limit)))

    def _ask(self, *hook: str | int) -> Flow[Any]:
        answer = yield Secret(("EVALSHA", _DIGEST, 1, self.at.base, *hook))
        if isinstance(answer, NoScriptError):  # as after a restart
            answer = yield Secret(("EVAL", _SCRIPT, 1, self.at.base, *hook))
        return answer

    def _each(
        self, hook: str, which: str, *args: str, after: str = "", limit: int = 2**40
    ) -> Flow[Any]:
        found: list[Any] = []
        while len(found) < limit:
            after, more = yield from self._ask(hook, which, after, limit - len(found), *args)
            found += more
            if not after:
                break
        return found
