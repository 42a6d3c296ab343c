"""Adding issues: new and adopted codes, stable placement numbers, one transaction, and a real issue."""

import csv
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortener.collector.collector import Collector
from shortener.config import Codes, Config, Domain, Newsletter, Storage
from shortener.errors import Conflict, InputError, UnreadableDocument
from shortener.reporting.issue_contents import load_issue_contents, load_other_links
from shortener.reporting.issue_report import build_issue_report
from shortener.services.add_issue import AddRequest, AddResult, add_or_update_issue, parse_targets
from shortener.store import Store, issues, links, open_store
from shortener.urls import MAX_TARGET_LENGTH
from tests.store_content import dump

NOW = 1_795_500_000
SEED = Path(__file__).parents[3] / "shared" / "seed"
PICKS = [
    "7pj1e",
    "kcib0",
    "tqbze",
    "2hewp",
    "eaaew",
    "7skna",
    "6tysv",
    "qcqaw",
    "8w75o",
    "uxdfy",
    "gu5r4",
    "9i0cn",
    "gpwc6",
    "fq3w8",
    "ds17r",
]

ISSUE = """# May

![logo](https://cdn.example/logo.png)

Read [the survey](https://a.example/survey) and [again](https://a.example/survey), or [mail us](mailto:x@a.example).

## Picks

[![pic](pic.png)](https://a.example/whales)

### [Whales](https://a.example/whales) by [Ann](https://people.example/ann)

They sing, and now we can count them by it, all winter long.

[Read more](https://a.example/whales)

`https://a.example/code` and [a page of ours](https://go.example/)

[Unsubscribe](https://a.example/unsubscribe?u=1) [{{ name }}](https://a.example/{{id}})
"""


@pytest.fixture
def config(tmp_path: Path) -> Config:
    return Config(
        domain=(Domain(host="go.example"), Domain(host="two.example", case_sensitive=True)),
        storage=Storage(data=str(tmp_path / "data")),
    )


@pytest.fixture
def store(config: Config) -> Iterator[Store]:
    store = open_store(config.data_directory)
    yield store
    store.close()


def add(store: Store, config: Config, text: str, **options: Any) -> AddResult:
    """Add a Markdown issue with the slug ``may``."""
    request = AddRequest(source=text.encode(), filename="may.md", **options)
    return add_or_update_issue(store, request, config=config, now=NOW)


def short_urls(output: bytes) -> list[str]:
    """Return ``code/n`` of every numbered short URL in an output."""
    return re.findall(r"https://(?:go|two)\.example/([A-Za-z0-9]+/\d+)", output.decode())


def test_one_code_for_an_article_and_one_number_for_a_placement(store: Store, config: Config) -> None:
    """Links to one target share a code, placements are numbered in document order, and other bytes are unchanged."""
    result = add(store, config, ISSUE)
    found = [url.split("/") for url in short_urls(result.output)]
    codes = [code for code, _ in found]
    assert [int(n) for _, n in found] == [1, 2, 3, 4, 5, 6]
    assert codes[0] == codes[1]
    assert codes[2] == codes[3] == codes[5]
    assert len(set(codes)) == 3
    restored = result.output.decode()
    for code, target in (
        (codes[0], "https://a.example/survey"),
        (codes[2], "https://a.example/whales"),
        (codes[4], "https://people.example/ann"),
    ):
        restored = re.sub(rf"https://go\.example/{code}/\d", target, restored)
    assert restored == ISSUE
    shown = load_issue_contents(store, "may", config=config, now=NOW)
    assert [(article.position, article.title, article.author) for article in shown.articles[:2]] == [
        (1, "Whales", "Ann"),
    ]
    roles = {link.target: link.role for link in shown.links}
    assert roles == {
        "https://a.example/survey": "inline",
        "https://a.example/whales": "article",
        "https://people.example/ann": "other",
    }
    assert any("unsubscribe" in line for line in result.skipped)
    assert any("{{id}}" in line for line in result.untouched)


def test_adding_again_changes_nothing(store: Store, config: Config) -> None:
    """Adding the source or the output again returns the same bytes and changes no row."""
    first = add(store, config, ISSUE, recipients=100)
    before = dump(store)
    for source in (ISSUE.encode(), first.output):
        again = add_or_update_issue(store, AddRequest(source=source, filename="may.md"), config=config, now=NOW + 99)
        assert again.output == first.output
        assert not again.changed
        assert dump(store) == before


