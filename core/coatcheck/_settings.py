"""Configuration from the environment, `.env`, a secrets directory and `coatcheck.toml`."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from datetime import timedelta
from difflib import get_close_matches
from pathlib import Path
from tomllib import TOMLDecodeError
from typing import Annotated, Any, NoReturn, cast

from pydantic import BeforeValidator, SecretStr, ValidationError
from pydantic_settings import (
    BaseSettings,
    NoDecode,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
    SettingsError,
    TomlConfigSettingsSource,
)

from ._errors import ConfigError
from ._options import HashScheme, ManagerOptions
from ._secret import Secret
from ._shapes import is_collection, is_list

PREFIX = "COATCHECK_"
TOML_FILE = "coatcheck.toml"
DEFAULT_SECRETS_DIR = "/run/secrets"

_PEPPERS = ("pepper", "fallback_peppers")


def _span(given: object) -> object:
    """`none` means never, a bare number is seconds, and the rest is ISO 8601."""
    if isinstance(given, str):
        word = given.strip()
        if word.lower() == "none":
            return None
        if word.isascii() and word.replace(".", "", 1).isdigit():
            return float(word)
    return given


def _pepper_list(given: object) -> object:
    if not isinstance(given, str):
        return given
    try:
        peppers = json.loads(given)
    except ValueError:
        peppers = None
    if not is_list(peppers):
        # Outside of the handler, since a JSONDecodeError holds the text that it could not read.
        raise ValueError("must be a JSON list of strings")
    return peppers


Span = Annotated[timedelta | None, BeforeValidator(_span)]
Peppers = Annotated[tuple[SecretStr, ...], NoDecode, BeforeValidator(_pepper_list)]


class Settings(BaseSettings):
    """The options of `SessionManager.open` and its URL, by the same names.

    Read from `COATCHECK_URL`, `COATCHECK_PEPPER` …, from `.env`, from files such as
    `coatcheck_pepper` in the directory `COATCHECK_SECRETS_DIR` (`/run/secrets` where
    it exists), and from `coatcheck.toml`; the first that names an option decides it.
    Spans are ISO 8601 or seconds, `none` means never. Fallback peppers are a JSON
    list, or a file of the secrets directory with one a line. A pepper in the TOML
    file is refused, since that is committed.

    :raises ConfigError: a value cannot be read; the message names it and does not show it.
    """

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_file=".env",
        toml_file=TOML_FILE,
        extra="ignore",  # a .env file is shared with others; what is ours alone is checked below
        hide_input_in_errors=True,
        frozen=True,
        validate_default=False,
    )

    url: SecretStr | None = None
    pepper: SecretStr | None = None
    fallback_peppers: Peppers = ()
    lifetime: Span = None
    inactivity_timeout: Span = None
    touch_interval: Span = None
    deadline: Span = None
    secret_length: int | None = None
    salt_length: int | None = None
    token_prefix: str | None = None
    hash_scheme: HashScheme | None = None
    argon2_memory_kib: int | None = None
    argon2_time_cost: int | None = None
    argon2_parallelism: int | None = None
    prepare: bool | None = None

    def __init__(self, **values: Any) -> None:
        values = _hidden(values)
        _refuse_unknown("Settings", values)
        secrets_dir = _secrets_dir()
        problems = ""
        try:
            super().__init__(_secrets_dir=secrets_dir, **values)
        except ValidationError as error:
            problems = _problems(error)
        except (OSError, ValueError, SettingsError) as error:
            problems = _unreadable(error)
        # Outside of the handlers: these exceptions hold what was given, a whole file at times.
        if problems:
            raise ConfigError(problems)

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The sources, first things first."""
        for source in (env_settings, dotenv_settings):
            _refuse_misspelt(source.env_vars)  # type: ignore[attr-defined]  # pyright: ignore
        secrets = _SecretFiles(settings_cls, secrets_dir=file_secret_settings.secrets_dir)  # type: ignore[attr-defined]  # pyright: ignore
        return init_settings, env_settings, dotenv_settings, secrets, _Toml(settings_cls)

    def sealed_url(self) -> Secret[str]:
        """The URL, hidden. Raises `ConfigError` if there is none."""
        if self.url is None:
            raise ConfigError(f"url is not set; set {PREFIX}URL, such as sqlite:///sessions.db")
        return Secret(self.url.get_secret_value())

    def options(self) -> ManagerOptions:
        """The options that were set, as `SessionManager.open` takes them."""
        given = {name: getattr(self, name) for name in self.model_fields_set if name != "url"}
        if self.pepper is not None:
            given["pepper"] = Secret(self.pepper.get_secret_value())
        if self.fallback_peppers:
            given["fallback_peppers"] = [
                Secret(pepper.get_secret_value()) for pepper in self.fallback_peppers
            ]
        return cast(ManagerOptions, given)

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("Settings hold peppers and cannot be pickled")


