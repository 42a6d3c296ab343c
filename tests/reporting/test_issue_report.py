"""Report of an issue: every click is counted once, under its article and placement."""

from typing import Any

import msgspec
import pytest

from shortener.errors import NotFound
from shortener.messages import message_text
from shortener.reporting.issue_report import IssueReport, build_issue_report
from shortener.store import issues, links

NOW = 1_800_000_000


def report_of(newsletter: Any, slug: str = "may") -> IssueReport:
    """Return the report of an issue, by default of May."""
    return build_issue_report(newsletter.store, slug, as_of=NOW, domains=newsletter.config.domains)


def test_clicks_are_counted_by_article_and_placement(read: Any) -> None:
    """Image and title of one article have their own counts; a click without a placement counts for the article."""
    one, two = report_of(read).articles
    assert (one.position, one.url, one.title, one.clicks) == (1, "https://a.example/one", "About one", 4)
    assert [(p.n, p.kind, p.clicks, p.visitors) for p in one.placements] == [
        (1, "image", 1, 1),
        (2, "title", 3, 2),
    ]
    assert (two.clicks, two.visitors, two.unplaced) == (1, 1, 1)
    assert [(p.n, p.clicks) for p in two.placements] == [(3, 0)]


def test_a_visitor_counts_once_for_each_link(read: Any) -> None:
    """Ann clicked two placements of the article and came back: she and Bob are its two visitors."""
    report = report_of(read)
    assert report.articles[0].visitors == 2
    assert report.articles[0].rate == 2 / 200
    assert report.totals.visitors == 3
    assert report.rate == 3 / 200


def test_other_links_are_reported_by_link(read: Any) -> None:
    """Clicks on the footer link are in the report under ``links``."""
    (foot,) = report_of(read).links
    assert (foot.short_url, foot.target, foot.clicks) == (
        "https://go.example/foot",
        "https://a.example/foot",
        1,
    )
    assert [(p.n, p.kind, p.clicks) for p in foot.placements] == [(4, "footer", 1)]


def test_automated_requests_are_counted_separately(read: Any) -> None:
    """Each verdict has its total; the clicks of an article are human only."""
    report = report_of(read)
    clicks = report.totals.clicks
    assert (clicks.human, clicks.bot, clicks.scanner, clicks.preview, clicks.prefetch) == (6, 1, 1, 1, 1)
    assert report.articles[0].other == 4
    assert report.quality.sentence.startswith("40 % of the requests were filtered as automated: 10 % mail scanners")
    assert {share.reason for share in report.quality.reasons} >= {"reader", "head-request", "prefetch-header"}


def test_the_parts_add_up_to_the_whole(read: Any) -> None:
    """Articles with other links, hours, and each breakdown add up to the human clicks of the issue."""
    report = report_of(read)
    human = report.totals.clicks.human
    parts: list[Any] = [*report.articles, *report.links]
    assert sum(part.clicks for part in parts) == human
    assert sum(part.other for part in parts) == report.totals.clicks.automated
    assert all(part.clicks == part.unplaced + sum(p.clicks for p in part.placements) for part in parts)
    assert sum(hour.human for hour in report.timeline) == human
    assert sum(hour.other for hour in report.timeline) == report.totals.clicks.automated
    assert {sum(part.clicks for part in named) for named in report.breakdown.values()} == {human}


def test_an_issue_without_clicks_lists_its_articles(newsletter: Any) -> None:
    """Articles without clicks are listed with zeros."""
    report = report_of(newsletter)
    assert [(row.position, row.clicks, row.rate) for row in report.articles] == [(1, 0, 0.0), (2, 0, 0.0)]
    assert (report.timeline, report.quality.sentence) == ((), "no clicks yet")
    assert [link.clicks for link in report.links] == [0]


def test_without_recipients_there_is_no_rate(newsletter: Any) -> None:
    """If the number of recipients is unknown, click rates are null, not zero."""
    newsletter.add_issue("june", {"six": [("title", 1)]}, recipients=None, sent_at=None, places={"six": 1})
    newsletter.click("six", 1)
    newsletter.drain()
    report = report_of(newsletter, "june")
    assert (report.recipients, report.rate, report.articles[0].rate) == (None, None, None)
    assert report.articles[0].clicks == 1


def test_json_has_the_keys_of_the_contract(read: Any) -> None:
    """The keys of the contract come first; times are in ISO 8601 with Z."""
    report = msgspec.to_builtins(report_of(read), enc_hook=message_text)
    contract = ["slug", "as_of", "totals", "recipients", "quality", "articles", "timeline"]
    assert list(report)[: len(contract)] == contract
    assert list(report["totals"]["clicks"]) == ["human", "bot", "scanner", "preview", "prefetch"]
    assert list(report["articles"][0])[:7] == [
        *("position", "url", "title", "clicks", "visitors", "rate", "placements"),
    ]
    assert list(report["articles"][0]["placements"][0])[:4] == ["n", "kind", "clicks", "visitors"]
    assert list(report["timeline"][0]) == ["hour", "human", "other"]
    assert report["as_of"] == "2027-01-15T08:00:00Z"
    assert report["timeline"][0]["hour"].endswith(":00:00Z")


def test_clicks_on_a_removed_placement_count_for_the_article(read: Any) -> None:
    """When a new version of the issue has no image, the clicks on the image still count for the article."""
    store = read.store
    issue = issues.get(store, "may")
    placements = [row for row in issues.list_placements(store, issue.id) if row.kind != "image"]
    with store.transaction():
        issues.replace_placements(store, issue.id, placements)
    one = report_of(read).articles[0]
    assert (one.clicks, one.unplaced) == (4, 1)


def test_an_article_without_position_is_reported_as_other_link(read: Any) -> None:
    """An article whose position was removed moves to the other links with all its clicks."""
    store = read.store
    issue = issues.get(store, "may")
    with store.transaction():
        two = issues.list_articles(store, issue.id)[1]
        issues.set_positions(store, {two.id: None})
    report = report_of(read)
    assert [article.url for article in report.articles] == ["https://a.example/one"]
    assert {(link.short_url, link.clicks) for link in report.links} == {
        ("https://go.example/two", 1),
        ("https://go.example/foot", 1),
    }


def test_two_codes_of_one_article_are_summed(newsletter: Any) -> None:
    """An article with two short links is one article with all placements."""
    store = newsletter.store
    with store.transaction():
        issue = issues.get(store, "may")
        first = issues.list_articles(store, issue.id)[0]
        alias = links.add(store, "go.example", "alias", target=first.url, now=1)
        links.assign_owner(store, alias, issue_id=issue.id, article_id=first.id, now=1)
        placements = issues.list_placements(store, issue.id)
        placements.append(issues.Placement(alias, 9, first.id, "more", "read more"))
        issues.replace_placements(store, issue.id, placements)
    newsletter.click("one", 1)
    newsletter.click("alias", 9)
    newsletter.drain()
    one = report_of(newsletter).articles[0]
    assert (one.clicks, one.short_urls) == (2, ("https://go.example/one", "https://go.example/alias"))
    assert [(p.n, p.clicks) for p in one.placements] == [(1, 1), (2, 0), (9, 1)]


def test_an_unknown_slug_is_named(newsletter: Any) -> None:
    """The report of an unknown slug raises NotFound with the slug."""
    with pytest.raises(NotFound, match="june: no issue has this slug"):
        report_of(newsletter, "june")
