"""The audience of an issue: parts that add up to its clicks, folded referrers, and the clicks of one value by link."""

from typing import TYPE_CHECKING

import pytest

from shortener.reporting.audience import build_audience, clicks_with_value, fold_value
from shortener.store import issues

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
