"""The data quality on the results page: the share of requests with each verdict, and the reasons of the verdicts."""

from collections.abc import Sequence

from msgspec import Struct

from shortener.classification.reasons import REASONS
from shortener.reporting.completeness import add_completeness, describe_completeness
from shortener.reporting.counts import ClicksByVerdict
from shortener.reporting.quality import Quality, ReasonShare, assess_quality
from shortener.store import Store
from shortener.web.filters import format_plain_datetime
from shortener.web.languages import current_language, translated_text
from shortener.web.languages import gettext as _


class VerdictShare(Struct, frozen=True):
    """The share (0 to 1) of requests with a verdict, and the name of the verdict on the page."""

    verdict: str
    name: str
    share: float


class ReasonRow(Struct, frozen=True):
    """A row of the table of reasons. A reason is the rule that decided a click's verdict."""

    reason: ReasonShare
    verdict_name: str
    counted: str
    """Text that says which estimates of human clicks (low, best, high) include the clicks with this reason."""


def completeness_text(quality: Quality) -> str:
    """Return warnings about missing clicks and about visitors that may be counted twice; '' if there are none."""
    # Clicks are missing until redirect nodes have sent them to the central store.
    sentences = describe_completeness(
        quality,
        format_time=lambda time: format_plain_datetime(int(time.timestamp())),
        format_day=current_language().format_date,
    )
    return current_language().sentence_space.join(translated_text(sentence) for sentence in sentences)


def store_completeness_text(
    store: Store,
    *,
    as_of: int,  # the present time in seconds of the UTC epoch
) -> str:
    """Return a warning about clicks that redirect nodes have not sent to the central store; '' if there are none."""
    return completeness_text(add_completeness(assess_quality(ClicksByVerdict()), store, as_of=as_of, hours=()))


def verdict_shares(quality: Quality) -> list[VerdictShare]:
    """Return the share of requests with each verdict that occurs, human first."""
    names = _verdict_names()
    return [VerdictShare(name, names[name], quality.verdicts[name]) for name in names if quality.verdicts.get(name)]


def reason_rows(quality: Quality) -> Sequence[ReasonRow]:
    """Return one row for each reason of a verdict, the most frequent first."""
    names = _verdict_names()
    return [ReasonRow(each, names.get(each.verdict, each.verdict), _counted(each)) for each in quality.reasons]


def _verdict_names() -> dict[str, str]:
    return {
        "human": _("People"),
        "scanner": _("Mail scanners"),
        "bot": _("Bots"),
        "preview": _("Link previews"),
        "prefetch": _("Prefetched by browsers"),
    }


def _counted(share: ReasonShare) -> str:
    known = REASONS.get(share.reason)
    if known is None or known.verdict != share.verdict:
        return _("in every estimate") if share.verdict == "human" else _("in no estimate")
    return {
        "person": _("in every estimate"),
        "suspect": _("in the best and the high estimate"),
        "likely": _("in the high estimate only"),
        "sure": _("in no estimate"),
    }[known.precision]
