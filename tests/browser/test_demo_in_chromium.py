"""The demo in a real browser: what a user sees, and what a hostile page cannot do."""

from __future__ import annotations

import os
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from playwright.sync_api import Browser, BrowserContext, Page, expect

from running_demos import Demo

PICTURES = Path(__file__).parents[2] / "docs" / "_static"
SIZE = {"width": 720, "height": 420}
WEEK_SECONDS = 7 * 24 * 3600
SUBMIT = "<script>document.forms[0].submit()</script>"


@contextmanager
def profile(browser: Browser, name: str = "Firefox on Linux") -> Iterator[BrowserContext]:
    """A browser of its own, with no cookie yet."""
    with closing(browser.new_context(viewport=SIZE, user_agent=name)) as context:
        context.set_default_timeout(20_000)
        yield context


def signed_in(context: BrowserContext, demo: Demo, path: str = "/") -> Page:
    """Ada signs in on the page that she is sent to."""
    page = context.new_page()
    page.goto(f"{demo.url}{path}")
    sign_in(page)
    return page


def sign_in(page: Page) -> None:
    expect_login(page)
    page.get_by_label("User").fill("ada")
    page.get_by_label("Password").fill("analytical engine")
    page.get_by_role("button", name="Sign in").click()


def expect_login(page: Page) -> None:
    expect(page).to_have_title("Sign in")


def expect_home(page: Page) -> None:
    expect(page).to_have_title("Signed in as ada")


def picture(page: Page, name: str) -> None:
    """For the documentation, when `COATCHECK_PICTURES` asks for them."""
    if "COATCHECK_PICTURES" in os.environ:
        page.screenshot(path=PICTURES / f"demo-{name}.png")


def test_a_revoked_browser_lands_on_the_login_page_at_its_next_click_and_the_other_stays(
    browser: Browser, demo: Demo
) -> None:
    with profile(browser) as laptop, profile(browser, "Chromium on a phone") as phone:
        page = laptop.new_page()
        page.goto(demo.url)
        expect_login(page)
        picture(page, "login")
        sign_in(page)
        other = signed_in(phone, demo)
        expect_home(other)
        page.reload()
        expect(page.locator("tbody tr")).to_have_count(2)
        picture(page, "home")
        with demo.operator() as operator:
            [session] = [s for s in operator.find(user_id="ada") if "phone" in s.metadata["device"]]
            operator.revoke(session.id)
        other.get_by_role("button", name="Sign out everywhere else").click()
        expect_login(other)
        assert cookies(phone) == []
        page.reload()
        expect_home(page)
        expect(page.locator("tbody tr")).to_have_count(1)
        sign_in(other)
        expect_home(other)


def test_signing_out_everywhere_else_spares_the_browser_that_asked(
    browser: Browser, demo: Demo
) -> None:
    with profile(browser) as laptop, profile(browser) as phone:
        page, other = signed_in(laptop, demo), signed_in(phone, demo)
        expect_home(page)
        expect_home(other)
        page.get_by_role("button", name="Sign out everywhere else").click()
        expect(page.locator("tbody tr")).to_have_count(1)
        other.reload()
        expect_login(other)


def cookies(context: BrowserContext) -> list[dict[str, object]]:
    return [dict(cookie) for cookie in context.cookies()]


def test_the_cookie_is_what_it_is_said_to_be(browser: Browser, demo: Demo) -> None:
    with profile(browser) as context:
        page = signed_in(context, demo)
        expect_home(page)
        [cookie] = cookies(context)
        expires = float(str(cookie.pop("expires")))
        assert str(cookie.pop("value")).startswith("cck_")
        assert {name: cookie[name] for name in ("name", "domain", "path")} == {
            "name": "__Host-session",
            "domain": "localhost",  # without a dot: this host alone
            "path": "/",
        }
        assert (cookie["httpOnly"], cookie["secure"], cookie["sameSite"]) == (True, True, "Lax")
        assert abs(expires - time.time() - WEEK_SECONDS) < 300
        assert page.evaluate("document.cookie") == ""
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect_login(page)
        assert cookies(context) == []


@pytest.mark.parametrize("path", ["/?tab=2", "/?a=b&c=%2Fd"])
def test_after_the_sign_in_the_browser_is_where_it_wanted_to_go(
    browser: Browser, demo: Demo, path: str
) -> None:
    with profile(browser) as context:
        page = signed_in(context, demo, path)
        expect_home(page)
        assert page.url == f"{demo.url}{path}"


