"""Events of webhooks about counted clicks, bursts of automated requests, and milestones of issues."""

from typing import Any

import msgspec
import pytest

from shortener.collector.other_collector import drain_once
from shortener.reporting.watermark import find_watermark
from shortener.services.webhook_events import MAX_LIST_BYTES, MIN_BURST_REQUESTS, record_due_events
from shortener.services.webhook_sender import WebhookSender
from shortener.services.webhooks import add_webhook, build_body
from shortener.store import webhooks
from tests.conftest import SENT, Newsletter

HOUR = 3_600


class Watched:
    """A newsletter with an endpoint that receives these events."""

    def __init__(self, newsletter: Newsletter, events: str) -> None:
        self.newsletter, self.store, self.config = newsletter, newsletter.store, newsletter.config
        self.webhook = add_webhook(self.store, "https://hooks.example.com/", events=[events], config=self.config, now=1)

    def record(self, now: int) -> list[dict[str, Any]]:
        """Record the events that are due, and return the data of all events until now, oldest first."""
        record_due_events(self.store, config=self.config, now=now)
        items = webhooks.list_deliveries(self.store, self.webhook.id, limit=100)
        bodies = [build_body(item.event, config=self.config) for item in reversed(items)]
        assert all(len(body) <= 20_000 for body in bodies)
        return [msgspec.json.decode(body)["data"] for body in bodies]


def test_each_click_is_in_one_event(newsletter: Newsletter) -> None:
    """Events have the clicks since the last one, people and machines apart, and none from before the endpoint."""
    newsletter.click("one", 1)
    newsletter.drain()
    site = Watched(newsletter, "clicks.counted")
    assert site.record(SENT) == []
    for visitor in ("bob", "cat"):
        newsletter.click("one", 1, visitor=visitor)
    newsletter.click("Lone", visitor="dan")
    newsletter.machine("bot", "two")
    newsletter.drain()
    assert site.record(SENT + 59) == []
    (event,) = site.record(SENT + 60)
    assert event == {
        "since": "2024-05-01T08:00:00Z",
        "clicks": 3,
        "automated": 1,
        "links": [
            {"short_url": "https://go.example/one", "issue": "may", "clicks": 2, "automated": 0},
            {"short_url": "http://b.example/Lone", "issue": None, "clicks": 1, "automated": 0},
            {"short_url": "https://go.example/two", "issue": "may", "clicks": 0, "automated": 1},
        ],
        "links_left_out": 0,
    }
    assert len(site.record(SENT + 600)) == 1  # no new clicks
    newsletter.click("two", visitor="eve")
    newsletter.drain()
    first, second = site.record(SENT + 660)
    assert (first["clicks"], second["clicks"], second["since"]) == (3, 1, "2024-05-01T08:01:00Z")


def test_a_flood_is_one_event_a_minute(newsletter: Newsletter) -> None:
    """However many clicks are counted in a minute, an endpoint gets one event, of a bounded size."""
    site = Watched(newsletter, "clicks.counted")
    site.record(SENT)
    newsletter.add_issue(
        "june", {f"code{n:03}": [("text", n)] for n in range(1, 301)}, places={}, sent_at=SENT, recipients=9
    )
    for second in range(60):
        for number in range(10):
            newsletter.click(f"code{1 + (second * 10 + number) % 300:03}", visitor=f"v{second}-{number}")
        newsletter.drain()
        site.record(SENT + 1 + second)
    (event,) = site.record(SENT + 60)
    assert event["clicks"] + event["automated"] == 600
    assert len(event["links"]) + event["links_left_out"] == 300
    assert event["links_left_out"] > 0
    assert len(msgspec.json.encode(event["links"])) <= MAX_LIST_BYTES + 2


def test_a_burst_is_reported_once_a_day(newsletter: Newsletter) -> None:
    """Many requests of one verdict, most of the requests of their issue, are one event until the next day."""
    site = Watched(newsletter, "traffic.machine_burst")
    for number in range(MIN_BURST_REQUESTS - 1):
        newsletter.click("one", 1, visitor=f"m{number}", after=10 - 60 * number, method="HEAD")
    newsletter.click("one", 2, after=20 - 60 * MIN_BURST_REQUESTS)
    newsletter.drain()
    assert site.record(SENT + 60) == []
    newsletter.click("two", method="HEAD", after=10)
    newsletter.drain()
    for now in (SENT + 60, SENT + 70):
        (event,) = site.record(now)
        assert (event["slug"], event["verdict"], event["requests"]) == ("may", "bot", MIN_BURST_REQUESTS)
        assert event["share"] == pytest.approx(MIN_BURST_REQUESTS / (MIN_BURST_REQUESTS + 1), abs=0.001)
    assert len(site.record(SENT + 86_400)) == 1  # too long ago


def test_few_machines_among_many_people_are_no_burst(newsletter: Newsletter) -> None:
    """Automated requests that are less than half of the requests are no burst."""
    site = Watched(newsletter, "traffic.machine_burst")
    newsletter.click("one", 1, after=10)
    newsletter.drain()
    for human, expected in ((MIN_BURST_REQUESTS + 1, 0), (MIN_BURST_REQUESTS, 1)):
        with site.store.transaction():
            site.store.execute("update clicks_by_issue set human = ?, bot = ?", (human, MIN_BURST_REQUESTS))
        assert len(site.record(SENT + 60)) == expected


def test_milestones_are_sent_once_their_clicks_are_final(read: Newsletter) -> None:
    """Each age is reported once, when all clicks until then are final; only the latest age if several are due."""
    site = Watched(read, "issue.milestone")
    assert site.record(SENT + HOUR + 14 * 60) == []
    (event,) = site.record(SENT + HOUR + 16 * 60)
    assert (event["slug"], event["age_hours"]) == ("may", 1)
    report = event["report"]
    assert report["totals"]["clicks"]["human"] == 6
    assert (report["recipients"], report["as_of"]) == (200, "2024-05-01T09:16:00Z")
    assert [article["url"] for article in report["articles"]] == ["https://a.example/one", "https://a.example/two"]
    assert report["articles"][0] | {"visitors": 0, "rate": 0} == {
        "position": 1,
        "url": "https://a.example/one",
        "title": "About one",
        "clicks": 4,
        "visitors": 0,
        "rate": 0,
    }
    assert len(site.record(SENT + 20 * HOUR)) == 1
    assert [each["age_hours"] for each in site.record(SENT + 80 * HOUR)] == [1, 72]
    assert [each["age_hours"] for each in site.record(SENT + 193 * HOUR)] == [1, 72]


def test_a_milestone_waits_for_the_click_log(read: Newsletter) -> None:
    """While a click from before the milestone is still in the click log only, it is not reported."""
    site = Watched(read, "issue.milestone")
    read.click("one", 1, visitor="late", after=HOUR - 5)
    read.write()
    now = SENT + 3 * HOUR
    assert find_watermark(read.store, config=read.config, now=now) < SENT + HOUR
    assert site.record(now) == []
    drain_once(read.store, config=read.config)
    assert find_watermark(read.store, config=read.config, now=now) == now - 15 * 60
    (event,) = site.record(now)
    assert event["report"]["totals"]["clicks"]["human"] == 7


def test_the_sender_records_due_events(read: Newsletter) -> None:
    """A running sender records what is due by its clock."""
    site = Watched(read, "issue.milestone")
    WebhookSender(read.config, clock=lambda: SENT + 2.0 * HOUR, resolver=lambda *_: []).step(read.store)
    assert [item.event.type for item in webhooks.list_deliveries(read.store, site.webhook.id, limit=5)] == [
        "issue.milestone"
    ]
