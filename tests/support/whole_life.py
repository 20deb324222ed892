"""A life of both managers in which everything happens once, for the search for leaks."""

from __future__ import annotations

import os
import warnings
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch

from sqlalchemy import create_engine

import coatcheck
from canaries import Canaries, Net
from coatcheck import AsyncSessionManager, Secret, SessionManager, Settings, hookimpl
from coatcheck._credentials import peppers
from coatcheck_conformance.frame.spelling import spell, unspell
from failing_stores import Failing
from sqlite_files import Place

PEPPER = "canary pepper of today: 7Gh2kQ9vX4mB8nT1"
OLD = "canary pepper of last year: 3Fj6wR5zL0cS2pY"
LOST = "canary pepper that nobody has any more: 9Dq"
SHORT = "cnry-shrt"
WEAK = "canary-of-a-weak-one"
PASSWORD = "canary-password-5Vb8Nm"
URL = f"postgresql://user:{PASSWORD}@host/db"
VALUE = "canary-value-of-a-field"


class Scenario:
    """Everything that a manager does, and everything that can go wrong with it."""

    def __init__(self, place: Place, face: str) -> None:
        self.place, self.face = place, face
        self.canaries, self.net = Canaries(), Net()
        self.tokens: list[str] = []
        for pepper in (PEPPER, OLD, LOST):
            self.canaries.secret("pepper", pepper)
            key = peppers._stretch(Secret(pepper.encode())).reveal()
            self.canaries.secret("stretched pepper", key)
        self.canaries.secret("short pepper", SHORT)
        self.canaries.secret("weak pepper", WEAK)
        self.canaries.secret("password", PASSWORD)
        self.canaries.words_only("field", VALUE)

    def run(self) -> None:
        with self.net.listening(), warnings.catch_warnings(record=True) as warned:
            warnings.simplefilter("always")
            self.wrong_configurations()
            self.settings()
            for options in ({}, {"hash_scheme": "argon2id", "argon2_memory_kib": 64}):
                self.good_and_bad_tokens(options)
            self.corrupt_rows()
            self.failing_store()
            self.hanging_store()
            self.within_transactions()
        self.net.caught += [("warning", f"{w.message} {w.source!r}") for w in warned]

    def hold(self, issued: Any) -> Any:
        """A sign-in whose token and hash are canaries from now on."""
        self.canaries.token(issued.token)
        row = self.place.row(issued.session.id)
        if row is not None:
            self.canaries.key_hash(row[9])
        self.tokens.append(issued.token)
        return issued

    @contextmanager
    def failing(self, where: str) -> Iterator[None]:
        """The call in here fails, and how it does is looked at."""
        try:
            yield
        except Exception as error:  # noqa: BLE001 - any
            self.net.error(where, error)
        else:
            raise AssertionError(f"{where} was to fail")

    def wrong_configurations(self) -> None:
        opener = SessionManager if self.face == "sync" else AsyncSessionManager
        wrong: dict[str, dict[str, Any]] = {
            "short pepper": {"pepper": SHORT},
            "pepper of bytes": {"pepper": PEPPER.encode()},
            "pepper in a list": {"pepper": [PEPPER]},
            "surrogate": {"pepper": PEPPER + "\ud800"},
            "short fallback": {"fallback_peppers": [OLD, SHORT]},
            "fallback of bytes": {"fallback_peppers": [OLD.encode()]},
            "fallbacks in a mapping": {"fallback_peppers": {OLD: PEPPER}},
            "one fallback": {"fallback_peppers": OLD},
            "doubled": {"fallback_peppers": [OLD, PEPPER]},
            "another option": {"fallback_peppers": [OLD], "lifetime": "canary"},
        }
        for where, options in wrong.items():
            with self.failing(where):
                opener.open(self.place.url, **{"pepper": PEPPER, **options})
        for where, url in {
            "unknown scheme": URL.replace("postgresql", "teapot"),
            "user and password": f"sqlite://user:{PASSWORD}@/sessions.db",
            "no port": f"sqlite://user:{PASSWORD}@host:port/sessions.db",
            "no scheme": f"{PASSWORD}@host",
            "option": f"sqlite:///x.db?key={PASSWORD}",
            "value of an option": f"sqlite:///x.db?pool_size={PASSWORD}",
            "memory": f"memory:{PASSWORD}",
        }.items():
            with self.failing(f"url, {where}"):
                manager = opener.open(url, pepper=PEPPER)
                self.place.runner.run(manager.start())
        self.net.show("url", Secret(URL))

        self.net.show("manager with a weak pepper", opener.open("memory:", pepper=WEAK))

    def settings(self) -> None:
        good = Settings(url=URL, pepper=PEPPER, fallback_peppers=[OLD])
        for where, value in {
            "settings": good,
            "as JSON": good.model_dump_json(),
            "fields": f"{good.model_dump()} {list(good)}",
            "options": good.options(),
            "url": good.sealed_url(),
        }.items():
            self.net.show(f"settings {where}", value)
        opener = SessionManager if self.face == "sync" else AsyncSessionManager
        with self.failing("settings for no backend"):
            opener.from_settings(Settings(url=URL.replace("postgresql", "teapot"), pepper=PEPPER))
        for where, values in {
            "a span": {"pepper": PEPPER, "deadline": VALUE},
            "a pepper": {"pepper": PEPPER.encode() + b"\xff"},
            "peppers": {"fallback_peppers": {OLD: PEPPER}},
            "a name": {"pepper": PEPPER, "lifetme": "1"},
            "the url": {"url": [URL], "pepper": PEPPER},
        }.items():
            with self.failing(f"settings, {where}"):
                Settings(**values)
        for name, value in {
            "FALLBACK_PEPPERS": OLD,
            "PEPPER": SHORT,
            "DEADLINE": VALUE,
            "SECRET_LENGTH": VALUE,
            "HASH_SCHEME": VALUE,
            "URL": f"{PASSWORD}@host",
        }.items():
            environment = {"COATCHECK_URL": "memory:", "COATCHECK_PEPPER": PEPPER}
            environment[f"COATCHECK_{name}"] = value
            with patch.dict(os.environ, environment), self.failing(f"environment, {name}"):
                opener.from_env()

    def good_and_bad_tokens(self, options: dict[str, Any]) -> None:
        place = self.place
        lost = self.hold(place.open(pepper=LOST).issue("eve", method="password"))
        old = self.hold(place.open(pepper=OLD).issue("bob", method="password"))
        sessions = place.open(self.face, pepper=PEPPER, fallback_peppers=[OLD],
                              touch_interval=timedelta(0), **options)  # fmt: skip
        issued = self.hold(sessions.issue("ann", method="password", metadata={"ip": "192.0.2.7"}))
        ended = self.hold(sessions.issue("ann", method="x", lifetime=timedelta(milliseconds=1)))
        session_id, secret = unspell(issued.token)
        wrong = spell(session_id, secret[::-1])
        self.canaries.token(wrong)
        answers = [
            sessions.validate(token)
            for token in (issued.token, old.token, lost.token, wrong, ended.token,
                          issued.token[:-1], issued.token * 20, issued.token.encode(),
                          [issued.token], None)
        ]  # fmt: skip
        assert [bool(answer) for answer in answers] == [True, True] + [False] * 8
        self.hold(old)
        changed = sessions.update(issued.session.id, scopes={"read"}, metadata={"device": "x"})
        page, status = sessions.find(user_id="ann"), sessions.pepper_status()
        for n, value in enumerate([issued, issued.session, old, changed, page, status, *answers]):
            self.net.show(f"value {n}", value)
        inner = getattr(sessions, "manager", sessions)
        for name in ("", "_core", "_hooks"):
            self.net.show(f"manager {name}", getattr(inner, name) if name else inner)
        self.net.show("config", inner._core.config)
        self.net.show("bound method", inner.validate)
        for where, arguments in {
            "user": {"user_id": f"{VALUE}\n", "method": "password"},
            "method": {"user_id": "ann", "method": f"{VALUE}\0"},
            "scopes": {"user_id": "ann", "method": "x", "scopes": [f"{VALUE} "]},
            "scope": {"user_id": "ann", "method": "x", "scopes": VALUE},
            "metadata": {"user_id": "ann", "method": "x", "metadata": {VALUE: object()}},
        }.items():
            try:
                sessions.issue(**arguments)
            except coatcheck.InvalidInput as error:
                self.net.caught.append((f"invalid {where}", f"{error!r} {error.__cause__!r}"))
        sessions.revoke(issued.session.id)
        sessions.purge()
        sessions.revoke_all(user_id="bob")
        sessions.close()
        with self.failing("closed"):
            sessions.validate(issued.token)

    def corrupt_rows(self) -> None:
        sessions = self.place.open(self.face, pepper=PEPPER)
        for column in ("user_id", "key_hash", "metadata", "pepper_id"):
            issued = self.hold(sessions.issue("ann", method="password"))
            row = self.place.row(issued.session.id)
            assert row is not None
            damaged = row[9].encode() + b"\xff"
            self.place.set(issued.session.id, column, damaged, sql="CAST(? AS TEXT)")
            for call in (
                lambda i=issued: sessions.validate(i.token),
                lambda i=issued: sessions.get(i.session.id),
                sessions.find,
            ):
                with self.failing(f"corrupt {column}"):
                    call()
            sessions.revoke(issued.session.id)
        sessions.close()

    def failing_store(self) -> None:
        store = Failing(self.place.backend())

        class Rude:
            @hookimpl
            def session_issued(self, session: Any) -> None:
                raise LookupError(VALUE)

        sessions = self.place.over(store, self.face, pepper=PEPPER, fallback_peppers=[OLD],
                                   plugins=[Rude()], touch_interval=timedelta(0))  # fmt: skip
        old = self.hold(self.place.open(pepper=OLD).issue("ann", method="password"))
        calls = {
            "issue": lambda: self.hold(sessions.issue("ann", method="password")),
            "validate": lambda: sessions.validate(old.token),
            "update": lambda: sessions.update(old.session.id, scopes={"x"}),
            "revoke_all": lambda: sessions.revoke_all(user_id="nobody"),
            "ping": sessions.ping,
        }
        for name, call in calls.items():
            for kind in (RuntimeError, coatcheck.BackendUnavailable, coatcheck.OutcomeUnknown):
                for number in range(3):
                    store.arm(number, lambda kind=kind: kind("failed"), after=False)
                    try:
                        call()
                    except Exception as error:  # noqa: BLE001 - any
                        self.net.error(f"failing {name}", error)
                    store.disarm()
        call()
        self.hold(old)
        sessions.close()

    def hanging_store(self) -> None:
        sessions = self.place.open(self.face, pepper=PEPPER, touch_interval=timedelta(0),
                                   deadline=timedelta(seconds=0.1))  # fmt: skip
        issued = self.hold(sessions.issue("ann", method="password"))
        worker = self.place.worker()
        worker.ask("lock", how="EXCLUSIVE")
        assert sessions.validate(issued.token)
        for name, call in {
            "issue": lambda: sessions.issue("ann", method="password"),
            "revoke": lambda: sessions.revoke(issued.session.id),
        }.items():
            with self.failing(f"locked {name}"):
                call()
        worker.ask("unlock")
        self.place.path.rename(f"{self.place.path}.away")
        with self.failing("gone"):
            sessions.validate(issued.token)
        Path(f"{self.place.path}.away").rename(self.place.path)
        sessions.close()

    def within_transactions(self) -> None:
        sessions = self.place.open(self.face, pepper=PEPPER)
        engine = create_engine(f"sqlite:///{self.place.path}", echo="debug", echo_pool="debug")
        with closing(engine.connect()) as connection, connection.begin() as transaction:
            bound = self.place.within(sessions, connection)
            issued = bound.issue("ann", method="password")
            self.canaries.token(issued.token)
            assert bound.validate(issued.token)
            self.net.show("bound manager", getattr(bound, "manager", bound))
            with self.failing("twice inside"):
                bound.update_all(scopes=[VALUE])
            transaction.commit()
            self.hold(issued)
        engine.dispose()
        with self.failing("after the transaction"):
            bound.validate(issued.token)
        sessions.close()
