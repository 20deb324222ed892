"""Each operation is one statement, one round trip and one transaction, on one connection."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, BackendError, Where
from coatcheck_backends.postgresql import async_store, store
from coatcheck_conformance.clock import Clock
from postgresql_places import OLD_PEPPER, Place
from proxies import Proxy, proxy_to
from shared_servers import with_options

CALLERS = 20


@pytest.fixture
def proxy(place: Place) -> Iterator[Proxy]:
    """The place's managers go over this proxy."""
    with proxy_to(place.database) as proxy:
        place.url = with_options(proxy.url, schema=place.schema, sslmode="disable")
        yield proxy


def calls_of(sessions: Any, issued: Any) -> dict[str, Callable[[], object]]:
    """Every call that is one statement, by name."""
    session_id, token = issued.session.id, issued.token
    return {
        "issue": lambda: sessions.issue("ann", method="password"),
        "validate": lambda: sessions.validate(token, touch=False),
        "get": lambda: sessions.get(session_id),
        "find": lambda: sessions.find(user_id="ann"),
        "count": lambda: sessions.count(live=True),
        "update": lambda: sessions.update(session_id, scopes={"a"}),
        "update_all": lambda: sessions.update_all(user_id="ann", scopes={"b"}),
        "pepper_status": sessions.pepper_status,
        "ping": sessions.ping,
        "purge": sessions.purge,
        "revoke": lambda: sessions.revoke(session_id),
        "revoke_all": lambda: sessions.revoke_all(user_id="bob", keep={session_id}),
    }


def rounds_in(kinds: list[str]) -> int:
    """How often the client waited: each round ends with a Sync, or is a simple query."""
    return kinds.count("S") + kinds.count("Q")


def test_every_call_is_one_round_trip_and_one_statement_once_it_is_prepared(
    place: Place, face: str, proxy: Proxy
) -> None:
    sessions = place.open(face, {"pool_size": "1"})
    for warm in (True, False):
        issued = sessions.issue("ann", method="password")
        proxy.take()
        for name, call in calls_of(sessions, issued).items():
            call()
            kinds = proxy.take()
            assert "Q" not in kinds, f"{name}: BEGIN and ROLLBACK would be such"
            if not warm:
                assert kinds.count("E") == 1, (name, kinds)
                assert rounds_in(kinds) == 1, (name, kinds)
                assert "P" not in kinds, (name, kinds)
    assert len(proxy.sent) == 1, "one connection was enough"


def test_a_validation_with_all_that_may_be_due_is_three_and_else_one(
    place: Place, face: str, proxy: Proxy
) -> None:
    clock = Clock()
    old = place.open(pepper=OLD_PEPPER, clock=clock)
    sessions = place.open(face, {"pool_size": "1"}, fallback_peppers=[OLD_PEPPER], clock=clock)
    issued = [old.issue("ann", method="password") for _ in range(2)]
    clock.move(timedelta(minutes=2))
    sessions.validate(issued[0].token)
    proxy.take()
    assert sessions.validate(issued[1].token)
    assert rounds_in(proxy.take()) == 3, "load, touch, rewrite"
    for _ in range(3):
        assert sessions.validate(issued[1].token)
        assert rounds_in(proxy.take()) == 1
    assert not sessions.validate("no token")
    assert proxy.take() == []


@pytest.mark.parametrize("prepared", ["never", "auto", "always"])
def test_without_prepared_statements_it_is_one_round_trip_from_the_first(
    place: Place, proxy: Proxy, prepared: str
) -> None:
    for face in ("psycopg", "async psycopg"):
        sessions = place.open(face, {"pool_size": "1", "prepared_statements": prepared})
        issued = sessions.issue("ann", method="password")
        proxy.take()
        for call in calls_of(sessions, issued).values():
            call()
        kinds = proxy.take()
        assert kinds.count("E") == len(calls_of(sessions, issued))
        assert "Q" not in kinds
        if prepared == "never":
            assert rounds_in(kinds) == len(calls_of(sessions, issued))


def test_twenty_threads_on_a_pool_of_one_all_succeed(place: Place, proxy: Proxy) -> None:
    sessions = place.open("psycopg", {"pool_size": "1"})
    done: list[str] = []

    def work(n: int) -> None:
        for _ in range(3):
            issued = sessions.issue(f"user {n}", method="password")
            if sessions.validate(issued.token).user_id == f"user {n}":
                done.append(issued.token)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(CALLERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)
    assert len(set(done)) == 3 * CALLERS
    assert len(proxy.sent) == 1


