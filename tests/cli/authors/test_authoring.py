"""`coatcheck backend new`: what it writes is right, fails at first, and passes once filled in."""

from __future__ import annotations

import inspect
import os
import re
import subprocess
import sys
import tomllib
from collections.abc import Collection, Iterator
from importlib import import_module
from pathlib import Path
from xml.etree import ElementTree

import pytest

from coatcheck import ConfigError, Secret
from coatcheck._contract.hookspec import OPTIONAL_HOOKS, STORAGE_HOOKS, StorageHooks
from coatcheck._contract.plugging import module_hooks, plug
from coatcheck_conformance import LAWS
from coatcheck_conformance.authoring import distribution

NAME = "cellar"
REQUIRED_HOOKS = [hook for hook in STORAGE_HOOKS if hook not in OPTIONAL_HOOKS]
TO_BE_WRITTEN = REQUIRED_HOOKS[1:]  # all but info
CONTRACT = re.compile(r"^ +(Absent|Repeated|Concurrent|Failed)[,:]", re.MULTILINE)

UNWRITTEN = 'raise NotImplementedError("the hook {} is not written yet")'
STORES = """
STORES: dict[str, dict[UUID, Record]] = {}
LOCK = threading.Lock()
"""
# What an author puts in the place of each `raise NotImplementedError`, with a dictionary.
HOOKS = {
    "prepare": "self._rows = STORES.setdefault(self._prefix, {})",
    "close": "pass",
    "ping": "pass",
    "insert": """
        with LOCK:
            if record.id in self._rows:
                raise DuplicateSession(f"session {record.id} exists")
            self._rows[record.id] = record
""",
    "load": "return self._rows.get(session_id)",
    "touch": """
        with LOCK:
            record = self._rows.get(session_id)
            if record is None or record.state(now) != "live":
                return False
            self._rows[session_id] = record._replace(
                last_used_at=max(now, record.last_used_at)
            )
            return True
""",
    "replace_key_hash": """
        with LOCK:
            record = self._rows.get(session_id)
            if record is None or record.key_hash != old:
                return False
            self._rows[session_id] = record._replace(key_hash=new, pepper_id=pepper_id)
            return True
""",
    "update": """
        with LOCK:
            record = self._rows.get(session_id)
            if record is None or not where.matches(record):
                return None
            self._rows[session_id] = changed = record._replace(**changes)
            return changed
""",
    "delete": """
        with LOCK:
            record = self._rows.get(session_id)
            if record is None or not where.matches(record):
                return None
            del self._rows[session_id]
            return SessionRef(record.id, record.user_id, record.method)
""",
    "find": """
        with LOCK:
            matching = [row for row in self._rows.values() if where.matches(row)]
        return sorted(r for r in matching if after is None or r.id > after)[:limit]
""",
}
RESET = """for rows in STORES.values():
            rows.clear()"""
# What is shown here is that the template fits the suite.
FEW = """{
        "quick": replace(QUICK, examples=20, least=3, steps=100, histories=1, shrink=False)
    }"""


@pytest.fixture
def written(bare) -> Path:
    """A distribution as the command writes it, and as `pip install -e` would register it."""
    assert bare("backend", "new", NAME).code == 0
    directory = bare.directory / f"coatcheck-{NAME}"
    project = tomllib.loads((directory / "pyproject.toml").read_text())["project"]
    registered = directory / f"coatcheck_{NAME}-{project['version']}.dist-info"
    registered.mkdir()
    registered.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {project['name']}\nVersion: {project['version']}\n"
    )
    registered.joinpath("entry_points.txt").write_text(
        "".join(
            f"[{group}]\n" + "".join(f"{name} = {value}\n" for name, value in points.items())
            for group, points in project["entry-points"].items()
        )
    )
    return directory


