"""What mutation testing found that no other test held: constants of the SQL."""

from __future__ import annotations

from coatcheck_backends.sql.flavours import BEGINNING


def test_the_beginning_of_time_is_a_number_that_a_column_of_eight_bytes_holds() -> None:
    assert int(str(BEGINNING)) == -(2**63) + 1
