"""What mutation testing found that no other test held: constants of the SQL, and SQLite's URLs."""

from __future__ import annotations

import pytest

from coatcheck import ConfigError, Secret
from coatcheck_backends import sqlite
from coatcheck_backends.sql.flavours import BEGINNING


def test_the_beginning_of_time_is_a_number_that_a_column_of_eight_bytes_holds() -> None:
    assert int(str(BEGINNING)) == -(2**63) + 1


@pytest.mark.parametrize("place", ["ann@", ":secret@", ":7", "ann:secret@:7"])
def test_a_file_takes_no_user_no_password_and_no_port(place: str) -> None:
    with pytest.raises(ConfigError, match="no user, password or port"):
        sqlite.open_backend(Secret(f"sqlite://{place}/sessions.db"))
