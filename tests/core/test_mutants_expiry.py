"""What mutation testing found that no other test held: records, filters and clocks."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest

from coatcheck import ConfigError, Record, Where
from coatcheck._times import clock_in_ms, system_clock

RECORD = Record(
    UUID(int=7), "user", "method", frozenset({"a", "b"}), "{}", 10, 20, 30, 40, "hash", "pepper"
)


def test_the_repr_of_a_record_shows_every_field_but_the_hash() -> None:
    assert repr(RECORD) == (
        f"Record(id={UUID(int=7)!r}, user_id='user', method='method', "
        f"scopes={frozenset({'a', 'b'})!r}, metadata='{{}}', created_at=10, last_used_at=20, "
        "expires_at=30, inactivity_timeout=40, pepper_id='pepper')"
    )


@pytest.mark.parametrize("field", ["user_id", "method", "pepper_id"])
def test_a_filter_matches_its_own_value_and_neither_a_lower_nor_a_higher_one(field: str) -> None:
    value = getattr(RECORD, field)
    assert Where(**{field: value}).matches(RECORD)
    for other in (value + "x", value[:-1], "~", ""):
        assert not Where(**{field: other}).matches(RECORD)


def test_a_filter_without_a_field_has_none_and_is_of_the_epoch() -> None:
    assert tuple(Where()) == (None, None, None, None, None, 0)


def test_the_systems_clock_counts_milliseconds_since_the_epoch() -> None:
    before = time.time_ns()
    now = system_clock()
    assert before // 10**6 <= now <= time.time_ns() // 10**6


@pytest.mark.parametrize("odd", [None, 1_700_000_000, datetime(2026, 1, 1)])  # noqa: DTZ001
def test_a_clock_that_gives_no_aware_datetime_is_a_configuration_error(odd: object) -> None:
    with pytest.raises(ConfigError, match="aware datetime"):
        clock_in_ms(lambda: odd)()  # type: ignore[arg-type, return-value]


def test_a_clock_is_read_in_its_own_zone_and_rounded_down() -> None:
    zone = timezone(timedelta(hours=-3))
    instant = datetime(1970, 1, 1, tzinfo=zone) + timedelta(microseconds=1_999)
    assert clock_in_ms(lambda: instant)() == 3 * 3_600_000 + 1
    assert clock_in_ms(lambda: datetime(1969, 12, 31, 23, 59, 59, 999_999, UTC))() == -1
