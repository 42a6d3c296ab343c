"""Drafts of picks: built without links, linked once, and changed by decisions."""

from typing import Any

import pytest

from shortener.config import Codes, Domain
from shortener.errors import InputError, NotFound
from shortener.services import draft_picks
from shortener.store import decisions, links

LATER = 1_800_000_000
ONE, TWO = "https://a.example/one", "https://a.example/two"
DECISION: dict[str, Any] = {"action": "pin", "reason": "asked for", "who": "Ana", "now": LATER}


def build(newsletter: Any, month: str = "2024-05") -> draft_picks.Draft:
    """Build the draft of a month."""
    return draft_picks.build_draft(newsletter.store, month, config=newsletter.config, as_of=LATER)


def link(newsletter: Any, draft: draft_picks.Draft, config: Any = None) -> draft_picks.Draft:
    """Add short links to a draft."""
    config = config or newsletter.config
    return draft_picks.add_short_links(newsletter.store, draft, config=config, now=LATER)


def short_urls(draft: draft_picks.Draft) -> list[str]:
    """Return the short URLs of both articles, '' without a link."""
    return [draft.details[url].short_url for url in (ONE, TWO)]


def test_concurrent_drafts_get_the_same_links(read: Any) -> None:
    """Two drafts built before either has links get the same links."""
    first, second = build(read), build(read)
    assert short_urls(first) == ["", ""]
    first, second = link(read, first), link(read, second)
    assert short_urls(first) == short_urls(second)
    assert all(short_urls(first))


def test_expired_link_is_replaced(read: Any) -> None:
    """An expired link of a draft is replaced by a new one, and other links are kept."""
    before = link(read, build(read))
    code = before.details[ONE].short_url.rpartition("/")[2]
    expiring = links.get(read.store, "go.example", code)
    links.update_field(read.store, expiring, "expires_at", LATER, who="Ana", now=LATER)
    after = link(read, build(read))
    assert after.details[ONE].short_url != before.details[ONE].short_url
    assert after.details[TWO].short_url == before.details[TWO].short_url


def test_link_with_a_changed_target_is_kept(read: Any) -> None:
    """A draft keeps a link whose target an editor changed."""
    draft = link(read, build(read))
    changed = links.get(read.store, "go.example", draft.details[ONE].short_url.rpartition("/")[2])
    links.update_field(read.store, changed, "target", "https://a.example/mirror", who="Ana", now=LATER)
    assert short_urls(build(read)) == short_urls(draft)


def test_codes_have_the_case_of_their_domain(read: Any) -> None:
    """With an alphabet of capitals, codes of a case-insensitive domain are stored in lower case."""
    config = read.config
    capitals = type(config)(
        domain=(Domain(host="go.example"),),
        storage=config.storage,
        codes=Codes(alphabet="ABCDEFGHKMNPQRSTUVWXYZ"),
    )
    draft = link(read, build(read), capitals)
    code = draft.details[ONE].short_url.rpartition("/")[2]
    assert code == code.lower()
    assert links.find(read.store, "go.example", code) is not None


def test_decisions_alone_make_a_draft(read: Any) -> None:
    """A pinned article stays in its month's draft, without rank, if all articles were shown again in a later month."""
    draft_picks.decide(read.store, "2024-05", ONE, config=read.config, **DECISION)
    places = {"one": 1, "two": 2}
    articles = {"one": [("title", 8)], "two": [("title", 9)]}
    read.add_issue("june", articles, recipients=None, sent_at=1_717_200_000, places=places, prefix="r")
    shown = draft_picks.report_draft(build(read))
    assert [(entry.url, entry.ranked) for entry in shown.featured] == [(ONE, None)]
    assert shown.featured[0].decision is not None


def test_decision_needs_an_article_of_the_month(read: Any) -> None:
    """A decision is accepted only for an article of an issue that was sent in the month."""
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


def test_invalid_month_is_refused(read: Any) -> None:
    """An invalid month raises InputError with an example of a valid one."""
    with pytest.raises(InputError, match="2026-11"):
        build(read, "May 2024")


def test_rendering_is_deterministic(read: Any) -> None:
    """A draft that is built and rendered twice gives equal bytes."""
    draft_picks.decide(read.store, "2024-05", TWO, config=read.config, **DECISION | {"action": "choose"})
    first, second = link(read, build(read)), link(read, build(read))
    assert draft_picks.render_section(first, "markdown") == draft_picks.render_section(second, "markdown")
    assert draft_picks.render_section(first, "html") == draft_picks.render_section(second, "html")
    assert draft_picks.report_draft(first) == draft_picks.report_draft(second)
