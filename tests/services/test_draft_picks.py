"""The draft as pages use it: a value without links first, linked once whoever asks, decided in any month."""

from typing import Any

import pytest

from shortener.config import Codes, Domain
from shortener.errors import InputError, NotFound
from shortener.services import draft_picks
from shortener.store import decisions, links

LATER = 1_800_000_000
ONE, TWO = "https://a.example/one", "https://a.example/two"
DECISION: dict[str, Any] = {"action": "pin", "reason": "asked for", "who": "Ana", "now": LATER}


def draft(newsletter: Any, month: str = "2024-05", **more: Any) -> draft_picks.Draft:
    return draft_picks.build_draft(newsletter.store, month, config=newsletter.config, as_of=LATER, **more)


def short_urls(made: draft_picks.Draft) -> list[str]:
    return [made.details[url].short_url for url in (ONE, TWO)]


def test_two_who_draft_at_once_get_the_same_links(read: Any) -> None:
    """Both looked before either made links; the second takes what the first made."""
    first, second = draft(read), draft(read)
    assert short_urls(first) == ["", ""]
    made = [
        draft_picks.add_short_links(read.store, each, config=read.config, now=LATER)
        for each in (first, second)
    ]
    assert short_urls(made[0]) == short_urls(made[1])
    assert all(short_urls(made[0]))


def test_a_link_that_has_expired_is_replaced(read: Any) -> None:
    """By its time, not only by hand."""
    made = draft_picks.add_short_links(read.store, draft(read), config=read.config, now=LATER)
    code = made.details[ONE].short_url.rpartition("/")[2]
    link = links.get(read.store, "go.example", code)
    links.update_field(read.store, link, "expires_at", LATER, who="Ana", now=LATER)
    again = draft_picks.add_short_links(read.store, draft(read), config=read.config, now=LATER)
    assert again.details[ONE].short_url != made.details[ONE].short_url
    assert again.details[TWO].short_url == made.details[TWO].short_url


def test_a_link_follows_what_an_editor_changed(read: Any) -> None:
    """A new target is the editor's will: the draft keeps the link."""
    made = draft_picks.add_short_links(read.store, draft(read), config=read.config, now=LATER)
    link = links.get(read.store, "go.example", made.details[ONE].short_url.rpartition("/")[2])
    links.update_field(read.store, link, "target", "https://a.example/mirror", who="Ana", now=LATER)
    assert short_urls(draft(read)) == short_urls(made)


def test_codes_are_found_again_whatever_the_alphabet(read: Any) -> None:
    """On a domain that knows no case a code of capitals is stored in small letters."""
    config = read.config
    loud = type(config)(
        domain=(Domain(host="go.example"),),
        storage=config.storage,
        codes=Codes(alphabet="ABCDEFGHKMNPQRSTUVWXYZ"),
    )
    made = draft_picks.add_short_links(read.store, draft(read), config=loud, now=LATER)
    code = made.details[ONE].short_url.rpartition("/")[2]
    assert code == code.lower()
    assert links.find(read.store, "go.example", code) is not None


def test_a_month_of_decisions_alone_is_a_draft(read: Any) -> None:
    """When all its articles were shown again later, what was pinned stands; its figures are the later month's."""
    draft_picks.decide(read.store, "2024-05", ONE, config=read.config, **DECISION)
    places = {"one": 1, "two": 2}
    articles = {"one": [("title", 8)], "two": [("title", 9)]}
    read.add_issue("june", articles, recipients=None, sent_at=1_717_200_000, places=places, prefix="r")
    shown = draft_picks.report_draft(draft(read))
    assert [(each.url, each.ranked) for each in shown.featured] == [(ONE, None)]
    assert shown.featured[0].decision is not None


def test_a_decision_needs_an_article_of_the_month(read: Any) -> None:
    """Shown in one of its issues: last shown or not, sent already."""
    read.add_issue(
        "june", {"one": [("title", 9)]}, recipients=None, sent_at=1_717_200_000, places={"one": 1}, prefix="r"
    )
    for month in ("2024-05", "2024-06"):
        assert draft_picks.decide(read.store, month, ONE, config=read.config, **DECISION).month == month
    with pytest.raises(NotFound, match="shown in 2024-05"):
        draft_picks.decide(read.store, "2024-06", TWO, config=read.config, **DECISION)
    early = DECISION | {"now": 1_717_199_999}
    with pytest.raises(NotFound, match="shown in 2024-05"):
        draft_picks.decide(read.store, "2024-06", ONE, config=read.config, **early)
    assert len(decisions.list_all(read.store)) == 2


def test_a_month_that_is_none_is_refused_before_anything_is_read(read: Any) -> None:
    """With how to write one."""
    with pytest.raises(InputError, match="2026-11"):
        draft(read, "May 2024")


def test_the_section_is_the_same_byte_for_byte(read: Any) -> None:
    """Drafted and rendered twice."""
    draft_picks.decide(read.store, "2024-05", TWO, config=read.config, **DECISION | {"action": "choose"})
    made = [
        draft_picks.add_short_links(read.store, draft(read), config=read.config, now=LATER) for _ in range(2)
    ]
    assert draft_picks.render_section(made[0], "markdown") == draft_picks.render_section(made[1], "markdown")
    assert draft_picks.render_section(made[0], "html") == draft_picks.render_section(made[1], "html")
    assert draft_picks.report_draft(made[0]) == draft_picks.report_draft(made[1])
