"""What a check says when an answer is not the one that the laws demand."""

from __future__ import annotations

import re
from collections.abc import Generator
from contextlib import contextmanager


class Broken(AssertionError):  # noqa: N818
    """A law does not hold.

    :param words: what should have been.
    :param actual: what came; with `expected`, where there are two values to compare.
    :param law: the law's number, where the check itself is not of that law alone.
    """

    def __init__(
        self, words: str, *, expected: object = ..., actual: object = ..., law: int | None = None
    ) -> None:
        super().__init__(words)
        self.words, self.expected, self.actual, self.law = words, expected, actual, law


def equal(actual: object, expected: object, words: str = "", *, law: int | None = None) -> None:
    """The two are equal, whatever their types say of that."""
    if not actual == expected:
        raise Broken(words, expected=expected, actual=actual, law=law)


def identical(actual: object, expected: object, words: str = "") -> None:
    """Both are one and the same, as `True` is not `1`."""
    if actual is not expected:
        raise Broken(words, expected=expected, actual=actual)


def holds(value: object, words: str, *, law: int | None = None) -> None:
    """The value is true."""
    if not value:
        raise Broken(words, actual=value, law=law)


def in_words(error: BaseException) -> str:
    """The type and the words of an exception, and those of its cause, on one line."""
    words = "; ".join(str(error).splitlines())
    cause = f", caused by {in_words(error.__cause__)}" if error.__cause__ else ""
    return f"{type(error).__name__}: {words}{cause}"


class Caught:
    """What a call raised, once it has."""

    value: BaseException


@contextmanager
def raises(kind: type[BaseException], match: str = "") -> Generator[Caught]:
    """What is done within raises an exception of this kind, and its words match."""
    caught = Caught()
    try:
        yield caught
    except kind as error:
        caught.value = error
        if not re.search(match, str(error)):
            raise Broken(
                f"{kind.__name__} says what was wrong", expected=match, actual=str(error)
            ) from error
    else:
        raise Broken(f"{kind.__name__} is raised", expected=kind.__name__, actual="nothing raised")