@pytest.fixture
def package(written: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """Its package, which can be imported."""
    monkeypatch.syspath_prepend(written)
    name = f"coatcheck_{NAME}"
    yield name
    for module in [module for module in sys.modules if module.partition(".")[0] == name]:
        del sys.modules[module]


def furnish(written: Path, capabilities: str) -> None:
    """A dictionary for the backend, a harness that empties it, and few examples."""
    replace(
        written / f"coatcheck_{NAME}/backend.py",
        ("from uuid import UUID\n", "import threading\nfrom uuid import UUID\n"),
        ("    Changes,\n", "    Changes,\n    DuplicateSession,\n"),
        ("\n\n\nclass ", f"\n{STORES}\n\nclass "),
        ("capabilities=()", f"capabilities={capabilities}"),
    )
    harness = f"from coatcheck_{NAME} import open_backend\n"
    replace(
        written / "tests/test_conformance.py",
        (harness, f"{harness}from coatcheck_{NAME}.backend import STORES\n"),
        ('raise NotImplementedError("the harness has no reset yet")', RESET),
        ("import Conformance, Harness\n", "import QUICK, Conformance, Harness\n"),
        ("import os\n", "import os\nfrom dataclasses import replace\n"),
        ("    harness = CellarHarness\n", f"    harness = CellarHarness\n    profiles = {FEW}\n"),
    )


def write_hooks(written: Path, hooks: Collection[str]) -> None:
    """Write these with the dictionary."""
    backend = written / f"coatcheck_{NAME}/backend.py"
    replace(backend, *((UNWRITTEN.format(hook), HOOKS[hook].strip()) for hook in hooks))


def replace(path: Path, *pairs: tuple[str, str]) -> None:
    text = path.read_text()
    for old, new in pairs:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    path.write_text(text)


def outcomes(written: Path, *words: str) -> dict[str, tuple[str, str]]:
    """Its own tests, run as their author would: what became of each, and why."""
    report = written / "report.xml"
    subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            "-p",
            "no:cacheprovider",
            f"--junitxml={report}",
            *words,
        ],
        cwd=written,
        env=os.environ | {"PYTHONPATH": str(written)},
        capture_output=True,
        check=False,
    )
    found: dict[str, tuple[str, str]] = {}
    for case in ElementTree.parse(report).iter("testcase"):
        ends = [end for end in case if end.tag in {"failure", "error", "skipped"}]
        why = "\n".join(f"{end.get('message')}\n{end.text}" for end in ends)
        found[case.get("name", "")] = (ends[0].tag if ends else "passed"), why
    return found


def law_of(test: str) -> int:
    """The number at the beginning of the parameters of a test of the suite."""
    return int(test.partition("[")[2][:2])


def kept(found: dict[str, tuple[str, str]]) -> set[int]:
    """The laws of which no test failed."""
    failed = {law_of(test) for test, (end, _) in found.items() if end in {"failure", "error"}}
    return {law_of(test) for test in found} - failed


# What is written


def test_it_says_what_it_wrote_and_how_to_go_on(bare):
    done = bare("backend", "new", NAME)
    assert (done.code, done.err) == (0, "")
    assert f"cd coatcheck-{NAME}\n" in done.out
    again = bare("backend", "new", NAME)
    assert (again.code, again.out) == (2, "")
    assert again.err == f"coatcheck: coatcheck-{NAME} exists already, and is left as it is\n"

    elsewhere = bare.directory / "some where"
    elsewhere.mkdir()
    document = bare("backend", "new", NAME, "--into", str(elsewhere), "--json").json
    directory = elsewhere / f"coatcheck-{NAME}"
    assert document["directory"] == str(directory)
    written = [path for path in directory.rglob("*") if path.is_file()]
    assert document["files"] == sorted(str(path.relative_to(directory)) for path in written)
    for path in written:
        here = Path(f"coatcheck-{NAME}", path.relative_to(directory))
        assert path.read_text() == here.read_text()
        assert "$" not in path.read_text()


@pytest.mark.parametrize(
    "words",
    [
        ["Cellar"],
        ["2fast"],
        ["wine_cellar"],
        ["wine-cellar"],
        ["../cellar"],
        ["a" * 21],
        [""],
        ["memory"],
        ["mongodb"],
        ["postgresql"],
        ["sqlite"],
        ["backends"],
        ["conformance"],
        [NAME, "--into", "nosuch"],
        [NAME, "--into", "a file"],
    ],
)
def test_a_name_that_is_no_scheme_or_is_taken_is_refused(bare, words):
    Path("a file").touch()
    done = bare("backend", "new", *words)
    assert (done.code, done.out) == (2, "")
    assert done.err.count("\n") == 1
    assert [path.name for path in bare.directory.iterdir()] == ["a file"]


def test_every_required_hook_is_there_as_the_spec_has_it_and_no_other(package, written):
    module, backend = import_module(package), import_module(f"{package}.backend")
    assert set(module_hooks(module)) == {"open_backend"}
    opened = module.open_backend(Secret(f"{NAME}://host/database"))
    plugged, _ = plug(opened, ())
    assert list(plugged.hooks) == REQUIRED_HOOKS
    assert plugged.name == NAME
    assert (plugged.capabilities, plugged.inline, plugged.asynchronous) == (set(), set(), False)
    for hook in REQUIRED_HOOKS:
        method = getattr(backend.CellarBackend, hook)
        assert inspect.signature(method) == inspect.signature(getattr(StorageHooks, hook))
    hooks = re.search(r"HOOKS = \(([^)]*)\)", (written / "tests/test_backend.py").read_text())
    assert re.findall("[a-z_]+", hooks[1]) == TO_BE_WRITTEN


