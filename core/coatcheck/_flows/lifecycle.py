"""Preparing, asking after and closing a backend."""

from __future__ import annotations

from .steps import Ask, Core, Flow


def prepare(core: Core) -> Flow[None]:
    """Make the schema, or only check it where the configuration says so."""
    yield Ask("prepare", (core.config.prepare,))


def ping() -> Flow[None]:
    """The least there is to ask of the store."""
    yield Ask("ping")


def close() -> Flow[None]:
    """Give back what the backend holds."""
    yield Ask("close")
