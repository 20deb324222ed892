"""How single values are written."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from coatcheck import SessionManager
from coatcheck._cli.arguments import span
from coatcheck._cli.text import duration, ending, timestamp, visible, without_tokens


@pytest.mark.parametrize(
    ("given", "written"),
    [
        (timedelta(days=7), "P7D"),
        (timedelta(hours=1), "PT1H"),
        (timedelta(minutes=90), "PT1H30M"),
        (timedelta(days=1, seconds=1), "P1DT1S"),
        (timedelta(milliseconds=1500), "PT1.5S"),
        (timedelta(milliseconds=1), "PT0.001S"),
        (timedelta(seconds=20), "PT20S"),
        (timedelta(days=365_250), "P365250D"),
        (timedelta(0), "PT0S"),
        (None, None),
    ],
)
def test_a_duration_is_written_as_the_options_read_it(given, written):
    assert duration(given) == written
    assert span("--lifetime", written or "none") == given


@pytest.mark.parametrize(
    ("age", "written"),
    [
        (timedelta(0), "in 30 d"),
        (timedelta(days=29), "in 1 d"),
        (timedelta(days=29, milliseconds=1), "in 23 h"),
        (timedelta(days=29, hours=23), "in 1 h"),
        (timedelta(days=29, hours=23, minutes=59), "in 1 min"),
        (timedelta(days=30) - timedelta(milliseconds=1), "in 0 s"),
        (timedelta(days=30), "expired"),
    ],
)
def test_an_end_is_named_by_the_boundary_of_validate(age, written):
    then = datetime(2030, 1, 1, tzinfo=UTC)
    clock = [then]
    pepper = "a-pepper-of-more-than-thirty-two-bytes"
    options = {"pepper": pepper, "clock": lambda: clock[0], "inactivity_timeout": None}
    with SessionManager.open("memory:", **options) as sessions:
        issued = sessions.issue("ada", method="m")
        clock[0] += age
        assert ending(issued.session, clock[0]) == written
        assert bool(sessions.validate(issued.token)) is written.startswith("in ")


def test_a_timestamp_always_has_milliseconds_and_a_z():
    assert timestamp(datetime(2030, 1, 1, tzinfo=UTC)) == "2030-01-01T00:00:00.000Z"


def test_printable_text_of_any_script_is_left_as_it_is():
    for text in ("ada", "Zoë", "☃ 你好", "C:\\user", ""):
        assert visible(text) == text


def test_a_token_of_any_prefix_is_left_out():
    body = "A" * 70
    assert without_tokens(f"x cck_{body} y sess2_{body}.") == "x cck_… y sess2_…."
