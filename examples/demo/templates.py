"""The pages of the demo. Nothing in them but what is escaped, and a style of our own."""

import base64
import hashlib
from collections.abc import Iterable
from html import escape

from fastapi.responses import HTMLResponse

from coatcheck import Session

STYLE = """
body { font: 16px/1.5 system-ui, sans-serif; color: #223; background: #f3f1ec; margin: 0 }
main { max-width: 36rem; margin: 4rem auto; padding: 2rem 2.5rem; background: #fff;
       border-radius: 12px; box-shadow: 0 2px 16px #0002 }
h1 { margin-top: 0; font-size: 1.5rem }
label { display: block; margin: .75rem 0 }
input { display: block; width: 100%; box-sizing: border-box; padding: .5rem; font: inherit;
        border: 1px solid #aab; border-radius: 6px }
button { padding: .5rem 1rem; font: inherit; color: #fff; background: #7a3b2e; border: 0;
         border-radius: 6px; cursor: pointer }
form.inline { display: inline-block; margin-right: .5rem }
table { width: 100%; border-collapse: collapse; margin: 1rem 0 }
th, td { text-align: left; padding: .35rem .5rem; border-bottom: 1px solid #dde }
.problem { color: #a11 }
.here { font-weight: 600 }
"""
_HASH = base64.b64encode(hashlib.sha256(STYLE.encode()).digest()).decode()
HEADERS = {
    "Content-Security-Policy": f"default-src 'none'; style-src 'sha256-{_HASH}'; "
    "form-action 'self'; frame-ancestors 'none'; base-uri 'none'",
    "Referrer-Policy": "same-origin",
    "X-Content-Type-Options": "nosniff",
}


def page(title: str, content: str, status: int = 200) -> HTMLResponse:
    """A whole page around content that is HTML already."""
    text = (
        f'<!doctype html><html lang="en"><meta charset="utf-8"><title>{escape(title)}</title>'
        f'<meta name="viewport" content="width=device-width"><style>{STYLE}</style>'
        f"<main><h1>{escape(title)}</h1>{content}</main></html>"
    )
    return HTMLResponse(text, status, HEADERS)


def login(wanted: str, problem: str = "") -> HTMLResponse:
    """The form, which remembers where the browser wanted to go."""
    shown = f'<p class="problem" role="alert">{escape(problem)}</p>' if problem else ""
    form = (
        f'{shown}<form method="post" action="/login">'
        f'<input type="hidden" name="next" value="{escape(wanted)}">'
        '<label>User <input name="user" autocomplete="username" required autofocus></label>'
        '<label>Password <input name="password" type="password" '
        'autocomplete="current-password" required></label>'
        "<button>Sign in</button></form>"
    )
    return page("Sign in", form, 401 if problem else 200)


def home(here: Session, everywhere: Iterable[Session]) -> HTMLResponse:
    """The user's own page."""
    rows = "".join(_row(session, here) for session in everywhere)
    return page(
        f"Signed in as {here.user_id}",
        f"<p>This session may: {escape(', '.join(sorted(here.scopes)) or 'nothing')}</p>"
        f"<table><thead><tr><th>Device<th>Since (UTC)<th></thead><tbody>{rows}</tbody></table>"
        + _button("/logout", "Sign out")
        + _button("/logout-elsewhere", "Sign out everywhere else"),
    )


def _row(session: Session, here: Session) -> str:
    is_here = session.id == here.id
    return (
        f'<tr{" class=here" if is_here else ""} data-session="{session.id}">'
        f"<td>{escape(str(session.metadata.get('device', 'unknown')))}"
        f"<td>{session.created_at:%Y-%m-%d %H:%M}<td>{'here' if is_here else ''}"
    )


def _button(path: str, words: str) -> str:
    return f'<form class="inline" method="post" action="{path}"><button>{words}</button></form>'