def test_pasted_text_has_no_name_in_errors(store: Store, config: Config) -> None:
    """The error of a file begins with its name, that of pasted text with the problem."""
    for name, message in (("june.md", "june.md: the issue is not UTF-8"), ("", "the issue is not UTF-8")):
        with pytest.raises(UnreadableDocument) as refusal:
            add_or_update_issue(
                store, AddRequest(source=b"# caf\xe9", filename=name, slug="june"), config=config, now=NOW
            )
        assert str(refusal.value).startswith(message)


def test_output_under_another_slug_adopts_the_codes(store: Store, config: Config) -> None:
    """The output of an issue is recognised; a copy adopts its short links and gives them other placement numbers."""
    first = add(store, config, ISSUE)
    for source in (first.output, first.output.replace(b"all winter long", b"all year")):
        with pytest.raises(Conflict, match=r"june\.md: this is the issue may with short links"):
            add_or_update_issue(store, AddRequest(source=source, filename="june.md"), config=config, now=NOW)
    other = add_or_update_issue(
        store, AddRequest(source=first.output, filename="june.md", allow_copy=True), config=config, now=NOW
    )
    assert other.adopted == 3
    assert other.new_links == 0
    first_numbers, numbers = set(short_urls(first.output)), short_urls(other.output)
    assert not first_numbers & set(numbers)
    assert [url.split("/")[0] for url in numbers] == [url.split("/")[0] for url in short_urls(first.output)]


def test_new_version_keeps_codes_and_numbers(store: Store, config: Config) -> None:
    """Placements of a new version keep their numbers, and new placements get the next numbers."""
    first = add(store, config, ISSUE)
    changed = ISSUE.replace("## Picks", "A [new one](https://a.example/new).\n\n## Picks")
    second = add(store, config, changed)
    old, new = short_urls(first.output), short_urls(second.output)
    assert [url for url in new if url in old] == old
    assert [url.split("/")[1] for url in new if url not in old] == ["7"]


def test_corrections_survive_a_new_version(store: Store, config: Config) -> None:
    """A new version of an issue does not overwrite corrected titles, authors and positions."""
    from shortener.services.edit import correct_article

    add(store, config, ISSUE)
    correct_article(store, "may", "https://a.example/whales", config=config, title="Singing", author="Bo", position=1)
    add(store, config, ISSUE.replace("They sing,", "They sing well,"))
    shown = load_issue_contents(store, "may", config=config, now=NOW)
    assert [(article.position, article.title, article.author) for article in shown.articles[:2]] == [
        (1, "Singing", "Bo"),
    ]
    assert shown.articles[0].summary.startswith("They sing well,")


def test_placement_numbers_can_be_left_out(store: Store, config: Config) -> None:
    """Without numbers, short URLs are bare codes, and the placements are stored all the same."""
    result = add(store, config, ISSUE, number_placements=False)
    assert not short_urls(result.output)
    assert len(issues.list_placements(store, 1)) == 6


ADOPTING = "[one](https://go.example/AbC) [two](https://two.example/AbC/7?x=1#y) [three](https://go.example/new)"


def test_own_short_links_are_adopted(store: Store, config: Config) -> None:
    """Adopted links keep spelling, query and fragment; their targets come from the store or from the request."""
    with store.transaction():
        links.add(store, "go.example", "abc", target="https://a.example/1", now=NOW)
    targets = parse_targets([(2, "https://two.example/AbC", "https://a.example/2")], config=config)
    result = add(store, config, ADOPTING, targets=targets)
    assert result.output.decode() == (
        "[one](https://go.example/AbC/1) [two](https://two.example/AbC/7?x=1#y) [three](https://go.example/new/2)"
    )
    assert result.links_without_target == ("https://go.example/new",)
    assert result.adopted == 3
    later = parse_targets([(2, "go.example/new", "https://a.example/3")], config=config)
    again = add(store, config, ADOPTING, targets=later)
    assert again.changed
    assert again.links_without_target == ()
    assert links.get(store, "go.example", "new").target == "https://a.example/3"


def test_short_links_without_targets_get_the_same_target(store: Store, config: Config) -> None:
    """Two adopted short links that get one target later become one article."""
    text = "[one](https://go.example/one) [two](https://go.example/two)"
    assert len(add(store, config, text).links_without_target) == 2
    rows = [(2, f"https://go.example/{code}", "https://a.example/1") for code in ("one", "two")]
    assert add(store, config, text, targets=parse_targets(rows, config=config)).links_without_target == ()
    articles = [article for article in issues.list_articles(store, 1) if article.position is not None]
    assert [article.url for article in articles] == ["https://a.example/1"]
    assert {links.get(store, "go.example", code).target for code in ("one", "two")} == {"https://a.example/1"}
    assert {placement.article_id for placement in issues.list_placements(store, 1)} == {1}


