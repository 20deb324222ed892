"""A fixture for a folder whose tests open many managers: its conftest imports it."""

from __future__ import annotations

from collections.abc import Iterator
from functools import cache

import pytest

from coatcheck import Secret
from coatcheck._credentials import peppers

_stretch = peppers._stretch
_stretched = cache(lambda phrase: _stretch(Secret(phrase)))


@pytest.fixture(scope="module", autouse=True)
def stretched_once() -> Iterator[None]:
    """Each pepper is stretched once: a pure function that takes 30 ms, a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(peppers, "_stretch", lambda phrase: _stretched(phrase.reveal()))
        yield