@pytest.mark.parametrize(
    "wanted",
    ["//127.0.0.1:1/", "/\\127.0.0.1:1/", "http://127.0.0.1:1/", "/\t/127.0.0.1:1/", "%5C%5Cx"],
)
def test_a_login_page_with_a_hostile_next_leads_nowhere_else(
    browser: Browser, demo: Demo, wanted: str
) -> None:
    with profile(browser) as context:
        page = context.new_page()
        page.goto(f"{demo.url}/login")
        page.evaluate("wanted => { document.forms[0].next.value = wanted }", wanted)
        sign_in(page)
        expect_home(page)
        assert page.url == f"{demo.url}/"


@contextmanager
def hostile_page(content: str) -> Iterator[int]:
    """A page of this content on another port, which it gives."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "text/html")
            self.end_headers()
            self.wfile.write(content.encode())

        def log_message(self, *_: object) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        threading.Thread(target=server.serve_forever).start()
        try:
            yield server.server_port
        finally:
            server.shutdown()


# Of another site, which SameSite holds back by itself; and of the same site, which it does not.
@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_form_of_another_origin_cannot_act_for_the_user(
    browser: Browser, demo: Demo, host: str
) -> None:
    form = f'<form method="post" action="{demo.url}/logout-elsewhere"></form>{SUBMIT}'
    with profile(browser) as context, profile(browser) as victim, hostile_page(form) as port:
        other, page = signed_in(victim, demo), signed_in(context, demo)
        expect_home(other)
        expect_home(page)
        with page.expect_response("**/logout-elsewhere") as answer:
            page.goto(f"http://{host}:{port}/")
        cookie = answer.value.request.all_headers().get("cookie")
        if host == "localhost":
            assert answer.value.status == 403
            assert cookie is not None, "the browser sends it, since this is one site to it"
        else:
            assert cookie is None
        for each in (page, other):
            each.goto(demo.url)
            expect_home(each)


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
def test_a_form_of_another_origin_signs_nobody_in(browser: Browser, demo: Demo, host: str) -> None:
    """Or a user would work in the session of whoever made the page."""
    form = (
        f'<form method="post" action="{demo.url}/login"><input name="user" value="ada">'
        '<input name="password" value="analytical engine"></form>' + SUBMIT
    )
    with profile(browser) as context, hostile_page(form) as port:
        page = context.new_page()
        with page.expect_response("**/login") as answer:
            page.goto(f"http://{host}:{port}/")
        assert answer.value.status == 403
        assert cookies(context) == []


def test_a_script_of_another_origin_reads_nothing(browser: Browser, demo: Demo) -> None:
    with profile(browser) as context, hostile_page("<p>") as port:
        expect_home(signed_in(context, demo))
        page = context.new_page()
        page.goto(f"http://localhost:{port}/")
        asked = "url => fetch(url, {credentials: 'include'}).then(a => a.text()).catch(() => 'no')"
        assert page.evaluate(asked, f"{demo.url}/api/me") == "no"


def test_the_back_button_shows_no_page_of_a_session_that_has_ended(
    browser: Browser, demo: Demo
) -> None:
    with profile(browser) as context:
        page = signed_in(context, demo)
        expect_home(page)
        page.get_by_role("button", name="Sign out", exact=True).click()
        expect_login(page)
        page.go_back()
        expect_login(page)


def test_a_store_that_is_down_signs_no_browser_out(browser: Browser, demo: Demo) -> None:
    with profile(browser) as context:
        page = signed_in(context, demo)
        expect_home(page)
        held = cookies(context)
        away = demo.directory / "away"
        # Found out at every read: the file of this name is another one, or none.
        (demo.directory / "sessions.db").rename(away)
        answer = page.goto(demo.url)
        assert answer is not None
        assert answer.status == 503
        assert answer.headers["retry-after"] == "1"
        assert cookies(context) == held
        away.rename(demo.directory / "sessions.db")
        page.goto(demo.url)
        expect_home(page)


def test_what_the_store_holds_is_not_the_cookie(browser: Browser, demo: Demo) -> None:
    with profile(browser) as context:
        expect_home(signed_in(context, demo))
        [cookie] = cookies(context)
        with closing(sqlite3.connect(demo.directory / "sessions.db")) as store:
            rows = "".join(store.iterdump())
    assert str(cookie["value"])[30:] not in rows
