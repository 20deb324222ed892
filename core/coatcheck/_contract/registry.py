"""From a URL to a backend: entry points, and what to say when there is none."""

from __future__ import annotations

import re
from types import ModuleType
from typing import TYPE_CHECKING

from .._errors import CoatcheckError, ConfigError
from .._secret import Secret

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

GROUP = "coatcheck.backends"

_SCHEME = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9.-]*)(?:\+(?P<driver>[A-Za-z0-9.+-]*))?:")


def backend_module(url: Secret[str]) -> ModuleType:
    """Import the one module that is registered for the URL's scheme, and no other.

    Raises `ConfigError` for a URL without a scheme, an unknown one (lists those
    that are known), one that two distributions claim (names both), or a module
    whose own requirements are not installed (names them, and the extra).
    """
    scheme, driver = _scheme(url)
    found = {(point.value, _distribution(point)): point for point in _registered(scheme)}
    if not found:
        known = sorted({point.name for point in _registered()})
        raise ConfigError(
            f"no backend is installed for the URL scheme {scheme!r}; known: {', '.join(known)}"
        )
    if len(found) > 1:
        claims = ", ".join(f"{distribution} ({value})" for value, distribution in sorted(found))
        raise ConfigError(f"several distributions claim the URL scheme {scheme!r}: {claims}")
    point = next(iter(found.values()))
    try:
        module = point.load()
    except ImportError as error:
        raise missing_requirement(error, scheme, driver) from error
    except CoatcheckError:
        raise
    except Exception as error:
        raise ConfigError(f"the backend module {point.value!r} cannot be imported") from error
    if not isinstance(module, ModuleType):
        raise ConfigError(f"the entry point {scheme} = {point.value!r} must name a module")
    return module


def missing_requirement(error: ImportError, scheme: str, driver: str | None = None) -> ConfigError:
    """What to install, when a backend could not import something."""
    what = f"the module {error.name!r}" if error.name else "a module"
    extra = _extra(scheme, driver)
    install = f'; install it with: pip install "{extra}"' if extra else ""
    return ConfigError(f"the backend {scheme!r} needs {what}, which cannot be imported{install}")


def scheme_of(url: Secret[str]) -> tuple[str, str | None]:
    """The parts of the URL's scheme before any `+`, in lower case, and after it."""
    return _scheme(url)


def _scheme(url: Secret[str]) -> tuple[str, str | None]:
    given = url.reveal()
    match = _SCHEME.match(given) if isinstance(given, str) else None  # pyright: ignore[reportUnnecessaryIsInstance]
    del given
    if match is None:
        raise ConfigError(
            "url must be a str with a scheme, such as sqlite:///sessions.db or memory:"
        )
    return match["scheme"].lower(), match["driver"]


def _registered(scheme: str | None = None) -> list[EntryPoint]:
    # Half of what importing coatcheck would cost, and needed only to open a URL.
    from importlib.metadata import entry_points

    points = entry_points(group=GROUP)
    return [point for point in points if scheme is None or point.name == scheme]


def _distribution(point: EntryPoint) -> str:
    return "?" if point.dist is None else point.dist.name


def _extra(scheme: str, driver: str | None) -> str | None:
    """The extra that is named like the driver or like the scheme, if the distribution has one."""
    for point in _registered(scheme):
        if point.dist is not None:
            extras = point.dist.metadata.get_all("Provides-Extra") or []
            for name in (driver, scheme):
                if name in extras:
                    return f"{point.dist.name}[{name}]"
    return None
