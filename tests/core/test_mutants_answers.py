"""What mutation testing found that no other test held: which answers of a backend are believed."""

from __future__ import annotations

from typing import Any
from uuid import UUID

import pytest

from coatcheck import BackendError, Record, SessionRef, Where
from coatcheck._flows import answers

ID, LOWER, HIGHER = UUID(int=50), UUID(int=49), UUID(int=51)


def record(number: int = 50, **fields: Any) -> Record:
    whole = Record(
        UUID(int=number), "user", "m", frozenset({"a"}), "{}", 10, 20, 30, 40, "hash", "pepper"
    )
    return whole._replace(**fields)


class Text(str):
    """What is a string, and no plain one."""

    __slots__ = ()


@pytest.mark.parametrize(
    ("field", "odd"),
    [
        ("user_id", b"user"),
        ("user_id", Text("user")),
        ("method", None),
        ("scopes", {"a"}),
        ("metadata", {}),
        ("created_at", 10.0),
        ("created_at", True),
        ("last_used_at", None),
        ("expires_at", 30.5),
        ("expires_at", False),
        ("inactivity_timeout", "40"),
        ("key_hash", None),
        ("pepper_id", 7),
    ],
)
def test_one_field_of_another_type_is_enough_to_refuse_a_record(field: str, odd: object) -> None:
    with pytest.raises(BackendError, match=rf"{ID}: .* cannot be read \({field}\)"):
        answers.record_of(ID, record(**{field: odd}))


@pytest.mark.parametrize("fields", [{}, {"expires_at": None}, {"inactivity_timeout": None}])
def test_a_whole_record_is_taken_as_it_is(fields: dict[str, None]) -> None:
    whole = record(**fields)
    assert answers.record_of(ID, whole) is whole
    assert answers.record_of(UUID(int=50), whole) is whole
    assert answers.record_of(ID, None) is None


def test_a_record_of_another_session_and_what_is_none_are_refused() -> None:
    for other in (record(49), record(51), record(id=str(ID)), record(id=50)):
        with pytest.raises(BackendError, match="another session"):
            answers.record_of(ID, other)
    for odd in (tuple(record()), False, ID):
        with pytest.raises(BackendError, match="no Record"):
            answers.record_of(ID, odd)


def test_a_page_is_a_list_of_at_most_the_limit() -> None:
    two = [record(50), record(51)]
    assert answers.page_of(Where(), None, 2, two) == two
    assert answers.page_of(Where(), LOWER, 2, two) == two
    for odd in (tuple(two), [*two, record(52)], iter(two), None):
        with pytest.raises(BackendError, match="no list of at most"):
            answers.page_of(Where(), None, 2, odd)
    with pytest.raises(BackendError, match="no Record"):
        answers.page_of(Where(), None, 2, [None])


@pytest.mark.parametrize(
    ("numbers", "after"), [((51, 50), None), ((50, 50), None), ((50,), 50), ((50,), 51)]
)
def test_a_page_out_of_order_is_refused(numbers: tuple[int, ...], after: int | None) -> None:
    cursor = None if after is None else UUID(int=after)
    with pytest.raises(BackendError, match="out of order"):
        answers.page_of(Where(), cursor, 5, [record(number) for number in numbers])


def test_a_page_with_what_does_not_match_is_refused() -> None:
    with pytest.raises(BackendError, match="does not match"):
        answers.page_of(Where(user_id="user"), None, 5, [record(50), record(51, user_id="other")])


def test_a_reference_is_to_the_session_that_was_asked_for() -> None:
    ref = SessionRef(ID, "user", "m")
    assert answers.ref_of(ID, ref) is ref
    assert answers.ref_of(ID, None) is None
    for odd in (SessionRef(LOWER, "user", "m"), SessionRef(HIGHER, "user", "m"), tuple(ref), True):
        with pytest.raises(BackendError, match="another SessionRef"):
            answers.ref_of(ID, odd)


def test_references_are_a_list_of_nothing_else() -> None:
    ref = SessionRef(ID, "user", "m")
    assert answers.refs_of([ref]) == [ref]
    assert answers.refs_of([]) == []
    for odd in ((ref,), [ref, None], [tuple(ref)], iter([ref]), None):
        with pytest.raises(BackendError, match="no list of SessionRef"):
            answers.refs_of(odd)


def test_a_count_is_a_whole_number_from_nought() -> None:
    assert [answers.number_of("count", number) for number in (0, 1, 7)] == [0, 1, 7]
    for odd in (-1, -2, True, 1.0, "1", None):
        with pytest.raises(BackendError, match="count: the backend answered no count"):
            answers.number_of("count", odd)


def test_yes_and_no_are_the_two_truths_alone() -> None:
    assert answers.truth_of("touch", True) is True
    assert answers.truth_of("touch", False) is False
    for odd in (1, 0, None, "yes"):
        with pytest.raises(BackendError, match=r"touch: .* neither"):
            answers.truth_of("touch", odd)


def test_counts_by_pepper_are_a_mapping_of_names_to_whole_numbers() -> None:
    assert answers.counts_of({"a": 1, "b": 0}) == {"a": 1, "b": 0}
    for odd in ({"a": 1, 2: 1}, {"a": 1, "b": True}, {"a": None}, [("a", 1)], None):
        with pytest.raises(BackendError, match="pepper_counts"):
            answers.counts_of(odd)
