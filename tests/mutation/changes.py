"""What a mutation changes, in words that hold when lines are moved, and which are run."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import NamedTuple

from cosmic_ray.work_item import MutationSpec


class Change(NamedTuple):
    """A mutation, as `survivors.toml` names it."""

    file: str
    function: str
    was: str
    became: str

    def __str__(self) -> str:
        return (
            f'\n[[survivor]]\nfile = "{self.file}"\nfunction = "{self.function}"\n'
            f"was = '''{self.was}'''\nbecame = '''{self.became}'''"
        )


def change_of(mutation: MutationSpec, diff: str) -> Change:
    """The lines of the diff that differ, without their indentation."""
    body = diff.splitlines()[3:]
    was, became = (
        "\n".join(line[1:].strip() for line in body if line.startswith(sign)).strip()
        for sign in "-+"
    )
    return Change(mutation.module_path.as_posix(), mutation.definition_name or "", was, became)


def is_run(tree: Path, mutation: MutationSpec, operators: list[str]) -> bool:
    """Whether one of these operators made it, and in code that runs: annotations, what is imported
    for them and protocols are not, since `from __future__ import annotations` stands in every
    file."""
    if not any(re.fullmatch(operator, mutation.operator_name) for operator in operators):
        return False
    spans = _not_run(tree / mutation.module_path)
    return not any(begin <= mutation.start_pos < end for begin, end in spans)


@cache
def _not_run(path: Path) -> list[tuple[tuple[int, int], tuple[int, int]]]:
    """Lines and columns, from and to."""
    return [
        ((node.lineno, node.col_offset), (node.end_lineno or 0, node.end_col_offset or 0))
        for node in _annotations(ast.parse(path.read_text()))
    ]


def _annotations(module: ast.Module) -> Iterator[ast.stmt | ast.expr]:
    for node in ast.walk(module):
        match node:
            case ast.arg(annotation=ast.expr() as annotation):
                yield annotation
            case ast.FunctionDef(returns=ast.expr() as annotation):
                yield annotation
            case ast.AsyncFunctionDef(returns=ast.expr() as annotation):
                yield annotation
            case ast.AnnAssign(annotation=annotation):
                yield annotation
            case ast.If(test=ast.Name(id="TYPE_CHECKING")):
                yield node
            case ast.ClassDef(bases=[ast.Name(id="Protocol")]):
                yield node
