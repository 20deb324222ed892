"""What a backend takes out of its URL's query, each option checked and named in the error."""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from coatcheck import ConfigError


class Options:
    """The query of a URL. No message echoes the URL or a value, which may be secret.

    :param backend: the name that messages begin with.
    :param query: option names and values; a tuple means that the option was given twice.
    :param known: every option that the backend has; any other is a `ConfigError`.
    """

    def __init__(
        self, backend: str, query: Mapping[str, str | tuple[str, ...]], known: Iterable[str]
    ) -> None:
        self._backend = backend
        self._values: dict[str, str] = {}
        listed = ", ".join(sorted(known)) or "none"
        for name, value in query.items():
            if name not in known:
                raise ConfigError(f"{backend}: unknown option {name!r} (known: {listed})")
            if not isinstance(value, str):
                raise ConfigError(f"{backend}: option {name!r} is given more than once")
            self._values[name] = value

    def integer(self, name: str, *, default: int, least: int, most: int) -> int:
        """A whole number in ASCII digits, from `least` to `most`."""
        text = self._values.get(name)
        if text is None:
            return default
        # int() alone would take ' 16 ', '1_6' and the digits of other scripts.
        if text.isascii() and text.isdigit() and len(text) <= len(str(most)):
            number = int(text)
            if least <= number <= most:
                return number
        raise ConfigError(
            f"{self._backend}: option {name!r} must be a whole number from {least} to {most}"
        )

    def choice(self, name: str, *, default: str, allowed: tuple[str, ...], why: str = "") -> str:
        """One of `allowed`; `why` says in the error what speaks against others."""
        value = self._values.get(name, default)
        if value not in allowed:
            reason = f": {why}" if why else ""
            raise ConfigError(
                f"{self._backend}: option {name!r} must be {' or '.join(allowed)}{reason}"
            )
        return value
