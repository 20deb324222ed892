"""The default of an argument for which `None` says something."""

from __future__ import annotations

from enum import Enum
from typing import Final


class Unset(Enum):
    """The type of `UNSET`; an enum, so that type checkers can tell it apart."""

    UNSET = "…"

    def __repr__(self) -> str:
        return "…"


UNSET: Final = Unset.UNSET
