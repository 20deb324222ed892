"""From a URL and options to what a manager stands on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .._contract.plugging import module_hooks, plug
from .._contract.registry import backend_module, missing_requirement, scheme_of
from .._errors import CoatcheckError, ConfigError
from .._flows.steps import Core
from .._options import configure, seal_options
from .._secret import Secret

__all__ = ["build_core", "open_backend", "seal_options"]


def open_backend(url: Secret[str], *, asynchronous: bool) -> object:
    """The backend that the URL names. A synchronous one serves both managers."""
    module = backend_module(url)
    hooks = module_hooks(module)
    opener = hooks.get("open_async_backend") if asynchronous else None
    opener = opener or hooks.get("open_backend")
    scheme, driver = scheme_of(url)
    if opener is None:
        raise ConfigError(f"the backend {scheme!r} is asynchronous only; use AsyncSessionManager")
    try:
        return opener(url)
    except CoatcheckError:
        raise
    except ImportError as error:
        raise missing_requirement(error, scheme, driver if asynchronous else None) from error
    except Exception as error:
        raise ConfigError(f"the backend {scheme!r} cannot be opened") from error


def build_core(backend: object, options: Mapping[str, Any], *, asynchronous: bool) -> Core:
    """Check everything that can be wrong before the store is asked. Raises `ConfigError`."""
    config = configure(options)
    plugged, observers = plug(backend, config.plugins)
    core = Core(config, plugged, observers)
    if not asynchronous:
        if plugged.asynchronous:
            raise ConfigError(
                f"the backend {plugged.name!r} is asynchronous; use AsyncSessionManager"
            )
        _refuse_async_observers(core)
    return core


def _refuse_async_observers(core: Core) -> None:
    from inspect import iscoroutinefunction

    for event, observers in core.observers.items():
        if any(map(iscoroutinefunction, observers)):
            raise ConfigError(f"the observer of {event} is async def; use AsyncSessionManager")
