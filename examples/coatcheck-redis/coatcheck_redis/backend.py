"""The two backends: how each sends what the hooks yield, and waits for the answers."""

import asyncio
import os
from collections.abc import Callable
from contextlib import suppress
from functools import wraps
from typing import Any, cast

import redis
from redis import asyncio as redis_asyncio
from redis.exceptions import NoScriptError

from coatcheck import BackendInfo, Capability, Secret, hookimpl, remaining

from .errors import FAILURES, translated
from .hooks import Flow, Hooks
from .location import Location


def _time_left() -> float:
    left = remaining()
    if not left:
        raise TimeoutError
    return left


class _InTime:
    """Beside a class of redis-py's connections: connects in the time that the call has left, and
    shows its socket, so that each command can be given what is left then."""

    def _connect(self) -> Any:
        self.socket_connect_timeout = self.socket_timeout = _time_left()
        self.socket = cast(Any, super())._connect()
        return self.socket


class _Pool(redis.BlockingConnectionPool):
    """Whoever finds all connections in use waits as long as the call may."""

    def __init__(self, connection_class: Any = redis.Connection, **options: Any) -> None:
        kind = type("_", (_InTime, connection_class), {})
        cast(Any, super()).__init__(connection_class=kind, **options)

    timeout = property(lambda _: _time_left(), lambda _, __: None)


class _Backend(Hooks):
    is_async: bool
    new_pool: Callable[..., Any]

    def __init__(self, at: Location) -> None:
        super().__init__(at)
        self._pools = Secret[dict[int, Any]]({})  # some releases of redis-py show the password

    @hookimpl
    def info(self) -> BackendInfo:
        # Otherwise a crash may bring back a session that was revoked.
        kept = {Capability.DURABLE, Capability.LINEARIZABLE} if self.at.durable else set[str]()
        capabilities = {Capability.SHARED, Capability.SCAN, *kept}
        return BackendInfo("redis", 1, capabilities, asynchronous=self.is_async)

    def _pool(self) -> Any:
        """One for each process: a forked one leaves its parent's alone, and alive."""
        pools, process = self._pools.reveal(), os.getpid()
        if process not in pools:
            unset = dict.fromkeys(("timeout", "socket_timeout", "socket_connect_timeout"))
            pools.setdefault(process, self.new_pool(self.at.url.reveal(), protocol=2, **unset))
        return pools[process]


class RedisBackend(_Backend):
    """For `SessionManager`."""

    is_async = False
    new_pool = staticmethod(cast(Any, _Pool).from_url)

    @hookimpl
    def close(self) -> None:
        self._pool().disconnect()

    def _run(self, flow: Flow[Any], hook: str, args: tuple[Any, ...]) -> Any:
        connection, answer, is_sent = None, None, False
        try:
            connection = self._pool().get_connection()
            while True:
                command = flow.send(answer)
                connection.socket.settimeout(_time_left())
                is_sent = True
                connection.send_command(*command.reveal())
                try:
                    answer = connection.read_response()
                except NoScriptError as error:
                    answer = error
        except StopIteration as done:
            return done.value
        except FAILURES as error:
            failure = translated(error, hook, args, is_sent=is_sent)
        finally:
            if connection is not None:
                self._pool().release(connection)
        raise failure


class AsyncRedisBackend(_Backend):
    """For `AsyncSessionManager`. The deadline is one timeout around all of a call."""

    is_async = True
    new_pool = staticmethod(cast(Any, redis_asyncio.BlockingConnectionPool).from_url)

    @hookimpl
    async def close(self) -> None:
        with suppress(*FAILURES):
            async with asyncio.timeout(remaining()):
                await self._pool().disconnect()

    async def _run(self, flow: Flow[Any], hook: str, args: tuple[Any, ...]) -> Any:
        connection, answer, is_sent = None, None, False
        try:
            async with asyncio.timeout(_time_left()):
                for _ in range(2):  # to hear of a connection that was closed while the loop stood
                    await asyncio.sleep(0)
                connection = await self._pool().get_connection()
                while True:
                    command = flow.send(answer)
                    is_sent = True
                    await connection.send_command(*command.reveal())
                    try:
                        answer = await connection.read_response()
                    except NoScriptError as error:
                        answer = error
        except StopIteration as done:
            return done.value
        except FAILURES as error:
            failure = translated(error, hook, args, is_sent=is_sent)
        finally:
            if connection is not None:
                await self._pool().release(connection)
        raise failure


def _plain(flow: Callable[..., Flow[Any]]) -> Any:
    @wraps(flow)
    def hook(self: RedisBackend, *args: Any) -> Any:
        return self._run(flow(self, *args), flow.__name__, args)

    return hookimpl(hook)


def _awaited(flow: Callable[..., Flow[Any]]) -> Any:
    @wraps(flow)
    async def hook(self: AsyncRedisBackend, *args: Any) -> Any:
        return await self._run(flow(self, *args), flow.__name__, args)

    return hookimpl(hook)


for name, flow in vars(Hooks).items():
    if not name.startswith("_"):
        setattr(RedisBackend, name, _plain(flow))
        setattr(AsyncRedisBackend, name, _awaited(flow))
