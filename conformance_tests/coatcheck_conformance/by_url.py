"""A harness for a backend that is installed, made from a URL alone."""

from __future__ import annotations

import asyncio
from functools import cached_property
from importlib.metadata import entry_points
from typing import Any
from uuid import UUID

from coatcheck import BackendInfo, Capability, Secret, Unsupported, Where

from .frame.contract import refuse_what_cannot_be_opened, refuse_what_does_not_fit
from .harness import Harness, NotShown

PAGE = 1000


class URLHarness(Harness):
    """Whatever the URL leads to. Its `reset` removes every session through the backend's own
    hooks, so the store must have none that anybody misses.

    Raises `ConfigError` for what a manager could not open either, and `Unsupported` where a
    backend cannot be emptied through its hooks.
    """

    def __init__(self, url: str) -> None:
        self._url = Secret(url)
        refuse_what_cannot_be_opened(self._url)
        self._module = _module_for(url)
        self.name = url.partition(":")[0]
        self._own: Any = self._opened()
        refuse_what_does_not_fit(self._own)
        self._info: BackendInfo = self._own.info()
        if Capability.SCAN not in self._info.capabilities:
            raise Unsupported(
                f"{self._info.name} does not declare `scan`, so that its sessions cannot be "
                "listed and removed from here; write a harness with a `reset` of its own"
            )
        if self._info.asynchronous and not self._is_shared:
            raise Unsupported(
                f"{self._info.name} is asynchronous and keeps its sessions in its own memory; "
                "write a harness with a `reset` of its own"
            )
        self._ask("prepare", True)

    @property
    def _is_shared(self) -> bool:
        return Capability.SHARED in self._info.capabilities

    def _opened(self) -> Any:
        opener = getattr(self._module, "open_backend", None)
        return self.open_async() if opener is None else opener(self._url)

    def open(self) -> object:
        return self._opened() if self._is_shared else self._own

    def open_async(self) -> object:
        opener = getattr(self._module, "open_async_backend", None)
        if opener is None:
            raise NotShown("the backend has no open_async_backend")
        return opener(self._url)

    def is_empty(self) -> bool:
        """Whether the store holds no session."""
        return not self._ask("find", Where(), None, 1)

    def reset(self) -> None:
        if hasattr(self._own, "delete_where"):
            self._ask("delete_where", Where(), frozenset[UUID]())
        else:
            for record in self._ask("find", Where(), None, PAGE):
                self._ask("delete", record.id, Where())
        # What cannot be read is not found, and what is broken may say that it removed.
        if not self.is_empty():
            raise AssertionError("delete_where or delete did not remove every session")

    def second_process(self) -> str:
        if not self._is_shared:
            raise NotShown("the backend does not declare `shared`")
        return self._url.reveal()

    def close(self) -> None:
        self._ask("close")
        if "_runner" in self.__dict__:
            self._runner.close()

    @cached_property
    def _runner(self) -> asyncio.Runner:
        return asyncio.Runner()

    def _ask(self, hook: str, *args: Any) -> Any:
        answer = getattr(self._own, hook)(*args)
        if self._info.asynchronous:
            return self._runner.get_loop().run_until_complete(answer)
        return answer


def _module_for(url: str) -> Any:
    """Of a URL that can be opened: its one entry point leads there."""
    scheme = url.partition(":")[0].partition("+")[0].lower()
    return next(iter(entry_points(group="coatcheck.backends", name=scheme))).load()
