"""What `import coatcheck` loads, since every worker and every command pays for it."""

from __future__ import annotations

import subprocess
import sys

import pytest

HEAVY = ["sqlalchemy", "alembic", "pydantic", "pydantic_settings", "sqlite3", "argon2", "asyncio",
         "typer", "rich"]  # fmt: skip


@pytest.mark.parametrize(
    "statement",
    [
        "from coatcheck import SessionManager",
        "from coatcheck import Record, Where, hookimpl",
        "import coatcheck_backends.sqlite, coatcheck_backends.memory",
    ],
)
def test_importing_loads_no_driver_and_no_heavy_library(statement: str) -> None:
    code = f"{statement}; import sys; print(*sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert not set(HEAVY) & set(done.stdout.split())
