"""What all stages of a process share."""

from __future__ import annotations

import functools
from collections.abc import Iterator

import pytest

from coatcheck._credentials import peppers


@pytest.fixture(scope="session", autouse=True)
def _peppers_are_stretched_once() -> Iterator[None]:
    """Stretching takes 30 ms and is a pure function; the suite opens hundreds of managers."""
    stretch = peppers._stretch
    cached = functools.cache(lambda phrase: stretch(peppers.Secret(phrase)))
    with pytest.MonkeyPatch.context() as patches:
        patches.setattr(peppers, "_stretch", lambda phrase: cached(phrase.reveal()))
        yield
