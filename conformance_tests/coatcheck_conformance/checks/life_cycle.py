"""A backend is prepared, used, closed and opened again, by one process or several."""

from __future__ import annotations

from typing import Any

from hypothesis import strategies as st

from coatcheck import Capability, ManagerClosed, SchemaMissing

from ..clock import SECOND
from ..frame.expecting import equal, identical, raises
from ..frame.people import everything, people, populate
from ..frame.registry import check_of
from ..frame.stage import Stage
from ..frame.trying import for_all
from ..harness import NotShown
from ..model import differences, facts_of
from ..relay import relay_over


def _asked(stage: Stage, backend: Any, hook: str, *args: Any) -> Any:
    answer = getattr(backend, hook)(*args)
    return stage.wait(answer) if backend.info().asynchronous else answer


@check_of("life cycle")
def preparing_is_idempotent_and_finds_what_is_prepared(stage: Stage) -> None:
    flags = st.lists(st.booleans(), min_size=1, max_size=3)

    @for_all(stage, drawn=people(0, 3), creates=flags)
    def check(drawn: list[Any], creates: list[Any]) -> None:
        population = populate(stage, drawn)
        for create in creates:
            stage.ask("prepare", create)
        stage.manager().ping()
        equal(everything(stage), population.model.sessions)
        assert stage.manager().issue("user", method="password")


@check_of("life cycle", shares=False)
def a_missing_schema_is_refused_and_not_made_by_a_look(stage: Stage) -> None:
    backend = stage.harness.unprepared(stage.face)
    try:
        for _ in range(2):
            with raises(SchemaMissing):
                _asked(stage, backend, "prepare", False)
        for create in (True, False):
            _asked(stage, backend, "prepare", create)
        with stage.visitor(backend, prepare=False) as sessions:
            issued = sessions.issue("user", method="password")
            equal(sessions.validate(issued.token), issued.session)
    finally:
        _asked(stage, backend, "close")
    stage.examples += 1


@check_of("life cycle")
def a_backend_may_be_closed_twice(stage: Stage) -> None:
    @for_all(stage, times=st.integers(1, 3), prepares=st.booleans(), used=st.booleans())
    def check(times: int, prepares: bool, used: bool) -> None:
        backend = stage.fresh_backend()
        if prepares or used:
            _asked(stage, backend, "prepare", False)
        if used:
            _asked(stage, backend, "ping")
        for _ in range(times):
            _asked(stage, backend, "close")
        assert stage.manager().issue("user", method="password"), "the others work on"


@check_of("life cycle")
def what_is_closed_takes_no_call(stage: Stage) -> None:
    calls = st.sampled_from(("validate", "get", "issue", "revoke", "find", "ping", "update"))

    @for_all(stage, call=calls, times=st.integers(1, 3))
    def check(call: str, times: int) -> None:
        issued = stage.manager().issue("user", method="password")
        arguments: dict[str, tuple[tuple[Any, ...], dict[str, Any]]] = {
            "validate": ((issued.token,), {}),
            "issue": (("user",), {"method": "password"}),
            "update": ((issued.session.id,), {"scopes": ()}),
            "find": ((), {"user_id": "user"}),
            "ping": ((), {}),
        }
        args, options = arguments.get(call, ((issued.session.id,), {}))
        # The backend of the stage is lent: it works on when the manager is closed.
        lent = relay_over(stage.backend)
        lent.instead["close"] = lambda: None
        with stage.visitor(lent) as sessions:
            for _ in range(times):
                sessions.close()
            with raises(ManagerClosed):
                getattr(sessions, call)(*args, **options)
        identical(bool(stage.manager().validate(issued.token)), True)


@check_of("life cycle")
def two_backends_on_one_store_see_the_same(stage: Stage) -> None:
    stage.need(Capability.SHARED)

    @for_all(stage, there=st.booleans(), scopes=st.sets(st.sampled_from("abc")))
    def check(there: bool, scopes: set[str]) -> None:
        with stage.visitor(prepare=False) as other:
            writer, reader = (other, stage.manager()) if there else (stage.manager(), other)
            issued = writer.issue("user", method="password", scopes=scopes)
            equal(reader.validate(issued.token), issued.session)
            identical(reader.revoke(issued.session.id), True)
            equal(writer.validate(issued.token).reason, "unknown")


@check_of("life cycle")
def what_is_opened_again_finds_what_was_there(stage: Stage) -> None:
    if not {Capability.DURABLE, Capability.SHARED} & set(stage.info.capabilities):
        raise NotShown("the backend declares neither `durable` nor `shared`")

    @for_all(stage, wait=st.integers(0, 100), create=st.booleans(), scopes=st.sets(st.just("s")))
    def check(wait: int, create: bool, scopes: set[str]) -> None:
        with stage.visitor() as first:
            issued = first.issue("user", method="password", scopes=scopes, metadata={"a": 1})
            gone = first.issue("user", method="password")
            first.revoke(gone.session.id)
        stage.clock.move(wait * SECOND)
        with stage.visitor(prepare=create) as second:
            kept = second.get(issued.session.id)
            equal(differences(facts_of(kept), facts_of(issued.session)), {})
            identical(bool(second.validate(issued.token)), True)
            equal(second.validate(gone.token).reason, "unknown")
            second.ping()
