"""Commands of other packages: found by their entry points, and imported when asked for.

    [project.entry-points."coatcheck.commands"]
    greet = "package.module:greet"

What an entry point names is a `typer.Typer`, which becomes a group, or a function, which
becomes a command as it would by `app.command`. It should be imported from a module that
imports all it needs, so that what is missing can be named before the command runs.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import typer
from typer.core import TyperGroup

from .._errors import ConfigError

if TYPE_CHECKING:
    from collections.abc import Iterable
    from importlib.metadata import EntryPoint

GROUP = "coatcheck.commands"


class Commands(TyperGroup):
    """The commands that `app` has, and after them those of the entry points.

    A name that is there already cannot be taken by an entry point.
    """

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002 - not what it depends on
        return list(dict.fromkeys([*self.commands, *sorted(p.name for p in _registered())]))

    def get_command(self, ctx: Any, cmd_name: str) -> Any:  # noqa: ARG002
        if cmd_name in self.commands:
            return self.commands[cmd_name]
        points = {(_distribution(p), p.value): p for p in _registered() if p.name == cmd_name}
        return _command(cmd_name, list(points.values())) if points else None


def _registered() -> Iterable[EntryPoint]:
    # What importing this costs is spared to those commands that are no entry points.
    from importlib.metadata import entry_points

    return entry_points(group=GROUP)


def _command(name: str, points: list[EntryPoint]) -> Any:
    """The command of that name, or one that says only why it cannot be had."""
    host = typer.Typer(rich_markup_mode="markdown")
    try:
        found = _load(name, points)
    except ConfigError as error:
        _add_refusal(host, name, error)
    else:
        if isinstance(found, typer.Typer):
            host.add_typer(found, name=name)
        else:
            host.command(name)(found)
    return typer.main.get_group(host).commands[name]


def _load(name: str, points: list[EntryPoint]) -> Any:
    if len(points) > 1:
        claims = ", ".join(sorted(f"{_distribution(p)} ({p.value})" for p in points))
        raise ConfigError(f"several distributions have a command {name!r}: {claims}")
    try:
        found = points[0].load()
    except ImportError as error:
        raise _missing_requirement(name, points[0], error) from error
    except Exception as error:
        raise ConfigError(
            f"the command {name!r} of {_distribution(points[0])} cannot be imported "
            f"({type(error).__name__})"
        ) from error
    if not callable(found):
        raise ConfigError(f"{points[0].value} is no command; {GROUP} takes a function or a Typer")
    return found


def _add_refusal(host: typer.Typer, name: str, error: ConfigError) -> None:
    """Whatever its arguments, `--help` among them."""
    anything = {"allow_extra_args": True, "ignore_unknown_options": True}

    @host.command(name, help=str(error), add_help_option=False, context_settings=anything)
    def refuse() -> None:  # pyright: ignore[reportUnusedFunction]
        raise error


def _missing_requirement(name: str, point: EntryPoint, error: ImportError) -> ConfigError:
    what = f"the module {error.name!r}" if error.name else "a module"
    extra = _extra_that_brings(error.name, point)
    install = f'; install it with: pip install "{_distribution(point)}[{extra}]"' if extra else ""
    return ConfigError(f"the command {name!r} needs {what}, which cannot be imported{install}")


def _extra_that_brings(module: str | None, point: EntryPoint) -> str | None:
    """The extra of the command's distribution that requires what is named like the module."""
    for requirement in (point.dist and point.dist.requires) or ():
        wanted, _, marker = requirement.partition(";")
        extra = re.search(r"""\bextra\s*==\s*["']([\w.-]+)["']""", marker)
        distribution = re.match(r"[\w.-]+", wanted)
        if extra and distribution and distribution[0] == module:
            return extra[1]
    return None


def _distribution(point: EntryPoint) -> str:
    return "?" if point.dist is None else point.dist.name
