"""What can be wrong with a backend, a plugin or a URL is said before the store is asked."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from coatcheck import (
    AsyncSessionManager,
    BackendInfo,
    ConfigError,
    SchemaMissing,
    SessionManager,
    hookimpl,
)
from plain_backend import PlainBackend

PEPPER = "a pepper for tests of thirty-two bytes and more"


def opened(backend: object, **options: Any) -> SessionManager:
    return SessionManager(backend, pepper=PEPPER, **options)


def test_a_backend_of_required_hooks_alone_is_accepted() -> None:
    with opened(PlainBackend()) as sessions:
        token = sessions.issue("u", method="password").token
        assert sessions.validate(token)


@pytest.mark.parametrize(
    "hook",
    [
        "info",
        "prepare",
        "close",
        "ping",
        "insert",
        "load",
        "touch",
        "replace_key_hash",
        "update",
        "delete",
        "find",
    ],
)
def test_a_missing_required_hook_is_named(hook: str) -> None:
    broken = type("Broken", (PlainBackend,), {hook: None})
    with pytest.raises(ConfigError, match=rf"no hook {hook}\b.*required"):
        opened(broken())


def test_an_unmarked_hook_is_told_to_be_marked() -> None:
    class Unmarked(PlainBackend):
        def load(self, session_id: Any) -> None: ...

    with pytest.raises(ConfigError, match=r"Unmarked\.load is not marked with coatcheck\.hookimpl"):
        opened(Unmarked())


def test_a_misspelt_hook_is_named_with_the_likely_one() -> None:
    class Misspelt(PlainBackend):
        @hookimpl
        def tuoch(self, session_id: Any, now: int) -> bool: ...

    with pytest.raises(ConfigError, match=r"Misspelt implements an unknown hook tuoch.*touch\?"):
        opened(Misspelt())


def _dropped(self: Any, session_id: Any) -> bool: ...
def _reordered(self: Any, now: int, session_id: Any) -> bool: ...
def _defaulted(self: Any, session_id: Any, now: int = 0) -> bool: ...
def _keyword(self: Any, session_id: Any, *, now: int) -> bool: ...


@pytest.mark.parametrize("touch", [_dropped, _reordered, _defaulted, _keyword])
def test_a_hook_takes_exactly_the_arguments_of_the_spec(touch: Callable[..., bool]) -> None:
    broken = type("Broken", (PlainBackend,), {"touch": hookimpl(touch)})
    with pytest.raises(ConfigError, match=r"Broken\.touch must take exactly.*session_id, now"):
        opened(broken())


def test_an_unknown_argument_is_refused() -> None:
    class Extra(PlainBackend):
        @hookimpl
        def ping(self, loudly: bool) -> None: ...

    why = r"Extra .* does not fit: ping takes loudly, and is given nothing"
    with pytest.raises(ConfigError, match=why):
        opened(Extra())


def test_a_wrapper_is_refused() -> None:
    class Wrapper(PlainBackend):
        @hookimpl(wrapper=True)
        def ping(self) -> Any:
            return (yield)

    with pytest.raises(ConfigError, match=r"Wrapper\.ping is a wrapper"):
        opened(Wrapper())


def test_a_second_implementation_of_a_storage_hook_is_refused_and_named() -> None:
    class Meddler:
        @hookimpl
        def load(self, session_id: Any) -> None: ...

    with pytest.raises(ConfigError, match="load is implemented a second time, by Meddler"):
        opened(PlainBackend(), plugins=[Meddler()])


def test_one_plugin_given_twice_is_refused() -> None:
    class Observer: ...

    observer = Observer()
    with pytest.raises(ConfigError, match="Observer is registered twice"):
        opened(PlainBackend(), plugins=[observer, observer])


def _with_info(**changes: Any) -> object:
    facts = {"name": "odd", "spec_version": 1} | changes

    class Odd(PlainBackend):
        @hookimpl
        def info(self) -> BackendInfo:
            return BackendInfo(**facts)

    return Odd()


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"spec_version": 2}, "version 2 of the hook spec, and this coatcheck has version 1"),
        ({"capabilities": {"teleport"}}, "unknown capability 'teleport'; known: transactions"),
        ({"inline": {"lode"}}, "inline names the unknown hook 'lode'"),
        ({"capabilities": {"transactions"}}, "declares transactions, and has no hook bound"),
        ({"asynchronous": True}, "must be a coroutine function"),
    ],
)
def test_what_a_backend_says_of_itself_is_checked(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ConfigError, match=message):
        opened(_with_info(**changes))


def test_an_asynchronous_observer_needs_the_asynchronous_manager() -> None:
    class Observer:
        @hookimpl
        async def session_issued(self, session: Any) -> None: ...

    with pytest.raises(ConfigError, match="session_issued is async def; use AsyncSessionManager"):
        opened(PlainBackend(), plugins=[Observer()])


def test_an_unknown_scheme_lists_the_known_ones() -> None:
    with pytest.raises(ConfigError, match=r"scheme 'teapot'; known: .*memory.*sqlite"):
        SessionManager.open("teapot://pot", pepper=PEPPER)


@pytest.mark.parametrize("url", ["", "sessions.db", "://", None, 7])
def test_a_url_without_a_scheme_is_refused_without_being_shown(url: Any) -> None:
    with pytest.raises(ConfigError, match="url must be a str with a scheme"):
        SessionManager.open(url, pepper=PEPPER)


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Install a distribution with a backend's entry point, as pip would leave it."""

    def install(distribution: str, scheme: str, source: str, extras: str = "") -> None:
        module = f"{distribution.replace('-', '_')}_module"
        (tmp_path / f"{module}.py").write_text(source)
        metadata = tmp_path / f"{distribution.replace('-', '_')}-1.0.dist-info"
        metadata.mkdir()
        provided = f"Provides-Extra: {extras}\n" if extras else ""
        (metadata / "METADATA").write_text(
            f"Metadata-Version: 2.1\nName: {distribution}\nVersion: 1.0\n{provided}"
        )
        (metadata / "entry_points.txt").write_text(f"[coatcheck.backends]\n{scheme} = {module}\n")

    monkeypatch.syspath_prepend(str(tmp_path))
    before = set(sys.modules)
    yield install  # type: ignore[misc]
    for name in set(sys.modules) - before:
        if name.endswith("_module"):
            del sys.modules[name]


