"""What an endpoint is given: who is asking, and the calls to sign in and out."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any, TypedDict, TypeVar, Unpack

from .._errors import BackendError
from .._unset import Unset
from .._values import IssuedSession, Session
from ._policy.exchange import Exchange, Flow
from ._policy.requests import RequestHead
from ._policy.settings import WebPolicy

if TYPE_CHECKING:
    from .._managers.asynchronous import AsyncSessionManager
    from .._managers.sync import SessionManager

T = TypeVar("T")


class IssueOptions(TypedDict, total=False):
    """What `sign_in` hands on to `issue`, beside the user and the method."""

    scopes: Iterable[str]
    metadata: Mapping[str, Any] | None
    expires_at: datetime | None | Unset
    lifetime: timedelta | None | Unset
    inactivity_timeout: timedelta | None | Unset


class RequestAuth:
    """The sessions of one request, by a synchronous manager. An adapter makes it.

    Every call raises `Refused` where the request is to be answered so; the adapter sends that
    answer, unless the application catches it.
    """

    def __init__(self, sessions: SessionManager, policy: WebPolicy, head: RequestHead) -> None:
        self.sessions = sessions
        """The manager, for everything else: `revoke_all` to sign out everywhere else."""
        self.exchange = Exchange(policy, head, sessions._core.config.now)
        """For adapters: what the answer must carry."""

    def session(self) -> Session | None:
        """Whose request this is; `None` if nobody is signed in. Validated once a request.

        :raises Refused: the credentials are misspelt or two (400), a bearer token is not valid
            (401), a cookie comes with an unsafe request from another origin (403), the store
            cannot answer (503).
        """
        return self._run(self.exchange.read())

    def require(self, *scopes: str) -> Session:
        """The session, with all of these scopes.

        :raises Refused: as `session`; also if nobody is signed in (401, or 303 to the login
            page), or a scope is missing (403).
        """
        return self._run(self.exchange.require(scopes))

    def sign_in(
        self,
        user_id: str,
        *,
        method: str,
        cookie: bool | None = None,
        **options: Unpack[IssueOptions],
    ) -> IssuedSession:
        """Issue a new session, once the user has proved who it is, and revoke the presented one.

        :param cookie: whether the answer sets the cookie; by default if the policy has one. With
            `False` give the client `token` yourself.
        :param options: as for `SessionManager.issue`.
        :raises Refused: as `session`, but any token may be presented; with a cookie to be set,
            an unsafe request needs proof of its origin (403).
        :raises InvalidInput, IssueDenied: as `SessionManager.issue`.
        """
        return self._run(self.exchange.sign_in(user_id, cookie, {"method": method, **options}))

    def sign_out(self) -> bool:
        """Revoke the presented session and delete its cookie. `False` if there was none.

        :raises Refused: as `session`, but any token may be presented.
        """
        return self._run(self.exchange.sign_out())

    def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = step(self.sessions)
                except BackendError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]


class AsyncRequestAuth:
    """The calls of `RequestAuth`, awaited, by an asynchronous manager."""

    def __init__(self, sessions: AsyncSessionManager, policy: WebPolicy, head: RequestHead) -> None:
        self.sessions = sessions
        """The manager, for everything else."""
        self.exchange = Exchange(policy, head, sessions._core.config.now)
        """For adapters: what the answer must carry."""

    async def session(self) -> Session | None:
        """As `RequestAuth.session`."""
        return await self._run(self.exchange.read())

    async def require(self, *scopes: str) -> Session:
        """As `RequestAuth.require`."""
        return await self._run(self.exchange.require(scopes))

    async def sign_in(
        self,
        user_id: str,
        *,
        method: str,
        cookie: bool | None = None,
        **options: Unpack[IssueOptions],
    ) -> IssuedSession:
        """As `RequestAuth.sign_in`."""
        given = {"method": method, **options}
        return await self._run(self.exchange.sign_in(user_id, cookie, given))

    async def sign_out(self) -> bool:
        """As `RequestAuth.sign_out`."""
        return await self._run(self.exchange.sign_out())

    async def _run(self, flow: Flow[T]) -> T:
        try:
            step = next(flow)
            while True:
                try:
                    answer = await step(self.sessions)
                except BackendError as error:
                    step = flow.throw(error)
                else:
                    step = flow.send(answer)
        except StopIteration as end:
            return end.value  # type: ignore[no-any-return]
