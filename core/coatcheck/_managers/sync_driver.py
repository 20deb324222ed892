"""Runs flows on the caller's thread."""

from __future__ import annotations

from time import monotonic
from typing import Any, TypeVar

from .._contract.deadline import call_deadline
from .._errors import ManagerClosed
from .._flows.steps import Ask, Consult, Core, Flow, Step, Tell, Time, Work
from . import failures

T = TypeVar("T")

_CALL = Time.CALL  # on Python 3.11 the look-up in an enum costs as much as a call


class SyncDriver:
    """Takes the steps of a flow one after another, under one deadline."""

    def __init__(self, core: Core) -> None:
        self._core = core
        self._now = core.config.now
        self._deadline = core.config.deadline
        self._hooks = core.backend.hooks
        self._observers = core.observers
        self._closed = False

    def _run(self, flow: Flow[T]) -> T:
        """The flow's result, or what it raises. Raises `ManagerClosed` after `close`."""
        if self._closed:
            raise ManagerClosed("this manager is closed")
        before = call_deadline.set(monotonic() + self._deadline)
        try:
            step = flow.send(None)
            while True:
                try:
                    # The path of nearly every call, without a second frame.
                    if type(step) is Ask and step.time is _CALL:
                        answer = self._hooks[step.hook](*step.args)
                    else:
                        answer = self._take(step)
                except Exception as error:  # noqa: BLE001 - the flow gets it, as one of ours
                    step = flow.throw(self._failure(step, error))
                else:
                    step = flow.send(answer)
        except StopIteration as done:
            result: T = done.value
            return result
        finally:
            call_deadline.reset(before)

    def _take(self, step: Step) -> Any:
        if isinstance(step, Tell):
            return self._tell(step)
        if isinstance(step, Work):
            return step.function(*step.args)
        if isinstance(step, Consult):
            return [observer(*step.args) for observer in self._observers["session_issuing"]]
        return self._ask_within(step)

    def _ask_within(self, step: Ask) -> Any:
        hook = self._hooks[step.hook]
        if step.time is Time.PAGE:
            # Until the next page; `drive` takes it back at the end.
            call_deadline.set(monotonic() + self._deadline)
            return hook(*step.args)
        before = call_deadline.set(tenth_of(self._deadline))
        try:
            return hook(*step.args)
        finally:
            call_deadline.reset(before)

    def _tell(self, step: Tell) -> None:
        tell(step.event, self._observers[step.event], step.args)

    @staticmethod
    def _failure(step: Step, error: Exception) -> Exception:
        if isinstance(step, Ask):
            return failures.of_hook(step.hook, error)
        return failures.of_consulted(error) if isinstance(step, Consult) else error


def tenth_of(deadline: float) -> float:
    """When a step that the call can do without must end, by the monotonic clock."""
    until = monotonic() + deadline / 10
    end_of_call = call_deadline.get()
    return until if end_of_call is None else min(until, end_of_call)


def tell(event: str, observers: Any, args: tuple[Any, ...]) -> None:
    """Call observers one by one; what one raises is logged and passed over."""
    for observer in observers:
        try:
            observer(*args)
        except Exception as error:  # noqa: BLE001 - an observer cannot undo what was done
            failures.log_observer(event, error)
