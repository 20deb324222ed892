"""What both faces share: what they say of themselves, and the parameters of statements."""

from __future__ import annotations

from typing import Any

from coatcheck import BackendInfo, Capability, remaining

from ..sql.flavours import PostgreSQLFlavour, postgresql_flavour
from ..sql.operations import Operation
from .location import Location


def information(location: Location, *, asynchronous: bool) -> BackendInfo:
    """A standby may be late, so with it nothing is linearizable."""
    capabilities = {
        Capability.TRANSACTIONS,
        Capability.SHARED,
        Capability.DURABLE,
        Capability.SCAN,
    }
    if not location.allow_standby:
        capabilities.add(Capability.LINEARIZABLE)
    return BackendInfo("postgresql", 1, capabilities, asynchronous=asynchronous)


def inside(flavour: PostgreSQLFlavour) -> PostgreSQLFlavour:
    """The same for statements in a caller's transaction."""
    return postgresql_flavour(flavour.sessions.names, waiting=False)


def parameters_of(operation: Operation[Any]) -> tuple[object, ...]:
    """The parameters of a statement. A write is told how long it may wait for a lock: somewhat
    less than the call may, so that the server says in time that nothing happened."""
    if operation.kind.writes:
        operation.values["patience"] = str(max(1, int(remaining() * 900)))
    return operation.parameters()
