"""A link led elsewhere: what was decided and drafted about its article goes with it, whichever way it is changed."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from shortener.cli import main
from shortener.config import Config, Domain, Storage
from shortener.services import draft_picks, edit
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.store import Store, decisions, issues, links, open_store
from shortener.store.decisions import Action

SENT, NOW, MONTH = 1_714_600_000, 1_714_900_000, "2024-05"
SHORT, TARGET = "https://go.example/old1", "https://a.example/sieve"
SOURCE = (
    b"### [Whales](https://a.example/whales)\n\nsongs\n\n### [Sieve](https://go.example/old1)\n\nsieves\n"
)


class Office:
    """An installation with an issue that has an adopted short link without a target."""

    def __init__(self, directory: Path) -> None:
        self.config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(directory)))
        self.store: Store = open_store(self.config.data_directory)
        self.take_in()

    def take_in(self, source: bytes = SOURCE, slug: str = "may", target: str = "") -> None:
        targets = {("go.example", "old1"): target} if target else {}
        request = AddRequest(source=source, filename="may.md", slug=slug, sent_at=SENT, targets=targets)
        add_or_update_issue(self.store, request, config=self.config, now=SENT)

    def decide(self, url: str, action: Action = "pin", now: int = NOW) -> None:
        who = {"reason": action, "who": "Ana"}
        draft_picks.decide(self.store, MONTH, url, action=action, config=self.config, now=now, **who)

    def decided(self) -> dict[str, str]:
        return {each.url: each.action for each in decisions.list_by_month(self.store, MONTH)}

    def drafted(self) -> dict[str, str]:
        """The short URLs of the month's draft, made where it has none."""
        made = draft_picks.build_draft(self.store, MONTH, config=self.config, as_of=NOW)
        made = draft_picks.add_short_links(self.store, made, config=self.config, now=NOW)
        return {url: facts.short_url for url, facts in made.details.items()}

    def retarget(self, target: str = TARGET, code: str = "old1") -> None:
        link = links.get(self.store, "go.example", code)
        edit.retarget(self.store, link, target, config=self.config, who="Ana", now=NOW)


@pytest.fixture
def office(tmp_path: Path) -> Iterator[Office]:
    made = Office(tmp_path / "data")
    yield made
    made.store.close()


def by_the_command(office: Office) -> None:
    config = office.config.data_directory.parent / "config.toml"
    config.write_text(
        f'[storage]\ndata = "{office.config.data_directory}"\n[[domain]]\nhost = "go.example"\n'
    )
    words = ["--config", str(config), "link", "set", SHORT, "--target", TARGET]
    assert CliRunner().invoke(main, words).exit_code == 0


def by_the_issue(office: Office) -> None:
    office.take_in(SOURCE + b"\nmore\n", target=TARGET)


WAYS: dict[str, Callable[[Office], None]] = {
    "page": Office.retarget,
    "link set": by_the_command,
    "issue add --targets": by_the_issue,
}


@pytest.mark.parametrize("change", WAYS.values(), ids=WAYS.keys())
def test_a_first_target_takes_decisions_and_drafts_along(
    office: Office, change: Callable[[Office], None]
) -> None:
    """What was decided under the bare short link stands under the target, and the draft keeps that link."""
    office.decide(SHORT)
    assert office.drafted()[SHORT] == SHORT
    change(office)
    assert office.decided() == {TARGET: "pin"}
    assert office.drafted()[TARGET] == SHORT
    assert [each.url for each in issues.list_articles(office.store, 1)] == [
        "https://a.example/whales",
        TARGET,
    ]


def test_corrections_survive_a_first_target(office: Office) -> None:
    """What an editor called the article stands, also when the issue itself brings the target along."""
    edit.correct_article(office.store, "may", SHORT, config=office.config, title="A better sieve", position=1)
    by_the_issue(office)
    first = issues.list_articles(office.store, 1)[0]
    assert (first.url, first.title, first.position) == (TARGET, "A better sieve", 1)


def test_another_target_takes_decisions_along(office: Office) -> None:
    """The article of the issue is the same one; the links of drafts lead where they led."""
    office.retarget()
    office.decide(TARGET)
    office.retarget("https://a.example/moved")
    assert office.decided() == {"https://a.example/moved": "pin"}


def test_a_decision_stays_with_an_article_that_is_still_shown(office: Office) -> None:
    """Another issue leads to the old target: what was decided about it is not carried off."""
    office.retarget()
    office.take_in(b"### [Sieve](https://a.example/sieve)\n\nagain\n", slug="more")
    office.decide(TARGET)
    office.retarget("https://a.example/moved")
    assert office.decided() == {TARGET: "pin"}


@pytest.mark.parametrize(("order", "stays"), [((SHORT, TARGET), "exclude"), ((TARGET, SHORT), "pin")])
def test_of_two_decisions_the_later_stays(office: Office, order: tuple[str, str], stays: str) -> None:
    """When two issues' articles turn out to be one, so do the decisions of a month about them."""
    office.take_in(b"### [Sieve](https://a.example/sieve)\n\nagain\n", slug="more")
    for number, url in enumerate(order):
        office.decide(url, "pin" if url == SHORT else "exclude", now=NOW + number)
    office.retarget()
    assert office.decided() == {TARGET: stays}


def test_the_same_target_again_is_no_change(office: Office) -> None:
    """Nothing is written down."""
    office.retarget()
    office.retarget()
    assert len(links.list_edits(office.store, links.get(office.store, "go.example", "old1").id)) == 1