class _Toml(TomlConfigSettingsSource):
    """`coatcheck.toml`, which may hold anything but a pepper."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        _refuse_unknown(TOML_FILE, values)
        for name in _PEPPERS:
            if name in values:
                values.clear()
                raise ConfigError(
                    f"{TOML_FILE} must not hold {name}, since it is committed; set "
                    f"{PREFIX}{name.upper()} or a file of the secrets directory"
                )
        return values


class _SecretFiles(SecretsSettingsSource):
    """A directory with one file for each secret, as container platforms mount them."""

    def __call__(self) -> dict[str, Any]:
        values = super().__call__()
        peppers = values.get("fallback_peppers")
        if isinstance(peppers, str) and not peppers.lstrip().startswith("["):
            lines = (line.strip() for line in peppers.splitlines())
            values["fallback_peppers"] = [line for line in lines if line]
        return values


def _refuse_unknown(where: str, names: Iterable[str]) -> None:
    for name in names:
        if name not in Settings.model_fields:
            raise ConfigError(
                f"{where}: unknown option {name}; known: {', '.join(Settings.model_fields)}"
            )


def _refuse_misspelt(variables: Iterable[str]) -> None:
    """A variable that is nearly an option would be passed over in silence.

    Others of the prefix are left alone: Kubernetes sets `COATCHECK_SERVICE_HOST` and more
    for a service of that name.
    """
    for variable in variables:
        name = variable.lower().removeprefix(PREFIX.lower())
        if name != variable.lower() and name not in Settings.model_fields:
            close = get_close_matches(name, Settings.model_fields, 1, cutoff=0.85)
            if close:
                raise ConfigError(
                    f"{variable.upper()} is no option; did you mean {PREFIX}{close[0].upper()}?"
                )


def _secrets_dir() -> str | None:
    chosen = os.environ.get(f"{PREFIX}SECRETS_DIR")
    if chosen is None:
        return DEFAULT_SECRETS_DIR if Path(DEFAULT_SECRETS_DIR).is_dir() else None
    if not Path(chosen).is_dir():
        raise ConfigError(f"{PREFIX}SECRETS_DIR names no directory")
    return chosen


def _hidden(values: Mapping[str, Any]) -> dict[str, Any]:
    """Values given in code, with what is secret in them wrapped."""
    hidden = dict(values)
    for name in ("url", "pepper"):
        if name in hidden:
            hidden[name] = _hidden_text(hidden[name])
    if "fallback_peppers" in hidden:
        given = hidden["fallback_peppers"]
        hidden["fallback_peppers"] = (
            tuple(map(_hidden_text, given)) if is_collection(given) else _hidden_text(given)
        )
    return hidden


def _hidden_text(given: object) -> object:
    """A string in a `SecretStr`. Anything else is refused later on, and not kept until then."""
    if given is None or isinstance(given, SecretStr):
        return given
    return SecretStr(given) if isinstance(given, str) else _NO_STRING


_NO_STRING = object()


def _unreadable(error: Exception) -> str:
    """What is wrong with a file, without what stands in it."""
    files = f".env, {TOML_FILE} or a file of the secrets directory"
    if isinstance(error, TOMLDecodeError):
        return f"{TOML_FILE} is not valid TOML"
    if isinstance(error, OSError):
        return f"{error.filename or files} cannot be read: {error.strerror}"
    return f"{files} cannot be read; each must be text in UTF-8"


def _problems(error: ValidationError) -> str:
    """Which settings are wrong and how, without what was given."""
    found = error.errors(include_url=False, include_context=False, include_input=False)
    return "; ".join(
        f"{'.'.join(map(str, problem['loc']))} ({PREFIX}{str(problem['loc'][0]).upper()}): "
        f"{problem['msg'].removeprefix('Value error, ')}"
        for problem in found
    )
