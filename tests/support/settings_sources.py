"""A working directory, its files and the environment, from which settings are read."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

PEPPER = "the pepper of these tests, which is of more than thirty-two bytes"
OLD = "last year's pepper of these tests, of more than thirty-two bytes"
OLDER = "the pepper of the year before, which is of more than 32 bytes too"
CANARY = "canary-7Gh2kQ9vX4mB"


VALUES: dict[str, tuple[str, str, Any]] = {
    "lifetime": ("P1D", '"P1D"', timedelta(days=1)),
    "inactivity_timeout": ("none", '"none"', None),
    "touch_interval": ("PT1M30S", '"PT1M30S"', timedelta(seconds=90)),
    "deadline": ("2.5", "2.5", timedelta(seconds=2.5)),
    "secret_length": ("48", "48", 48),
    "salt_length": ("8", "8", 8),
    "token_prefix": ("abc", '"abc"', "abc"),
    "hash_scheme": ("argon2id", '"argon2id"', "argon2id"),
    "argon2_memory_kib": ("64", "64", 64),
    "argon2_time_cost": ("1", "1", 1),
    "argon2_parallelism": ("2", "2", 2),
    "prepare": ("false", "false", False),
}


class Place:
    """A working directory, its files, and the environment."""

    def __init__(self, directory: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.directory, self.monkeypatch = directory, monkeypatch
        self.secrets = directory / "secrets"
        self.secrets.mkdir()

    def environ(self, **values: str) -> None:
        for name, value in values.items():
            self.monkeypatch.setenv(f"COATCHECK_{name.upper()}", value)

    def dotenv(self, **values: str) -> None:
        lines = [f'COATCHECK_{name.upper()}="{value}"' for name, value in values.items()]
        (self.directory / ".env").write_text("\n".join(lines))

    def secret(self, **values: str) -> None:
        self.monkeypatch.setenv("COATCHECK_SECRETS_DIR", str(self.secrets))
        for name, value in values.items():
            (self.secrets / f"coatcheck_{name}").write_text(value)

    def toml(self, **values: str) -> None:
        lines = [f"{name} = {value}" for name, value in values.items()]
        (self.directory / "coatcheck.toml").write_text("\n".join(lines))
