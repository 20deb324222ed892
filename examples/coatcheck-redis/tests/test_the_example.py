"""What the example is to prove: that the public contract is enough, and that it takes little."""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

import coatcheck_redis

import coatcheck

FILES = sorted(Path(str(coatcheck_redis.__file__)).parent.glob("*.*"))
MOST_LINES = 400
LAYOUT = (tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER)


def code_lines(file: Path) -> int:
    """Lines with code in them: no blank ones, no comments, no docstrings."""
    text = file.read_text("utf-8")
    if file.suffix == ".lua":
        lines = [line.strip() for line in text.splitlines()]
        return sum(1 for line in lines if line and not line.startswith("--"))
    found = set[int]()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in (tokenize.COMMENT, *LAYOUT):
            found.update(range(token.start[0], token.end[0] + 1))
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            found.difference_update(range(node.lineno, (node.end_lineno or 0) + 1))
    return len(found)


def test_it_takes_fewer_lines_than_said() -> None:
    assert sum(map(code_lines, FILES)) < MOST_LINES


def test_only_public_names_are_imported() -> None:
    names = set[str]()
    for file in FILES:
        if file.suffix == ".py":
            for node in ast.walk(ast.parse(file.read_text("utf-8"))):
                if isinstance(node, ast.Import):
                    names |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    names |= {f"{node.module}.{alias.name}" for alias in node.names}
                elif isinstance(node, ast.Attribute) and isinstance(node.value, ast.Name):
                    names.add(f"{node.value.id}.{node.attr}")
    ours = {name for name in names if name.startswith("coatcheck.")}
    assert ours
    assert ours <= {f"coatcheck.{name}" for name in coatcheck.__all__}
    assert not any(name.startswith("coatcheck_backends") for name in names)