WORKING = """
from plain_backend import PlainBackend
from coatcheck import hookimpl

@hookimpl
def open_backend(url):
    return PlainBackend()
"""


def test_a_distribution_of_somebody_elses_is_found_by_its_entry_point(
    installed: Callable[..., None],
) -> None:
    installed("other-store", "other", WORKING)
    with SessionManager.open("other+driver://host/path", pepper=PEPPER) as sessions:
        assert sessions.count() == 0


def test_two_distributions_for_one_scheme_are_both_named(installed: Callable[..., None]) -> None:
    installed("one-store", "same", WORKING)
    installed("two-store", "same", WORKING)
    with pytest.raises(ConfigError, match=r"'same'.*one-store.*two-store"):
        SessionManager.open("same:", pepper=PEPPER)


@pytest.mark.parametrize(
    "where", ["import absent_driver", WORKING.replace("return", "import absent_driver; return")]
)
def test_a_missing_requirement_names_the_extra(installed: Callable[..., None], where: str) -> None:
    installed("lean-store", "lean", where, extras="lean")
    with pytest.raises(
        ConfigError, match=r"'absent_driver'.*pip install \"lean-store\[lean\]\""
    ) as raised:
        SessionManager.open("lean:", pepper=PEPPER)
    assert isinstance(raised.value.__cause__, ModuleNotFoundError)


def test_a_module_without_the_opening_hook_is_refused(installed: Callable[..., None]) -> None:
    installed("empty-store", "empty", "")
    with pytest.raises(ConfigError, match="has no hook open_backend"):
        SessionManager.open("empty:", pepper=PEPPER)


def test_a_failure_while_opening_shows_nothing_of_the_url(installed: Callable[..., None]) -> None:
    source = WORKING.replace("return PlainBackend()", "raise KeyError('no')")
    installed("rude-store", "rude", source)
    with pytest.raises(ConfigError, match="'rude' cannot be opened") as raised:
        SessionManager.open("rude://user:canary-password@host", pepper=PEPPER)
    assert "canary" not in str(raised.value)


@pytest.mark.parametrize(
    ("option", "value"),
    [
        ("lifetime", 30),
        ("inactivity_timeout", "7d"),
        ("touch_interval", None),
        ("secret_length", 15),
        ("secret_length", 256),
        ("salt_length", 7),
        ("salt_length", 65),
        ("salt_length", True),
        ("token_prefix", "CCK"),
        ("token_prefix", "c"),
        ("hash_scheme", "md5"),
        ("argon2_memory_kib", 7),
        ("argon2_time_cost", 0),
        ("argon2_parallelism", 0),
        ("deadline", 5),
        ("prepare", "yes"),
        ("clock", 12),
        ("plugins", "plugin"),
        ("fallback_peppers", "one string is no list of them"),
        ("pepper", None),
        ("pepper", "short"),
        ("pepper", b"bytes are no str, however long they are"),
        ("lifetim", None),
    ],
)
def test_a_bad_option_is_named(option: str, value: Any) -> None:
    options = {"pepper": PEPPER, option: value}
    with pytest.raises(ConfigError, match=option):
        SessionManager(PlainBackend(), **options)


def test_a_misspelt_option_gets_the_likely_one() -> None:
    with pytest.raises(ConfigError, match="did you mean lifetime"):
        opened(PlainBackend(), lifetme=None)


@pytest.mark.parametrize("fallbacks", [[PEPPER], ["b" * 40, "b" * 40]])
def test_a_pepper_that_is_there_twice_is_refused(fallbacks: list[str]) -> None:
    with pytest.raises(ConfigError, match="is the same pepper as"):
        opened(PlainBackend(), fallback_peppers=fallbacks)


def test_a_pepper_under_32_bytes_warns_without_showing_it() -> None:
    with pytest.warns(UserWarning, match="pepper is shorter than 32 bytes") as warned:
        SessionManager(PlainBackend(), pepper="ten chars!").close()
    assert "ten chars!" not in str(warned[0].message)


def test_why_it_could_not_be_prepared_is_told_even_if_it_cannot_be_closed_either() -> None:
    class Stuck(PlainBackend):
        @hookimpl
        def prepare(self, create: bool) -> None:
            raise SchemaMissing("there is no schema")

        @hookimpl
        def close(self) -> None:
            raise RuntimeError("nor a way out")

    with pytest.raises(SchemaMissing):
        SessionManager(Stuck(), pepper=PEPPER)

    async def start() -> None:
        await AsyncSessionManager(Stuck(), pepper=PEPPER).start()

    with pytest.raises(SchemaMissing):
        asyncio.run(start())
