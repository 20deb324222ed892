"""What both faces share: what they say of themselves, and the parameters of statements."""

from __future__ import annotations

from typing import Any

from coatcheck import BackendInfo, Capability, remaining

from ..sql.flavours import PostgreSQLFlavour, postgresql_flavour
from ..sql.operations import Operation
from ..sql.statements import Statement
from .greeting import Greeted
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


SETTLE = (
    "SELECT set_config('synchronous_commit', CASE current_setting('synchronous_commit')"
    " WHEN 'remote_apply' THEN 'remote_apply' ELSE 'on' END, false),"
    " set_config('lock_timeout', $1, false)"
)
"""Settles a connection of our own: what each write says by itself elsewhere. It spares a fifth
of an INSERT."""


LEAST_PART, MOST_PART = 0.4, 0.95
"""Of the time that a call has left: between these a connection need not be settled anew."""


def patience() -> int:
    """How long a write may wait for a lock, in milliseconds: somewhat less than the call may, so
    that the server says in time that nothing happened."""
    return max(1, int(remaining() * 900))


def is_fitting(settled: int | None) -> bool:
    """Whether the patience for which a connection was settled fits this call as well."""
    return (
        settled is not None
        and LEAST_PART * remaining() <= settled / 1000 <= MOST_PART * remaining()
    )


def statement_for(operation: Operation[Any], greeting: Greeted) -> Statement:
    """What to run on a connection. Behind a pooler its settings would be another's, too."""
    statement = operation.statement
    return statement if greeting.pooled or statement.bare is None else statement.bare


def parameters_of(operation: Operation[Any], statement: Statement) -> tuple[object, ...]:
    """The parameters of a statement, which may be told of the patience itself."""
    if "patience" in statement.names:
        operation.values["patience"] = str(patience())
    return statement.bind(operation.values)
