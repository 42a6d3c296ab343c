"""What an issue gets that tells machines from readers: a hidden link, and a copy tag behind every short URL."""

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


def take(
    store: Store, config: Config, text: str | bytes = PAGE, *, slug: str = "may", **more: Any
) -> AddResult:
    source = text.encode() if isinstance(text, str) else text
    name = more.pop("filename", "may.html")
    return add_or_update_issue(
        store, AddRequest(source=source, filename=name, slug=slug, **more), config=config, now=NOW
    )


def traps(store: Store, slug: str) -> list[str]:
    return [link.code for link in links.list_by_issue(store, issues.get(store, slug).id) if link.honeypot]


def visible(output: bytes) -> bytes:
    """The issue without its hidden link."""
    return re.sub(rb'<div aria-hidden="true".*?</div>', b"", output)


def test_a_hidden_link_is_put_in_once(store: Store, config: Config) -> None:
    """--trap adds one link of its own, which is no article; every other byte is as without, and a second time none."""
    plain = take(store, config, slug="plain").output
    taken = take(store, config, add_honeypot=True)
    (code,) = traps(store, "may")
    assert taken.output.count(code.encode()) == 1
    assert taken.honeypot_html.encode() in taken.output
    assert taken.honeypot_url == f"https://go.example/{code}"
    digits = rb"go\.example/\w+"
    assert re.sub(digits, b"", visible(taken.output)) == re.sub(digits, b"", plain)
    shown = load_issue_contents(store, "may", config=config)
    assert [article.url for article in shown.articles if article.position] == ["https://a.example/whales"]
    assert [link.target for link in shown.links if link.trap] == ["https://a.example/"]
    for again in (PAGE, taken.output):
        once_more = take(store, config, again, add_honeypot=True)
        assert (once_more.changed, once_more.output) == (False, taken.output)


def test_a_new_version_keeps_its_hidden_link(store: Store, config: Config) -> None:
    """A corrected issue has the same hidden link, asked for again or not, from its source or from its output."""
    first = take(store, config, add_honeypot=True)
    for text in (PAGE.replace("sing", "hum"), first.output.replace(b"sing", b"whistle").decode()):
        taken = take(store, config, text)
        assert taken.changed
        assert taken.honeypot_url == first.honeypot_url
        assert taken.output.count(b"aria-hidden") == 1
        placed = {each.link_id for each in issues.list_placements(store, issues.get(store, "may").id)}
        assert links.get(store, "go.example", traps(store, "may")[0]).id not in placed
    assert traps(store, "may") == [first.honeypot_url.rpartition("/")[2]]


def test_a_hidden_link_can_be_asked_for_later(store: Store, config: Config) -> None:
    """The same file with --trap is a change; with the output as the source, too."""
    plain = take(store, config)
    taken = take(store, config, plain.output, add_honeypot=True)
    assert taken.changed
    assert visible(taken.output) == plain.output


def test_last_months_hidden_link_becomes_this_months(store: Store, config: Config) -> None:
    """An issue that was made from another one's output gets a hidden link of its own, in the place of that one."""
    may = take(store, config, add_honeypot=True)
    june = take(store, config, may.output.decode().replace("Whales", "Dolphins"), slug="june")
    assert june.honeypot_url
    assert june.honeypot_url != may.honeypot_url
    assert may.honeypot_url.encode() not in june.output
    assert june.output.count(b"aria-hidden") == 1


def test_markdown_has_no_invisible_links(store: Store, config: Config) -> None:
    """--trap on Markdown is refused with what can be done instead, and nothing is stored."""
    with pytest.raises(InputError, match="issue set SLUG --trap"):
        take(store, config, "[a](https://a.example/)", filename="may.md", add_honeypot=True)
    assert issues.find(store, "may") is None


def test_every_short_url_gets_the_copy_tag(store: Store, config: Config) -> None:
    """Articles, other links and the hidden one, each in its own quotes; without the tags it is the issue without."""
    plain = take(store, config, add_honeypot=True)
    taken = take(store, config, recipient_tag=TAG)
    assert taken.changed
    assert taken.output.count(f"?_c={TAG}".encode()) == taken.output.count(b"https://go.example/") == 4
    assert taken.output.replace(f"?_c={TAG}".encode(), b"") == plain.output


def test_adding_the_output_again_changes_nothing(store: Store, config: Config) -> None:
    """Byte for byte, under the same slug; under another one the tag is known and kept as well."""
    taken = take(store, config, recipient_tag=TAG)
    before = issues.list_placements(store, issues.get(store, "may").id)
    for more in ({}, {"recipient_tag": TAG}):
        again = take(store, config, taken.output, **more)
        assert (again.changed, again.output) == (False, taken.output)
    edited = take(store, config, taken.output.replace(b"sing", b"hum"))
    assert edited.output == taken.output.replace(b"sing", b"hum")
    assert issues.list_placements(store, issues.get(store, "may").id) == before


