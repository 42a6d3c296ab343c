"""The audience of an issue: parts that add up to its clicks, folded referrers, and the clicks of one value by link."""

from typing import TYPE_CHECKING

import pytest

from shortener.reporting.audience import (
    build_audience,
    clicks_with_value,
    fold_value,
    significant_differences,
    usual_share,
)
from shortener.store import issues, listings, reports

if TYPE_CHECKING:
    from tests.conftest import Newsletter

IPHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1"
)
REFERRERS = {
    "eur02.safelinks.protection.outlook.com": "Outlook (Safe Links)",
    "NAM11.safelinks.protection.outlook.com": "Outlook (Safe Links)",
    "urldefense.com": "Proofpoint (URL Defense)",
    "url.de.m.mimecastprotect.com": "Mimecast (URL Protect)",
    "android-app://com.google.android.gm": "Gmail",
    "com.google.android.gm": "Gmail",
    "mail.google.com": "Gmail",
    "www.google.com": "www.google.com",
    "noturldefense.com": "noturldefense.com",
    "t.co": "X",
    "outlook.com.example": "outlook.com.example",
    "": "",
}


@pytest.mark.parametrize(("host", "name"), REFERRERS.items(), ids=[host or "none" for host in REFERRERS])
def test_hosts_of_a_client_have_its_name(host: str, name: str) -> None:
    """A listed host and its subdomains have the name of their client; others stay, also those that only look alike."""
    assert fold_value("referrer", host) == name
    assert fold_value("language", host) == host


def test_parts_add_up(newsletter: "Newsletter") -> None:
    """Parts are the largest first and add up to all clicks; two hosts of a client are one part."""
    hosts = ("a.safelinks.protection.outlook.com", "b.safelinks.protection.outlook.com", "x.example")
    for number, host in enumerate(hosts):
        newsletter.click("one", 1, visitor=f"v{number}", after=900 * (number + 1), ref=f"https://{host}/")
    newsletter.click("two", 3, visitor="w", after=4_000, ua=IPHONE)
    newsletter.drain()
    audience = build_audience(newsletter.store, issues.get(newsletter.store, "may").id, human=4)
    referrers = [(part.value, part.clicks, part.share) for part in audience["referrer"]]
    assert referrers == [("Outlook (Safe Links)", 2, 0.5), ("", 1, 0.25), ("x.example", 1, 0.25)]
    assert [(part.value, part.clicks) for part in audience["device"]] == [("computer", 3), ("phone", 1)]
    assert all(sum(part.clicks for part in parts) == 4 for parts in audience.values())


def test_clicks_of_one_value_by_link(newsletter: "Newsletter") -> None:
    """The clicks with a value are those of each link, exactly; a client has the clicks of all its hosts."""
    safe_links = "https://{}.safelinks.protection.outlook.com/"
    newsletter.click("one", 1, visitor="a", after=300, ua=IPHONE, ref=safe_links.format("x"))
    newsletter.click("one", 2, visitor="b", after=1_300, ref=safe_links.format("y"))
    newsletter.click("two", 3, visitor="c", after=2_300, ua=IPHONE)
    newsletter.drain()
    issue_id = issues.get(newsletter.store, "may").id

    def counts(dimension: str, value: str) -> dict[str, int]:
        return {row.code: row.clicks for row in clicks_with_value(newsletter.store, issue_id, dimension, value)}

    assert counts("device", "phone") == {"one": 1, "two": 1}
    assert counts("device", "computer") == {"one": 1}
    assert counts("referrer", "Outlook (Safe Links)") == {"one": 2}
    assert counts("device", "tablet") == {}


def test_usual_share_of_earlier_issues(newsletter: "Newsletter") -> None:
    """The usual share is the median of at least four issues; one without such clicks counts as 0."""
    store = newsletter.store
    for number, phones in enumerate((0, 1, 2, 3)):
        newsletter.add_issue(
            f"n{number}", {f"n{number}": [("title", 1)]}, places={f"n{number}": 1}, recipients=None, sent_at=1_000
        )
        for click in range(4):
            agent = {"ua": IPHONE} if click < phones else {}
            newsletter.click(f"n{number}", 1, visitor=f"v{number}-{click}", after=900 * (click + 1), **agent)
    newsletter.drain()
    earlier = [issue for issue in listings.list_issues(store) if issue.slug.startswith("n")]
    usual = usual_share(store, earlier, "device", "phone")
    assert usual is not None
    assert (usual.median, usual.issues) == (0.375, 4)
    assert usual_share(store, earlier[1:], "device", "phone") is None
    phones_by_issue = reports.clicks_by_issue(store, [issue.id for issue in earlier], "device", "phone")
    assert sorted(phones_by_issue.values()) == [1, 2, 3]


DIFFERENCES = {
    "more and less": ([(60, 40), (20, 180), (20, 80)], (100, 300), ["+", "-", "0"]),
    "chance": ([(18, 72), (16, 58), (12, 37)], (120, 339), ["0", "0", "0"]),
    # One article alone would be significant at this size (z = 2.2); among ten it is not.
    "corrected for many articles": ([(30, 20), *[(7, 8)] * 9], (100, 100), ["0"] * 10),
    "the same article alone": ([(34, 20)], (100, 100), ["+"]),
    "few clicks": ([(4, 0)], (5, 400), ["0"]),
    "all clicks": ([(400, 400)], (400, 400), ["0"]),
    "one group only": ([(40, 0)], (40, 0), ["0"]),
    "no articles": ([], (40, 40), []),
}


@pytest.mark.parametrize(("clicks", "totals", "signs"), DIFFERENCES.values(), ids=DIFFERENCES)
def test_differences_beyond_chance(clicks: list[tuple[int, int]], totals: tuple[int, int], signs: list[str]) -> None:
    """A difference between two groups of readers counts if it is unlikely by chance in any of the articles."""
    found = significant_differences(clicks, totals)
    assert ["+" if score > 0 else "-" if score < 0 else "0" for score in found] == signs


def test_score_is_that_of_the_two_proportion_test() -> None:
    """The score of 60 of 100 clicks beside 40 of 100 is that of textbooks."""
    assert significant_differences([(60, 40)], (100, 100)) == pytest.approx([2.8284], abs=1e-4)
