"""What `coatcheck.client` gives its users stands in the reference."""

from __future__ import annotations

import inspect
import re

import pytest

import coatcheck.client
from pages import page


@pytest.mark.parametrize("name", coatcheck.client.__all__)
def test_every_public_name_and_call_is_in_the_reference(name: str) -> None:
    entry = re.search(
        rf"^\.\. autoclass:: {name}\b.*\n +:members: (.+)$", page("reference"), re.MULTILINE
    )
    assert entry
    value = getattr(coatcheck.client, name)
    assert inspect.getdoc(value)
    calls = {call for call in vars(value) if not call.startswith("_")}
    assert calls - {"sync_auth_flow", "async_auth_flow"} == set(entry[1].split(", "))
    assert all(inspect.getdoc(getattr(value, call)) for call in calls)
