"""Law 11 of the same secret in several sessions, which only a patched source of them gives."""

from __future__ import annotations

from typing import Any
from unittest.mock import patch

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from coatcheck import Secret, SessionManager
from coatcheck_backends.memory import MemoryBackend
from coatcheck_conformance.frame.spelling import unspell

PEPPER = "the pepper of these tests, which is of more than thirty-two bytes"
SCHEMES: tuple[dict[str, Any], ...] = (
    {},
    {"salt_length": 8},
    {"hash_scheme": "argon2id", "argon2_memory_kib": 8, "argon2_time_cost": 1},
)


@pytest.mark.parametrize("scheme", SCHEMES, ids=["hmac-sha256", "short salt", "argon2id"])
def test_equal_secrets_never_give_equal_hashes(scheme: dict[str, Any]) -> None:
    backend = MemoryBackend()
    sessions = SessionManager(backend, pepper=PEPPER, **scheme)

    @settings(deadline=None)
    @given(
        secret=st.binary(min_size=32, max_size=32),
        users=st.lists(st.sampled_from(("ann", "bob")), min_size=2, max_size=4),
    )
    def check(secret: bytes, users: list[str]) -> None:
        with patch("coatcheck._flows.issue.new_secret", lambda _: Secret(secret)):
            issued = [sessions.issue(user, method="password") for user in users]
        records = [backend.load(each.session.id) for each in issued]
        parts = [record.key_hash.split("$") for record in records if record is not None]
        assert len({part[-2] for part in parts}) == len(users), "each has a salt of its own"
        assert len({part[-1] for part in parts}) == len(users)
        for each in issued:
            assert unspell(each.token)[1] == secret
            assert secret not in each.token.encode()

    check()
