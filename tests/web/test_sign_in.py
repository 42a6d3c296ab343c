"""Signing in: who gets in, for how long, and what strangers learn."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from shortener.errors import ShortenerError
from shortener.services import accounts
from shortener.store import accounts as stored
from shortener.store import open_store
from shortener.web.login_throttle import (
    MAX_FAILURES_PER_ACCOUNT,
    MAX_FAILURES_PER_NETWORK,
    MAX_FAILURES_PER_PAIR,
    WINDOW_SECONDS,
    LoginThrottle,
)

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.web.conftest import Browser, Desk


def cookie(answer: "TestResponse", name: str = "__Host-session") -> str:
    """A Set-Cookie header of an answer."""
    return next(each for each in answer.headers.getlist("Set-Cookie") if each.startswith(name + "="))


def token_of(browser: "Browser") -> str:
    """The session's token that a browser has."""
    kept = browser.client.get_cookie("__Host-session", domain="go.example")
    assert kept is not None
    return kept.value


def first_address(desk: "Desk") -> str:
    """The path at which the first admin is made."""
    address = accounts.invite_first_admin(desk.store, config=desk.config, now=int(time.time()))
    assert address is not None
    return address.removeprefix("https://go.example")


def test_the_right_password_lets_in(desk: "Desk") -> None:
    """Name and password start a session; the cookie is bound to this host, to https and to no script."""
    browser = desk.browser()
    answer = browser.post("/-/sign-in", {"name": "editor", "password": "a sentence for tests"})
    assert (answer.status_code, answer.headers["Location"]) == (303, "/-/issues")
    flags = cookie(answer)
    for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert flag in flags
    assert "Domain" not in flags
    assert browser.get("/-/issues").status_code == 200


def test_a_cookie_over_plain_http_has_no_https_prefix(desk: "Desk") -> None:
    """On this machine, without https, the session works too; its cookie has a name that browsers take."""
    client = desk.app.test_client()
    answer = client.post(
        "/-/sign-in",
        base_url="http://localhost:8000",
        data={"name": "editor", "password": "a sentence for tests"},
        headers={"Origin": "http://localhost:8000"},
    )
    assert answer.status_code == 303
    assert "Secure" not in cookie(answer, "session")


@pytest.mark.parametrize(
    ("name", "password"),
    [
        ("editor", "wrong wrong wrong"),
        ("nobody", "a sentence for tests"),
        ("", ""),
        ("editor", ""),
        ("éditor", "x"),
    ],
    ids=["wrong password", "unknown name", "nothing", "no password", "other letters"],
)
def test_wrong_and_unknown_are_answered_alike(desk: "Desk", name: str, password: str) -> None:
    """Nobody learns from the answer whether a name exists."""
    answer = desk.browser().post("/-/sign-in", {"name": name, "password": password})
    assert answer.status_code == 403
    assert "That name and password do not belong together." in answer.text
    assert not answer.headers.getlist("Set-Cookie")


