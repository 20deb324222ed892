"""Options given in code beside the settings, and variables that are nearly options."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from coatcheck import AsyncSessionManager, ConfigError, SessionManager, Settings, hookimpl

PEPPER = "a pepper for tests of thirty-two bytes and more"


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """No file of this repository is read as a setting."""
    monkeypatch.chdir(tmp_path)


class Observer:
    def __init__(self) -> None:
        self.seen: list[str] = []

    @hookimpl
    def session_issued(self, session: Any) -> None:
        self.seen.append(session.user_id)


def test_plugins_and_other_options_go_with_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("COATCHECK_URL", "memory:")
    monkeypatch.setenv("COATCHECK_PEPPER", PEPPER)
    monkeypatch.setenv("COATCHECK_LIFETIME", "P1D")
    observer = Observer()
    with SessionManager.from_env(plugins=[observer], lifetime=timedelta(hours=1)) as sessions:
        session = sessions.issue("ann", method="password").session
    assert session.expires_at == session.created_at + timedelta(hours=1)
    assert observer.seen == ["ann"]


async def _issue(observer: Observer) -> None:
    settings = Settings(url="memory:", pepper=PEPPER)
    async with AsyncSessionManager.from_settings(settings, plugins=[observer]) as sessions:
        await sessions.issue("ann", method="password")


def test_they_go_with_settings_under_asyncio_too() -> None:
    import asyncio

    observer = Observer()
    asyncio.run(_issue(observer))
    assert observer.seen == ["ann"]


@pytest.mark.parametrize(
    "name", ["COATCHECK_LIFTIME", "COATCHECK_FALLBACK_PEPPER", "coatcheck_peper"]
)
def test_a_variable_that_is_nearly_an_option_is_refused(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, "canary")
    with pytest.raises(ConfigError, match=rf"{name.upper()} is no option; did you mean") as raised:
        Settings()
    assert "canary" not in str(raised.value)


def test_a_variable_of_somebody_elses_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COATCHECK_SERVICE_HOST", "10.0.0.1")
    monkeypatch.setenv("COATCHECK_PORT", "tcp://10.0.0.1:80")
    assert Settings().url is None