def test_other_target_is_a_conflict(store: Store, config: Config) -> None:
    """A target that differs from the stored one raises Conflict with both targets, and nothing is stored."""
    with store.transaction():
        links.add(store, "go.example", "abc", target="https://a.example/1", now=NOW)
    targets = parse_targets([(2, "https://go.example/abc", "https://a.example/2")], config=config)
    with pytest.raises(Conflict, match=r"a\.example/1.*a\.example/2"):
        add(store, config, ADOPTING, targets=targets)
    assert issues.find(store, "may") is None


@pytest.mark.parametrize(
    ("rows", "words"),
    [
        pytest.param(
            [(2, "https://other.example/x", "https://a.example/")],
            ["line 2", "go.example"],
            id="other domain",
        ),
        pytest.param([(3, "https://go.example/x", "javascript:alert(1)")], ["line 3"], id="refused"),
        pytest.param([(3, "https://go.example/x", "https://go.example/y")], ["line 3"], id="our own domain"),
        pytest.param(
            [(2, "go.example/x", "https://a.example/1"), (3, "go.example/X", "https://a.example/2")],
            ["line 3", "twice"],
            id="one code, two targets",
        ),
    ],
)
def test_bad_targets_are_named_by_line(config: Config, rows: list[tuple[int, str, str]], words: list[str]) -> None:
    """An invalid row of targets raises InputError with its line and the reason."""
    with pytest.raises(InputError) as caught:
        parse_targets(rows, config=config)
    for word in words:
        assert word in str(caught.value)


def test_links_that_cannot_be_targets_are_left_alone(store: Store, config: Config) -> None:
    """A link with a user name, a private address or too many characters is listed, and the others are tracked."""
    text = (
        "[a](https://a.example/)\n\n[b](https://user:pass@a.example/)\n\n"
        f"[c](http://127.0.0.1/)\n\n[d](https://a.example/{'x' * MAX_TARGET_LENGTH})\n"
    )
    result = add(store, config, text)
    assert result.new_links == 1
    assert [line.split(":")[0] for line in result.untouched] == ["line 3", "line 5", "line 7"]
    assert "it has a user name" in result.untouched[0]
    assert all(len(line) < 400 for line in result.untouched)
    assert b"https://user:pass@a.example/" in result.output


@pytest.mark.parametrize(
    ("more", "words"),
    [
        pytest.param({"recipients": 0}, "recipients", id="no recipients"),
        pytest.param({"slug": "a/b"}, "slug", id="slug with a slash"),
        pytest.param({"slug": ""}, "slug", id="empty slug"),
        pytest.param({"slug": ".."}, "slug", id="slug of dots"),
        pytest.param({"domain": "other.example"}, "go.example", id="unknown domain"),
    ],
)
def test_invalid_values_are_refused(store: Store, config: Config, more: dict[str, Any], words: str) -> None:
    """Invalid recipients, slugs and domains raise InputError before anything is stored."""
    with pytest.raises(InputError, match=words):
        add(store, config, ISSUE, **more)
    assert store.value("select count(*) from links") == 0


def test_issue_without_links_is_accepted(store: Store, config: Config) -> None:
    """An issue without links is stored and returned unchanged."""
    result = add(store, config, "# Quiet\n\nNothing to click.\n")
    assert result.output == b"# Quiet\n\nNothing to click.\n"
    assert (result.articles, result.new_links) == (0, 0)


def test_skip_patterns_replace_the_default(store: Store, tmp_path: Path) -> None:
    """Configured skip patterns leave exactly the matching links unchanged."""
    config = Config(
        domain=(Domain(host="go.example"),),
        storage=Storage(data=str(tmp_path / "data")),
        newsletter=Newsletter(skip=("https://a.example/survey*",)),
    )
    result = add(store, config, ISSUE)
    assert b"https://a.example/survey" in result.output
    assert b"unsubscribe?u=1" in result.output
    assert any("unsubscribes" in line for line in result.untouched)


def test_two_codes_for_one_article_give_a_warning(store: Store, config: Config) -> None:
    """Two adopted codes with one target are one article, with a warning for the editor."""
    rows = [(2, "go.example/x", "https://a.example/1"), (3, "go.example/y", "https://a.example/1")]
    text = "The [survey of whales](https://go.example/x) and the [count of whales](https://go.example/y)."
    result = add(store, config, text, targets=parse_targets(rows, config=config))
    assert result.articles == 1
    assert any("one article under 2 codes" in warning for warning in result.warnings)


