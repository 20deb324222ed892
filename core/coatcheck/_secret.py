"""A wrapper that keeps a secret out of whatever is printed, logged or pickled."""

from __future__ import annotations

from typing import Generic, NoReturn, TypeVar, cast

T = TypeVar("T")


class Secret(Generic[T]):
    """Holds a value that must not be seen: a token, a pepper, a URL with a password.

    `repr`, `str` and `format` show `Secret(…)` only, and pickling or copying is
    refused. Call `reveal()` where the value is used, not before.
    """

    __slots__ = ("_value",)

    def __init__(self, value: T) -> None:
        self._value = value

    def reveal(self) -> T:
        """The value itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret(…)"

    def __rich_repr__(self) -> tuple[str, ...]:
        return ()

    def __reduce_ex__(self, protocol: object) -> NoReturn:
        raise TypeError("a Secret cannot be pickled or copied")


def sealed(value: T | Secret[T]) -> Secret[T]:
    """`value` as a `Secret`, wrapped once however often this is asked."""
    return cast(Secret[T], value) if isinstance(value, Secret) else Secret(value)
