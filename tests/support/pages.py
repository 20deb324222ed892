"""The pages of the documentation, as text."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = [ROOT / "README.md", *sorted(DOCS.glob("*.md"))]


def page(name: str) -> str:
    """A page of docs/."""
    return (DOCS / f"{name}.md").read_text()


def section(name: str, beginning: str) -> str:
    """What stands on a page between some words and the next heading."""
    _, found, text = page(name).partition(beginning)
    assert found, f"{name}.md no longer says: {beginning}"
    return re.split("^#", text, maxsplit=1, flags=re.MULTILINE)[0]


def rows(text: str) -> Iterator[list[str]]:
    """The cells of the rows of all tables in a text."""
    for line in text.splitlines():
        if line.startswith("| ") and not line.startswith("| ---"):
            yield [cell.strip() for cell in line.strip("|").split(" | ")]


def first_cells(text: str) -> set[str]:
    """The first cell of each row, without its markup."""
    return {cells[0].strip(" `") for cells in rows(text)}


def names(cell: str) -> list[str]:
    """What is marked as code in a cell."""
    return re.findall("`([^`]+)`", cell)


def one_line(text: str) -> str:
    """A text without its line breaks and marks of quotation."""
    return " ".join(re.sub("^> ", "", text, flags=re.MULTILINE).split())
