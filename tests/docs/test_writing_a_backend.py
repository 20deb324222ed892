"""The page for authors of backends holds to the hook spec, the laws and the harness."""

from __future__ import annotations

import inspect
import re

import pytest

from coatcheck import Capability
from coatcheck._contract import hookspec
from coatcheck_conformance import LAWS, PROFILES, Harness
from pages import first_cells, names, page, rows, section

PAGE = "writing-a-backend"
MODULE_HOOKS = hookspec.hook_names(hookspec.ModuleHooks)


def called(owner: type, name: str) -> str:
    """As one would write it down: `name(argument, argument)`."""
    arguments = list(inspect.signature(getattr(owner, name)).parameters)[1:]
    return f"{name}({', '.join(arguments)})"


def headings(beginning: str) -> list[str]:
    """The headings of hooks in one part of the page, in their order."""
    _, _, text = page(PAGE).partition(f"\n{beginning}\n")
    part = re.split(r"^## ", text, maxsplit=1, flags=re.MULTILINE)[0]
    return re.findall(r"^### `(.+)`$", part, re.MULTILINE)


def test_every_hook_has_its_section_with_its_arguments_in_the_order_of_the_spec() -> None:
    assert headings("## The hooks of the module") == [
        called(hookspec.ModuleHooks, name) for name in MODULE_HOOKS
    ]
    assert headings("## The hooks of the backend") == [
        called(hookspec.StorageHooks, name) for name in hookspec.STORAGE_HOOKS
    ]


@pytest.mark.parametrize("name", hookspec.STORAGE_HOOKS)
def test_a_hook_is_said_to_be_optional_if_it_is(name: str) -> None:
    text = section(PAGE, f"### `{called(hookspec.StorageHooks, name)}`")
    assert ("Optional" in text) is (name in hookspec.OPTIONAL_HOOKS)


@pytest.mark.parametrize("name", sorted(hookspec.WRITE_HOOKS - {"prepare", "close"}))
def test_a_hook_that_writes_says_what_absent_repeated_or_concurrent_mean(name: str) -> None:
    text = section(PAGE, f"### `{called(hookspec.StorageHooks, name)}`")
    cases = {case for case in ("absent", "repeated", "concurrent") if f"*{case}*" in text.lower()}
    composed = name in hookspec.OPTIONAL_HOOKS
    assert cases >= {"repeated", "concurrent"} or composed


def test_the_number_of_required_hooks_is_as_said() -> None:
    required = set(hookspec.STORAGE_HOOKS) - set(hookspec.OPTIONAL_HOOKS)
    assert len(required) == 11
    assert "**eleven required hooks**" in page(PAGE)


def test_every_law_has_its_row_with_hooks_that_exist() -> None:
    _, _, text = page(PAGE).partition("## Which law needs what of you")
    table = [row for row in rows(text) if re.match(r"\d+\. ", row[0])]
    assert [row[0] for row in table] == [f"{n}. {law.title}" for n, law in LAWS.items()]
    methods = {name for name in vars(Harness) if not name.startswith("_")}
    for _, hooks, shown in table:
        known = {*hookspec.STORAGE_HOOKS, "remaining", "Where.state", "Where.now"}
        assert set(names(hooks)) <= known
        assert set(names(shown)) <= methods | set(Capability)


def test_every_law_number_in_the_text_is_a_law() -> None:
    numbers = re.findall(r"\blaws? (\d+(?:(?:, | and )\d+)*)", page(PAGE))
    said = {int(n) for each in numbers for n in re.findall(r"\d+", each)}
    assert said <= set(LAWS)
    assert said


def test_every_capability_and_every_profile_is_in_its_table() -> None:
    assert set(Capability) <= first_cells(page(PAGE))
    assert set(PROFILES) <= first_cells(page(PAGE))


def test_every_optional_method_of_a_harness_is_in_its_table() -> None:
    cells = " ".join(first_cells(page(PAGE)))
    for name in set(vars(Harness)) - {"open", "reset"}:
        if not name.startswith("_"):
            assert called(Harness, name) in cells
