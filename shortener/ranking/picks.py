"""The picks: articles recommended in the next issue, from the ranking and editors' decisions.

The rules are in docs/ranking.md section 13.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from shortener.errors import InputError
from shortener.ranking.result import RankedArticle, Ranking

Action = Literal["pin", "exclude", "choose"]


class Decision(Struct, frozen=True):
    """What the editor `who` decided about an article."""

    url: str
    action: Action
    """`pin` puts the article at the top of `featured`, `choose` at the top of `lesser_known`. `exclude` removes it."""
    reason: str
    """Can be empty."""
    who: str
    decided_at: float
    """Seconds of the UTC epoch."""


class ArticleDetails(Struct, frozen=True):
    """The data of an article that a template can show."""

    url: str
    title: str
    short_url: str
    """Short link of the article. "/1", "/2" and so on are appended for the image, the title and the "more" link."""
    image: str | None = None
    byline: str | None = None
    byline_url: str | None = None
    blurb: str | None = None


class Pick(Struct, frozen=True):
    """One recommended article."""

    url: str
    origin: Literal["list", "gem", "pinned", "chosen"]
    """From the ranking: "list" or "gem". By an editor: "pinned" or "chosen"."""
    ranked: RankedArticle | None
    """Its entry in the ranking; None if the ranking does not contain it."""
    decision: Decision | None
    """What an editor decided about it, if anything."""


class Picks(Struct, frozen=True):
    """The recommended articles, in two lists."""

    featured: tuple[Pick, ...]
    """The articles that editors pinned, and then the first of the ranking."""
    lesser_known: tuple[Pick, ...]
    """The articles that editors chose, and then hidden gems (good articles that few readers saw)."""
    excluded: tuple[Decision, ...]
    """The decisions that removed an article. Only editors see these decisions."""
    footer: str
    warnings: tuple[str, ...]


def select_picks(
    ranking: Ranking,
    *,
    decisions: Iterable[Decision] = (),
    max_featured: int | None = None,  # with pinned articles; None: the length of the ranking's top list
    max_gems: int | None = None,  # limit of good articles that few readers saw; None: all gems of the ranking
) -> Picks:
    """Select the recommended articles of the next issue from a ranking and the editors' decisions.

    Raises InputError.
    """
    decision_by_url = _latest_decision_by_url(decisions)
    ranked_by_url = {article.url: article for article in ranking.articles}
    pinned, chosen = (
        [
            Pick(decision.url, origin, ranked_by_url.get(decision.url), decision)
            for decision in decision_by_url.values()
            if decision.action == action
        ]
        for action, origin in _ORIGINS
    )
    free_count = max((ranking.top if max_featured is None else max_featured) - len(pinned), 0)
    listed = [row.url for row in ranking.articles if row.url not in decision_by_url][:free_count]
    gems = [url for url in ranking.gems if url not in decision_by_url and url not in listed][:max_gems]
    return Picks(
        featured=(*pinned, *(Pick(url, "list", ranked_by_url[url], None) for url in listed)),
        lesser_known=(*chosen, *(Pick(url, "gem", ranked_by_url[url], None) for url in gems)),
        excluded=tuple(decision for decision in decision_by_url.values() if decision.action == "exclude"),
        footer=ranking.footer,
        warnings=ranking.warnings,
    )


_ORIGINS: tuple[tuple[Action, Literal["pinned", "chosen"]], ...] = (("pin", "pinned"), ("choose", "chosen"))


def _latest_decision_by_url(decisions: Iterable[Decision]) -> Mapping[str, Decision]:
    latest: dict[str, Decision] = {}
    for decision in sorted(decisions, key=lambda d: (d.decided_at, d.url, d.action, d.who, d.reason)):
        _check_decision(decision)
        latest.pop(decision.url, None)  # moves it to the end: the items are in the order of time
        latest[decision.url] = decision
    return latest


def _check_decision(decision: Decision) -> None:
    if decision.action not in ("pin", "exclude", "choose"):
        raise InputError(f"unknown decision {decision.action!r}; use pin, exclude or choose")
    if not decision.who.strip():
        raise InputError(f"the decision on {decision.url} needs an editor's name")


def arrange_picks(picks: Picks, order: Sequence[str]) -> Picks:
    """Return the recommended articles, with both lists in the order of the URLs in `order`.

    Other articles stay behind their predecessors.
    """
    return msgspec.structs.replace(
        picks, featured=_arrange(picks.featured, order), lesser_known=_arrange(picks.lesser_known, order)
    )


def _arrange(picks: Sequence[Pick], order: Sequence[str]) -> tuple[Pick, ...]:
    rank = {url: number for number, url in enumerate(order)}
    arranged = sorted((pick for pick in picks if pick.url in rank), key=lambda pick: rank[pick.url])
    previous: Pick | None = None
    for pick in picks:
        if pick.url not in rank:
            arranged.insert(0 if previous is None else arranged.index(previous) + 1, pick)
        previous = pick
    return tuple(arranged)


def picked_urls(picks: Picks) -> Sequence[str]:
    """Return the URLs of all recommended articles, first the featured and then the lesser known."""
    return [pick.url for pick in (*picks.featured, *picks.lesser_known)]
