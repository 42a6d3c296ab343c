"""Tests of sign-in: sessions, invitation links, passwords and login throttling."""

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING

import pytest

from shortener.errors import InputError, ShortenerError
from shortener.services import accounts
from shortener.store import open_store
from shortener.store.accounts import User, count_users
from shortener.store.accounts import get as get_user
from shortener.web import login_throttle
from shortener.web.login_throttle import (
    MAX_FAILURES_PER_ACCOUNT,
    MAX_FAILURES_PER_NETWORK,
    MAX_FAILURES_PER_PAIR,
    WINDOW_SECONDS,
    LoginThrottle,
)
from tests.store_content import dump

if TYPE_CHECKING:
    from werkzeug.test import TestResponse

    from tests.web.conftest import Browser, EditorSite


def set_cookie_header(response: "TestResponse", name: str = "__Host-session") -> str:
    """Return the Set-Cookie header of a response for one cookie."""
    return next(header for header in response.headers.getlist("Set-Cookie") if header.startswith(name + "="))


def session_token(browser: "Browser") -> str:
    """Return the session token in a browser's cookie."""
    cookie = browser.client.get_cookie("__Host-session", domain="go.example")
    assert cookie is not None
    return cookie.value


def first_admin_path(site: "EditorSite") -> str:
    """Return the path of the invitation link for the first admin."""
    address = accounts.invite_first_admin(site.store, config=site.config, now=int(time.time()))
    assert address is not None
    return address.removeprefix("https://go.example")


def test_sign_in(site: "EditorSite") -> None:
    """Name and password start a session, whose cookie is bound to the host, to https and to HTTP only."""
    browser = site.browser()
    response = browser.post("/-/sign-in", {"name": "editor", "password": "a sentence for tests"})
    assert (response.status_code, response.headers["Location"]) == (303, "/-/")
    flags = set_cookie_header(response)
    for flag in ("Secure", "HttpOnly", "SameSite=Lax", "Path=/"):
        assert flag in flags
    assert "Domain" not in flags
    assert browser.get("/-/issues").status_code == 200


def test_session_cookie_over_plain_http(site: "EditorSite") -> None:
    """Over http on localhost the cookie has no ``__Host-`` prefix, which browsers would refuse there."""
    client = site.app.test_client()
    response = client.post(
        "/-/sign-in",
        base_url="http://localhost:8000",
        data={"name": "editor", "password": "a sentence for tests"},
        headers={"Origin": "http://localhost:8000"},
    )
    assert response.status_code == 303
    assert "Secure" not in set_cookie_header(response, "session")


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
def test_wrong_password_and_unknown_name(site: "EditorSite", name: str, password: str) -> None:
    """A wrong password and an unknown name get the same response without a cookie."""
    response = site.browser().post("/-/sign-in", {"name": name, "password": password})
    assert response.status_code == 403
    assert "Wrong name or password." in response.text
    assert not response.headers.getlist("Set-Cookie")


