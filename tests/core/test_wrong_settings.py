"""What is said of a wrong setting: its name, and nothing of its value."""

from __future__ import annotations

import os
import pickle
from pathlib import Path

import pytest

from coatcheck import ConfigError, SessionManager, Settings
from settings_sources import CANARY, PEPPER, VALUES, Place


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    for name in os.environ:
        if name.startswith("COATCHECK_"):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return Place(tmp_path, monkeypatch)


def refused() -> str:
    """What is said of the settings as they are; no word of any value is in it."""
    with pytest.raises(ConfigError) as raised:
        SessionManager.from_env()
    error: BaseException | None = raised.value
    while error is not None:
        assert CANARY not in f"{error} {error!r}"
        error = error.__cause__ or error.__context__
    return str(raised.value)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *[(name, CANARY) for name in VALUES if name != "token_prefix"],
        ("token_prefix", CANARY.upper()),
        ("lifetime", "-5"),
        ("lifetime", "P"),
        ("lifetime", "\u0661\u0662"),
        ("lifetime", "1e400"),
        ("lifetime", ""),
        ("deadline", "0"),
        ("deadline", "none"),
        ("touch_interval", "none"),
        ("inactivity_timeout", "0.5"),
        ("secret_length", "15"),
        ("salt_length", "8.5"),
        ("prepare", "perhaps"),
        ("fallback_peppers", f"{CANARY} and {CANARY}"),
        ("fallback_peppers", f'"{CANARY} and {CANARY}"'),
        ("fallback_peppers", f'["{CANARY} and {CANARY}'),
        ("fallback_peppers", f'["{CANARY} and {CANARY}", 7]'),
        ("fallback_peppers", f'["{CANARY * 2}", "{CANARY * 2}"]'),
        ("pepper", "cnry"),
        ("pepper", ""),
        ("url", f"{CANARY}"),
        ("url", f"teapot://user:{CANARY}@host"),
        ("url", f"sqlite://user:{CANARY}@/s.db"),
        ("url", ""),
    ],
)
def test_a_wrong_value_is_a_config_error_that_names_the_setting(
    place: Place, name: str, value: str
) -> None:
    place.environ(**{"url": "memory:", "pepper": PEPPER, name: value})
    said = refused()
    assert name in said.lower() or name == "url"
    assert not list(place.directory.glob("*.db"))


@pytest.mark.parametrize("source", ["dotenv", "secret", "toml"])
def test_so_it_is_from_every_other_source(place: Place, source: str) -> None:
    place.environ(url="memory:", pepper=PEPPER)
    getattr(place, source)(secret_length=f'"{CANARY}"' if source == "toml" else CANARY)
    assert "secret_length" in refused()


@pytest.mark.parametrize("missing", ["url", "pepper"])
def test_what_must_be_set_is_named(place: Place, missing: str) -> None:
    place.environ(url="memory:", pepper=PEPPER)
    place.monkeypatch.delenv(f"COATCHECK_{missing.upper()}")
    assert missing in refused()


@pytest.mark.parametrize("name", ["pepper", "fallback_peppers"])
def test_a_pepper_in_toml_is_refused(place: Place, name: str) -> None:
    place.environ(url="memory:", pepper=PEPPER)
    place.toml(**{name: f'"{CANARY} and {CANARY}"' if name == "pepper" else f'["{CANARY} x"]'})
    said = refused()
    assert name in said
    assert "coatcheck.toml" in said
    assert "commit" in said


@pytest.mark.parametrize("source", ["environ", "dotenv", "toml", "code"])
def test_a_misspelt_setting_is_named(place: Place, source: str) -> None:
    place.environ(url="memory:", pepper=PEPPER)
    if source == "code":
        with pytest.raises(ConfigError, match="lifetme"):
            Settings(lifetme="PT1H")
        return
    getattr(place, source)(lifetme='"PT1H"' if source == "toml" else CANARY)
    assert "lifetme" in refused().lower()


def test_what_others_have_in_their_env_file_is_theirs(place: Place) -> None:
    place.environ(url="memory:", pepper=PEPPER)
    (place.directory / ".env").write_text("DATABASE_URL=postgresql://\nDEBUG=1\n")
    with SessionManager.from_env() as sessions:
        assert sessions.count() == 0


def test_toml_that_is_none_is_a_config_error(place: Place) -> None:
    place.environ(url="memory:", pepper=PEPPER)
    (place.directory / "coatcheck.toml").write_text(f"lifetime = {CANARY} =\n")
    assert "coatcheck.toml" in refused()


def test_a_secrets_directory_that_is_not_there_is_said(place: Place) -> None:
    place.environ(url="memory:", pepper=PEPPER, secrets_dir=str(place.directory / "nowhere"))
    assert "COATCHECK_SECRETS_DIR" in refused()


def test_settings_show_and_give_away_no_secret(place: Place) -> None:
    settings = Settings(url=f"x://u:{CANARY}@h", pepper=CANARY * 3, fallback_peppers=[CANARY * 2])
    for shown in (repr(settings), str(settings), str(settings.model_dump()),
                  settings.model_dump_json(), repr(settings.options())):  # fmt: skip
        assert CANARY not in shown
    with pytest.raises(TypeError, match="pickled"):
        pickle.dumps(settings)
