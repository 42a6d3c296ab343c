"""Browser tests of what a slip can do: Enter in every form, undo of every destructive act, errors at their fields."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Locator, Page, Response, Route

    from tests.browser.watching import Sessions, WatchedPage

HARMLESS_ACTIONS = {"look"}
"""Values of the button that Enter presses in forms with several buttons."""
ENTER_FIELDS = "input:not([type=hidden]):not([type=checkbox]):not([type=radio]):not([type=file])"
FORMS_WITH_FIELDS = """fields => {
    const scripts = [...document.scripts].map(script => script.src).join();
    const isVisible = field => field.checkVisibility({visibilityProperty: true}) && field.getClientRects().length;
    return [...document.forms].flatMap((form, number) => {
        const first = [...form.querySelectorAll(fields)].find(isVisible);
        if (!first) return [];
        first.dataset.firstOfForm = number;
        form.noValidate = true;
        const parts = [...form.elements].map(part => part.localName + part.type + part.name);
        const values = [...new Set([...form.querySelectorAll("button")].map(button => button.getAttribute("value")))];
        const attributes = [...form.attributes].map(({name}) => name);
        const action = form.getAttribute("action")?.split("/").at(-1);
        const kind = [form.getAttribute("method"), action, attributes, parts, values, scripts].join(" ");
        return [[kind, number, values]];
    });
}"""
"""Script that finds the forms with a visible field: their kind, their number and the values of their buttons."""
ISSUE = "### [A new pump](https://example.org/pump)\n\nIt lifts water.\n"


@pytest.fixture(scope="module")
def sessions(tmp_path_factory: pytest.TempPathFactory, chromium: "Browser") -> Iterator["Sessions"]:
    """The sample installation, and pages in which its users are signed in."""
    from tests.browser import running, scene
    from tests.browser.watching import Sessions

    with running.installation(tmp_path_factory.mktemp("safety"), scene.build, readers=60) as config:
        yield Sessions(chromium, config.base_url)


@pytest.fixture(scope="module")
def opened(sessions: "Sessions") -> Iterator["WatchedPage"]:
    """Browser page of the admin, which tests use one after the other, because a new one costs half a second."""
    with sessions.open("admin") as watched:
        yield watched


@pytest.fixture
def watched(opened: "WatchedPage") -> "WatchedPage":
    """Browser page in which the admin is signed in, without the problems of earlier tests."""
    opened.problems.clear()
    return opened


@pytest.fixture(scope="module")
def without_script(sessions: "Sessions") -> Iterator["WatchedPage"]:
    """Browser page without scripts in which the admin is signed in."""
    with sessions.open("admin", java_script_enabled=False) as watched:
        yield watched


@pytest.fixture
def signing_out(chromium: "Browser", sessions: "Sessions") -> Iterator["WatchedPage"]:
    """Browser page in which the admin is signed in with a session that the test may end."""
    from tests.browser import scene
    from tests.browser.watching import WatchedPage

    watched = WatchedPage(chromium, sessions.base)
    watched.sign_in("admin", scene.PASSWORD)
    yield watched
    watched.close()


@pytest.fixture(scope="module")
def link(opened: "WatchedPage") -> str:
    """Path of the page of a link of a sent issue."""
    opened.page.goto(f"{opened.base}/-/links?issue=2026-11&sort=code")
    return opened.page.locator(".links .title a").first.get_attribute("href") or ""


def review(page: "Page", *, slug: str) -> None:
    """Review a new issue with a short link that has no destination yet."""
    host = page.url.partition("://")[2].partition("/")[0]
    page.fill("#source", f"{ISSUE}\n[An older one](http://{host}/old-{slug})\n")
    page.click("button:text('Review')")
    page.wait_for_url("**/review")


def test_enter_in_every_form(signing_out: "WatchedPage", link: str) -> None:
    """Enter submits a form with one purpose; in a form with several buttons it presses the harmless one."""
    from tests.browser import shots

    page, tried, kinds = signing_out.page, set[str](), set[str]()
    paths = [path for name, path in shots.PAGES.items() if name not in {"missing", "link"}]
    for path in [*paths, link, "review"]:
        page.goto(signing_out.base + ("/-/new-issue" if path == "review" else path))
        if path == "review":
            review(page, slug="enter")
        if path in ("/-/articles", "/-/picks"):
            page.locator("[data-in-place]").first.wait_for(state="attached")  # the ranking is computed first
        tried |= press_enter_in_forms(page, kinds)
    signing_out.sign_out()
    tried |= press_enter_in_forms(page, kinds)
    assert {"new-link", "links", "decide", "text", "users", "account", "facts", "articles", "sent", "review",
            "target", "title", "sign-in", "webhooks"} <= tried  # fmt: skip


def _is_submission(response: "Response") -> bool:
    return response.request.is_navigation_request() or response.request.method == "POST"


def press_enter_in_forms(page: "Page", kinds: set[str]) -> set[str]:
    """Press Enter in the first field of the forms of a page, and return the ends of the submitted paths.

    Of the forms that differ in what they send only, and that the same scripts can see, one is enough; ``kinds`` has
    those that were tried, and gets the others."""
    tried: set[str] = set()

    def answer(route: "Route") -> None:
        route.fulfill(status=204)

    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    page.route("**/*", answer)
    for kind, number, actions in page.evaluate(FORMS_WITH_FIELDS, ENTER_FIELDS):
        if kind in kinds:
            continue
        kinds.add(kind)
        # Until its response has arrived, a submitted form can still cancel the next navigation.
        with page.expect_response(_is_submission) as response:
            page.locator(f"[data-first-of-form='{number}']").press("Enter")
        sent = response.value.request
        data = parse_qs((sent.post_data or "").replace("\r\n", "&"))
        body = sent.post_data or ""
        if len(actions) > 1:
            sent_action = any(f'name="action"\r\n\r\n{value}' in body for value in HARMLESS_ACTIONS)
            assert sent_action or set(data.get("action", [])) & HARMLESS_ACTIONS, (page.url, actions)
        assert "create" not in data.get("action", [])
        tried.add(sent.url.partition("?")[0].rpartition("/")[2])
    page.unroute("**/*")
    return tried


Act = tuple[str, Callable[["Page"], None], str, str]


def submit(selector: str, **values: str) -> Callable[["Page"], None]:
    """Return an act that fills in the fields of a form and presses its last button; ``check`` selects a radio."""

    def act(page: "Page") -> None:
        form = page.locator(selector).first
        details = form.locator("xpath=ancestor::details")
        if details.count() and details.get_attribute("open") is None:
            details.locator("summary").click()
        for name, value in values.items():
            if name == "check":
                form.locator(f"input[value={value}]").check()
            elif form.locator(f"select[name='{name}']").count():
                form.locator(f"select[name='{name}']").select_option(value)
            else:
                form.locator(f"[name='{name}']").last.fill(value)
        form.locator("button").last.click()
        page.wait_for_load_state()

    return act


def correct_article(page: "Page") -> None:
    """Change the title of the first article, and make it no article."""
    row = page.locator(".rows .article").first
    row.locator("[name^=title-]").fill("Other")
    row.locator("[name^=position-]").fill("")
    page.click("button:text('Save articles and links')")
    page.wait_for_load_state()


def select_roles(page: "Page") -> None:
    """Make the first two articles inline links."""
    for box in page.locator(".rows .article input[name=selected]").all()[:2]:
        box.check()
    page.click("button:text-is('Inline')")
    page.wait_for_load_state()


def retire(page: "Page") -> None:
    """Retire a link of a sent issue, after the question."""
    page.click("button:text('Retire link')")
    page.wait_for_url("**/retire")
    page.click("button:text('Retire link')")
    page.wait_for_load_state()


def in_place(act: Callable[["Page"], None]) -> Callable[["Page"], None]:
    """Return an act that waits for the notice of an edit in place."""

    def wait(page: "Page") -> None:
        act(page)
        page.locator(".toast").wait_for()

    return wait


def press(selector: str) -> Callable[["Page"], None]:
    """Return an act that presses a button, once the ranking is computed, and before it the button's menu."""

    def act(page: "Page") -> None:
        button = page.locator(selector).first
        button.evaluate("button => button.closest('details.menu')?.querySelector('summary').click()")
        button.click()

    return in_place(act)


