"""The next issue's picks: the published list and the gems, as the editors' decisions leave them.

A decision moves or drops an article and is shown as the editor's; no figure of the ranking ever changes.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Literal

from msgspec import Struct

from shortener.errors import InputError
from shortener.ranking.result import RankedArticle, Ranking

Action = Literal["pin", "exclude", "choose"]


class Decision(Struct, frozen=True):
    """What an editor (``who``) decided about an article at ``when`` (epoch seconds), and why.

    ``pin`` puts it at the head of the list, ``choose`` among the lesser known ones, ``exclude`` leaves it
    out.
    """

    url: str
    action: Action
    reason: str
    who: str
    decided_at: float


class ArticleDetails(Struct, frozen=True):
    """What the section needs to show an article beside its figures; ``short_url`` has no placement number."""

    url: str
    title: str
    short_url: str
    image: str | None = None
    byline: str | None = None
    byline_url: str | None = None
    blurb: str | None = None


class Pick(Struct, frozen=True):
    """One article of the section. ``origin`` says who put it there: the list, the gems or an editor.

    ``ranked`` is its line of the ranking, unchanged; None for an article that the ranking does not list.
    """

    url: str
    origin: Literal["list", "gem", "pinned", "chosen"]
    ranked: RankedArticle | None
    decision: Decision | None


class Picks(Struct, frozen=True):
    """``featured`` is the list that readers see first, ``lesser_known`` the gems and the editors' own choice.

    ``excluded`` are the decisions that left something out: shown to editors, never to readers.
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
    """Order the section: pins first (oldest decision first), then the list; the chosen before the gems.

    ``top`` and ``gems`` are the most that the ranking may fill; by default what it published. A pin takes
    a place of the list, so the section does not grow by it. The last decision about an article counts.
    Raises InputError for a decision without a reason, a name or a known verb.
    """
    ruled = effective_decisions(decisions)
    lines = {article.url: article for article in ranking.articles}
    pinned = [_decided_pick(d, "pinned", lines) for d in ruled.values() if d.action == "pin"]
    chosen = [_decided_pick(d, "chosen", lines) for d in ruled.values() if d.action == "choose"]
    places = max((ranking.top if max_featured is None else max_featured) - len(pinned), 0)
    free = [a.url for a in ranking.articles if a.url not in ruled][:places]
    hidden = [url for url in ranking.gems if url not in ruled and url not in free]
    return Picks(
        featured=(*pinned, *(Pick(url, "list", lines[url], None) for url in free)),
        lesser_known=(*chosen, *(Pick(url, "gem", lines[url], None) for url in hidden[:max_gems])),
        excluded=tuple(d for d in ruled.values() if d.action == "exclude"),
        footer=ranking.footer,
        warnings=ranking.warnings,
    )


def effective_decisions(decisions: Iterable[Decision]) -> Mapping[str, Decision]:
    """The decision that counts for each article, in the order in which they were made."""
    ruled: dict[str, Decision] = {}
    for decision in sorted(decisions, key=lambda d: (d.decided_at, d.url, d.action, d.who, d.reason)):
        _check_decision(decision)
        ruled.pop(decision.url, None)
        ruled[decision.url] = decision
    return ruled


def _check_decision(decision: Decision) -> None:
    if decision.action not in ("pin", "exclude", "choose"):
        raise InputError(f"{decision.action!r} is no decision; use pin, exclude or choose")
    if not decision.reason.strip() or not decision.who.strip():
        raise InputError(f"the decision on {decision.url} needs a reason and the name of who decided")


def _decided_pick(
    decision: Decision, origin: Literal["pinned", "chosen"], ranked_by_url: Mapping[str, RankedArticle]
) -> Pick:
    return Pick(decision.url, origin, ranked_by_url.get(decision.url), decision)


def picked_urls(picks: Picks) -> Sequence[str]:
    """URLs of all picked articles, in order: those whose facts and short links the section needs."""
    return [pick.url for pick in (*picks.featured, *picks.lesser_known)]
