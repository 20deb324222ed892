"""Which checks there are, and of which law each is."""

from __future__ import annotations

import functools
import importlib
import pkgutil
from collections.abc import Callable
from typing import TYPE_CHECKING, NamedTuple

from ..laws import LAWS

if TYPE_CHECKING:
    from .stage import Stage

Body = Callable[["Stage"], None]


class Check(NamedTuple):
    """One part of a law, tried on a stage: a function that raises if it does not hold.

    :param law: its number; 0 for what belongs to all of them or to none.
    :param group: the law's title, or what stands in its place.
    :param shares: whether the law's examples are shared with it; if not, it tries as many as
        it needs.
    """

    law: int
    group: str
    name: str
    body: Body
    shares: bool = True

    @property
    def words(self) -> str:
        """Its name as a sentence."""
        return self.name.replace("_", " ")

    @property
    def heading(self) -> str:
        """The row of the report in which it stands."""
        return str(LAWS[self.law]) if self.law else self.group


_REGISTERED: dict[str, Check] = {}


def check(law: int, *, shares: bool = True) -> Callable[[Body], Body]:
    """Decorates a check of the law with this number."""
    return _registering(law, LAWS[law].title.lower(), shares)


def check_of(group: str, *, shares: bool = True) -> Callable[[Body], Body]:
    """Decorates a check that is of no law alone."""
    return _registering(0, group, shares)


def _registering(law: int, group: str, shares: bool) -> Callable[[Body], Body]:
    def register(body: Body) -> Body:
        name = getattr(body, "__name__", "")
        if name in _REGISTERED:
            raise AssertionError(f"two checks have the name {name}")
        _REGISTERED[name] = Check(law, group, name, body, shares)
        return body

    return register


@functools.cache
def every_check() -> tuple[Check, ...]:
    """All checks: law by law, then those of no law alone."""
    from .. import checks

    for module in pkgutil.iter_modules(checks.__path__):
        importlib.import_module(f"{checks.__name__}.{module.name}")
    return tuple(sorted(_REGISTERED.values(), key=lambda each: each.law or len(LAWS) + 1))


def sharing(check: Check) -> int:
    """How many checks share the examples of this one's law."""
    return sum(each.shares and each.heading == check.heading for each in every_check()) or 1
