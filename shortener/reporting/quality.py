"""How much of what was counted is people: shares by verdict and reason, a band, and one sentence."""

from collections.abc import Iterable, Mapping, Sequence

from msgspec import Struct

from shortener.classification.group_rules import is_settled
from shortener.classification.reasons import REASONS, Band, counts_as_human
from shortener.reporting.counts import ClicksByVerdict, TimelineHour
from shortener.store.reports import BreakdownRow
from shortener.store.rollups import HOUR_SECONDS

VERDICT_LABELS = {"scanner": "mail scanners", "bot": "bots", "preview": "previews", "prefetch": "prefetch"}
"""What is set aside, as the sentence names it; the order decides between equal shares."""


class ReasonShare(Struct, frozen=True):
    """The requests that one rule decided; ``share`` is of all requests, from 0 to 1."""

    reason: str
    verdict: str
    words: str
    clicks: int
    share: float


class HumanRange(Struct, frozen=True):
    """Human clicks by strict, usual and lenient rules: the truth should lie between the outer two."""

    strict: int
    usual: int
    lenient: int


class Quality(Struct, frozen=True):
    """``verdicts`` are shares of all ``requests``, from 0 to 1; ``set_aside`` is all that is not human."""

    sentence: str
    requests: int
    set_aside: float
    verdicts: dict[str, float]
    reasons: tuple[ReasonShare, ...]
    band: HumanRange | None


def assess_quality(clicks: ClicksByVerdict, values: Iterable[BreakdownRow] = ()) -> Quality:
    """The quality of some clicks; ``values`` may hold their reasons, as ``verdict/reason``."""
    counts = {name: getattr(clicks, name) for name in ClicksByVerdict.__struct_fields__}
    reasons = _reason_shares([row for row in values if row.dimension == "reason"], requests=clicks.total)
    return Quality(
        sentence=describe_quality(clicks),
        requests=clicks.total,
        set_aside=_share(clicks.other, clicks.total),
        verdicts={name: _share(count, clicks.total) for name, count in counts.items()},
        reasons=reasons,
        band=_human_range(reasons) if reasons else None,
    )


def is_settling(timeline: Sequence[TimelineHour], *, as_of: int) -> bool:
    """Whether the newest hour with clicks reaches into the last 15 minutes, when verdicts may still turn."""
    if not timeline:
        return False
    end = int(timeline[-1].hour.timestamp()) + HOUR_SECONDS
    return not is_settled(end * 1000, now_ms=as_of * 1000)


def describe_quality(clicks: ClicksByVerdict) -> str:
    """In words: ``12 % of the requests were set aside: 9 % mail scanners, 2 % previews, 1 % prefetch``."""
    if not clicks.total:
        return "no clicks yet"
    if not clicks.other:
        return (
            "the one request looks human"
            if clicks.total == 1
            else "all requests look human; none was set aside"
        )
    if not clicks.human:
        return f"all requests were set aside: {_verdict_shares_text(clicks, 100)}"
    percent = min(99, round(100 * clicks.other / clicks.total))
    if not percent:
        return f"under 1 % of the requests were set aside: {_verdict_shares_text(clicks, 0)}"
    return f"{percent} % of the requests were set aside: {_verdict_shares_text(clicks, percent)}"


def _verdict_shares_text(clicks: ClicksByVerdict, percent: int) -> str:
    counts = {name: getattr(clicks, name) for name in VERDICT_LABELS if getattr(clicks, name)}
    if not percent or len(counts) == 1:
        return ", ".join(VERDICT_LABELS[name] for name in sorted(counts, key=lambda name: -counts[name]))
    whole = split_percent(counts, percent)
    parts = [
        f"{whole[name] or 'under 1'} % {VERDICT_LABELS[name]}"
        for name in sorted(counts, key=lambda name: -counts[name])
    ]
    return ", ".join(parts)


def split_percent(counts: Mapping[str, int], percent: int) -> dict[str, int]:
    """``percent`` shared out in whole numbers that add up to it: the largest remainders round up."""
    total = sum(counts.values())
    exact = {name: percent * count / total for name, count in counts.items()}
    whole = {name: int(value) for name, value in exact.items()}
    short = percent - sum(whole.values())
    for name in sorted(exact, key=lambda name: whole[name] - exact[name])[:short]:
        whole[name] += 1
    return whole


def _reason_shares(rows: list[BreakdownRow], *, requests: int) -> tuple[ReasonShare, ...]:
    found = []
    for row in rows:
        verdict, _, reason = row.value.partition("/")
        words = REASONS[reason].description if reason in REASONS else reason
        found.append(ReasonShare(reason, verdict, words, row.clicks, _share(row.clicks, requests)))
    return tuple(sorted(found, key=lambda each: (-each.clicks, each.verdict, each.reason)))


def _human_range(reasons: Iterable[ReasonShare]) -> HumanRange:
    bands: tuple[Band, ...] = ("strict", "usual", "lenient")
    strict, usual, lenient = (sum(each.clicks for each in reasons if _is_human(each, band)) for band in bands)
    return HumanRange(strict, usual, lenient)


def _is_human(reason_share: ReasonShare, band: Band) -> bool:
    """By the reason where today's rules know it; a reason of older rules counts as its verdict says."""
    known = REASONS.get(reason_share.reason)
    if known is None or known.verdict != reason_share.verdict:
        return reason_share.verdict == "human"
    return counts_as_human(reason_share.reason, band=band)


def _share(part: int, whole: int) -> float:
    return part / whole if whole else 0.0
