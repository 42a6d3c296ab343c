"""Explanation of the verdict on one click: the rules that match, the evidence, and the nearby clicks."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from shortener.classification.classify import age_of, is_settled
from shortener.classification.evidence import ClickRequest
from shortener.classification.explain import RuleMatch, explain
from shortener.classification.group_rules import GROUPINGS
from shortener.classification.groups import Grouping
from shortener.classification.nearby_clicks import NearbyClick, is_correlatable
from shortener.classification.reasons import REASONS
from shortener.collector.neighbourhood import RuleContext, load_near_stored
from shortener.collector.reclassify import StoredRequestReader
from shortener.config import Config
from shortener.errors import NotFound
from shortener.reporting.counts import to_datetime_or_none
from shortener.short_urls import build_short_url
from shortener.store import Store, links, nearby_clicks
from shortener.store.clicks import Click, clicks_by_seq

GROUP_LABELS: Mapping[str, str] = {
    "token": "the same recipient token",
    "honeypot by token": "the honeypot link with the same recipient token",
    "visitor": "the same address and browser",
    "network": "the same network",
    "link": "the same link",
    "browser": "the same browser, at any address",
    "datacenter browser": "the same browser in data centers",
    "honeypot by address": "the honeypot link from the same address",
    "honeypot by network": "the honeypot link from the same data center",
}
"""What the clicks of each correlation group share, in words."""


class NearbyClickGroup(Struct, frozen=True):
    """Summary of the clicks that are close in time to an explained click and share one property with it."""

    shared: str
    """Name of the property, such as the network."""
    seconds: int
    """Largest time in seconds between the explained click and a nearby click."""
    clicks: int
    """Number of the nearby clicks."""
    links: int
    """Number of different links among the nearby clicks."""
    networks: int
    """Number of different networks among the nearby clicks."""
    agents: int
    """Number of different user agents among the nearby clicks."""
    nearest: float
    """Seconds between the click and the nearest of the nearby clicks."""


class RequestDetails(Struct, frozen=True):
    """The request of a click as stored. None means that a field was missing in the request, or is not stored."""

    method: str
    user_agent: str | None
    network: str | None
    language: str | None
    referrer: str | None
    headers: dict[str, str] | None


class ClickExplanation(Struct, frozen=True):
    """The verdict on a click and everything that explains it."""

    id: str
    at: datetime
    short_url: str
    n: int | None
    issue: str | None
    sent_at: datetime | None
    seconds_after_sending: float | None
    verdict: str
    reason: str
    words: str
    precision: str
    rules: int
    """Version of the rules."""
    settled: bool
    """False while clicks that arrive later can still change the verdict."""
    judged: bool
    """Whether the group rules have been applied to the click."""
    spoken: tuple[RuleMatch, ...]
    """The rules that match the click."""
    noticed: tuple[str, ...]
    """Descriptions of the click's evidence."""
    neighbours: tuple[NearbyClickGroup, ...]
    """Summaries of the nearby clicks, by the property that they share with the click."""
    request: RequestDetails


def explain_click(store: Store, click_id: str, *, config: Config, now: int) -> ClickExplanation:
    """Return the explanation of the click with this id. ``now`` is in seconds of the UTC epoch.

    Raises NotFound if the click is not stored.
    """
    row = nearby_clicks.click_by_id(store, click_id)
    if row is None:
        raise NotFound(
            f"{click_id}: no stored click has this id; single clicks are deleted after some time",
            kind="click_not_found",
        )
    rule_context = RuleContext(store)
    own = rule_context.from_row(row)
    click = clicks_by_seq(store, [own.seq])[own.seq]
    request = _load_request(store, own.seq, config)
    explanation = explain(own, request=request)
    reason = REASONS.get(click.reason)
    # A click from before the sending, such as an editor's test, has no age.
    after_sending = own.sent_at_ms is not None and own.ts_ms >= own.sent_at_ms
    return ClickExplanation(
        id=click.id,
        at=datetime.fromtimestamp(click.ts / 1000, UTC),
        short_url=_short_url(store, click, config),
        n=click.n or None,
        issue=nearby_clicks.slugs_by_issue(store).get(click.issue_id or 0),
        sent_at=to_datetime_or_none(None if own.sent_at_ms is None else own.sent_at_ms // 1000),
        seconds_after_sending=age_of(own) / 1000 if after_sending else None,
        verdict=click.verdict,
        reason=click.reason,
        words=reason.description if reason else click.reason,
        precision=reason.precision if reason else "",
        rules=click.rules_version,
        settled=is_settled(click.ts, now_ms=now * 1000),
        judged=own.seq <= store.meta("classified_seq"),
        spoken=explanation.matches,
        noticed=explanation.evidence_texts,
        neighbours=tuple(_nearby_groups(store, own, rule_context)),
        request=_request_details(request),
    )


def _load_request(store: Store, seq: int, config: Config) -> ClickRequest:
    (request,) = nearby_clicks.stored_requests(store, [seq])
    return StoredRequestReader(store).read(request, https=request.domain in config.https_hosts)


def _request_details(request: ClickRequest) -> RequestDetails:
    return RequestDetails(
        method=request.method or "GET",
        user_agent=request.ua,
        network=request.net,
        language=request.lang,
        referrer=request.ref,
        headers=None if request.headers is None else dict(request.headers),
    )


def _short_url(store: Store, click: Click, config: Config) -> str:
    domain, code = links.codes_by_id(store, [click.link_id])[click.link_id]
    return build_short_url(domain, code, domains=config.domains)


def _nearby_groups(store: Store, own: NearbyClick, rule_context: RuleContext) -> Iterator[NearbyClickGroup]:
    nearby = load_near_stored(store, {own.seq: own}, rule_context)
    others = [click for click in nearby.clicks.values() if is_correlatable(click)]
    if is_correlatable(own):
        for grouping in GROUPINGS:
            if (own.recipient_token is not None) is grouping.with_token and grouping.key(own) is not None:
                yield from _summarize_group(grouping, own, others)


def _summarize_group(grouping: Grouping, own: NearbyClick, others: Iterable[NearbyClick]) -> Iterator[NearbyClickGroup]:
    nearby = [
        click
        for click in others
        if (click.recipient_token is not None) is grouping.with_token
        and abs(click.ts_ms - own.ts_ms) <= grouping.window_ms
        and grouping.key(click) == grouping.key(own)
        and (click.honeypot or not grouping.needs_honeypot_hit)
    ]
    if nearby:
        yield NearbyClickGroup(
            shared=GROUP_LABELS[grouping.name],
            seconds=grouping.window_ms // 1000,
            clicks=len(nearby),
            links=len({click.link_id for click in nearby}),
            networks=len({click.net for click in nearby} - {None}),
            agents=len({click.agent_id for click in nearby} - {None}),
            nearest=min(abs(click.ts_ms - own.ts_ms) for click in nearby) / 1000,
        )
