"""Key hashes reach no log, not even pymongo's own at DEBUG, however that cuts them short."""

from __future__ import annotations

import logging
import re
from datetime import timedelta
from itertools import product
from typing import Any

import pytest

from coatcheck_backends.mongodb import silence
from mongodb_places import OLD_PEPPER, Place

SCHEMES: list[dict[str, Any]] = [
    {},
    {"hash_scheme": "argon2id", "argon2_memory_kib": 8, "argon2_time_cost": 1},
]
COMMANDS = logging.getLogger("pymongo.command")
HASHES = [
    "$hmac-sha256$v=1$keyid=0123456789abcdef$c2FsdHNhbHRzYWx0+/$ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGln",
    "$argon2id$v=19$m=19456,t=2,p=1,keyid=0123456789abcdef$c2FsdHNhbHRzYWx0$ZGlnZXN0ZGlnZXN0ZGlnZXN0ZGln",
]


def life(place: Place, face: str, **options: Any) -> set[str]:
    """All calls there are; gives salts and digests that were in the store meanwhile."""
    seen: set[str] = set()

    def look() -> None:
        for document in place.raw.find():
            seen.update(document["key_hash"].split("$")[-2:])

    old = place.open(face, pepper=OLD_PEPPER, **options)
    sessions = place.open(
        face, fallback_peppers=[OLD_PEPPER], touch_interval=timedelta(0), **options
    )
    issued = [old.issue("ann", method="password", scopes={"read"}) for _ in range(3)]
    look()
    for each in issued:
        assert sessions.validate(each.token)
        look()
    assert sessions.get(issued[0].session.id)
    assert sessions.update(issued[0].session.id, metadata={"a": 1})
    assert len(sessions.find(user_id="ann")) == 3
    assert sessions.update_all(user_id="ann", scopes={"b"}) == 3
    sessions.pepper_status()
    sessions.revoke(issued[0].session.id)
    sessions.revoke_all(user_id="ann")
    return seen


@pytest.mark.parametrize(
    ("options", "length"), list(product(SCHEMES, ["1000", "200", "330", "100000"]))
)
def test_no_salt_and_no_digest_is_in_the_log_of_commands(
    place: Place,
    face: str,
    caplog: pytest.LogCaptureFixture,
    options: dict[str, Any],
    length: str,
) -> None:
    place.client.admin.command("ping")
    with (
        pytest.MonkeyPatch.context() as patches,
        caplog.at_level(logging.DEBUG, "pymongo"),
    ):
        patches.setenv("MONGOB_LOG_MAX_DOCUMENT_LENGTH", length)
        try:
            seen = life(place, face, **options)
        except Exception as error:  # noqa: BLE001 - shown without the cause that has it all
            pytest.fail(f"{type(error).__name__}: {error}")
        said = "\n".join(record.getMessage() for record in caplog.records)
    assert "findAndModify" in said
    assert len(seen) == 12
    # Six characters of a salt are worth nothing; what is cut short later is found by them.
    for secret in seen:
        assert secret[:6] not in said
    if int(length) >= 1000:
        assert re.search(r"keyid=[0-9a-f]{16}\$…", said), "there were some, and they are cut"


@pytest.mark.parametrize("key_hash", HASHES)
def test_a_hash_is_taken_out_wherever_it_is_cut_short(
    key_hash: str, caplog: pytest.LogCaptureFixture
) -> None:
    silence.install()
    secrets = key_hash.split("$")[-2:]
    with caplog.at_level(logging.DEBUG, "pymongo.command"):
        for end in range(len(key_hash) + 1):
            COMMANDS.debug('{"key_hash": "%s..."}', key_hash[:end])
        COMMANDS.debug("100%")
        COMMANDS.debug("%s", {"a": "$argon2id$ is a scheme"})
    for record in caplog.records:
        for secret in secrets:
            assert secret[:3] not in record.getMessage()
    assert caplog.records[-2].getMessage() == "100%"
    assert caplog.records[-1].args == {"a": "$argon2id$ is a scheme"}


def test_other_words_pass_as_they_are_and_one_filter_is_enough() -> None:
    silence.install()
    silence.install()
    assert len([each for each in COMMANDS.filters if isinstance(each, silence.HashFilter)]) == 1
    record = logging.LogRecord("pymongo.command", 10, "", 1, "%s %d", ("find", 3), None)
    assert silence.HashFilter().filter(record)
    assert (record.msg, record.args) == ("%s %d", ("find", 3))


def test_a_logger_that_is_off_asks_no_filter(
    place: Place, face: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[object] = []
    monkeypatch.setattr(silence.HashFilter, "filter", lambda self, record: asked.append(record))
    life(place, face)
    assert asked == []
