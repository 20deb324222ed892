"""Backends and observers, checked once at start and resolved to plain callables.

pluggy checks that every marked function belongs to a hook and takes no argument
that the hook has not. The rest is checked here: nothing required is missing,
nothing is there twice, no argument is left out or reordered, no wrapper, and
coroutines exactly where the backend says so.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from difflib import get_close_matches
from typing import Any, TypeAlias

import pluggy

from .._errors import ConfigError
from .hookspec import (
    EVENT_HOOKS,
    OPTIONAL_HOOKS,
    PROJECT,
    STORAGE_HOOKS,
    EventHooks,
    ModuleHooks,
    StorageHooks,
    hook_names,
)
from .info import SPEC_VERSION, BackendInfo, Capability

Hook: TypeAlias = Callable[..., Any]


@dataclass(frozen=True, slots=True)
class Backend:
    """A backend whose hooks have been checked and resolved."""

    implementation: object
    hooks: Mapping[str, Hook]
    name: str
    capabilities: frozenset[str]
    inline: frozenset[str]
    asynchronous: bool

    def bound(self, implementation: object) -> Backend:
        """The same hooks of what the hook `bound` returned, an object of the same class."""
        if type(implementation) is not type(self.implementation):
            raise ConfigError(f"the hook bound of the backend {self.name!r} gave another class")
        hooks = {name: getattr(implementation, name) for name in self.hooks}
        return Backend(
            implementation, hooks, self.name, self.capabilities, self.inline, self.asynchronous
        )


Observers: TypeAlias = Mapping[str, tuple[Hook, ...]]
"""The observers of each event, in the order in which they are told."""


def plug(backend: object, plugins: Iterable[object]) -> tuple[Backend, Observers]:
    """Check a backend and observers against the hook spec. Raises `ConfigError`."""
    manager = _manager(StorageHooks, EventHooks)
    # pluggy tells the last one registered first; the first one given is to be told first.
    for plugin in reversed(tuple(plugins)):
        _register(manager, plugin, "plugin")
    _register(manager, backend, "backend")
    _refuse_unknown_hooks(manager)
    hooks = {
        name: hook
        for name in STORAGE_HOOKS
        if (hook := _only_implementation(manager, name, backend, StorageHooks)) is not None
    }
    info = _checked_info(backend, hooks)
    observers = {
        name: tuple(_observer(name, implementation) for implementation in _told(manager, name))
        for name in EVENT_HOOKS
    }
    return info, observers


def module_hooks(module: object) -> dict[str, Hook]:
    """`open_backend` and `open_async_backend` of a module, as far as it has them."""
    manager = _manager(ModuleHooks)
    _register(manager, module, "backend module")
    _refuse_unknown_hooks(manager)
    found = {
        name: hook
        for name in hook_names(ModuleHooks)
        if (hook := _only_implementation(manager, name, module, ModuleHooks)) is not None
    }
    if not found:
        raise ConfigError(
            f"the backend module {_name(module)} has no hook open_backend, marked with hookimpl"
        )
    return found


def _manager(*specs: type) -> pluggy.PluginManager:
    manager = pluggy.PluginManager(PROJECT)
    for spec in specs:
        manager.add_hookspecs(spec)
    return manager


def _register(manager: pluggy.PluginManager, plugin: object, role: str) -> None:
    try:
        manager.register(plugin)
    except pluggy.PluginValidationError as error:
        which = _misfit(manager, plugin)
        raise ConfigError(
            f"the {role} {_name(plugin)} has a hook that does not fit{which}"
        ) from error
    except ValueError:
        raise ConfigError(f"the {role} {_name(plugin)} is registered twice") from None


def _misfit(manager: pluggy.PluginManager, plugin: object) -> str:
    """The first hook that takes an argument which it is not given, and those that it is given."""
    for name, caller in vars(manager.hook).items():
        spec = getattr(caller, "spec", None)
        if spec is None or manager.parse_hookimpl_opts(plugin, name) is None:
            continue
        surplus = [
            a for a in inspect.signature(getattr(plugin, name)).parameters if a not in spec.argnames
        ]
        if surplus:
            given = ", ".join(spec.argnames) or "nothing"
            return f": {name} takes {', '.join(surplus)}, and is given {given}"
    return ""


def _refuse_unknown_hooks(manager: pluggy.PluginManager) -> None:
    for name, caller in vars(manager.hook).items():
        if isinstance(caller, pluggy.HookCaller) and not caller.has_spec():
            owner = _name(caller.get_hookimpls()[0].plugin)
            known = [n for n, c in vars(manager.hook).items() if c.has_spec()]
            close = get_close_matches(name, known, 1)
            hint = f"; did you mean {close[0]}?" if close else ""
            raise ConfigError(f"{owner} implements an unknown hook {name}{hint}")


def _only_implementation(
    manager: pluggy.PluginManager, name: str, owner: object, spec: type
) -> Hook | None:
    """The owner's own implementation of a hook; `None` for an optional one that is absent."""
    found = getattr(manager.hook, name).get_hookimpls()
    for implementation in found:
        if implementation.plugin is not owner:
            raise ConfigError(
                f"the hook {name} is implemented a second time, by {_name(implementation.plugin)}; "
                "storage hooks belong to the backend alone"
            )
    if not found:
        unmarked = callable(getattr(owner, name, None))
        if unmarked:
            raise ConfigError(f"{_name(owner)}.{name} is not marked with coatcheck.hookimpl")
        if name in OPTIONAL_HOOKS or spec is ModuleHooks:
            return None
        raise ConfigError(f"the backend {_name(owner)} has no hook {name}, which is required")
    _check_form(name, found[0], spec)
    hook: Hook = found[0].function
    return hook


