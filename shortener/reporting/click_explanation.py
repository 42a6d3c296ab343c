"""Why one click has its verdict, as a value: every rule that spoke, what else was noticed, and its neighbours."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from shortener.classification.evidence import ClickRequest
from shortener.classification.explain import RuleMatch, explain
from shortener.classification.group_rules import age_of, is_settled
from shortener.classification.groups import GROUPINGS, Grouping
from shortener.classification.nearby_clicks import NearbyClick, is_correlatable
from shortener.classification.reasons import REASONS
from shortener.collector.neighbourhood import Neighbourhood, RuleContext
from shortener.collector.reclassify import StoredRequestReader
from shortener.config import Config
from shortener.errors import NotFound
from shortener.reporting.counts import to_datetime_or_none
from shortener.short_urls import build_short_url
from shortener.store import Store
from shortener.store import clicks as stored
from shortener.store import links as stored_links
from shortener.store import nearby_clicks as sql
from shortener.store.clicks import Click

GROUP_LABELS: Mapping[str, str] = {
    "token": "the same recipient",
    "honeypot by token": "the honeypot link of the same recipient",
    "visitor": "the same address and browser",
    "network": "the same network",
    "link": "the same link",
    "browser": "the same browser, at any address",
    "datacenter browser": "the same browser in data centers",
    "honeypot by address": "the honeypot link from the same address",
    "honeypot by network": "the honeypot link from the same data center",
}
"""What clicks of a family share, in words."""


class NearbyClickGroup(Struct, frozen=True):
    """The clicks that share something with a click, within the reach of the rules on that.

    ``seconds`` is that reach, before and after; ``links``, ``networks`` and ``agents`` count different ones.
    """

    shared: str
    seconds: int
    clicks: int
    links: int
    networks: int
    agents: int
    nearest: float
    """Seconds to the nearest of them."""


class RequestDetails(Struct, frozen=True):
    """What is kept of a request; None where nothing was sent, or it was not to be kept."""

    method: str
    user_agent: str | None
    network: str | None
    language: str | None
    referrer: str | None
    headers: dict[str, str] | None


class ClickExplanation(Struct, frozen=True):
    """The scoreboard of a click. ``settled`` is False while lines that come in time may still turn the verdict."""

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
    settled: bool
    judged: bool
    """Whether its neighbours have been asked yet."""
    spoken: tuple[RuleMatch, ...]
    noticed: tuple[str, ...]
    neighbours: tuple[NearbyClickGroup, ...]
    request: RequestDetails


def explain_click(store: Store, click_id: str, *, config: Config, now: int) -> ClickExplanation:
    """The scoreboard of a click by its id; ``now`` in seconds of UTC epoch. Raises NotFound."""
    row = sql.click_by_id(store, click_id)
    if row is None:
        raise NotFound(
            f"{click_id}: there is no such click, or it is older than privacy.keep_clicks; "
            "`shortener clicks export` lists those that are kept"
        )
    world = RuleContext(store)
    own = world.from_row(row)
    click = stored.clicks_by_seq(store, [own.seq])[own.seq]
    evidence = _load_evidence(store, own.seq, config)
    explained = explain(own, request=evidence)
    return ClickExplanation(
        id=click.id,
        at=datetime.fromtimestamp(click.ts / 1000, UTC),
        short_url=_short_url(store, click, config),
        n=click.n or None,
        issue=sql.slugs_by_issue(store).get(click.issue_id or 0),
        sent_at=to_datetime_or_none(None if own.sent_at_ms is None else own.sent_at_ms // 1000),
        seconds_after_sending=age_of(own) / 1000
        if own.sent_at_ms is not None and own.ts_ms >= own.sent_at_ms
        else None,
        verdict=click.verdict,
        reason=click.reason,
        words=REASONS[click.reason].description if click.reason in REASONS else click.reason,
        precision=REASONS[click.reason].precision if click.reason in REASONS else "",
        rules=click.rules_version,
        settled=is_settled(click.ts, now_ms=now * 1000),
        judged=own.seq <= store.meta("classified_seq"),
        spoken=explained.matches,
        noticed=explained.evidence_texts,
        neighbours=tuple(_nearby_groups(store, own, world)),
        request=_request_details(evidence),
    )


def _load_evidence(store: Store, seq: int, config: Config) -> ClickRequest:
    (request,) = sql.stored_requests(store, [seq])
    return StoredRequestReader(store).read(request, https=request.domain in config.https_hosts)


def _request_details(evidence: ClickRequest) -> RequestDetails:
    return RequestDetails(
        method=evidence.method or "GET",
        user_agent=evidence.ua,
        network=evidence.net,
        language=evidence.lang,
        referrer=evidence.ref,
        headers=None if evidence.headers is None else dict(evidence.headers),
    )


def _short_url(store: Store, click: Click, config: Config) -> str:
    domain, code = stored_links.codes_by_id(store, [click.link_id])[click.link_id]
    return build_short_url(domain, code, domains=config.domains)


def _nearby_groups(store: Store, own: NearbyClick, rule_context: RuleContext) -> Iterator[NearbyClickGroup]:
    """What the rules over several clicks had before them, family by family."""
    around = Neighbourhood(store, {own.seq: own}, rule_context, new=False)
    others = [click for click in around.clicks.values() if is_correlatable(click)]
    if is_correlatable(own):
        for family in GROUPINGS:
            if (own.recipient_token is not None) is family.with_token and family.key(own) is not None:
                yield from _summarize_group(family, own, others)


def _summarize_group(
    correlation_group: Grouping, own: NearbyClick, others: Iterable[NearbyClick]
) -> Iterator[NearbyClickGroup]:
    near = [
        click
        for click in others
        if (click.recipient_token is not None) is correlation_group.with_token
        and abs(click.ts_ms - own.ts_ms) <= correlation_group.window_ms
        and correlation_group.key(click) == correlation_group.key(own)
        and (correlation_group.trigger is None or correlation_group.trigger(click))
    ]
    if near:
        yield NearbyClickGroup(
            shared=GROUP_LABELS[correlation_group.name],
            seconds=correlation_group.window_ms // 1000,
            clicks=len(near),
            links=len({click.link_id for click in near}),
            networks=len({click.net for click in near} - {None}),
            agents=len({click.agent_id for click in near} - {None}),
            nearest=min(abs(click.ts_ms - own.ts_ms) for click in near) / 1000,
        )
