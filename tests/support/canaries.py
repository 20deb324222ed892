"""Secrets that must be seen nowhere, in every form that one could leak in, and a net for leaks."""

from __future__ import annotations

import copy
import json
import logging
import os
import pickle
import pprint
import sys
import traceback
from base64 import b64encode, urlsafe_b64encode
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any

from rich.console import Console
from rich.pretty import pretty_repr

import coatcheck
import coatcheck_backends
from coatcheck_conformance.frame.spelling import unspell
from failing_stores import chain_of

OURS = tuple(
    str(Path(package.__file__).parent)  # type: ignore[arg-type]
    for package in (coatcheck, coatcheck_backends)
)


def forms_of(value: str | bytes) -> set[str]:
    """As it is, escaped, in hexadecimal, as a number, and in base64 wherever it may begin."""
    raw = value.encode() if isinstance(value, str) else value
    forms = {raw.hex(), raw.hex().upper(), str(int.from_bytes(raw)), repr(raw)[2:-1]}
    if isinstance(value, str):
        forms |= {value, json.dumps(value)[1:-1]}
    for before in range(3):
        padded = b"\0" * before + raw
        # Without the characters that other bytes have a part in.
        inner = slice((before * 8 + 5) // 6, len(padded) * 8 // 6)
        forms |= {encode(padded).decode()[inner] for encode in (b64encode, urlsafe_b64encode)}
    return {form for form in forms if len(form) >= 8}


class Canaries:
    """What is looked for, by name."""

    def __init__(self) -> None:
        self.secrets: dict[str, set[str]] = {}
        self.hashes: dict[str, set[str]] = {}
        self.raw: dict[str, set[bytes]] = defaultdict(set)

    def secret(self, name: str, value: str | bytes) -> None:
        """A token, a pepper, a password: to be found nowhere at all."""
        self.secrets.setdefault(name, set()).update(forms_of(value))
        self.raw[name].add(value.encode() if isinstance(value, str) else value)

    def token(self, token: str) -> None:
        self.secret("token", token)
        self.secret("token", token.partition("_")[2])
        self.secret("secret in the token", unspell(token)[1])

    def key_hash(self, phc: str) -> None:
        """To be found in the store and the locals of a traceback, and nowhere else."""
        for part in (phc, *phc.split("$")[-2:]):
            self.words_only("key hash", part)

    def words_only(self, name: str, value: str) -> None:
        """A value that is no secret, and yet has no place in messages and logs."""
        self.hashes.setdefault(name, set()).update({value, json.dumps(value)[1:-1]})

    def found_in(self, text: str, *, hashes: bool = True) -> list[str]:
        """The names of those that stand in the text."""
        looked_for = [*self.secrets.items(), *(self.hashes.items() if hashes else ())]
        return [name for name, forms in looked_for if any(form in text for form in forms)]

    def found_in_bytes(self, content: bytes) -> list[str]:
        """The names of the secrets that stand in a file."""
        return [
            name
            for name, forms in self.secrets.items()
            if any(form in content for form in {*self.raw[name], *map(str.encode, forms)})
        ]


class Net:
    """Whatever was logged, raised, shown or printed, by where it was caught."""

    def __init__(self) -> None:
        self.caught: list[tuple[str, str]] = []
        self.locals: list[tuple[str, str]] = []
        """Of our frames in tracebacks, where a hash is allowed."""

    def leaks(self, canaries: Canaries) -> list[tuple[str, str]]:
        """Where each leaked secret was found."""
        found = [(name, w) for w, text in self.caught for name in canaries.found_in(text)]
        return found + [
            (name, where)
            for where, text in self.locals
            for name in canaries.found_in(text, hashes=False)
        ]

    def error(self, where: str, error: BaseException) -> None:
        """An exception: its words, those of all behind it, and what our frames held."""
        for one in chain_of(error):
            texts = (str(one), repr(one), repr(one.args), str(getattr(one, "__notes__", "")))
            self.caught.append((f"{where}: {type(one).__name__}", " ".join(texts)))
            self.locals.append((f"{where}: traceback", locals_of(one.__traceback__)))
        whole = traceback.TracebackException.from_exception(error, capture_locals=True)
        for summary in _stacks(whole):
            ours = [frame for frame in summary if frame.filename.startswith(OURS)]
            lines = traceback.StackSummary.from_list(ours).format() if ours else []
            self.locals.append((f"{where}: rendered", "".join(lines)))

    def show(self, where: str, value: object) -> None:
        """Everything that shows an object: repr, str, format, pprint, rich, pickle, copy."""
        for name, way in _WAYS.items():
            try:
                shown = way(value)
            except Exception as error:  # noqa: BLE001 - a refusal is fine, and looked at as well
                self.caught.append((f"{where}: {name} refused", f"{error} {error!r}"))
            else:
                self.caught.append((f"{where}: {name}", shown))

    @contextmanager
    def reading_output(self, directory: Path) -> Iterator[None]:
        """Whatever the process prints, on either stream and by whatever way."""
        path = directory / "output"
        with path.open("wb") as file:
            kept = {stream: os.dup(stream) for stream in (1, 2)}
            for stream in kept:
                os.dup2(file.fileno(), stream)
            try:
                yield
            finally:
                sys.stdout.flush()
                sys.stderr.flush()
                for stream, before in kept.items():
                    os.dup2(before, stream)
                    os.close(before)
        self.caught.append(("output", path.read_text(errors="replace")))

    @contextmanager
    def listening(self) -> Iterator[None]:
        """Every logger at DEBUG, each record with its arguments and its exception."""
        handler = _Handler(self)
        loggers = [logging.getLogger(), *map(logging.getLogger, _NOISY)]
        levels = [logger.level for logger in loggers]
        for logger in loggers:
            logger.setLevel(logging.DEBUG)
        loggers[0].addHandler(handler)
        try:
            yield
        finally:
            loggers[0].removeHandler(handler)
            for logger, level in zip(loggers, levels, strict=True):
                logger.setLevel(level)


_NOISY = ("coatcheck", "sqlalchemy", "sqlalchemy.engine", "sqlalchemy.pool", "sqlalchemy.orm",
          "alembic", "asyncio", "concurrent", "pydantic", "pluggy")  # fmt: skip


class _Handler(logging.Handler):
    def __init__(self, net: Net) -> None:
        super().__init__(logging.DEBUG)
        self.net = net

    def emit(self, record: logging.LogRecord) -> None:
        words = f"{record.getMessage()} {record.msg!r} {record.args!r} {record.__dict__!r}"
        self.net.caught.append((f"log of {record.name}", words))
        if record.exc_info and record.exc_info[1]:
            self.net.error(f"log of {record.name}", record.exc_info[1])


def locals_of(trace: TracebackType | None) -> str:
    """What the frames of coatcheck in a traceback hold, the tuples and lists in them too."""
    held: list[str] = []
    while trace is not None:
        if trace.tb_frame.f_code.co_filename.startswith(OURS):
            for name, value in trace.tb_frame.f_locals.items():
                held += [name, _quiet(repr, value), _quiet(pretty_repr, value)]
        trace = trace.tb_next
    return "\n".join(held)


def _stacks(one: traceback.TracebackException | None) -> Iterator[traceback.StackSummary]:
    while one is not None:
        yield one.stack
        if one.__cause__ is not None and one.__context__ is not None:
            yield from _stacks(one.__context__)
        one = one.__cause__ or one.__context__


def _quiet(way: Callable[[Any], str], value: object) -> str:
    try:
        return way(value)
    except Exception as error:  # noqa: BLE001 - an odd value in a frame is not what is tested
        return repr(error)


def _rich(value: object) -> str:
    console = Console(width=10_000, record=True, file=_Nowhere())
    console.print(value)
    return console.export_text()


class _Nowhere:
    def write(self, text: str) -> int:
        return len(text)

    def flush(self) -> None: ...


def _copied(value: object) -> str:
    return repr(copy.copy(value))


def _deeply_copied(value: object) -> str:
    return repr(copy.deepcopy(value))


_WAYS: dict[str, Callable[[Any], str]] = {
    "repr": repr,
    "str": str,
    "format": lambda value: f"{value}",
    "repr in a list": lambda value: repr([value, {"key": value}]),
    "pprint": pprint.pformat,
    "rich": _rich,
    "rich repr": pretty_repr,
    "pickle": lambda value: pickle.dumps(value).decode("latin-1"),
    "old pickle": lambda value: pickle.dumps(value, 0).decode("latin-1"),
    "copy": _copied,
    "deepcopy": _deeply_copied,
    "json": lambda value: json.dumps(value, default=repr),
}
