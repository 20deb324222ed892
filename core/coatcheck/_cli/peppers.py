"""`pepper new` and `pepper status`: the steps of a rotation."""

from __future__ import annotations

import secrets
from typing import Any

from .._flows.bulk import PepperStatus
from . import arguments, output
from .codes import Code
from .opening import open_store
from .text import plural

_PEPPER_LENGTH = 32


def new(*, as_json: arguments.AsJson = False) -> Code:
    """Print a new random pepper. Needs no configuration, and changes none.

    With --json: `{"pepper": "…"}`.
    """
    pepper = secrets.token_urlsafe(_PEPPER_LENGTH)
    if as_json:
        output.answer_json({"pepper": pepper})
    else:
        output.answer(pepper)
        output.note(
            "Set it as COATCHECK_PEPPER, or as the file coatcheck_pepper of the secrets directory."
        )
    return Code.YES


def status(*, as_json: arguments.AsJson = False) -> Code:
    """Show how many sessions each pepper holds, and which fallbacks may go.

    A session moves to the current pepper when its token is next validated. Exit
    code 1 if sessions lie under a pepper that is not configured: their tokens
    are rejected.

    With --json: `{"peppers": [{"pepper_id": "…", "place": 0, "sessions": 3,
    "retirable": false}, …]}`; place 0 is the current pepper, n the n-th fallback,
    null an unknown one.
    """
    with open_store() as sessions:
        peppers = sessions.pepper_status()
    unknown = [pepper for pepper in peppers if pepper.place is None]
    if as_json:
        output.answer_json({"peppers": [_document(pepper) for pepper in peppers]})
    else:
        rows = [(pepper.pepper_id, _place(pepper), f"{pepper.sessions:,}") for pepper in peppers]
        columns = ("pepper id", "place", "sessions")
        output.show_table(columns, rows, unbroken=columns)
        for pepper in peppers:
            if _retirable(pepper):
                output.answer(f"{_place(pepper)} holds no session: it can be retired")
        for pepper in unknown:
            output.complain(
                f"{plural(pepper.sessions, 'session')} under the pepper {pepper.pepper_id}, which "
                "is not configured: their tokens are rejected until it is among fallback_peppers"
            )
    return Code.NO if unknown else Code.YES


def _document(pepper: PepperStatus) -> dict[str, Any]:
    return {**pepper._asdict(), "retirable": _retirable(pepper)}


def _place(pepper: PepperStatus) -> str:
    if pepper.place is None:
        return "unknown"
    return "current" if pepper.place == 0 else f"fallback {pepper.place}"


def _retirable(pepper: PepperStatus) -> bool:
    return bool(pepper.place) and pepper.sessions == 0