def choose_last(selector: str) -> Callable[["Page"], None]:
    """Return an act that chooses the last value of a form's menu with the keyboard, and presses its button."""

    def act(page: "Page") -> None:
        page.locator(f"{selector} select").first.press("End")
        page.locator(f"{selector} button").first.click()

    return in_place(act)


PICKS = "/-/picks?form=markdown"
SETUP = "/-/issues/2026-11/setup"
SETUP_JSON = "/-/issues/2026-11/setup.json"


def retire_several(page: "Page") -> None:
    """Select two links of the list, and retire them."""
    for number in (1, 2):
        page.locator("tbody [name=link]").nth(number).check()
    page.click("button:text('Retire selected')")
    page.click("main form[method=post] button:text('Retire links')")
    page.wait_for_url("**/-/links")


ACTS: dict[str, Act] = {
    # name: path, act, path of the state, page with the history
    "details": (SETUP, submit("form[action$=facts]", title="Other", recipients=""), SETUP_JSON, SETUP),
    "article": (
        SETUP,
        correct_article,
        SETUP_JSON,
        SETUP,
    ),
    "roles": (SETUP, select_roles, SETUP_JSON, SETUP),
    "marked as sent": (
        "/-/issues/2026-12/ready",
        submit("form[action$=sent]", recipients="1200"),
        "/-/issues/2026-12/setup.json",
        "/-/issues/2026-12/setup",
    ),
    "draft removed": ("/-/issues/2026-12/setup", submit("form:has([value=remove])"), "/-/issues.json", "/-/issues"),
    "issue archived": (
        "/-/issues/2026-06/setup",
        submit("form:has([value=archive])"),
        "/-/issues.json",
        "/-/issues",
    ),
    "decision": ("/-/articles", press("#article-4-exclude"), "/-/picks.json", "/-/articles"),
    "decision removed": ("/-/articles", press("form.decide button[aria-pressed=true]"), "/-/picks.json", "/-/articles"),
    "texts of a pick": (
        PICKS,
        in_place(submit(".pick form[action$=text]", title="Other", blurb="")),
        "/-/picks.json",
        "/-/picks",
    ),
    "order of the picks": (PICKS, choose_last(".pick form.move"), "/-/picks.json", "/-/picks"),
    "number of picks": (PICKS, choose_last("#number"), "/-/picks.json", "/-/picks"),
    "own template": (
        PICKS,
        in_place(submit("#own-template form", template="# {{ featured | length }}")),
        "own template",
        "/-/picks",
    ),
    "role of a user": (
        "/-/settings/users",
        submit("tr:has(bdi:text-is('viewer')) form[action$=role]"),
        "/-/settings/users.json",
        "/-/settings/users",
    ),
    "user removed": (
        "/-/settings/users",
        submit("tr:has(bdi:text-is('viewer')) form[action$=remove]"),
        "/-/settings/users.json",
        "/-/settings/users",
    ),
    "settings": (
        "/-/settings",
        submit("main form", **{"ranking.gems": "1", "ranking.top": "3"}),
        "/-/settings.json",
        "/-/settings",
    ),
    "destination": ("link", submit("form[action$=target]", target="https://example.org/other"), "link", "link"),
    "title of a link": ("link", submit("form[action$=title]", title="Other"), "link", "link"),
    "expiry of a link": ("link", submit("form[action$=expiry]", expires_at="2099-01-01T08:00"), "link", "link"),
    "query strings of a link": ("link", submit("form[action$=forward]", check="drop"), "link", "link"),
    "link retired": ("link", retire, "link", "link"),
    "several links retired": ("/-/links?issue=2026-11", retire_several, "/-/links.json?issue=2026-11", "/-/links"),
}
EDITED_IN_PLACE = {"/-/articles", PICKS}
"""Pages whose scripts send the forms, so that the answer differs from the one without script."""
IGNORED_KEYS = {
    "as_of",
    "updated_at",
    "edits",
    "at",
    "seen_at",
    "created_at",
    "invited_until",
    "backlog",
    "disk_free",
    "course",
    "settling",
    "to_come",
    "forecast",
}
IGNORED_KEYS |= {"ranked", "footer", "warnings"}