def test_an_unknown_name_costs_as_much_as_a_wrong_password(
    desk: "Desk", monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hash is computed for an unknown name, for a user without a password, and for a wrong password."""
    computed: list[str] = []

    def check(known: str, password: str) -> bool:
        computed.append(known[:12])
        return False

    monkeypatch.setattr(accounts, "check_password_hash", check)
    accounts.add_user(desk.store, "new", role="viewer", password=None, now=1)
    for name in ("nobody", "new", "editor"):
        desk.browser().post("/-/sign-in", {"name": name, "password": "wrong wrong"})
    assert computed == ["scrypt:1024:"] * 3


@pytest.mark.parametrize("field", ["name", "password"])
@pytest.mark.parametrize("length", [2_000, 3_000_000])
def test_endless_names_and_passwords_are_not_hashed(desk: "Desk", field: str, length: int) -> None:
    """What is longer than any name or password is refused before it costs anything."""
    answer = desk.browser().post("/-/sign-in", {"name": "editor", "password": "x", field: "y" * length})
    assert answer.status_code == 400


def test_a_password_is_the_same_however_its_letters_were_composed(desk: "Desk") -> None:
    """é as one letter and as e with an accent open the same door; a NUL is a letter like others."""
    accounts.set_password(desk.store, "editor", "caf\u00e9 \0 in the evening", now=1)
    for password, status in (("cafe\u0301 \0 in the evening", 303), ("cafe \0 in the evening", 403)):
        answer = desk.browser().post("/-/sign-in", {"name": "editor", "password": password})
        assert answer.status_code == status


NEXT = {
    "our page": ("/-/links?q=a%20b", "/-/links?q=a%20b"),
    "other host": ("//evil.example", "/-/issues"),
    "tab": ("/%09/evil.example", "/-/issues"),
    "raw tab": ("/\t/evil.example", "/-/issues"),
    "backslash": ("/%5Cevil.example", "/-/issues"),
    "raw backslash": ("/-/\\evil.example", "/-/issues"),
    "three slashes": ("///evil.example", "/-/issues"),
    "scheme": ("https:evil.example", "/-/issues"),
    "whole URL": ("https://evil.example/-/", "/-/issues"),
    "backslashes": ("\\\\evil.example", "/-/issues"),
    "return": ("/%0d/evil.example", "/-/issues"),
    "raw return": ("/-/\r\nSet-Cookie: a=b", "/-/issues"),
    "at": ("/@evil.example", "/-/issues"),
    "script": ("javascript:alert(1)", "/-/issues"),
    "data": ("data:text/html,x", "/-/issues"),
    "not a page of editors": ("/7pj1e", "/-/issues"),
    "long": ("/-/" + "a" * 10_000, "/-/issues"),
    "dots": ("/-/../../evil", "/-/../../evil"),
    "empty": ("", "/-/issues"),
}


@pytest.mark.parametrize(("asked", "gone"), NEXT.values(), ids=NEXT.keys())
def test_after_signing_in_one_lands_on_our_own_pages(desk: "Desk", asked: str, gone: str) -> None:
    """`next` leads to a path of ours (a dotted one stays on our host) and never to another site."""
    answer = desk.browser().post(
        "/-/sign-in", {"name": "editor", "password": "a sentence for tests", "next": asked}
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, gone)


def test_a_page_asks_to_sign_in_and_then_comes_back(desk: "Desk") -> None:
    """Who asks for a page without a session is sent to the form, and from there to the page."""
    browser = desk.browser()
    answer = browser.get("/-/links?q=whale&sort=clicks")
    assert answer.headers["Location"] == "/-/sign-in?next=/-/links?q%3Dwhale%26sort%3Dclicks"
    assert 'value="/-/links?q=whale&amp;sort=clicks"' in browser.get(answer.headers["Location"]).text


def test_a_session_has_a_new_token_each_time(desk: "Desk") -> None:
    """A token that was planted in a browser is not taken over: signing in makes another one."""
    browser = desk.browser()
    browser.client.set_cookie("__Host-session", "planted", domain="go.example", secure=True)
    first = cookie(browser.post("/-/sign-in", {"name": "editor", "password": "a sentence for tests"}))
    second = cookie(browser.post("/-/sign-in", {"name": "editor", "password": "a sentence for tests"}))
    assert "planted" not in first
    assert first != second
    assert desk.store.value("select count(*) from sessions") == 1


ENDINGS: dict[str, Callable[["Desk"], None]] = {
    "password change": lambda desk: accounts.set_password(desk.store, "editor", "another sentence", now=2),
    "role change": lambda desk: accounts.set_role(desk.store, "editor", "viewer", now=2),
    "removal": lambda desk: accounts.remove_user(desk.store, "editor"),
}


@pytest.mark.parametrize("end", ENDINGS.values(), ids=ENDINGS.keys())
def test_sessions_end_at_once(desk: "Desk", end: Callable[["Desk"], None]) -> None:
    """All sessions of a user end with a password change, a role change and a removal; others go on."""
    mine, other = desk.client("editor"), desk.client("viewer")
    end(desk)
    assert mine.get("/-/issues").status_code == 303
    assert other.get("/-/issues").status_code == 200


def test_signing_out_ends_the_session_in_the_store(desk: "Desk") -> None:
    """The old cookie is worth nothing after signing out, also for who has kept it."""
    browser = desk.client("editor")
    kept = token_of(browser)
    assert browser.post("/-/sign-out").status_code == 303
    browser.client.set_cookie("__Host-session", kept, domain="go.example", secure=True)
    assert browser.get("/-/issues").status_code == 303


@pytest.mark.parametrize(
    "age", [accounts.SESSION_LIFETIME_SECONDS, accounts.SESSION_IDLE_SECONDS], ids=["old", "idle"]
)
def test_a_session_ends_by_age_and_by_silence(bare_desk: "Desk", age: int) -> None:
    """After 90 days, or 14 of silence, a session is over."""
    store = bare_desk.store
    accounts.add_user(store, "ann", role="viewer", password="a sentence", now=0)
    token = accounts.start_session(store, stored.get(store, "ann"), now=0)
    for day in range(0, age // 86_400, 13 if age == accounts.SESSION_LIFETIME_SECONDS else 1_000):
        assert accounts.session_user(store, token, now=day * 86_400)
    assert accounts.session_user(store, token, now=age) is None


TAMPERED = {"empty": "", "long": "x" * 64_000, "other": "a" * 43, "not ASCII": "é" * 43, "quoted": '"; --'}


@pytest.mark.parametrize("value", TAMPERED.values(), ids=TAMPERED.keys())
def test_a_tampered_cookie_is_nobody(desk: "Desk", value: str) -> None:
    """Whatever stands in the cookie, the answer is the way to the form, never an error."""
    answer = desk.browser().get("/-/issues", Cookie=f"__Host-session={value}; __Host-notices={value}")
    assert answer.status_code == 303


def test_the_store_holds_no_token_and_no_password(desk: "Desk") -> None:
    """Who reads the store can sign in as nobody."""
    browser = desk.client("editor")
    token = token_of(browser)
    dump = "\n".join(desk.store.db.conn.iterdump())
    assert token not in dump
    assert "a sentence for tests" not in dump


def test_the_first_admin_comes_through_a_one_time_address(bare_desk: "Desk") -> None:
    """The address asks for a name and a password, works once, and makes an admin who is signed in."""
    path = first_address(bare_desk)
    browser = bare_desk.browser()
    assert "You are its first user" in browser.get(path).text
    form = {"name": "Ann", "password": "a long sentence", "again": "a long sentence"}
    for wrong in ({"again": "another"}, {"name": ""}, {"password": "short", "again": "short"}):
        assert browser.post(path, form | wrong).status_code == 400
    assert browser.post(path, form).headers["Location"] == "/-/issues"
    assert browser.get("/-/settings/users").status_code == 200
    assert bare_desk.browser().get(path).status_code == 410
    assert accounts.invite_first_admin(bare_desk.store, config=bare_desk.config, now=int(time.time())) is None


def test_twenty_at_once_make_one_admin(bare_desk: "Desk") -> None:
    """Of twenty who use the first address at the same moment, exactly one becomes admin."""
    got: list[stored.User] = []
    token, start = first_address(bare_desk).rpartition("/")[2], threading.Barrier(20)

    def race(number: int) -> None:
        store = open_store(bare_desk.config.data_directory)
        start.wait()
        try:
            got.append(
                accounts.accept_invitation(
                    store, token, name=f"user {number}", password="a long sentence", now=2
                )
            )
        except ShortenerError:
            pass
        finally:
            store.close()

    threads = [threading.Thread(target=race, args=(number,)) for number in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(got) == 1
    assert stored.count_users(bare_desk.store) == 1


def test_a_user_added_meanwhile_ends_the_first_address(bare_desk: "Desk") -> None:
    """As soon as there is any user, the address that would make a first admin is worth nothing."""
    path = first_address(bare_desk)
    accounts.add_user(bare_desk.store, "ann", role="admin", password="a sentence", now=1)
    assert bare_desk.browser().get(path).status_code == 410


def test_an_invited_user_chooses_a_password(desk: "Desk") -> None:
    """An admin adds a user, hands the address over, and the user signs in with a password of his own."""
    page = desk.client("admin").post("/-/settings/users", {"name": "  Zoë   Q ", "role": "viewer"})
    path = page.text.partition('<code id="address">https://go.example')[2].partition("<")[0]
    browser = desk.browser()
    assert "Welcome, <bdi>Zoë Q</bdi>" in browser.get(path).text
    browser.post(path, {"password": "a long sentence", "again": "a long sentence"})
    assert browser.get("/-/issues").status_code == 200
    assert browser.get("/-/new-issue").status_code == 403


def test_the_last_admin_stays(desk: "Desk") -> None:
    """Nobody can remove or demote the last admin who can sign in; with a second one it is allowed."""
    admin = desk.client("admin")
    for path in ("/-/settings/users/remove", "/-/settings/users/role"):
        answer = admin.post(path, {"name": "admin", "role": "viewer"})
        assert answer.status_code == 400
        assert "last admin" in answer.text
    accounts.add_user(desk.store, "invited", role="admin", password=None, now=1)
    assert admin.post("/-/settings/users/remove", {"name": "admin"}).status_code == 400
    accounts.set_password(desk.store, "invited", "a long sentence", now=1)
    assert admin.post("/-/settings/users/role", {"name": "admin", "role": "viewer"}).status_code == 303
    assert desk.client("admin").get("/-/settings/users").status_code == 403


def test_a_new_password_needs_the_one_before(desk: "Desk") -> None:
    """Changing one's password asks for it first, signs other browsers out and this one not."""
    mine, elsewhere = desk.client("viewer"), desk.client("viewer")
    form = {"current": "wrong", "password": "another sentence", "again": "another sentence"}
    assert mine.post("/-/account", form).status_code == 400
    assert mine.post("/-/account", form | {"current": "a sentence for tests"}).status_code == 303
    assert mine.get("/-/account").status_code == 200
    assert elsewhere.get("/-/account").status_code == 303


def test_guessing_is_slowed_before_anything_is_hashed(desk: "Desk", monkeypatch: pytest.MonkeyPatch) -> None:
    """After a few wrong passwords from one place the answer is to wait, and no hash is computed for it."""
    computed: list[str] = []

    def verify(user: object, password: str) -> bool:
        computed.append(password)
        return False

    monkeypatch.setattr(accounts, "verify_password", verify)
    answers = [
        desk.browser().post("/-/sign-in", {"name": "editor", "password": f"guess {number}"})
        for number in range(MAX_FAILURES_PER_PAIR + 4)
    ]
    assert [answer.status_code for answer in answers] == [403] * MAX_FAILURES_PER_PAIR + [429] * 4
    assert len(computed) == MAX_FAILURES_PER_PAIR
    assert int(answers[-1].headers["Retry-After"]) > 0


class Clock:
    """A clock that stands until it is moved."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Time that passes when the test says so."""
    return Clock()


def failures(limits: LoginThrottle, tries: list[tuple[str, str]]) -> int:
    """How many of the tries are let through to fail."""
    passed = 0
    for account, address in tries:
        if not limits.retry_after(account, address):
            limits.record_failure(account, address)
            passed += 1
    return passed


GUESSES = {
    "one account from one place": ([("ann", "192.0.2.1")] * 100, MAX_FAILURES_PER_PAIR),
    "one account from everywhere": ([("ann", f"192.0.2.{n}") for n in range(200)], MAX_FAILURES_PER_ACCOUNT),
    "every account from one place": (
        [(f"user {n}", "192.0.2.1") for n in range(200)],
        MAX_FAILURES_PER_NETWORK,
    ),
    "one IPv6 subscriber": ([("ann", f"2001:db8::{n:x}") for n in range(200)], MAX_FAILURES_PER_PAIR),
    "no address at all": ([("ann", "")] * 100, MAX_FAILURES_PER_PAIR),
}


@pytest.mark.parametrize(("tries", "passed"), GUESSES.values(), ids=GUESSES.keys())
def test_guesses_are_bounded(clock: Clock, tries: list[tuple[str, str]], passed: int) -> None:
    """Whichever way somebody guesses, only so many tries are let through in a window."""
    assert failures(LoginThrottle(clock), tries) == passed


def test_nobody_is_locked_out_for_good(clock: Clock) -> None:
    """A limit fades by itself; and the owner's own network stays open while others guess."""
    limits = LoginThrottle(clock)
    limits.record_success("ann", "203.0.113.9")
    failures(limits, [("ann", f"192.0.2.{n}") for n in range(200)])
    assert limits.retry_after("ann", "192.0.2.201") > 0
    assert limits.retry_after("ann", "203.0.113.9") == 0
    clock.now += WINDOW_SECONDS
    assert limits.retry_after("ann", "192.0.2.201") == 0


def test_the_memory_of_failures_is_bounded(clock: Clock) -> None:
    """A flood of names and addresses does not fill the memory."""
    limits = LoginThrottle(clock)
    for number in range(30_000):
        limits.record_failure(f"user {number}", f"10.{number % 250}.{number // 250 % 250}.1")
    assert len(limits._failures) <= 20_003
