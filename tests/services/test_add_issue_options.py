"""Options of adding an issue against automated clicks: a honeypot link, and a recipient tag in every short URL."""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortener.collector.classifier import run_reclassification_queue
from shortener.collector.collector import Collector
from shortener.config import Config, Domain, Storage
from shortener.errors import InputError, NotFound
from shortener.reporting.issue_contents import load_issue_contents
from shortener.reporting.issue_report import build_issue_report
from shortener.services.add_issue import AddRequest, AddResult, add_or_update_issue
from shortener.services.edit import correct_issue, mark_honeypot
from shortener.store import Store, issues, links, open_store
from shortener.store.nearby_clicks import queued_issues

NOW = 1_795_500_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
PAGE = """<html><body><h1>May</h1>
<h2><a href="https://a.example/whales">Whales</a></h2><p>They sing, and now we can count them by it.</p>
<p><a href='https://a.example/whales'>Read more</a> <a href="https://b.example/about">About us</a></p>
</body></html>
"""
TAG = "*|UNIQID|*"


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        domain=(Domain(host="go.example", home="https://a.example/"),),
        storage=Storage(data=str(tmp_path / "data")),
    )


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    store = open_store(config.data_directory)
    yield store
    store.close()


def add(store: Store, config: Config, text: str | bytes = PAGE, *, slug: str = "may", **options: Any) -> AddResult:
    """Add an HTML issue."""
    source = text.encode() if isinstance(text, str) else text
    name = options.pop("filename", "may.html")
    return add_or_update_issue(
        store, AddRequest(source=source, filename=name, slug=slug, **options), config=config, now=NOW
    )


def honeypot_codes(store: Store, slug: str) -> list[str]:
    """Return the codes of an issue's honeypot links."""
    return [link.code for link in links.list_by_issue(store, issues.get(store, slug).id) if link.honeypot]


def without_honeypot(output: bytes) -> bytes:
    """Return an output without the HTML of its honeypot link."""
    return re.sub(rb'<div aria-hidden="true".*?</div>', b"", output)


def test_honeypot_link_is_inserted_once(store: Store, config: Config) -> None:
    """The option adds one link that is no article, changes no other byte, and adds nothing the second time."""
    plain = add(store, config, slug="plain").output
    result = add(store, config, add_honeypot=True)
    (code,) = honeypot_codes(store, "may")
    assert result.output.count(code.encode()) == 1
    assert result.honeypot_html.encode() in result.output
    assert result.honeypot_url == f"https://go.example/{code}"
    digits = rb"go\.example/\w+"
    assert re.sub(digits, b"", without_honeypot(result.output)) == re.sub(digits, b"", plain)
    shown = load_issue_contents(store, "may", config=config, now=NOW)
    assert [article.url for article in shown.articles] == ["https://a.example/whales"]
    assert [link.target for link in shown.links if link.trap] == ["https://a.example/"]
    for again in (PAGE, result.output):
        repeated = add(store, config, again, add_honeypot=True)
        assert (repeated.changed, repeated.output) == (False, result.output)


def test_new_version_keeps_its_honeypot_link(store: Store, config: Config) -> None:
    """A new version of an issue, made from its source or its output, keeps the honeypot link."""
    first = add(store, config, add_honeypot=True)
    for text in (PAGE.replace("sing", "hum"), first.output.replace(b"sing", b"whistle").decode()):
        result = add(store, config, text)
        assert result.changed
        assert result.honeypot_url == first.honeypot_url
        assert result.output.count(b"aria-hidden") == 1
        placed = {placement.link_id for placement in issues.list_placements(store, issues.get(store, "may").id)}
        assert links.get(store, "go.example", honeypot_codes(store, "may")[0]).id not in placed
    assert honeypot_codes(store, "may") == [first.honeypot_url.rpartition("/")[2]]


def test_honeypot_link_can_be_added_later(store: Store, config: Config) -> None:
    """Adding the output again with the option inserts a honeypot link and changes nothing else."""
    plain = add(store, config)
    result = add(store, config, plain.output, add_honeypot=True)
    assert result.changed
    assert without_honeypot(result.output) == plain.output


def test_honeypot_link_of_another_issue_is_replaced(store: Store, config: Config) -> None:
    """An issue made from another issue's output gets its own honeypot link in place of the other's."""
    may = add(store, config, add_honeypot=True)
    june = add(store, config, may.output.decode().replace("Whales", "Dolphins"), slug="june", allow_copy=True)
    assert june.honeypot_url
    assert june.honeypot_url != may.honeypot_url
    assert may.honeypot_url.encode() not in june.output
    assert june.output.count(b"aria-hidden") == 1


def test_markdown_has_no_invisible_links(store: Store, config: Config) -> None:
    """A honeypot link in Markdown raises InputError, and nothing is stored."""
    with pytest.raises(InputError, match="no invisible links"):
        add(store, config, "[a](https://a.example/)", filename="may.md", add_honeypot=True)
    assert issues.find(store, "may") is None


def test_every_short_url_gets_the_recipient_tag(store: Store, config: Config) -> None:
    """The tag is added to articles, other links and the honeypot link, and nothing else changes."""
    plain = add(store, config, add_honeypot=True)
    result = add(store, config, recipient_tag=TAG)
    assert result.changed
    assert result.output.count(f"?_c={TAG}".encode()) == result.output.count(b"https://go.example/") == 4
    assert result.output.replace(f"?_c={TAG}".encode(), b"") == plain.output


