"""What the documentation says is there is there, and what is there is documented."""

from __future__ import annotations

import inspect
import re
import tomllib
from datetime import timedelta
from importlib.metadata import entry_points
from typing import Any

import pytest
import typer

import coatcheck
import shared_servers
from coatcheck import CoatcheckError, RejectionReason, SessionManager, Settings
from coatcheck._cli.app import app
from coatcheck._cli.codes import Code
from coatcheck._contract import hookspec
from coatcheck._managers.asynchronous import AsyncBoundSessionManager
from coatcheck._managers.sync import BoundSessionManager
from coatcheck._options import DEFAULTS
from coatcheck_conformance.laws import LAWS
from pages import PAGES, ROOT, first_cells, one_line, page, rows

# The reference


@pytest.mark.parametrize("name", coatcheck.__all__)
def test_every_public_name_is_in_the_reference_and_has_a_docstring(name: str) -> None:
    assert re.search(rf"^\.\. [\w:]+:: {name}\b", page("reference"), re.MULTILINE)
    if inspect.isclass(value := getattr(coatcheck, name)) or inspect.isfunction(value):
        assert inspect.getdoc(value)


@pytest.mark.parametrize(
    "owner",
    [
        SessionManager,
        coatcheck.AsyncSessionManager,
        BoundSessionManager,
        AsyncBoundSessionManager,
        coatcheck.Session,
        coatcheck.Secret,
        coatcheck.Record,
        coatcheck.Where,
        hookspec.ModuleHooks,
        hookspec.StorageHooks,
        hookspec.EventHooks,
    ],
)
def test_every_public_method_has_a_docstring(owner: type) -> None:
    methods = {
        name: value
        for base in owner.__mro__
        if base.__module__.startswith("coatcheck")
        for name, value in vars(base).items()
        if not name.startswith("_") and (callable(value) or isinstance(value, property))
    }
    assert methods
    assert [name for name, value in methods.items() if not inspect.getdoc(value)] == []


def test_both_managers_have_the_same_calls_with_the_same_arguments() -> None:
    own = {"start"}  # an asynchronous manager cannot prepare its store in `open`
    calls = {name for name in dir(SessionManager) if not name.startswith("_")}
    asynchronous = coatcheck.AsyncSessionManager
    assert {name for name in dir(asynchronous) if not name.startswith("_")} == calls | own
    for name in calls:
        one = inspect.signature(getattr(SessionManager, name))
        other = inspect.signature(getattr(asynchronous, name))
        assert list(one.parameters.values()) == list(other.parameters.values())


# Configuration


def documented_options() -> dict[str, list[str]]:
    _, _, text = page("configuration").partition("## The options\n")
    table, _, _ = text.partition("What they mean")
    return {cells[0].strip("`"): cells for cells in rows(table) if cells[0] != "option"}


def written(default: Any) -> str:
    """A default as the table has it."""
    if default is None or default == ():
        return "none"
    if isinstance(default, bool):
        return str(default).lower()
    if isinstance(default, timedelta):
        return f"{default.days} days" if default.days else f"{default.seconds} s"
    return str(default)


def test_every_option_is_in_the_table_and_no_other() -> None:
    assert set(documented_options()) == {"url", *DEFAULTS}


@pytest.mark.parametrize("name", DEFAULTS)
def test_every_default_in_the_table_is_the_one_that_counts(name: str) -> None:
    shown = documented_options()[name][2].replace("`", "")
    assert re.split("[,:]", shown)[0] == written(DEFAULTS[name])


def test_every_environment_variable_that_is_mentioned_exists() -> None:
    known = {f"COATCHECK_{name.upper()}" for name in Settings.model_fields}
    for name, cells in documented_options().items():
        expected = f"`COATCHECK_{name.upper()}`" if name in Settings.model_fields else "in code"
        assert cells[4].startswith(expected)
    deliberate = {"COATCHECK_SECRETS_DIR", "COATCHECK_LIFTIME"}
    deliberate |= {"COATCHECK_MANAGER", "COATCHECK_POLICY"}  # of Django's settings
    deliberate |= {shared_servers.POSTGRESQL, shared_servers.MONGODB}
    for path in PAGES:
        mentioned = set(re.findall(r"\bCOATCHECK_[A-Z0-9_]+[A-Z0-9]", path.read_text()))
        assert mentioned <= known | deliberate, path.name


def test_what_changing_it_does_is_said_of_every_option() -> None:
    _, _, text = page("configuration").partition("What they mean")
    terms = re.findall(r"^(`.*`)\n: ", text, re.MULTILINE)
    assert {name for term in terms for name in re.findall(r"`(\w+)`", term)} == {"url", *DEFAULTS}


# Events, errors, laws


@pytest.mark.parametrize("name", hookspec.EVENT_HOOKS)
def test_every_event_hook_is_documented_with_its_arguments(name: str) -> None:
    arguments = list(inspect.signature(getattr(hookspec.EventHooks, name)).parameters)[1:]
    assert f"{name}({', '.join(arguments)})" in first_cells(page("events"))