@pytest.mark.parametrize("hook", TO_BE_WRITTEN)
def test_every_hook_says_what_its_contract_is_and_raises(package, hook):
    method = getattr(import_module(f"{package}.backend").CellarBackend, hook)
    said = {word.lower() for word in CONTRACT.findall(method.__doc__)}
    always = {"failed"} if hook == "ping" else {"failed", "concurrent"}
    single = {"touch", "replace_key_hash", "update", "delete"}
    assert said >= always | ({"absent", "repeated"} if hook in single else set())
    assert UNWRITTEN.format(hook) in inspect.getsource(method)


@pytest.mark.parametrize("query", ["nosuch=s3cret", "prefix=s3cret!", "prefix=a&prefix=s3cret"])
def test_a_wrong_option_is_an_error_whose_frames_show_no_value(package, query):
    with pytest.raises(ConfigError) as caught:
        import_module(package).open_backend(Secret(f"{NAME}://:s3cret@host/database?{query}"))
    assert caught.value.__context__ is None
    frames = [entry.locals for entry in caught.traceback[1:]]
    assert frames
    assert "s3cret" not in f"{caught.value} {frames}"


def test_the_linters_have_nothing_to_say_however_long_the_name_is(bare):
    ruff = [["ruff", "format", "--isolated", "--check", "."]]
    ruff += [["ruff", "check", "--isolated", "--extend-select", "B,E,I,UP,W", "."]]
    mypy = [["mypy", "--config-file", "pyproject.toml", "--cache-dir", os.devnull, "."]]
    for name, commands in {"x": ruff, "abcdefghijklmnopqrst": ruff + mypy}.items():
        assert bare("backend", "new", name).code == 0
        directory = bare.directory / f"coatcheck-{name}"
        assert "[tool.mypy]\nstrict = true\n" in (directory / "pyproject.toml").read_text()
        for words in commands:
            done = subprocess.run(
                [sys.executable, "-m", *words],
                cwd=directory,
                capture_output=True,
                text=True,
                check=False,
            )
            assert done.returncode == 0, done.stdout + done.stderr


# Its tests


def test_at_first_every_hook_and_every_law_fails_and_says_why(written):
    found = outcomes(written, "-k", "not async")
    failed = {test: why for test, (end, why) in found.items() if end in {"failure", "error"}}
    passed = set(found) - set(failed)
    assert {test.partition("[")[0] for test in passed} == {
        "test_a_wrong_option_is_refused_by_its_name",
        "test_the_scheme_leads_here",
    }
    for hook in TO_BE_WRITTEN:
        assert f"the hook {hook} is not written yet" in failed[f"test_the_hook_is_written[{hook}]"]
    of_laws = {test: why for test, why in failed.items() if test.startswith("test_law[")}
    assert {law_of(test) for test in of_laws} >= set(LAWS)
    for why in of_laws.values():
        assert "the hook prepare is not written yet" in why


def needed_for() -> dict[str, set[int]]:
    """Of each hook in the README's table, the laws that need it."""
    table = distribution(NAME)["README.md"].partition("| --- | --- |\n")[2].partition("\n\n")[0]
    rows = [row.strip(" |").split("|") for row in table.splitlines()]
    return {
        hook: {int(law) for law in laws.split(",")}
        for hooks, laws in rows
        for hook in re.findall("`([a-z_]+)`", hooks)
    }


def test_a_law_fails_until_the_hook_is_written_that_it_needs(written):
    assert set(needed_for()) == set(TO_BE_WRITTEN) - {"prepare", "close", "ping"}
    furnish(written, '{"scan", "linearizable"}')
    write_hooks(written, TO_BE_WRITTEN)
    backend = written / f"coatcheck_{NAME}/backend.py"
    for hook, laws in needed_for().items():
        whole = backend.read_text()
        replace(backend, (HOOKS[hook].strip(), UNWRITTEN.format(hook)))
        of_these = " or ".join(f"[{law:02}-" for law in laws)
        found = outcomes(written, "-k", f"not async and ({of_these})")
        assert {law_of(test) for test in found} == laws
        assert kept(found) == set(), hook
        backend.write_text(whole)


def test_with_every_hook_written_all_of_it_is_green(written):
    furnish(written, '{"scan", "linearizable"}')
    write_hooks(written, TO_BE_WRITTEN)
    found = outcomes(written)
    assert {test: why for test, (end, why) in found.items() if end in {"failure", "error"}} == {}
    assert {law_of(test) for test in found if test.startswith("test_law[")} >= set(LAWS)
    shown = [why for end, why in found.values() if end == "skipped"]
    assert all(why.startswith("not shown: ") for why in shown)
