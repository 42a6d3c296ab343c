"""Why one click has its verdict, as a value: every rule that spoke, what else was noticed, and its neighbours."""

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime

from msgspec import Struct

from shortener.classification.evidence import Evidence
from shortener.classification.explain import Spoken, explain
from shortener.classification.group_rules import age_of, is_settled
from shortener.classification.groups import FAMILIES, Family
from shortener.classification.nearby_clicks import Neighbour, takes_part
from shortener.classification.reasons import REASONS
from shortener.collector.neighbourhood import Surroundings, World
from shortener.collector.stored_evidence import StoredEvidence
from shortener.config import Config
from shortener.errors import NotFound
from shortener.reporting.counts import moment_or_none
from shortener.short_urls import short_url
from shortener.store import Store
from shortener.store import clicks as stored
from shortener.store import links as stored_links
from shortener.store import nearby_clicks as sql
from shortener.store.clicks import Click

SHARED: Mapping[str, str] = {
    "copy": "the same copy of the issue",
    "copy trap": "the hidden link of the same copy",
    "visitor": "the same address and browser",
    "network": "the same network",
    "link": "the same link",
    "browser": "the same browser, at any address",
    "hosted browser": "the same browser in data centers",
    "address trap": "the hidden link from the same address",
    "network trap": "the hidden link from the same data center",
    "rare browser": "the same rare browser",
}
"""What clicks of a family share, in words."""


class Shared(Struct, frozen=True):
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


class Request(Struct, frozen=True):
    """What is kept of a request; None where nothing was sent, or it was not to be kept."""

    method: str
    user_agent: str | None
    network: str | None
    language: str | None
    referrer: str | None
    headers: dict[str, str] | None


class ClickExplained(Struct, frozen=True):
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
    spoken: tuple[Spoken, ...]
    noticed: tuple[str, ...]
    neighbours: tuple[Shared, ...]
    request: Request


def explain_click(store: Store, click_id: str, *, config: Config, now: int) -> ClickExplained:
    """The scoreboard of a click by its id; ``now`` in seconds of UTC epoch. Raises NotFound."""
    row = sql.row(store, click_id)
    if row is None:
        raise NotFound(
            f"{click_id}: there is no such click, or it is older than privacy.keep_clicks; "
            "`shortener clicks export` lists those that are kept"
        )
    world = World(store)
    own = world.neighbour(row)
    click = stored.by_seq(store, [own.seq])[own.seq]
    evidence = _evidence(store, own.seq, config)
    explained = explain(own, evidence=evidence)
    return ClickExplained(
        id=click.id,
        at=datetime.fromtimestamp(click.ts / 1000, UTC),
        short_url=_short_url(store, click, config),
        n=click.n or None,
        issue=sql.issue_slugs(store).get(click.issue_id or 0),
        sent_at=moment_or_none(None if own.sent is None else own.sent // 1000),
        seconds_after_sending=age_of(own) / 1000 if own.sent is not None and own.at >= own.sent else None,
        verdict=click.verdict,
        reason=click.reason,
        words=REASONS[click.reason].words if click.reason in REASONS else click.reason,
        precision=REASONS[click.reason].precision if click.reason in REASONS else "",
        rules=click.rules,
        settled=is_settled(click.ts, now=now * 1000),
        judged=own.seq <= store.fact("judged_seq"),
        spoken=explained.spoken,
        noticed=explained.noticed,
        neighbours=tuple(_neighbours(store, own, world)),
        request=_request(evidence),
    )


def _evidence(store: Store, seq: int, config: Config) -> Evidence:
    secure = {domain.host for domain in config.domains if domain.scheme == "https"}
    (request,) = sql.requests(store, [seq])
    return StoredEvidence(store).of(request, https=request.domain in secure)


def _request(evidence: Evidence) -> Request:
    return Request(
        method=evidence.method or "GET",
        user_agent=evidence.ua,
        network=evidence.net,
        language=evidence.lang,
        referrer=evidence.ref,
        headers=None if evidence.h is None else dict(evidence.h),
    )


def _short_url(store: Store, click: Click, config: Config) -> str:
    domain, code = stored_links.codes(store, [click.link_id])[click.link_id]
    return short_url(domain, code, domains=config.domains)


def _neighbours(store: Store, own: Neighbour, world: World) -> Iterator[Shared]:
    """What the rules over several clicks had before them, family by family."""
    around = Surroundings(store, {own.seq: own}, world, new=False)
    others = [click for click in around.clicks.values() if takes_part(click)]
    if takes_part(own):
        for family in FAMILIES:
            if (own.copy is not None) is family.copies and family.key(own) is not None:
                yield from _shared(family, own, others)


def _shared(family: Family, own: Neighbour, others: Iterable[Neighbour]) -> Iterator[Shared]:
    near = [
        click
        for click in others
        if (click.copy is not None) is family.copies
        and abs(click.at - own.at) <= family.horizon
        and family.key(click) == family.key(own)
        and (family.needs is None or family.needs(click))
    ]
    if near:
        yield Shared(
            shared=SHARED[family.name],
            seconds=family.horizon // 1000,
            clicks=len(near),
            links=len({click.link for click in near}),
            networks=len({click.net for click in near} - {None}),
            agents=len({click.agent for click in near} - {None}),
            nearest=min(abs(click.at - own.at) for click in near) / 1000,
        )