def test_twenty_tasks_on_a_pool_of_one_all_succeed(
    place: Place, async_face: str, proxy: Proxy
) -> None:
    async def work(sessions: AsyncSessionManager, n: int) -> None:
        for _ in range(3):
            issued = await sessions.issue(f"user {n}", method="password")
            answer = await sessions.validate(issued.token)
            assert answer
            assert answer.user_id == f"user {n}"

    async def scenario() -> None:
        async with place.manager(async_face, {"pool_size": "1"}) as sessions:
            await asyncio.gather(*[work(sessions, n) for n in range(CALLERS)])

    asyncio.run(scenario())
    assert len(proxy.sent) == 1


WITNESS = """
CREATE TABLE committed (operation TEXT, setting TEXT, timeout TEXT);
CREATE FUNCTION witness() RETURNS trigger LANGUAGE plpgsql SET search_path FROM CURRENT AS $$
BEGIN
    INSERT INTO committed VALUES
        (TG_OP, current_setting('synchronous_commit'), current_setting('lock_timeout'));
    RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER witness AFTER INSERT OR UPDATE OR DELETE ON coatcheck_session
    DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION witness();
"""


class Witness:
    """What the settings were at each commit, by a server whose default is given."""

    def __init__(self, place: Place, face: str, default: str) -> None:
        self.place, self.face = place, face
        place.sql(WITNESS)
        place.new_role(f"SET synchronous_commit = {default}", superuser=True)
        self.sessions = self.open()

    def open(self, **options: Any) -> Any:
        return self.place.open(self.face, {"pool_size": "1"}, **options)

    def at(self, call: Callable[[], object]) -> set[tuple[str, str]]:
        """By operation, the setting with which a call was committed."""
        self.place.sql("TRUNCATE committed")
        call()
        return {(o, s) for o, s in self.place.sql("SELECT operation, setting FROM committed")}


@pytest.mark.parametrize(
    ("default", "expected"),
    [("off", "on"), ("local", "on"), ("on", "on"), ("remote_apply", "remote_apply")],
)
def test_whatever_must_be_kept_is_committed_to_the_disk(
    place: Place, face: str, default: str, expected: str
) -> None:
    witness, clock = Witness(place, face, default), Clock()
    sessions = witness.sessions
    old = place.open(pepper=OLD_PEPPER, clock=clock)
    new = witness.open(fallback_peppers=[OLD_PEPPER], clock=clock)
    issued = [old.issue("ann", method="password") for _ in range(4)]
    ended = old.issue("eve", method="password", lifetime=timedelta(minutes=1))
    assert witness.at(lambda: sessions.issue("bob", method="password")) == {("INSERT", expected)}
    cases: list[tuple[Callable[[], object], str, str]] = [
        (lambda: new.validate(issued[0].token), "UPDATE", expected),
        (lambda: new.update(issued[0].session.id, scopes={"a"}), "UPDATE", expected),
        (lambda: new.update_all(user_id="ann", scopes={"b"}), "UPDATE", expected),
        (lambda: new.revoke(issued[1].session.id), "DELETE", expected),
        (lambda: new.revoke_all(user_id="ann", keep={issued[0].session.id}), "DELETE", expected),
    ]
    for call, operation, setting in cases:
        assert witness.at(call) == {(operation, setting)}
    clock.move(timedelta(minutes=5))
    assert witness.at(new.purge) == {("DELETE", expected)}
    assert not old.get(ended.session.id)
    # It may be lost in a crash, and that can only shorten a session's life.
    assert witness.at(lambda: new.validate(issued[0].token)) == {("UPDATE", "off")}
    assert witness.at(lambda: new.update(issued[0].session.id, scopes={"c"})) == {
        ("UPDATE", expected)
    }, "the touch before has left nothing behind"


def test_a_connection_is_settled_once_and_a_touch_leaves_nothing_behind(place: Place) -> None:
    backend = place.backend(pool_size="1")
    sessions = place.open()
    issued = sessions.issue("ann", method="password")
    backend.touch(issued.session.id, 10**15)
    backend.update(issued.session.id, {"metadata": "{}"}, Where())
    link = backend._store.take()
    shown = "SELECT current_setting('synchronous_commit'), current_setting('lock_timeout')"
    assert link.run(shown, ()).rows == [("on", "4500ms")], "less than the deadline"
    backend._store.discard(link)


def test_a_connection_that_could_not_be_settled_is_settled_by_the_next_write(
    place: Place, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    witness = Witness(place, face, "off")
    with monkeypatch.context() as patch:
        for module in (store, async_store):
            patch.setattr(module, "SETTLE", "SELECT 1 / (length($1) - length($1))")
        with pytest.raises(BackendError):
            witness.sessions.issue("ann", method="password")
    assert witness.at(lambda: witness.sessions.issue("ann", method="password")) == {
        ("INSERT", "on")
    }
