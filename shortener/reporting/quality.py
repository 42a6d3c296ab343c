"""Data quality of a report: requests by verdict and reason, estimates of human clicks, and a summary sentence."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec import Struct

from shortener.classification.classify import is_settled
from shortener.classification.reasons import REASONS, Band, counts_as_human
from shortener.durations import HOUR_SECONDS
from shortener.messages import Message, list_messages
from shortener.reporting.counts import ClicksByVerdict, TimelineHour
from shortener.store.reports import BreakdownRow

VERDICT_LABELS = {
    "scanner": Message("mail scanners"),
    "bot": Message("bots"),
    "preview": Message("previews"),
    "prefetch": Message("prefetch"),
}
"""Words for the automated verdicts in a sentence. Verdicts with equal shares are named in this order."""


class ReasonShare(Struct, frozen=True):
    """Requests that one rule classified as human or automated."""

    reason: str
    """Name of the rule."""
    verdict: str
    words: str
    """Description of the rule."""
    clicks: int
    """Number of these requests."""
    share: float
    """Their share (0 to 1) of all requests."""


class HumanRange(Struct, frozen=True):
    """The number of human clicks as a low (``strict``), best (``usual``) and high (``lenient``) estimate.

    The three are defined in docs/classification.md, section 8.
    """

    strict: int
    usual: int
    lenient: int


class LocalKeyDay(Struct, frozen=True):
    """A UTC day on which a redirect node used a key of its own to hash visitors.

    Some visitors may be counted twice.
    """

    node: str
    day: datetime
    """Beginning of the day."""


class Quality(Struct, frozen=True):
    """Data quality of a report: how many requests are automated, by verdict and reason."""

    sentence: str
    """Summary, such as ``12 % of the requests were filtered as automated: 9 % mail scanners, 3 % bots``."""
    requests: int
    set_aside: float
    """Share (0 to 1) of automated requests."""
    verdicts: dict[str, float]
    """Share (0 to 1) of each verdict in all ``requests``."""
    reasons: tuple[ReasonShare, ...]
    band: HumanRange | None
    """Low, best and high estimate of human clicks; None if the reasons are unknown."""
    complete_until: datetime | None = None
    """Time until which the clicks of all redirect nodes are stored; None if unknown."""
    waiting_for: str | None = None
    """If clicks are late, the redirect node that is furthest behind."""
    last_heard: datetime | None = None
    """Time of the last report of the node ``waiting_for``."""
    local_keys: tuple[LocalKeyDay, ...] = ()
    """Days on which visitors may be counted twice, because a redirect node hashed them with a key of its own."""


def assess_quality(
    clicks: ClicksByVerdict,
    values: Iterable[BreakdownRow] = (),  # only rows with the dimension "reason" are used
) -> Quality:
    """Return how many of the requests in ``clicks`` are automated, by verdict and reason.

    Without ``values``, no reasons are given.
    """
    counts = {name: getattr(clicks, name) for name in ClicksByVerdict.__struct_fields__}
    reasons = _reason_shares([row for row in values if row.dimension == "reason"], requests=clicks.total)
    return Quality(
        sentence=describe_quality(clicks),
        requests=clicks.total,
        set_aside=_share(clicks.automated, clicks.total),
        verdicts={name: _share(count, clicks.total) for name, count in counts.items()},
        reasons=reasons,
        band=_human_range(reasons) if reasons else None,
    )


def is_settling(timeline: Sequence[TimelineHour], *, as_of: int) -> bool:
    """Return whether verdicts in a report can still change, which is possible for clicks of the last 15 minutes."""
    if not timeline:
        return False
    # The timeline has only whole hours, so its last hour counts as recent until 15 minutes after its end.
    end = int(timeline[-1].hour.timestamp()) + HOUR_SECONDS
    return not is_settled(end * 1000, now_ms=as_of * 1000)


def clicked_hours(timeline: Sequence[TimelineHour]) -> tuple[datetime, ...]:
    """Return the first and the last hour of a timeline; an empty tuple if the timeline is empty."""
    return (timeline[0].hour, timeline[-1].hour) if timeline else ()


def describe_quality(clicks: ClicksByVerdict) -> str:
    """Return a sentence such as ``12 % of the requests were filtered as automated: 9 % mail scanners, 3 % bots``."""
    if not clicks.total:
        return Message("no clicks yet")
    if not clicks.automated:
        if clicks.total == 1:
            return Message("the one request looks human")
        return Message("all requests look human; none was filtered as automated")
    if not clicks.human:
        shares = _verdict_shares_text(clicks, 100)
        return Message("all requests were filtered as automated: {shares}", shares=shares)
    percent = min(99, round(100 * clicks.automated / clicks.total))
    shares = _verdict_shares_text(clicks, percent)
    if not percent:
        return Message("under 1 % of the requests were filtered as automated: {shares}", shares=shares)
    return Message("{percent} % of the requests were filtered as automated: {shares}", percent=percent, shares=shares)


def _verdict_shares_text(clicks: ClicksByVerdict, percent: int) -> str:
    counts = {name: getattr(clicks, name) for name in VERDICT_LABELS if getattr(clicks, name)}
    verdicts = sorted(counts, key=lambda name: -counts[name])
    if not percent or len(counts) == 1:
        return list_messages([VERDICT_LABELS[name] for name in verdicts])
    shares = split_percent(counts, percent)
    return list_messages([_verdict_share_text(VERDICT_LABELS[name], shares[name]) for name in verdicts])


def _verdict_share_text(label: str, percent: int) -> str:
    if not percent:
        return Message("under 1 % {verdict}", verdict=label)
    return Message("{percent} % {verdict}", percent=percent, verdict=label)


def split_percent(counts: Mapping[str, int], percent: int) -> dict[str, int]:
    """Split ``percent`` in proportion to ``counts`` into whole numbers. The sum of these numbers is ``percent``."""
    # Largest remainder method.
    total = sum(counts.values())
    exact = {name: percent * count / total for name, count in counts.items()}
    whole = {name: int(value) for name, value in exact.items()}
    missing = percent - sum(whole.values())
    for name in sorted(exact, key=lambda name: whole[name] - exact[name])[:missing]:
        whole[name] += 1
    return whole


def _reason_shares(rows: list[BreakdownRow], *, requests: int) -> tuple[ReasonShare, ...]:
    shares = []
    for row in rows:
        verdict, _, reason = row.value.partition("/")
        words = REASONS[reason].description if reason in REASONS else reason
        shares.append(ReasonShare(reason, verdict, words, row.clicks, _share(row.clicks, requests)))
    return tuple(sorted(shares, key=lambda share: (-share.clicks, share.verdict, share.reason)))


def _human_range(reasons: Iterable[ReasonShare]) -> HumanRange:
    bands: tuple[Band, ...] = ("strict", "usual", "lenient")
    return HumanRange(*(sum(share.clicks for share in reasons if _is_counted_as_human(share, band)) for band in bands))


def _is_counted_as_human(reason_share: ReasonShare, band: Band) -> bool:
    known = REASONS.get(reason_share.reason)
    # The current rules do not have this reason any more, so the stored verdict counts.
    if known is None or known.verdict != reason_share.verdict:
        return reason_share.verdict == "human"
    return counts_as_human(reason_share.reason, band=band)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
