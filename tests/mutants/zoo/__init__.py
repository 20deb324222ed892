"""Broken backends and broken cores, which the suite must reject."""

from __future__ import annotations

import importlib
import pkgutil

from .declaring import ZOO, Broken

__all__ = ["Broken", "every_animal"]


def every_animal() -> tuple[Broken, ...]:
    """All of them."""
    for module in pkgutil.iter_modules(__path__):
        importlib.import_module(f"{__name__}.{module.name}")
    return tuple(ZOO)