def test_every_error_is_in_the_table_of_errors() -> None:
    _, _, text = page("operations").partition("## Errors")
    errors = {
        name
        for name in coatcheck.__all__
        if inspect.isclass(value := getattr(coatcheck, name)) and issubclass(value, CoatcheckError)
    }
    assert errors - {"CoatcheckError"} | set(RejectionReason) == first_cells(text) - {
        "error",
        "reason",
    }


def test_every_record_that_is_logged_is_in_the_table_of_logs() -> None:
    _, _, text = page("operations").partition("## Watching")
    logged = {cells[1] for cells in rows(text) if cells[0] in {"ERROR", "WARNING"}}
    sources = [path.read_text() for path in (ROOT / "core").rglob("*.py")]
    calls = [
        found
        for source in sources
        for found in re.findall(r'logger\.(error|warning)\(\s*"([^"%]+)', source)
    ]
    assert calls
    for _, beginning in calls:
        assert any(record.startswith(beginning.strip()) for record in logged), beginning


@pytest.mark.parametrize("law", LAWS.values(), ids=str)
def test_every_law_stands_under_its_number_in_its_own_words(law: Any) -> None:
    _, _, text = page("laws").partition(f"## {law.number}. {law.title}\n")
    section, _, _ = text.partition("\n## ")
    assert law.words in one_line(section)


def test_no_law_is_made_up() -> None:
    headings = re.findall(r"^## (\d+)\. (.*)$", page("laws"), re.MULTILINE)
    assert [(int(number), title) for number, title in headings] == [
        (law.number, law.title) for law in LAWS.values()
    ]


def test_every_capability_is_in_the_table_of_capabilities() -> None:
    assert first_cells(page("laws")) - {"capability"} == set(coatcheck.Capability)


# The command line


def cli_commands() -> dict[str, Any]:
    """Every command by its full name."""
    found: dict[str, Any] = {}
    waiting = [("coatcheck", typer.main.get_command(app))]
    while waiting:
        name, command = waiting.pop()
        if not hasattr(command, "list_commands"):
            found[name] = command
            continue
        context: Any = None  # on which the commands do not depend
        waiting += [
            (f"{name} {word}", command.get_command(context, word))
            for word in command.list_commands(context)
        ]
    return found


def test_every_command_has_a_section_and_there_is_no_other() -> None:
    assert set(re.findall("^### (.*)$", page("cli"), re.MULTILINE)) == set(cli_commands())


@pytest.mark.parametrize("name", cli_commands())
def test_every_option_of_a_command_is_in_its_section_and_no_other(name: str) -> None:
    _, _, text = page("cli").partition(f"### {name}\n")
    section, _, _ = text.partition("\n#")
    options = {
        word
        for parameter in cli_commands()[name].params
        for word in (*parameter.opts, *parameter.secondary_opts)
        if word.startswith("-") and word != "--help"
    }
    table = " ".join(cells[0] for cells in rows(section))
    assert set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", table)) == options


def test_every_exit_code_is_in_the_table() -> None:
    assert {str(int(code)) for code in Code} <= first_cells(page("cli"))


# What is there, and what is not


def test_every_scheme_of_a_url_is_one_of_a_backend_that_is_installed() -> None:
    known = {point.name for point in entry_points(group="coatcheck.backends")}
    known |= {"http", "https", "shelf"}  # the last one is the worked example
    for path in PAGES:
        schemes = set(re.findall(r"\b([a-z][a-z0-9]*)(?:\+[a-z0-9]+)?://", path.read_text()))
        assert schemes <= known, path.name


def test_the_published_expression_finds_tokens_of_every_length_whole() -> None:
    [published] = re.findall(r"^\\bcck_.*$", page("security"), re.MULTILINE)
    assert f'r"{published}"' in page("security")
    for length in range(16, 256):
        with_prefix = coatcheck_token(length)
        assert re.findall(published, f"({with_prefix})") == [with_prefix]


def coatcheck_token(secret_length: int) -> str:
    from coatcheck._credentials.tokens import TokenFormat, new_secret
    from coatcheck._credentials.uuid7 import uuid7

    return TokenFormat("cck").write(uuid7(0), new_secret(secret_length))


def test_the_readme_sets_everything_up_with_one_command_each() -> None:
    text = (ROOT / "README.md").read_text()
    for session in ("demo", "tests"):
        command = (
            "python3 -m venv .venv && .venv/bin/pip install -q nox uv "
            f"&& .venv/bin/nox -s {session}"
        )
        assert f"```sh\n{command}\n```" in text


def test_every_page_that_the_readme_links_to_is_there() -> None:
    links = re.findall(r"\]\(([^)#:]+)\)", (ROOT / "README.md").read_text())
    assert links
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_changelog_has_the_version_that_is_built() -> None:
    version = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]
    assert f"\n## {version} - " in (ROOT / "CHANGELOG.md").read_text()