@pytest.fixture
def seed(tmp_path: Path) -> tuple[bytes, Config, list[tuple[int, str, str]]]:
    """A real issue of a newsletter, its domains and its targets."""
    if not SEED.is_dir():
        pytest.skip("the real issue is not part of the repository")
    config = Config(
        domain=tuple(Domain(host=host) for host in ("mktg.best", "mld.ai", "ws.towardsai.net")),
        storage=Storage(data=str(tmp_path / "data")),
    )
    rows = list(csv.reader((SEED / "targets.csv").read_text(encoding="utf-8").splitlines()))[1:]
    targets = [(line, *row) for line, row in enumerate(rows, start=2)]
    return (SEED / "issue-2021-04.md").read_bytes(), config, targets  # type: ignore[return-value]


def test_real_issue_end_to_end(
    seed: tuple[bytes, Config, list[tuple[int, str, str]]],
) -> None:
    """All 24 short links of a real issue are adopted, its 15 picks are found, and each click is counted once."""
    source, config, rows = seed
    store = open_store(config.data_directory)
    targets = parse_targets(rows, config=config)
    request = AddRequest(source=source, filename="issue-2021-04.md", targets=targets, sent_at=NOW, recipients=20_000)
    result = add_or_update_issue(store, request, config=config, now=NOW)
    assert result.adopted == 24
    assert result.links_without_target == ()
    shown = load_issue_contents(store, "issue-2021-04", config=config, now=NOW)
    by_code = {
        link.short_url.rpartition("/")[2]: article
        for article in (*shown.articles, *load_other_links(store, "issue-2021-04", config=config))
        for link in article.links
    }
    picks = [by_code[code] for code in PICKS]
    positions = [pick.position for pick in picks]
    assert None not in positions
    assert positions == sorted(positions)  # type: ignore[type-var]
    kinds = [tuple(place.kind for link in pick.links for place in link.placements) for pick in picks]
    assert kinds == [("image", "more"), *[("image", "title", "more")] * 14]
    assert all(pick.title for pick in picks)
    assert [code for code, pick in zip(PICKS, picks, strict=True) if not pick.author] == ["7pj1e", "8w75o"]
    for code in ("a21", "subscribe", "shop"):
        assert by_code[code].position is None
    _assert_only_urls_changed(source, result.output)
    _click_everything(store, config, shown)
    report = build_issue_report(store, "issue-2021-04", as_of=NOW + 60, domains=config.domains)
    counted = {article.url: article.clicks for article in report.articles}
    assert [counted[pick.url] for pick in picks] == [len(placements) for placements in kinds]
    assert sum(report.totals.clicks.__getattribute__(name) for name in ("human", "bot", "scanner")) == sum(
        len(link.placements) for link in shown.links
    )
    store.close()


def _assert_only_urls_changed(source: bytes, output: bytes) -> None:
    """Check that source and output are equal byte for byte without their URLs."""
    url = re.compile(rb"https?://[^\s()<>\[\]]+")
    assert url.sub(b"", source) == url.sub(b"", output)
    assert len(url.findall(source)) == len(url.findall(output))


def _click_everything(store: Store, config: Config, shown: Any) -> None:
    """Write one click of its own reader on each placement to the click log, and collect them."""
    import json

    directory = config.data_directory / "clicklog"
    directory.mkdir()
    lines = [{"v": 1, "segment": "seed", "node": "test", "started": NOW}]
    for link in shown.links:
        host, _, code = link.short_url.removeprefix("https://").partition("/")
        lines += [
            {
                "v": 1, "id": f"{code}-{place.n}", "ts": NOW + 30.0 + place.n, "host": host, "code": code, "n": place.n,
                "method": "GET", "status": 302, "visitor": f"{place.n:04}", "addr": f"{place.n:04}", "lang": "zh",
                "ua": "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0",
                "h": {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"},
            }
            for place in link.placements
        ]  # fmt: skip
    text = "".join(json.dumps(line) + "\n" for line in lines)
    (directory / "seed.jsonl").write_text(text, encoding="utf-8")
    collector = Collector(store, config=config)
    collector.drain()
    collector.close()


def test_new_codes_have_the_case_of_their_domain(store: Store, tmp_path: Path) -> None:
    """With an alphabet of capitals, codes of a case-insensitive domain are stored in lower case."""
    config = Config(
        domain=(Domain(host="go.example"),),
        storage=Storage(data=str(tmp_path / "data")),
        codes=Codes(alphabet="ABCDEFGHKMNPQRSTUVWXYZ"),
    )
    result = add(store, config, ISSUE)
    for code, _ in (url.split("/") for url in short_urls(result.output)):
        assert code == code.lower()
        assert links.find(store, "go.example", code)