def test_adding_the_output_again_changes_nothing(store: Store, config: Config) -> None:
    """The output with tags added again changes nothing, and an edited output keeps tags and placements."""
    result = add(store, config, recipient_tag=TAG)
    before = issues.list_placements(store, issues.get(store, "may").id)
    for options in ({}, {"recipient_tag": TAG}):
        again = add(store, config, result.output, **options)
        assert (again.changed, again.output) == (False, result.output)
    edited = add(store, config, result.output.replace(b"sing", b"hum"))
    assert edited.output == result.output.replace(b"sing", b"hum")
    assert issues.list_placements(store, issues.get(store, "may").id) == before


def test_recipient_tag_is_kept_replaced_and_removed(store: Store, config: Config) -> None:
    """A new version keeps the tag, another tag replaces it, and an empty tag removes it."""
    plain = add(store, config)
    add(store, config, recipient_tag=TAG)
    assert TAG.encode() in add(store, config, PAGE.replace("sing", "hum")).output
    other = add(store, config, recipient_tag="{{contact.id}}").output
    assert b"{{contact.id}}" in other
    assert TAG.encode() not in other
    assert add(store, config, recipient_tag="").output == plain.output


def test_invalid_recipient_tag_stores_nothing(store: Store, config: Config) -> None:
    """A tag with spaces raises InputError, and nothing is stored."""
    with pytest.raises(InputError, match="cannot contain spaces"):
        add(store, config, recipient_tag="{{ id }}")
    assert issues.find(store, "may") is None


def click(store: Store, config: Config, *codes: str, after: float = 60, **options: Any) -> None:
    """Collect clicks of one address on these codes, 20 seconds apart, beginning ``after`` seconds after NOW."""
    directory = config.data_directory / "clicklog"
    directory.mkdir(exist_ok=True)
    name = f"s{len(list(directory.iterdir()))}"
    head = {"v": 1, "segment": name, "node": "n", "started": NOW}
    lines = [
        {"v": 1, "id": f"{name}-{n}", "ts": NOW + after + 20 * n, "host": "go.example", "code": code, "method": "GET",
         "status": 302, "ua": FIREFOX, "visitor": "v", "addr": "a", "net": "192.0.2.0/24", "lang": "en",
         "h": {"sec-fetch-mode": "navigate"}} | options
        for n, code in enumerate(codes)
    ]  # fmt: skip
    (directory / f"{name}.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (head, *lines)))
    collector = Collector(store, config=config)
    collector.drain()
    collector.close()


def verdicts(store: Store) -> list[str]:
    """Return the verdicts of all clicks."""
    return [row[0] for row in store.execute("select verdict from clicks order by seq")]


def codes(store: Store) -> tuple[str, str]:
    """Return the codes of the article and of the other link."""
    issue_links = links.list_by_issue(store, issues.get(store, "may").id)
    return issue_links[0].code, issue_links[1].code


def test_client_that_follows_the_honeypot_link_is_a_scanner(store: Store, config: Config) -> None:
    """A honeypot hit makes nearby clicks of the same browser and address scanner clicks as well."""
    result = add(store, config, add_honeypot=True)
    click(store, config, codes(store)[0], result.honeypot_url.rpartition("/")[2])
    assert verdicts(store) == ["scanner", "scanner"]
    report = build_issue_report(store, "may", as_of=NOW + 200, domains=config.domains)
    assert report.totals.clicks.human == 0
    assert [(link.trap, link.other) for link in report.links if link.short_url == result.honeypot_url] == [(True, 1)]
    assert report.settling


def test_link_can_be_marked_and_unmarked_as_honeypot(store: Store, config: Config) -> None:
    """Marking a link as honeypot reclassifies its clicks as scanner, and unmarking it as human again."""
    add(store, config)
    article, hidden = codes(store)
    click(store, config, article, hidden)
    assert verdicts(store) == ["human", "human"]
    options: dict[str, Any] = {"config": config, "who": "ann", "now": NOW}
    link = mark_honeypot(store, "may", f"https://go.example/{hidden}/3", **options)
    assert link.honeypot
    assert queued_issues(store)
    assert run_reclassification_queue(store) == {(1, "human", "scanner"): 2}
    assert not queued_issues(store)
    assert verdicts(store) == ["scanner", "scanner"]
    mark_honeypot(store, "may", hidden, is_honeypot=False, **options)
    click(store, config)
    assert verdicts(store) == ["human", "human"], "the collector runs the queue"
    with pytest.raises(NotFound, match="has no short link"):
        mark_honeypot(store, "may", "https://go.example/nothing", **options)


def test_article_marked_as_honeypot_loses_its_position(store: Store, config: Config) -> None:
    """An article whose link is marked as honeypot is not ranked any more."""
    add(store, config)
    mark_honeypot(store, "may", codes(store)[0], config=config, who="ann", now=NOW)
    assert all(article.position is None for article in issues.list_articles(store, issues.get(store, "may").id))


def test_new_sending_time_reclassifies_the_issue(store: Store, config: Config) -> None:
    """A click seconds after sending becomes scanner, and human again once the sending time is corrected."""
    add(store, config)
    click(store, config, codes(store)[0], after=5)
    for sent, verdict in ((NOW, "scanner"), (NOW - 9000, "human")):
        correct_issue(store, "may", now=NOW, sent_at=sent)
        run_reclassification_queue(store)
        assert verdicts(store) == [verdict]
    add(store, config, sent_at=NOW)
    run_reclassification_queue(store)
    assert verdicts(store) == ["scanner"]