def test_a_copy_tag_is_kept_changed_and_taken_away(store: Store, config: Config) -> None:
    """A new version keeps the tag; another one replaces it; an empty one takes it away."""
    plain = take(store, config)
    take(store, config, recipient_tag=TAG)
    assert TAG.encode() in take(store, config, PAGE.replace("sing", "hum")).output
    other = take(store, config, recipient_tag="{{contact.id}}").output
    assert b"{{contact.id}}" in other
    assert TAG.encode() not in other
    assert take(store, config, recipient_tag="").output == plain.output


def test_a_bad_copy_tag_stores_nothing(store: Store, config: Config) -> None:
    """A tag with spaces is refused before anything is written."""
    with pytest.raises(InputError, match="cannot contain spaces"):
        take(store, config, recipient_tag="{{ id }}")
    assert issues.find(store, "may") is None


def click(store: Store, config: Config, *codes: str, after: float = 60, **more: Any) -> None:
    """Clicks of one address, a second apart, collected."""
    directory = config.data_directory / "clicklog"
    directory.mkdir(exist_ok=True)
    name = f"s{len(list(directory.iterdir()))}"
    head = {"v": 1, "segment": name, "node": "n", "started": NOW}
    lines = [
        {"v": 1, "id": f"{name}-{n}", "ts": NOW + after + 20 * n, "host": "go.example", "code": code, "method": "GET",
         "status": 302, "ua": FIREFOX, "visitor": "v", "addr": "a", "net": "192.0.2.0/24", "lang": "en",
         "h": {"sec-fetch-mode": "navigate"}} | more
        for n, code in enumerate(codes)
    ]  # fmt: skip
    (directory / f"{name}.jsonl").write_text("".join(json.dumps(each) + "\n" for each in (head, *lines)))
    collector = Collector(store, config=config)
    collector.drain()
    collector.close()


def verdicts(store: Store) -> list[str]:
    return [row[0] for row in store.execute("select verdict from clicks order by seq")]


def codes(store: Store) -> tuple[str, str]:
    """The codes of the article and of the other link."""
    found = links.list_by_issue(store, issues.get(store, "may").id)
    return found[0].code, found[1].code


def test_who_follows_the_hidden_link_is_no_reader(store: Store, config: Config) -> None:
    """Its click is a machine's at once and for good, and so are those of the same browser at that address around it."""
    taken = take(store, config, add_honeypot=True)
    click(store, config, codes(store)[0], taken.honeypot_url.rpartition("/")[2])
    assert verdicts(store) == ["scanner", "scanner"]
    report = build_issue_report(store, "may", as_of=NOW + 200, domains=config.domains)
    assert report.totals.clicks.human == 0
    assert [(link.trap, link.other) for link in report.links if link.short_url == taken.honeypot_url] == [
        (True, 1)
    ]
    assert report.settling


def test_a_hidden_link_can_be_declared_and_taken_back(store: Store, config: Config) -> None:
    """A link that turns out hidden makes machines of whoever followed it; taken back, they are readers again."""
    take(store, config)
    article, hidden = codes(store)
    click(store, config, article, hidden)
    assert verdicts(store) == ["human", "human"]
    more: dict[str, Any] = {"config": config, "who": "ann", "now": NOW}
    link = mark_honeypot(store, "may", f"https://go.example/{hidden}/3", **more)
    assert link.honeypot
    assert queued_issues(store)
    assert run_reclassification_queue(store) == {(1, "human", "scanner"): 2}
    assert not queued_issues(store)
    assert verdicts(store) == ["scanner", "scanner"]
    mark_honeypot(store, "may", hidden, is_honeypot=False, **more)
    click(store, config)
    assert verdicts(store) == ["human", "human"], "the collector does it by itself"
    with pytest.raises(NotFound, match="has no short link"):
        mark_honeypot(store, "may", "https://go.example/nothing", **more)


def test_a_declared_article_is_none_any_more(store: Store, config: Config) -> None:
    """What nobody sees is not ranked."""
    take(store, config)
    mark_honeypot(store, "may", codes(store)[0], config=config, who="ann", now=NOW)
    assert all(each.position is None for each in issues.list_articles(store, issues.get(store, "may").id))


def test_another_time_of_sending_judges_the_issue_again(store: Store, config: Config) -> None:
    """Clicks of the first seconds turn when it is told when the issue was sent, and turn back when that was wrong."""
    take(store, config)
    click(store, config, codes(store)[0], after=5)
    for sent, verdict in ((NOW, "scanner"), (NOW - 9000, "human")):
        correct_issue(store, "may", now=NOW, sent_at=sent)
        run_reclassification_queue(store)
        assert verdicts(store) == [verdict]
    take(store, config, sent_at=NOW)
    run_reclassification_queue(store)
    assert verdicts(store) == ["scanner"]
