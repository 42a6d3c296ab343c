"""All reasons for verdicts, and the descriptions of all evidence bits (flags that the rules set)."""

from collections.abc import Mapping
from typing import Literal

from shortener.classification.evidence import REQUEST_EVIDENCE_TEXTS
from shortener.classification.group_rules import ALL_RULES, DETECTIONS
from shortener.classification.request_reasons import REQUEST_REASONS, Reason
from shortener.messages import mark_text

Band = Literal["strict", "usual", "lenient"]
"""Which of three counts of human clicks: ``strict`` (lowest), ``usual`` or ``lenient`` (highest)."""

REASONS: Mapping[str, Reason] = {
    **REQUEST_REASONS,
    "hidden-link": Reason("scanner", mark_text("opened the honeypot link")),
    **{rule.reason: Reason(rule.verdict, rule.description, rule.precision) for rule in ALL_RULES},
    "reader": Reason("human", mark_text("no sign of automation"), "person"),
}
"""All reasons by name; the names are stored, exported and shown in reports."""

EVIDENCE_TEXTS: Mapping[int, str] = {
    **REQUEST_EVIDENCE_TEXTS,
    **{bit: text for detection in DETECTIONS for bit, text in detection.texts.items()},
}
"""Description of each evidence bit, which users see."""


def describe_evidence(evidence: int) -> tuple[str, ...]:
    """Return a description of each bit that is set in ``evidence``."""
    return tuple(text for bit, text in EVIDENCE_TEXTS.items() if evidence & bit)


def counts_as_human(reason: str, *, band: Band = "usual") -> bool:
    """Return whether clicks with this reason for the verdict count as human. Raises KeyError.

    The band ``strict`` counts the fewest, ``lenient`` the most.
    """
    precision = REASONS[reason].precision
    if precision == "suspect":
        return band != "strict"
    if precision == "likely":
        return band == "lenient"
    return precision == "person"
