"""Distributions that a test installs, without an installer."""

from __future__ import annotations

from pathlib import Path


def install(site: Path, name: str, entry_points: str, requirements: str = "") -> None:
    """As an installer registers a distribution."""
    registered = site / f"{name}-1.dist-info"
    registered.mkdir()
    registered.joinpath("METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: 1\n{requirements}"
    )
    registered.joinpath("entry_points.txt").write_text(entry_points)