def test_every_failed_sign_in_computes_a_hash(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """One hash is computed for an unknown name, for a user without a password, and for a wrong password."""
    computed: list[str] = []

    def check(known: str, password: str) -> bool:
        computed.append(known.partition("$")[0])
        return False

    monkeypatch.setattr(accounts, "check_password_hash", check)
    accounts.add_user(site.store, "new", role="viewer", password=None, now=1)
    for name in ("nobody", "new", "editor"):
        site.browser().post("/-/sign-in", {"name": name, "password": "wrong wrong"})
    assert computed == [accounts._HASH_METHOD] * 3


@pytest.mark.parametrize("field", ["name", "password"])
@pytest.mark.parametrize("length", [2_000, 3_000_000])
def test_too_long_names_and_passwords(site: "EditorSite", field: str, length: int) -> None:
    """A name or password over the length limit gets 400."""
    response = site.browser().post("/-/sign-in", {"name": "editor", "password": "x", field: "y" * length})
    assert response.status_code == 400


def test_unicode_normalization_of_passwords(site: "EditorSite") -> None:
    """A password matches in composed and decomposed form; a NUL character counts."""
    accounts.set_password(site.store, "editor", "caf\u00e9 \0 in the evening", now=1)
    for password, status in (("cafe\u0301 \0 in the evening", 303), ("cafe \0 in the evening", 403)):
        response = site.browser().post("/-/sign-in", {"name": "editor", "password": password})
        assert response.status_code == status


NEXT = {
    "our page": ("/-/links?q=a%20b", "/-/links?q=a%20b"),
    "other host": ("//evil.example", "/-/"),
    "tab": ("/%09/evil.example", "/-/"),
    "raw tab": ("/\t/evil.example", "/-/"),
    "backslash": ("/%5Cevil.example", "/-/"),
    "raw backslash": ("/-/\\evil.example", "/-/"),
    "three slashes": ("///evil.example", "/-/"),
    "scheme": ("https:evil.example", "/-/"),
    "whole URL": ("https://evil.example/-/", "/-/"),
    "backslashes": ("\\\\evil.example", "/-/"),
    "return": ("/%0d/evil.example", "/-/"),
    "raw return": ("/-/\r\nSet-Cookie: a=b", "/-/"),
    "at": ("/@evil.example", "/-/"),
    "script": ("javascript:alert(1)", "/-/"),
    "data": ("data:text/html,x", "/-/"),
    "not a page of editors": ("/7pj1e", "/-/"),
    "long": ("/-/" + "a" * 10_000, "/-/"),
    "dots": ("/-/../../evil", "/-/../../evil"),
    "empty": ("", "/-/"),
}


@pytest.mark.parametrize(("next_url", "location"), NEXT.values(), ids=NEXT.keys())
def test_redirect_after_sign_in(site: "EditorSite", next_url: str, location: str) -> None:
    """``next`` is followed only if it is a path of ours; anything else leads to the overview."""
    response = site.browser().post(
        "/-/sign-in", {"name": "editor", "password": "a sentence for tests", "next": next_url}
    )
    assert (response.status_code, response.headers["Location"]) == (303, location)


def test_redirect_to_the_sign_in_form(site: "EditorSite") -> None:
    """A page without a session redirects to the form, which carries the path of the page."""
    browser = site.browser()
    response = browser.get("/-/links?q=whale&sort=clicks")
    assert response.headers["Location"] == "/-/sign-in?next=/-/links?q%3Dwhale%26sort%3Dclicks"
    assert 'value="/-/links?q=whale&amp;sort=clicks"' in browser.get(response.headers["Location"]).text


def test_session_fixation(site: "EditorSite") -> None:
    """Sign-in creates a new token, ignores one that was planted, and ends the session before."""
    browser = site.browser()
    browser.client.set_cookie("__Host-session", "planted", domain="go.example", secure=True)
    first = set_cookie_header(browser.post("/-/sign-in", {"name": "editor", "password": "a sentence for tests"}))
    second = set_cookie_header(browser.post("/-/sign-in", {"name": "editor", "password": "a sentence for tests"}))
    assert "planted" not in first
    assert first != second
    assert site.store.value("select count(*) from sessions") == 1


CHANGES_THAT_END_SESSIONS: dict[str, Callable[["EditorSite"], None]] = {
    "password change": lambda site: accounts.set_password(site.store, "editor", "another sentence", now=2),
    "role change": lambda site: accounts.set_role(site.store, "editor", "viewer", now=2),
    "removal": lambda site: accounts.remove_user(site.store, "editor"),
}


@pytest.mark.parametrize("end", CHANGES_THAT_END_SESSIONS.values(), ids=CHANGES_THAT_END_SESSIONS.keys())
def test_sessions_end_at_once(site: "EditorSite", end: Callable[["EditorSite"], None]) -> None:
    """A change of password or role, or a removal, ends the sessions of that user and of no other."""
    editor, viewer = site.client("editor"), site.client("viewer")
    end(site)
    assert editor.get("/-/issues").status_code == 303
    assert viewer.get("/-/issues").status_code == 200


def test_sign_out(site: "EditorSite") -> None:
    """After sign-out the old cookie is not accepted any more."""
    browser = site.client("editor")
    token = session_token(browser)
    assert browser.post("/-/sign-out").status_code == 303
    browser.client.set_cookie("__Host-session", token, domain="go.example", secure=True)
    assert browser.get("/-/issues").status_code == 303


@pytest.mark.parametrize("age", [accounts.SESSION_LIFETIME_SECONDS, accounts.SESSION_IDLE_SECONDS], ids=["old", "idle"])
def test_session_lifetime(empty_site: "EditorSite", age: int) -> None:
    """A session ends at its maximal age, or after its maximal time without use."""
    store = empty_site.store
    accounts.add_user(store, "ann", role="viewer", password="a sentence", now=0)
    token = accounts.start_session(store, get_user(store, "ann"), now=0)
    for day in range(0, age // 86_400, 13 if age == accounts.SESSION_LIFETIME_SECONDS else 1_000):
        assert accounts.session_user(store, token, now=day * 86_400)
    assert accounts.session_user(store, token, now=age) is None


TAMPERED = {"empty": "", "long": "x" * 64_000, "other": "a" * 43, "not ASCII": "é" * 43, "quoted": '"; --'}


@pytest.mark.parametrize("value", TAMPERED.values(), ids=TAMPERED.keys())
def test_tampered_cookies(site: "EditorSite", value: str) -> None:
    """A tampered cookie counts as no session and causes no error."""
    response = site.browser().get("/-/issues", Cookie=f"__Host-session={value}; __Host-notices={value}")
    assert response.status_code == 303


def test_store_contains_no_token_and_no_password(site: "EditorSite") -> None:
    """The store contains neither session tokens nor passwords."""
    browser = site.client("editor")
    token = session_token(browser)
    content = dump(site.store)
    assert token not in content
    assert "a sentence for tests" not in content


def test_first_admin(empty_site: "EditorSite") -> None:
    """The first invitation link asks for a name and a password, works once, and creates an admin."""
    path = first_admin_path(empty_site)
    browser = empty_site.browser()
    assert "You are the first user" in browser.get(path).text
    form = {"name": "Ann", "password": "a long sentence", "again": "a long sentence"}
    for wrong in ({"again": "another"}, {"name": ""}, {"password": "short", "again": "short"}):
        assert browser.post(path, form | wrong).status_code == 400
    assert browser.post(path, form).headers["Location"] == "/-/"
    assert browser.get("/-/settings/users").status_code == 200
    assert empty_site.browser().get(path).status_code == 410
    assert accounts.invite_first_admin(empty_site.store, config=empty_site.config, now=int(time.time())) is None


def test_concurrent_use_of_the_first_invitation(empty_site: "EditorSite") -> None:
    """Of 20 concurrent uses of the first invitation link, one creates an admin."""
    admins: list[User] = []
    token, start = first_admin_path(empty_site).rpartition("/")[2], threading.Barrier(20)

    def race(number: int) -> None:
        store = open_store(empty_site.config.data_directory)
        start.wait()
        try:
            admins.append(
                accounts.accept_invitation(store, token, name=f"user {number}", password="a long sentence", now=2)
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
    assert len(admins) == 1
    assert count_users(empty_site.store) == 1


def test_first_invitation_ends_with_the_first_user(empty_site: "EditorSite") -> None:
    """The first invitation link is invalid as soon as there is any user."""
    path = first_admin_path(empty_site)
    accounts.add_user(empty_site.store, "ann", role="admin", password="a sentence", now=1)
    assert empty_site.browser().get(path).status_code == 410


def test_invitation(site: "EditorSite") -> None:
    """An invited user sets a password and is signed in with the role that the admin chose."""
    page = site.client("admin").post("/-/settings/users", {"name": "  Zoë   Q ", "role": "viewer"})
    path = page.text.partition('<code id="address">https://go.example')[2].partition("<")[0]
    browser = site.browser()
    assert "Welcome, <bdi>Zoë Q</bdi>" in browser.get(path).text
    browser.post(path, {"password": "a long sentence", "again": "a long sentence"})
    assert browser.get("/-/issues").status_code == 200
    assert browser.get("/-/new-issue").status_code == 403


def test_own_account(site: "EditorSite") -> None:
    """An admin can neither remove the own account nor change the own role, but those of another admin."""
    admin = site.client("admin")
    for act, refusal in (("remove", "remove your account"), ("role", "change your own role")):
        response = admin.post(f"/-/settings/users/{act}", {"name": "admin", "role": "viewer"})
        assert response.status_code == 400
        assert f"Another admin has to {refusal}." in response.text
    accounts.add_user(site.store, "second", role="admin", password="a sentence for tests", now=1)
    second = site.client("second")
    assert second.post("/-/settings/users/role", {"name": "admin", "role": "viewer"}).status_code == 303
    assert site.client("admin").get("/-/settings/users").status_code == 403


def test_last_admin(site: "EditorSite") -> None:
    """The last admin who can sign in can neither be removed nor get another role, not even by undoing a change."""
    accounts.add_user(site.store, "second", role="editor", password="a sentence for tests", now=1)
    admin = site.client("admin")
    notice = admin.get(admin.post("/-/settings/users/role", {"name": "second", "role": "admin"}).location).text
    change = notice.partition('name="change" value="')[2].partition('"')[0]
    accounts.set_role(site.store, "admin", "viewer", now=2)
    second = site.client("second")
    assert "last admin" in second.get(second.post("/-/undo", {"change": change}).location).text
    with pytest.raises(InputError, match="last admin"):
        accounts.remove_user(site.store, "second")


def test_change_password(site: "EditorSite") -> None:
    """A change of password needs the current one, and ends all sessions but this one."""
    this_browser, other_browser = site.client("viewer"), site.client("viewer")
    form = {"current": "wrong", "password": "another sentence", "again": "another sentence"}
    assert this_browser.post("/-/account", form).status_code == 400
    assert this_browser.post("/-/account", form | {"current": "a sentence for tests"}).status_code == 303
    assert this_browser.get("/-/account").status_code == 200
    assert other_browser.get("/-/account").status_code == 303


def test_throttled_sign_in_computes_no_hash(site: "EditorSite", monkeypatch: pytest.MonkeyPatch) -> None:
    """After too many failures sign-in responses 429 with Retry-After, without computing a hash."""
    computed: list[str] = []

    def verify(user: object, password: str) -> bool:
        computed.append(password)
        return False

    monkeypatch.setattr(accounts, "verify_password", verify)
    responses = [
        site.browser().post("/-/sign-in", {"name": "editor", "password": f"guess {number}"})
        for number in range(MAX_FAILURES_PER_PAIR + 4)
    ]
    assert [response.status_code for response in responses] == [403] * MAX_FAILURES_PER_PAIR + [429] * 4
    assert len(computed) == MAX_FAILURES_PER_PAIR
    assert int(responses[-1].headers["Retry-After"]) > 0


class Clock:
    """Clock that shows ``now`` and stands still."""

    def __init__(self) -> None:
        self.now = 1_000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    """Return a clock for the throttle."""
    return Clock()


def count_allowed_failures(throttle: LoginThrottle, attempts: list[tuple[str, str]]) -> int:
    """Return how many attempts the throttle allows, when each allowed one fails."""
    allowed = 0
    for account, address in attempts:
        if not throttle.retry_after(account, address):
            throttle.record_failure(account, address)
            allowed += 1
    return allowed


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


@pytest.mark.parametrize(("attempts", "allowed"), GUESSES.values(), ids=GUESSES.keys())
def test_limits_of_failures(clock: Clock, attempts: list[tuple[str, str]], allowed: int) -> None:
    """Failures are limited per account, per network and per pair."""
    assert count_allowed_failures(LoginThrottle(clock), attempts) == allowed


def test_limits_decay(clock: Clock) -> None:
    """A limit decays in one window; a network from which the account signed in is exempt from the account's limit."""
    throttle = LoginThrottle(clock)
    throttle.record_success("ann", "203.0.113.9")
    count_allowed_failures(throttle, [("ann", f"192.0.2.{n}") for n in range(200)])
    assert throttle.retry_after("ann", "192.0.2.201") > 0
    assert throttle.retry_after("ann", "203.0.113.9") == 0
    clock.now += WINDOW_SECONDS
    assert throttle.retry_after("ann", "192.0.2.201") == 0


def test_number_of_failure_counts_is_bounded(clock: Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    """A flood of names and addresses keeps at most MAX_ENTRIES counts, the latest ones."""
    monkeypatch.setattr(login_throttle, "MAX_ENTRIES", 200)
    throttle = LoginThrottle(clock)
    count_allowed_failures(throttle, [("user 0", "10.0.0.1")] * MAX_FAILURES_PER_PAIR)
    assert throttle.retry_after("user 0", "10.0.0.1") > 0
    for number in range(1, 300):
        throttle.record_failure(f"user {number}", f"10.{number % 250}.{number // 250 % 250}.1")
    assert len(throttle._failures) == 200
    assert throttle.retry_after("user 0", "10.0.0.1") == 0
