"""Every code block of the README and the documentation runs, and prints what is shown below it.

- `python` blocks share one namespace for each document. What they print stands in
  the `output` block after them.
- Those whose first line names a file are services: `test_quick_starts` runs them.
- `console` blocks run in one shell for each document: lines after `$ ` are
  commands, the others are what they write.
- `sh` blocks are not run, but every nox session and extra in them exists.
- `sql` blocks run in a transaction that is rolled back.

On the page of a server its example URL stands for a new database on a real one.

In expected output `…` stands for anything on its line, and blanks are compared as one.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
import threading
import tomllib
import uuid
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext, redirect_stdout
from io import StringIO
from pathlib import Path
from typing import NamedTuple

import psycopg
import pytest
from pymongo import MongoClient
from sqlalchemy import Engine
from sybil import Example
from sybil.document import Document
from sybil.evaluators.python import PythonEvaluator
from sybil.parsers.myst import CodeBlockParser

import shared_servers
from coatcheck import SessionManager
from shared_servers import mongodb_database, postgresql_database, with_options

ROOT = Path(__file__).parents[2]
DOCUMENTS = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]


class Database(NamedTuple):
    """A new one, and what its page calls it."""

    url: str
    example: str


@contextmanager
def on_postgresql() -> Iterator[Database]:
    with postgresql_database(shared_servers.postgresql()) as url:
        yield Database(url, "postgresql://app@db.example/app")


@contextmanager
def on_mongodb() -> Iterator[Database]:
    with mongodb_database(shared_servers.quick_replica_set()) as url:
        # Both have a query, so that options may follow.
        example = "mongodb://db1.example,db2.example/app?replicaSet=rs0"
        yield Database(with_options(url, appname="docs"), example)


SERVERS = {"postgresql.md": on_postgresql, "mongodb.md": on_mongodb}


@pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: path.name)
def test_every_block_of_a_document_does_what_it_shows(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name in [name for name in os.environ if name.upper().startswith("COATCHECK_")]:
        monkeypatch.delenv(name)
    text = path.read_text()
    with SERVERS.get(path.name, nullcontext)() as database:
        if database is not None:
            # Without the scheme, in which the driver is named.
            example, address = (url.partition("//")[2] for url in reversed(database))
            assert example in text
            text = text.replace(example, address)
        run(Document(text, str(path)), database)


def run(document: Document, database: Database | None) -> None:
    """All of its blocks, in their order."""
    blocks = Blocks(database)
    for parser in blocks.parsers():
        for region in parser(document):
            document.add(region)
    try:
        for example in document.examples():
            example.evaluate()
        blocks.require_all_shown("the end of the document")
    finally:
        blocks.close(document)


class Blocks:
    """Evaluates the blocks of one document, one after another."""

    def __init__(self, database: Database | None) -> None:
        self._database = database
        self._python = PythonEvaluator()
        self._printed = ""
        self._shell: Shell | None = None

    def parsers(self) -> Iterator[CodeBlockParser]:
        yield CodeBlockParser("python", self.python)
        yield CodeBlockParser("output", self.output)
        yield CodeBlockParser("console", self.console)
        yield CodeBlockParser("sh", self.sh)
        yield CodeBlockParser("sql", self.sql)

    def python(self, example: Example) -> None:
        if re.match(r"# [\w/]+\.py\n", example.parsed):
            return
        self.require_all_shown(f"line {example.line}")
        written = StringIO()
        with redirect_stdout(written):
            self._python(example)
        self._printed = written.getvalue()

    def output(self, example: Example) -> str:
        printed, self._printed = self._printed, ""
        return difference(example.parsed, printed)

    def console(self, example: Example) -> str:
        self.require_all_shown(f"line {example.line}")
        if self._shell is None:
            self._shell = Shell()
        differences = [
            f"$ {command}\n{found}"
            for command, expected in commands(example.parsed)
            if (found := difference(expected, self._shell.run(command)))
        ]
        return "\n".join(differences)

    def sh(self, example: Example) -> str:
        unknown = [
            name for name in re.findall(r"nox -s (\w+)", example.parsed) if name not in sessions()
        ]
        for extras in re.findall(r"coatcheck\[([\w,]+)\]", example.parsed):
            known = PROJECT["optional-dependencies"]
            unknown += [extra for extra in extras.split(",") if extra not in known]
        return f"unknown: {unknown}" if unknown else ""

    def sql(self, example: Example) -> None:
        """With the role that it speaks of, if it gives rights to one that is there."""
        assert self._database is not None
        with psycopg.connect(self._database.url) as connection:
            connection.execute("SAVEPOINT before")
            try:
                connection.execute("CREATE ROLE app")
            except psycopg.errors.DuplicateObject:
                connection.execute("ROLLBACK TO before")
            connection.execute(example.parsed)
            connection.rollback()

    def require_all_shown(self, where: str) -> None:
        assert not self._printed, f"printed before {where}, and not shown: {self._printed}"

    def close(self, document: Document) -> None:
        """End what an example that failed, or ends without closing, left open."""
        if self._shell is not None:
            self._shell.close()
        for value in list(document.namespace.values()):
            if isinstance(value, (SessionManager, MongoClient)):
                value.close()
            elif isinstance(value, Engine):
                value.dispose()


class Shell:
    """A POSIX shell that keeps its variables from one command to the next."""

    SECONDS = 60

    def __init__(self) -> None:
        scripts = str(Path(sys.executable).parent)
        self._mark = f"-- {uuid.uuid4()} --"
        self._process = subprocess.Popen(
            ["sh"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            env={
                "PATH": os.pathsep.join([scripts, os.environ["PATH"]]),
                "HOME": os.getcwd(),
                "PYTHONIOENCODING": "utf-8",
            },
        )

    def run(self, command: str) -> str:
        """What the command writes, errors included. It reads nothing."""
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        # The exit code is handed on, so that the next command may be `echo $?`.
        self._process.stdin.write(
            f"{{ (exit ${{code:-0}})\n{command}\n}} </dev/null\n"
            f"code=$?; printf '%s\\n' '{self._mark}'\n"
        )
        self._process.stdin.flush()
        alarm = threading.Timer(self.SECONDS, self._process.kill)
        alarm.start()
        try:
            written: list[str] = []
            for line in self._process.stdout:
                if line.rstrip("\n").endswith(self._mark):
                    return "".join([*written, line.replace(f"{self._mark}\n", "")])
                written.append(line)
        finally:
            alarm.cancel()
        raise AssertionError(f"the shell ended in: {command}\n{''.join(written)}")

    def close(self) -> None:
        """End the shell."""
        self._process.communicate()


def commands(block: str) -> Iterator[tuple[str, str]]:
    """Each command of a console block, and the output that follows it."""
    command, expected = "", list[str]()
    for line in block.splitlines():
        if line.startswith("$ "):
            if command:
                yield command, "\n".join(expected)
            command, expected = line.removeprefix("$ "), []
        elif line.startswith("> "):
            command += "\n" + line.removeprefix("> ")
        else:
            expected.append(line)
    if command:
        yield command, "\n".join(expected)


def difference(expected: str, found: str) -> str:
    """Nothing, or both of them."""
    if re.fullmatch(pattern_of(expected), plain(found)):
        return ""
    return f"expected:\n{expected}\nfound:\n{found}"


def pattern_of(expected: str) -> str:
    """A regular expression in which `…` matches anything on its line."""
    return ".*".join(re.escape(part) for part in plain(expected).split("…"))


def plain(text: str) -> str:
    """Lines without blanks at their ends and without doubled ones; a rule counts as one dash."""
    lines = (re.sub("─+", "─", " ".join(line.split())) for line in text.splitlines())
    return "\n".join(line for line in lines if line)


def sessions() -> set[str]:
    """The sessions of the noxfile."""
    return set(re.findall(r"@nox\.session.*\ndef (\w+)", (ROOT / "noxfile.py").read_text()))
