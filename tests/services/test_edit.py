"""Changed targets: decisions and draft links of the article move to the new target."""

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
SOURCE = b"### [Whales](https://a.example/whales)\n\nsongs\n\n### [Sieve](https://go.example/old1)\n\nsieves\n"


class Installation:
    """An installation with an issue that has an adopted short link without a target."""

    def __init__(self, directory: Path) -> None:
        self.config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(directory)))
        self.store: Store = open_store(self.config.data_directory)
        self.add_issue()

    def add_issue(self, source: bytes = SOURCE, slug: str = "may", target: str = "") -> None:
        """Add an issue, with a target for its adopted short link if given."""
        targets = {("go.example", "old1"): target} if target else {}
        request = AddRequest(source=source, filename="may.md", slug=slug, sent_at=SENT, targets=targets)
        add_or_update_issue(self.store, request, config=self.config, now=SENT)

    def decide(self, url: str, action: Action = "pin", now: int = NOW) -> None:
        """Store a decision about an article."""
        values = {"reason": action, "who": "Ana"}
        draft_picks.decide(self.store, MONTH, url, action=action, config=self.config, now=now, **values)

    def actions(self) -> dict[str, str]:
        """Return the action of each decision of the month, by URL."""
        month_decisions = decisions.list_by_month(self.store, MONTH)
        return {decision.url: decision.action for decision in month_decisions}

    def draft_links(self) -> dict[str, str]:
        """Draft the month's picks and return their short URLs, by article URL."""
        draft = draft_picks.build_draft(self.store, MONTH, config=self.config, as_of=NOW)
        draft = draft_picks.add_short_links(self.store, draft, config=self.config, now=NOW)
        return {url: details.short_url for url, details in draft.details.items()}

    def retarget(self, target: str = TARGET, code: str = "old1") -> None:
        """Change the target of a link."""
        link = links.get(self.store, "go.example", code)
        edit.retarget(self.store, link, target, config=self.config, who="Ana", now=NOW)


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    installation = Installation(tmp_path / "data")
    yield installation
    installation.store.close()


def retarget_by_command(installation: Installation) -> None:
    """Change the target with ``shortener link set``."""
    config = installation.config.data_directory.parent / "config.toml"
    config.write_text(f'[storage]\ndata = "{installation.config.data_directory}"\n[[domain]]\nhost = "go.example"\n')
    arguments = ["--config", str(config), "link", "set", SHORT, "--target", TARGET]
    assert CliRunner().invoke(main, arguments).exit_code == 0


def retarget_by_issue(installation: Installation) -> None:
    """Set the target by a new version of the issue."""
    installation.add_issue(SOURCE + b"\nmore\n", target=TARGET)


WAYS: dict[str, Callable[[Installation], None]] = {
    "page": Installation.retarget,
    "link set": retarget_by_command,
    "issue add --targets": retarget_by_issue,
}


@pytest.mark.parametrize("change", WAYS.values(), ids=WAYS.keys())
def test_first_target_moves_decisions_and_draft_links(
    installation: Installation, change: Callable[[Installation], None]
) -> None:
    """Decisions and draft links stored under a short URL move to the link's first target."""
    installation.decide(SHORT)
    assert installation.draft_links()[SHORT] == SHORT
    change(installation)
    assert installation.actions() == {TARGET: "pin"}
    assert installation.draft_links()[TARGET] == SHORT
    assert [article.url for article in issues.list_articles(installation.store, 1)] == [
        "https://a.example/whales",
        TARGET,
    ]


def test_corrections_survive_the_first_target(installation: Installation) -> None:
    """Corrected title and position are kept when a new version of the issue sets the first target."""
    edit.correct_article(
        installation.store, "may", SHORT, config=installation.config, title="A better sieve", position=1
    )
    retarget_by_issue(installation)
    first = issues.list_articles(installation.store, 1)[0]
    assert (first.url, first.title, first.position) == (TARGET, "A better sieve", 1)


def test_new_target_moves_decisions(installation: Installation) -> None:
    """A decision moves to the new target of the article."""
    installation.retarget()
    installation.decide(TARGET)
    installation.retarget("https://a.example/moved")
    assert installation.actions() == {"https://a.example/moved": "pin"}


def test_decision_stays_if_an_article_has_the_old_target(installation: Installation) -> None:
    """A decision is not moved if an article of another issue still has the old target."""
    installation.retarget()
    installation.add_issue(b"### [Sieve](https://a.example/sieve)\n\nagain\n", slug="more")
    installation.decide(TARGET)
    installation.retarget("https://a.example/moved")
    assert installation.actions() == {TARGET: "pin"}


@pytest.mark.parametrize(("order", "kept"), [((SHORT, TARGET), "exclude"), ((TARGET, SHORT), "pin")])
def test_later_of_two_decisions_is_kept(installation: Installation, order: tuple[str, str], kept: str) -> None:
    """If a new target merges two articles, the later of their decisions in a month is kept."""
    installation.add_issue(b"### [Sieve](https://a.example/sieve)\n\nagain\n", slug="more")
    for number, url in enumerate(order):
        installation.decide(url, "pin" if url == SHORT else "exclude", now=NOW + number)
    installation.retarget()
    assert installation.actions() == {TARGET: kept}


def test_unchanged_target_records_no_edit(installation: Installation) -> None:
    """Setting the current target again records no edit."""
    installation.retarget()
    installation.retarget()
    assert len(links.list_edits(installation.store, links.get(installation.store, "go.example", "old1").id)) == 1
