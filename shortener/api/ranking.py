"""Operations on the ranking of articles, the picks (recommended articles) of a month, and editors' decisions."""

from typing import Annotated

from flask import Response
from msgspec import UNSET, Meta, Struct, UnsetType

from shortener.api.authentication import current_token
from shortener.api.operations import operation
from shortener.api.responses import json_answer, no_content
from shortener.ranking import Ranking
from shortener.ranking.picks import Action
from shortener.services import draft_picks
from shortener.services.draft_picks import DraftReport, MonthDecision
from shortener.store import decisions
from shortener.web.context import config, now, store
from shortener.web.ranking_cache import RankingKey, cached_draft, cached_ranking

MONTH_PATTERN = "^[0-9]{4}-(0[1-9]|1[0-2])$"
Month = Annotated[str, Meta(pattern=MONTH_PATTERN, description="Month of the last sending, as 2026-11.")]


class RankingQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of the ranking: which articles are ranked."""

    month: Month | UnsetType = UNSET
    issue: Annotated[str, Meta(description="Only articles of this issue, given by its slug.")] | UnsetType = UNSET


class MonthQuery(Struct, frozen=True, forbid_unknown_fields=True):
    """Query parameters of the picks (recommended articles): their month."""

    month: Month


class NewDecision(Struct, frozen=True, forbid_unknown_fields=True):
    """A decision about an article in the picks (recommended articles) of a month, with a reason for other editors."""

    action: Action
    reason: Annotated[str, Meta(min_length=1, max_length=1_000)]


class DecisionList(Struct, frozen=True):
    """The editors' decisions about the picks (recommended articles) of a month, the oldest first."""

    data: tuple[MonthDecision, ...]


@operation("GET", "/ranking", answers={200: Ranking}, scope="read", query=RankingQuery, problems=("not-found",))
def get_ranking(query: RankingQuery) -> Response:
    """Rank articles by appeal: their number of visitors, corrected for position, issue and chance.

    For an issue whose visitors are unknown, clicks are used instead.
    """
    month = None if query.month is UNSET else query.month
    issue = None if query.issue is UNSET else query.issue
    return json_answer(cached_ranking(RankingKey(month=month, issue=issue)))


@operation("GET", "/picks", answers={200: DraftReport}, scope="read", query=MonthQuery, problems=("not-found",))
def get_picks(query: MonthQuery) -> Response:
    """Return the draft of a month's picks (recommended articles), with the decisions of editors."""
    return json_answer(draft_picks.report_draft(cached_draft(query.month)))


@operation("GET", "/decisions/{month}", answers={200: DecisionList}, scope="read", problems=("invalid",))
def list_decisions(month: str) -> Response:
    """List the editors' decisions about a month's picks (recommended articles)."""
    found = decisions.list_by_month(store(), month)
    return json_answer(DecisionList(tuple(map(draft_picks.report_month_decision, found))))


@operation("PUT", "/decisions/{month}/{+article}", answers={200: MonthDecision}, scope="issues", body=NewDecision)
def decide(month: str, article: str, body: NewDecision) -> Response:
    """Store an editor's decision about an article in a month's picks (recommended articles).

    The parameter `article` is the percent-encoded URL of the article, or of a short link to the article. A decision
    changes neither the ranking nor counts.
    """
    decision = draft_picks.decide(
        store(),
        month,
        article,
        action=body.action,
        reason=body.reason,
        who=current_token().owner,
        config=config(),
        now=now(),
    )
    return json_answer(draft_picks.report_month_decision(decision))


@operation("DELETE", "/decisions/{month}/{+article}", answers={204: None}, scope="issues", problems=("invalid",))
def undo_decision(month: str, article: str) -> Response:
    """Remove an editor's decision (pin, choose or exclude) about an article in a month's picks (recommended
    articles).
    """
    draft_picks.undo_decision(store(), article, config=config(), now=now(), month=month)
    return no_content()
