"""What a backend takes out of its URL's query, each option checked and named in the error."""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping

from coatcheck import ConfigError, Secret

Query = Mapping[str, str | tuple[str, ...]]
"""Option names and values; a tuple means that the option was given twice."""


class Options:
    """The query of a URL. No message and no frame that raises shows a value, which may be secret.

    :param backend: the name that messages begin with.
    :param known: every option that the backend has; any other is a `ConfigError`.
    """

    def __init__(self, backend: str, query: Secret[Query], known: Collection[str]) -> None:
        self._backend = backend
        self._query = query
        unknown = [name for name in query.reveal() if name not in known]
        if unknown:
            listed = ", ".join(sorted(known)) or "none"
            raise ConfigError(f"{backend}: unknown option {unknown[0]!r} (known: {listed})")
        twice = [name for name, value in query.reveal().items() if not isinstance(value, str)]
        if twice:
            raise ConfigError(f"{backend}: option {twice[0]!r} is given more than once")

    def integer(self, name: str, *, default: int, least: int, most: int) -> int:
        """A whole number in ASCII digits, from `least` to `most`."""
        number = _whole_number(self._query.reveal().get(name, str(default)), most)
        if number is None or not least <= number <= most:
            raise ConfigError(
                f"{self._backend}: option {name!r} must be a whole number from {least} to {most}"
            )
        return number

    def choice(self, name: str, *, default: str, allowed: tuple[str, ...], why: str = "") -> str:
        """One of `allowed`; `why` says in the error what speaks against others."""
        if self._query.reveal().get(name, default) not in allowed:
            reason = f": {why}" if why else ""
            raise ConfigError(
                f"{self._backend}: option {name!r} must be {' or '.join(allowed)}{reason}"
            )
        return str(self._query.reveal().get(name, default))

    def name(self, name: str, spelling: re.Pattern[str]) -> str | None:
        """A name that fits a pattern, or `None` if there is none."""
        if name not in self._query.reveal():
            return None
        if not spelling.fullmatch(str(self._query.reveal()[name])):
            raise ConfigError(f"{self._backend}: option {name!r} must match {spelling.pattern}")
        return str(self._query.reveal()[name])


def _whole_number(text: object, most: int) -> int | None:
    # int() alone would take ' 16 ', '1_6' and the digits of other scripts.
    if isinstance(text, str) and text.isascii() and text.isdigit() and len(text) <= len(str(most)):
        return int(text)
    return None
