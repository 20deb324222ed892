"""Run by `nox -s wheel` against the installed wheel alone: the sources must not be in reach."""

from __future__ import annotations

import asyncio
import os
import subprocess
import sys
from importlib.metadata import entry_points, requires
from importlib.resources import files
from pathlib import Path

import coatcheck
from coatcheck import AsyncSessionManager, ConfigError, SessionManager

PEPPER = "a pepper for the wheel of thirty-two bytes and more"


def main() -> None:
    """Everything that only a real installation shows."""
    assert "site-packages" in str(coatcheck.__file__), coatcheck.__file__
    for package in ("coatcheck", "coatcheck_backends", "coatcheck_conformance"):
        assert files(package).joinpath("py.typed").is_file(), package
    backends = {point.name for point in entry_points(group="coatcheck.backends")}
    assert backends == {"memory", "mongodb", "postgresql", "sqlite"}
    assert any("typer" in requirement for requirement in requires("coatcheck") or [])
    for url in ("memory:", "sqlite://", "sqlite:///wheel.db"):
        sign_in_and_out(url)
    for scheme in ("mongodb", "postgresql"):
        name_the_extra(scheme)
    asyncio.run(sign_in_and_out_async("sqlite:///wheel.db"))
    command_line()
    print("the wheel works without the sources")


def sign_in_and_out(url: str) -> None:
    """Through the migrations, which are data files of the wheel as far as Alembic goes."""
    with SessionManager.open(url, pepper=PEPPER) as sessions:
        issued = sessions.issue("user-42", method="password", scopes={"read"})
        assert sessions.validate(issued.token)
        assert sessions.revoke(issued.session.id)
        assert not sessions.validate(issued.token)


def name_the_extra(scheme: str) -> None:
    """A store whose driver is not installed says what to install."""
    said = ""
    try:
        SessionManager.open(f"{scheme}://localhost/app", pepper=PEPPER)
    except ConfigError as error:
        said = str(error)
    assert f"coatcheck[{scheme}]" in said, said


async def sign_in_and_out_async(url: str) -> None:
    """The same, awaited."""
    async with AsyncSessionManager.open(url, pepper=PEPPER) as sessions:
        issued = await sessions.issue("user-42", method="password")
        assert await sessions.validate(issued.token)
        assert await sessions.revoke_all(user_id="user-42")


def command_line() -> None:
    """The script that the wheel installs, on the same file."""
    command = Path(sys.executable).with_name("coatcheck")
    environment = os.environ | {"COATCHECK_URL": "sqlite:///wheel.db", "COATCHECK_PEPPER": PEPPER}
    done = subprocess.run([command, "count", "--json"], env=environment, check=True)
    assert done.returncode == 0


if __name__ == "__main__":
    main()
