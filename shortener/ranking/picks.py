"""The picks: the section of recommended articles in the next issue.

They are the first articles of the ranking and its hidden gems (good articles that few readers saw), changed by editors'
decisions. A decision moves or removes an article and changes no figure of the ranking (docs/ranking.md section 13).
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

import msgspec
from msgspec import Struct

from shortener.errors import InputError
from shortener.ranking.result import RankedArticle, Ranking

Action = Literal["pin", "exclude", "choose"]


class Decision(Struct, frozen=True):
    """What the editor `who` decided about an article; `decided_at` is in epoch seconds, `reason` can be empty.

    `pin` puts the article first in the list, `choose` first among the lesser known articles, and `exclude` removes it.
    """

    url: str
    action: Action
    reason: str
    who: str
    decided_at: float


class ArticleDetails(Struct, frozen=True):
    """The data of an article that a template can show.

    `short_url` is the short link of the article, to which numbers are added so that clicks on image, title and further
    links are counted separately.
    """

    url: str
    title: str
    short_url: str
    image: str | None = None
    byline: str | None = None
    byline_url: str | None = None
    blurb: str | None = None


class Pick(Struct, frozen=True):
    """One recommended article; `origin` says where it comes from.

    That is the top of the ranking, its hidden gems (good articles that few readers saw), or an editor. `ranked` is its
    entry in the ranking, or None if the ranking does not contain it. `decision` is what an editor decided about it, if
    anything.
    """

    url: str
    origin: Literal["list", "gem", "pinned", "chosen"]
    ranked: RankedArticle | None
    decision: Decision | None


class Picks(Struct, frozen=True):
    """The recommended articles, in two lists.

    `featured` are the articles that editors pinned and the first of the ranking. `lesser_known` are the articles that
    editors chose and the hidden gems (good articles that few readers saw). `excluded` are the decisions that removed an
    article; readers never see them.
    """

    featured: tuple[Pick, ...]
    lesser_known: tuple[Pick, ...]
    excluded: tuple[Decision, ...]
    footer: str
    warnings: tuple[str, ...]


def select_picks(
    ranking: Ranking,
    *,
    decisions: Iterable[Decision] = (),
    max_featured: int | None = None,
    max_gems: int | None = None,
) -> Picks:
    """Select the recommended articles of the next issue from a ranking and the editors' decisions.

    Featured are the pinned articles, oldest decision first, and then those of the ranking, up to `max_featured` in all.
    Lesser known are the articles that editors chose, and then at most `max_gems` hidden gems (good articles that few
    readers saw). The default numbers are those of the ranking. The last decision about an article counts. Raises
    InputError for a decision without a name, or with an unknown action.
    """
    decision_by_url = _effective_decisions(decisions)
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


def _effective_decisions(decisions: Iterable[Decision]) -> Mapping[str, Decision]:
    """Return for each article URL the decision that counts: the last one about the article.

    The mapping is in order of the times of these decisions, oldest first. Raises InputError for an invalid decision.
    """
    effective: dict[str, Decision] = {}
    for decision in sorted(decisions, key=lambda d: (d.decided_at, d.url, d.action, d.who, d.reason)):
        _check_decision(decision)
        effective.pop(decision.url, None)  # so that it moves to the end
        effective[decision.url] = decision
    return effective


def _check_decision(decision: Decision) -> None:
    if decision.action not in ("pin", "exclude", "choose"):
        raise InputError(f"unknown decision {decision.action!r}; use pin, exclude or choose")
    if not decision.who.strip():
        raise InputError(f"the decision on {decision.url} needs an editor's name")


def arrange_picks(picks: Picks, order: Sequence[str]) -> Picks:
    """Return the recommended articles, sorted within each of the two lists as an editor arranged them.

    `order` are the URLs of the articles in this order. An article that is not in `order` stays behind the article that
    it followed before.
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