def _told(manager: pluggy.PluginManager, name: str) -> list[pluggy.HookImpl]:
    return list(reversed(getattr(manager.hook, name).get_hookimpls()))


def _observer(name: str, implementation: pluggy.HookImpl) -> Hook:
    _check_form(name, implementation, EventHooks)
    return implementation.function


def _check_form(name: str, implementation: pluggy.HookImpl, spec: type) -> None:
    """No wrapper, and exactly the spec's arguments, by position and without defaults."""
    owner = _name(implementation.plugin)
    if implementation.hookwrapper or implementation.wrapper:
        raise ConfigError(f"{owner}.{name} is a wrapper; coatcheck's hooks cannot be wrapped")
    expected = list(inspect.signature(getattr(spec, name)).parameters)[1:]
    given = inspect.signature(implementation.function).parameters.values()
    by_position = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if [parameter.name for parameter in given] != expected or any(
        parameter.kind not in by_position or parameter.default is not inspect.Parameter.empty
        for parameter in given
    ):
        raise ConfigError(
            f"{owner}.{name} must take exactly these arguments, in this order and without "
            f"defaults: ({', '.join(expected)})"
        )


def _checked_info(implementation: object, hooks: Mapping[str, Hook]) -> Backend:
    info = hooks["info"]()
    owner = _name(implementation)
    if not isinstance(info, BackendInfo):
        raise ConfigError(f"{owner}.info must return a BackendInfo")
    if info.spec_version != SPEC_VERSION:
        raise ConfigError(
            f"the backend {info.name!r} is written for version {info.spec_version} of the hook "
            f"spec, and this coatcheck has version {SPEC_VERSION}; upgrade the older one"
        )
    capabilities, inline = frozenset(info.capabilities), frozenset(info.inline)
    _refuse_unknown(f"{owner}.info: unknown capability", capabilities, list(Capability))
    _refuse_unknown(f"{owner}.info: inline names the unknown hook", inline, STORAGE_HOOKS)
    if Capability.TRANSACTIONS in capabilities and "bound" not in hooks:
        raise ConfigError(f"{owner} declares transactions, and has no hook bound")
    for name, hook in hooks.items():
        waits = info.asynchronous and name not in {"info", "bound"}
        if inspect.iscoroutinefunction(hook) != waits:
            raise ConfigError(
                f"{owner}.{name} must {'' if waits else 'not '}be a coroutine function, since "
                f"{owner}.info says asynchronous={info.asynchronous}"
            )
    return Backend(implementation, hooks, info.name, capabilities, inline, bool(info.asynchronous))


def _refuse_unknown(message: str, given: Iterable[str], known: Iterable[str]) -> None:
    for name in given:
        if name not in known:
            raise ConfigError(f"{message} {name!r}; known: {', '.join(known)}")


def _name(plugin: object) -> str:
    return str(getattr(plugin, "__name__", type(plugin).__name__))