def state_of(watched: "WatchedPage", path: str, link: str) -> Any:
    """Return the JSON file of a page without times and histories."""
    if path == "own template":
        watched.page.request.get(f"{watched.base}/-/picks.json")  # waits until the picks are computed
        page = watched.page.request.get(watched.base + PICKS).text()
        return page.partition('id="own-text"')[2].partition("</textarea>")[0]
    url = f"{watched.base}{link}/report.json" if path == "link" else watched.base + path
    return without_times(json.loads(watched.page.request.get(url).body()))


def without_times(value: Any) -> Any:
    """Return a JSON value without the keys that every change changes."""
    if isinstance(value, dict):
        return {key: without_times(value[key]) for key in value if key not in IGNORED_KEYS}
    return [without_times(item) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("name", ACTS)
def test_undo_of_every_destructive_act(
    watched: "WatchedPage", without_script: "WatchedPage", link: str, name: str
) -> None:
    """An act is undone from its toast, on pages edited in place also without script from its notice, and later from
    the history of the page.
    """
    path, act, state_path, history = ACTS[name]
    before = state_of(watched, state_path, link)
    sources = [(watched, "toast"), (without_script, "notice"), (without_script, "history")]
    if path not in EDITED_IN_PLACE:
        del sources[1]  # the toast is the notice of the same answer
    for browser, source in sources:
        page = browser.page
        page.goto(browser.base + (link if path == "link" else path))
        act(page)
        assert state_of(browser, state_path, link) != before, source
        if source == "history":
            assert page.locator(".toast button:text('Undo')").is_visible()
            page.goto(browser.base + (link if history == "link" else history))
            undo_from_page(page)
        else:
            page.locator(".toast button:text('Undo')").click()
        page.wait_for_load_state()
        wait_for_state(browser, state_path, link, before)
    assert not watched.problems


def test_what_was_entered_survives_the_end_of_the_session(sessions: "Sessions") -> None:
    """An edit in place without a session shows the page to sign in; loaded again afterwards, it sends the edit."""
    with sessions.open("admin") as watched:
        page = watched.page
        page.goto(watched.base + PICKS)
        page.locator("[data-in-place]").first.wait_for(state="attached")  # the ranking is computed first
        cookies = page.context.cookies()
        page.context.clear_cookies()
        submit(".pick form[action$=text]", title="A title of many words")(page)
        page.locator("h1:text('Please sign in')").wait_for()
        page.context.add_cookies(cookies)  # type: ignore[arg-type]
        page.reload()
        assert page.locator(".pick h3").first.text_content() == "A title of many words"


def wait_for_state(watched: "WatchedPage", path: str, link: str, expected: Any) -> None:
    """Wait until the state of a page is the expected one; an edit in place takes a moment."""
    for _attempt in range(100):
        if state_of(watched, path, link) == expected:
            return
        watched.page.wait_for_timeout(100)
    assert state_of(watched, path, link) == expected


def undo_from_page(page: "Page") -> None:
    """Press the first button of a page's history, or the one that restores what was hidden or retired."""
    assert page.locator(".toast").count() == 0
    hidden = page.locator("#hidden summary")
    if hidden.count():
        hidden.click()
    names = ("Undo", "Revert", "Restore", "Show again")
    buttons = [button for name in names for button in page.locator(f"main button:text-is('{name}')").all()]
    restore = [button for button in buttons if button.inner_text() not in {"Undo", "Revert"}]
    (restore or buttons)[0].click()


def test_toast_goes_after_ten_seconds(sessions: "Sessions") -> None:
    """The toast is hidden after ten seconds, but not while it has the focus; the history keeps the undo."""
    with sessions.open("admin") as watched:
        watched.page.clock.install()
        watched.page.goto(f"{watched.base}{SETUP}")
        check_toast(watched.page)


def check_toast(page: "Page") -> None:
    """Cause a toast on a page whose clock is installed, and advance the clock."""
    from playwright.sync_api import expect

    submit("form[action$=facts]", recipients="1400")(page)
    toast = page.locator(".toast")
    page.clock.run_for(9_000)
    expect(toast).to_be_visible()
    toast.locator("button").focus()
    page.clock.run_for(20_000)
    expect(toast).to_be_visible()
    page.locator("h1").click()
    page.locator(".toast button").evaluate("button => button.blur()")
    page.clock.run_for(11_000)
    expect(toast).to_be_hidden()
    page.locator("#history button").first.click()
    page.wait_for_selector("text=Undone")


LONG = "x" * 600
Error = tuple[str, str, dict[str, str], str]
ERRORS: dict[str, Error] = {
    # name: path, form, values that are entered, id of the field with the error
    "recipients": (SETUP, "form[action$=facts]", {"title": "Kept", "recipients": "-4"}, "recipients"),
    "long title of an issue": (SETUP, "form[action$=facts]", {"title": LONG, "recipients": "77"}, "title"),
    "position of an article": (SETUP, "form.row-form", {"title-0": "Kept", "position-0": "first"}, "position-0"),
    "long title of an article": (SETUP, "form.row-form", {"title-0": LONG, "author-0": "Kept"}, "title-0"),
    "recipients at the last step": (
        "/-/issues/2026-12/ready",
        "form[action$=sent]",
        {"check": "date", "sent_at": "2026-01-01T08:00", "recipients": "12k"},
        "recipients",
    ),
    "destination of a link": ("link", "form[action$=target]", {"target": "javascript:alert(1)"}, "target"),
    "long title of a link": ("link", "form[action$=title]", {"title": LONG}, "title"),
    "expiry in the past": ("link", "form[action$=expiry]", {"expires_at": "2020-01-01T08:00"}, "expires_at"),
    "empty destination": ("/-/new-link", "main form", {"target": "", "title": "Kept"}, "target"),
    "private destination": ("/-/new-link", "main form", {"target": "http://10.0.0.1/", "code": "kept"}, "target"),
    "code that is taken": ("/-/new-link", "main form", {"target": "https://example.org/", "code": "taken"}, "code"),
    "code with a space": ("/-/new-link", "main form", {"target": "https://example.org/", "code": "a b"}, "code"),
    "number of picks": ("/-/settings", "main form", {"privacy.text": "Kept", "ranking.top": "101"}, "ranking-top"),
    "long privacy text": ("/-/settings", "main form", {"privacy.text": 7 * LONG, "ranking.gems": "2"}, "privacy-text"),
    "name that exists": ("/-/settings/users", "form:has(#new)", {"name": "viewer", "role": "admin"}, "new"),
    "name with a slash": ("/-/settings/users", "form:has(#new)", {"name": "a/b", "role": "viewer"}, "new"),
    "reason": ("/-/articles", "details.reason form", {"reason": LONG * 2}, "*-why"),
    "no title of a pick": (PICKS, ".pick form[action$=text]", {"title": "", "blurb": "Kept"}, "*-title"),
    "own template that fails": (PICKS, "#own-template form", {"template": "{% for %}"}, "own-text"),
    "wrong password": ("/-/account", "main form", {"current": "wrong wrong"}, "current"),
    "other password repeated": (
        "/-/account",
        "main form",
        {"current": "a sentence for tests", "password": "a long sentence", "again": "another one"},
        "again",
    ),
    "short password": (
        "/-/account",
        "main form",
        {"current": "a sentence for tests", "password": "short", "again": "short"},
        "password",
    ),
    "no issue": ("/-/new-issue", "main form", {"source": ""}, "source"),
    "slug": ("review", "form.review", {"slug": "a/b", "title": "Kept"}, "slug"),
    "position in the review": ("review", "form.review", {"position-0": "first", "title-0": "Kept"}, "position-0"),
    "destination in the review": ("review", "form.review", {"target-0": "ftp://example.org/"}, "target-0"),
}


@pytest.mark.parametrize("name", ERRORS)
def test_every_error_is_at_its_field(watched: "WatchedPage", link: str, name: str) -> None:
    """An error is at its field, which has the focus and is marked as invalid; what was entered is kept."""
    path, selector, values, field_id = ERRORS[name]
    page = watched.page
    if values.get("code") == "taken":
        page.goto(f"{watched.base}/-/new-link")
        submit("main form", target="https://example.org/", code="taken")(page)
    page.goto(watched.base + {"link": link, "review": "/-/new-issue"}.get(path, path))
    if path == "review":
        review(page, slug="errors")
    enter(page, selector, values)
    if field_id.startswith("*"):  # the id depends on the article
        field_id = page.locator("[aria-invalid=true]").get_attribute("id") or ""
        assert field_id.endswith(ERRORS[name][3].removeprefix("*"))
    check_error(page, field_id, values)
    assert all("(Bad Request)" in line or "(Conflict)" in line for line in watched.problems), watched.problems


def enter(page: "Page", selector: str, values: dict[str, str]) -> None:
    """Fill in a form and submit it, although the browser finds it incomplete."""
    page.locator(selector).first.wait_for(state="attached")  # the ranking is computed first
    page.evaluate("for (const part of document.querySelectorAll('details')) part.open = true")
    form = page.locator(selector).first
    form.evaluate("form => { form.noValidate = true; for (const field of form) field.removeAttribute('maxlength'); }")
    for name, value in values.items():
        if name == "check":
            form.locator(f"input[value={value}]").check()
        else:
            field(form, name).evaluate("(field, value) => { field.value = value; }", value)
    look = form.locator("button[value=look]")
    (look.last if look.count() else form.locator("button").first).click()
    page.wait_for_load_state()


def field(form: "Locator", name: str) -> "Locator":
    """Return the visible field of a name."""
    return form.locator(f"[name='{name}']:not([type=hidden])").first


def check_error(page: "Page", field_id: str, values: dict[str, str]) -> None:
    """Check the field with the error, the focus, the message and the other fields."""
    from playwright.sync_api import expect

    message = page.locator(f"#{field_id}-error")
    expect(message).to_be_visible()
    invalid = page.locator("[aria-invalid=true]")
    assert invalid.count() == 1
    assert invalid.get_attribute("aria-describedby") == f"{field_id}-error"
    expect(invalid).to_be_focused()
    text = message.inner_text()
    assert not text[0].islower() or text.startswith(tuple(value for value in values.values() if value)), text
    assert text.endswith(".")
    form = page.locator("form:has([aria-invalid=true])")
    for name, value in values.items():
        if name == "check":
            expect(form.locator(f"input[value={value}]")).to_be_checked()
        elif name not in {"current", "password", "again"}:
            assert field(form, name).input_value().strip() == value.replace("\r\n", "\n").strip(), name


def test_errors_of_sign_in_and_invite_link(signing_out: "WatchedPage") -> None:
    """The forms outside of the pages show their errors at their fields too, and keep the name."""
    from playwright.sync_api import expect

    page = signing_out.page
    page.goto(f"{signing_out.base}/-/settings/users")
    page.click("summary[aria-label='More about viewer']")
    page.locator("tr:has(bdi:text-is('viewer')) form[action$=invite] button").click()
    invite_url = page.inner_text("#address")
    expect(page.locator("[data-copy=address]")).to_be_visible()
    signing_out.sign_out()
    enter(page, "form", {"name": "admin", "password": "wrong wrong"})
    check_error(page, "password", {"name": "admin"})
    enter(page, "form", {"name": "a" * 70, "password": "wrong wrong"})
    check_error(page, "name", {"name": "a" * 70})
    page.goto(invite_url)
    enter(page, "form", {"password": "short", "again": "short"})
    check_error(page, "password", {})
    enter(page, "form", {"password": "a long sentence", "again": "another"})
    check_error(page, "again", {})


def test_lost_field(watched: "WatchedPage") -> None:
    """An error whose field is gone is shown at the top of the page."""
    page = watched.page
    page.goto(f"{watched.base}/-/settings/users")
    form = page.locator("tr:has(bdi:text-is('viewer')) form[action$=remove]")
    page.click("summary[aria-label='More about viewer']")
    form.locator("[name=name]").evaluate("field => { field.value = 'nobody'; }")
    form.locator("button").click()
    assert "nobody: no user has this name." in page.inner_text("main [role=alert]")


FORMS: dict[str, tuple[set[str], set[str]]] = {
    # endpoint: destructive acts in ACTS, errors in ERRORS
    "accounts.change_password": (set(), {"wrong password", "other password repeated", "short password"}),
    "issue_ready.mark_sent": ({"marked as sent"}, {"recipients at the last step"}),
    "issue_review.save_review": (set(), {"slug", "position in the review", "destination in the review"}),
    "setup.set_articles": ({"article", "roles"}, {"position of an article", "long title of an article"}),
    "setup.set_details": ({"details"}, {"recipients", "long title of an issue"}),
    "setup.set_status": ({"draft removed", "issue archived"}, set()),
    "links.set_status": ({"link retired"}, set()),
    "link_list.retire": ({"several links retired"}, set()),
    "links.set_target": ({"destination"}, {"destination of a link"}),
    "links.set_expiry": ({"expiry of a link"}, {"expiry in the past"}),
    "links.set_forward": ({"query strings of a link"}, set()),
    "links.set_title": ({"title of a link"}, {"long title of a link"}),
    "links.add_link": (set(), {"empty destination", "private destination", "code that is taken", "code with a space"}),
    "new_issue.add_text": (set(), {"no issue"}),
    "articles.decide": ({"decision", "decision removed"}, {"reason"}),
    "picks.edit_text": ({"texts of a pick"}, {"no title of a pick"}),
    "picks.move": ({"order of the picks"}, set()),
    "picks.change_settings": ({"number of picks"}, set()),
    "picks.save_template": ({"own template"}, {"own template that fails"}),
    "accounts.add_user": (set(), {"name that exists", "name with a slash"}),
    "settings.save_settings": ({"settings"}, {"number of picks", "long privacy text"}),
    "accounts.set_role": ({"role of a user"}, set()),
    "accounts.remove_user": ({"user removed"}, set()),
}
"""Forms with destructive acts or fields."""
OTHER_FORMS = {
    "accounts.invite": "an invite link replaces an unused one",
    "accounts.set_language": "is chosen again in the same place",
    "accounts.sign_out": "signs out",
    "accounts.try_sign_in": "test_errors_of_sign_in_and_invite_link",
    "accounts.welcome": "test_errors_of_sign_in_and_invite_link",
    "history.undo": "undoes",
    "issue_ready.check_targets": "changes nothing",
    "new_issue.discard": "asks before",
    "new_issue.replace_text": "keeps the corrections; its errors are those of new_issue.add_text",
    "setup.set_targets": "its undo is in tests/web/test_issue_setup.py; its errors are those of the review",
    "links.revert": "undoes",
    "picks.link_picks": "adds links",
    "picks.preview_edits": "saves nothing",
    "tokens.create_token": "adds a token",
    "tokens.revoke_own_token": "a revoked token must not come back; another one is created instead",
    "tokens.revoke_token": "a revoked token must not come back; another one is created instead",
    "webhooks.add_webhook": "adds a webhook",
    "webhooks.change_webhook": "changes an address, which the page shows",
    "webhooks.delete_webhook": "says before that it cannot be undone",
    "webhooks.retry_delivery": "sends a message again",
    "webhooks.rotate_secret": "the previous secret stays valid for a day",
    "webhooks.send_test": "sends a test",
    "webhooks.set_state": "has its inverse in the same place",
}
"""Forms without, and why."""


def test_every_form_is_in_these_tests(tmp_path: Path) -> None:
    """Every form of the pages is tested here, or is listed with the reason why it needs no undo and no error."""
    from shortener.app import create_pages_app
    from shortener.config import Config, Storage

    app = create_pages_app(Config(storage=Storage(data=str(tmp_path / "data"))))
    endpoints = {
        rule.endpoint
        for rule in app.url_map.iter_rules()
        if "POST" in (rule.methods or ()) and rule.rule.startswith("/-/") and not rule.rule.startswith("/-/api")
    }
    app.extensions["connection_pool"].close()
    assert endpoints == FORMS.keys() | OTHER_FORMS.keys()
    assert set().union(*(acts for acts, _ in FORMS.values())) == ACTS.keys()
    assert set().union(*(errors for _, errors in FORMS.values())) <= ERRORS.keys()
