"""One request and its answer: who is asking, signing in and out, what the answer must carry.

Each operation is written once, as a generator that yields what to ask of the manager; the two
faces in `coatcheck.web._auth` run the same ones, with `await` or without.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Generator, Mapping
from typing import Any, Final, TypeAlias, TypeVar

from ..._errors import BackendError, ConfigError
from ..._secret import Secret
from ..._times import Milliseconds, instant_to_ms
from ..._unset import UNSET, Unset
from ..._values import IssuedSession, RejectionReason, Session
from . import credentials, origins
from .credentials import Misspelt, Presented
from .navigation import is_navigation, login_target
from .refusals import RefusalReason, Refused
from .requests import RequestHead
from .settings import WebPolicy

T = TypeVar("T")
Step: TypeAlias = Callable[[Any], Any]
"""A call of a manager of either kind, which it is handed; the asynchronous one's is awaited."""
Flow: TypeAlias = Generator[Step, Any, T]

_SECOND: Final[Milliseconds] = 1000

logger = logging.getLogger("coatcheck")


class Exchange:
    """What is known of one request's session, and what its answer owes to it."""

    __slots__ = (
        "_cookie_field",
        "_head",
        "_now",
        "_policy",
        "_rejected",
        "_session",
        "is_personal",
    )

    def __init__(
        self, policy: WebPolicy, head: RequestHead, now: Callable[[], Milliseconds]
    ) -> None:
        self._policy = policy
        self._head = head
        self._now = now
        self._session: Session | None | Unset = UNSET
        self._rejected = False
        self.is_personal = False
        """Whether the session was looked at or set, so that the answer is for nobody else."""
        self._cookie_field: str | None = None

    def read(self) -> Flow[Session | None]:
        """The session of whoever is asking, validated once a request; `None` if there is none.

        A bearer token that is no good is refused, since a programme must learn of it. A cookie
        that is no good is deleted, and its browser is nobody.
        """
        if not isinstance(self._session, Unset):
            return self._session
        presented = self._presented()
        if presented is None:
            self._session = None
            return None
        began = self._now()
        outcome = yield from self._ask(lambda sessions: sessions.validate(presented.token.reveal()))
        if isinstance(outcome, Session):
            # It was touched just now, so its end has moved.
            if presented.by_cookie and instant_to_ms(outcome.last_used_at) >= began:
                self._keep_cookie(presented.token, outcome)
            self._session = outcome
            return outcome
        if not presented.by_cookie:
            raise self._refused(RefusalReason.INVALID_TOKEN)
        # An unknown pepper is an operator's mistake, mended by a deploy: the cookie is still good.
        if outcome.reason is not RejectionReason.UNKNOWN_PEPPER:
            self._drop_cookie()
        self._rejected = True
        self._session = None
        return None

    def require(self, scopes: Collection[str]) -> Flow[Session]:
        """The session, with all of these scopes; refused without one."""
        session = yield from self.read()
        if session is None:
            raise self._nobody()
        if not session.scopes.issuperset(scopes):
            raise self._refused(RefusalReason.INSUFFICIENT_SCOPE, scopes)
        return session

    def sign_in(
        self, user_id: str, cookie: bool | None, given: Mapping[str, Any]
    ) -> Flow[IssuedSession]:
        """A new session, and the end of the one that was presented: whoever planted a token
        before the sign-in, or kept one, is not signed in by it (OWASP: session fixation)."""
        if cookie is None:
            cookie = self._policy.cookie is not None
        elif cookie and self._policy.cookie is None:
            raise ConfigError("cookie=True, but the policy of this service has no cookie")
        presented = self._presented(sets_cookie=cookie)
        old = yield from self._own(presented)
        issued: IssuedSession = yield from self._ask(
            lambda sessions: sessions.issue(user_id, **given)
        )
        if old is not None:
            yield from self._ask(lambda sessions: sessions.revoke(old.id))
        self._session = issued.session
        self._rejected = False
        if cookie:
            self._keep_cookie(Secret(issued.token), issued.session)
        elif presented is not None and presented.by_cookie:
            self._drop_cookie()
        return issued

    def sign_out(self) -> Flow[bool]:
        """Revoke the session of the request. Whether there was one to revoke."""
        presented = self._presented()
        session = yield from self._own(presented)
        revoked = False
        if session is not None:
            revoked = yield from self._ask(lambda sessions: sessions.revoke(session.id))
        if self._cookie_field is not None or (presented is not None and presented.by_cookie):
            self._drop_cookie()
        self._session = None
        return revoked

    def owed(self, vary: str | None) -> list[tuple[str, str]]:
        """The header fields that the answer must have. `Set-Cookie` is one more of its name,
        the others replace what is there.

        :param vary: the `Vary` that the application gave.
        """
        if not self.is_personal:
            return []
        fields = [("Cache-Control", "no-store"), ("Vary", _varying(vary))]
        if self._cookie_field is not None:
            fields.append(("Set-Cookie", self._cookie_field))
        return fields

    def challenge(self) -> str:
        """The `WWW-Authenticate` of a 401 that the framework itself answers with."""
        [(_, value), *_] = self._nobody_signed_in().headers
        return value

    def unavailable(self, error: BackendError) -> Refused:
        """The answer when the store cannot say who this is, to be raised from its error."""
        # The kind of error only: a backend's own words might say more than a log may hold.
        logger.error("a request was answered with 503 (%s)", type(error).__name__)
        self.is_personal = True
        seconds = str(int(self._policy.retry_after.total_seconds()))
        return Refused(RefusalReason.STORE_UNAVAILABLE, [("Retry-After", seconds)])

    def _presented(self, *, sets_cookie: bool = False) -> Presented | None:
        """The token of the request, if it may be used here. Raises `Refused`."""
        self.is_personal = True
        policy = self._policy
        try:
            presented = credentials.presented(
                self._head, bearer=policy.bearer, cookie=policy.cookie_name
            )
        except Misspelt:
            raise self._refused(RefusalReason.INVALID_REQUEST) from None
        by_browser = sets_cookie or (presented is not None and presented.by_cookie)
        if by_browser and not self._is_of_our_origin():
            raise Refused(RefusalReason.CROSS_ORIGIN)
        return presented

    def _is_of_our_origin(self) -> bool:
        policy = self._policy
        trusted: Any = policy.trusted_origins
        return origins.is_proven(self._head, trusted, secure=policy.is_secure)

    def _own(self, presented: Presented | None) -> Flow[Session | None]:
        """The live session of the request: the one that was read or signed in already, or that of
        the token. Nobody ends one by naming it without its secret."""
        if isinstance(self._session, Session):
            return self._session
        if presented is None:
            return None
        outcome = yield from self._ask(
            lambda sessions: sessions.validate(presented.token.reveal(), touch=False)
        )
        return outcome if isinstance(outcome, Session) else None

    def _ask(self, step: Step) -> Flow[Any]:
        try:
            return (yield step)
        except BackendError as error:
            raise self.unavailable(error) from error

    def _nobody(self) -> Refused:
        login_path = self._policy.login_path
        if login_path is not None and is_navigation(self._head):
            target = login_target(login_path, self._policy.next_parameter, self._head)
            return Refused(RefusalReason.LOGIN_REQUIRED, [("Location", target)])
        return self._nobody_signed_in()

    def _nobody_signed_in(self) -> Refused:
        return self._refused(
            RefusalReason.INVALID_TOKEN if self._rejected else RefusalReason.NO_CREDENTIALS
        )

    def _refused(self, reason: RefusalReason, scopes: Collection[str] = ()) -> Refused:
        return self._policy.challenges.refused(reason, scopes)

    def _keep_cookie(self, token: Secret[str], session: Session) -> None:
        cookie = self._policy.cookie
        if cookie is not None:
            end = session.valid_until
            seconds = None if end is None else (instant_to_ms(end) - self._now()) // _SECOND
            self._cookie_field = cookie.field(token.reveal(), seconds)

    def _drop_cookie(self) -> None:
        if self._policy.cookie is not None:
            self._cookie_field = self._policy.cookie.field(None)


def _varying(given: str | None) -> str:
    """What the application gave, and the two fields that a session comes by."""
    if not given:
        return "Authorization, Cookie"
    names = [name.strip() for name in given.split(",") if name.strip()]
    if "*" in names:
        return "*"
    known = {name.lower() for name in names}
    return ", ".join([*names, *(n for n in ("Authorization", "Cookie") if n.lower() not in known)])
