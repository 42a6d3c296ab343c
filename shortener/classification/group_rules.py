"""The verdicts on a set of clicks, judged together: a pure function of the set, whatever order and batches it
came in.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence

from msgspec import Struct

from shortener.classification.evidence import (
    ADDRESS_TRAP,
    AGENT_BURST,
    BARE,
    BROWSER_BURST,
    BURST,
    COPY_TRAP,
    COVERAGE,
    DATACENTER,
    ECHO,
    EVEN,
    FAN_OUT,
    GATEWAY,
    NETWORK_BURST,
    NETWORK_TRAP,
    PAIR,
    QUICK,
    RARE_AGENT,
    REPEAT,
    REQUEST_BITS,
    REWRITTEN,
    RUSH,
    SECOND,
    TWIN,
    VENDOR,
    Judgement,
)
from shortener.classification.groups import FAMILIES, Family, find_bits
from shortener.classification.nearby_clicks import Neighbour, is_hosted
from shortener.classification.reasons import REASONS, REQUEST_REASONS

SECONDS_AFTER_SENDING_MS = 10_000
QUICK_AGE_MS = 60_000
BARE_AGE_MS = 120_000
NETWORK_AGE_MS = 600_000
NEVER = 1 << 62
"""The age of a click whose issue has no time of sending, or that came before it."""

SETTLED_MS = max(family.horizon for family in FAMILIES)
"""15 minutes: a click older than that changes its verdict only if lines arrive late."""
FINAL_MS = 86_400_000
"""24 hours: by then late lines have arrived."""


class SetRule(Struct, frozen=True):
    """A rule over bits and age (milliseconds since the sending, NEVER where unknown), and its reason."""

    reason: str
    speaks: Callable[[int, int], bool]
    bits: int
    """The bits that it reads, for an explanation."""
    aged: bool = False
    """Whether it reads the age."""


def _pair(bits: int, age: int) -> bool:  # rule 16b
    return bool(bits & PAIR) and has_second(bits)


def _vendor(bits: int, age: int) -> bool:  # rule 13 for networks that also isolate browsers
    return bool(bits & VENDOR) and age < NETWORK_AGE_MS


def _datacenter_soon(bits: int, age: int) -> bool:  # rule 14b
    return bool(bits & DATACENTER) and age < NETWORK_AGE_MS


def _seconds_after(bits: int, age: int) -> bool:  # rule 15 alone
    return age < SECONDS_AFTER_SENDING_MS


def _bare_soon(bits: int, age: int) -> bool:  # rule 15 with 6, 7 or 11
    return bool(bits & BARE) and age < BARE_AGE_MS and has_second(bits)


def _quick(bits: int, age: int) -> bool:  # rule 16c
    """A tab every three seconds is a reader's pace: one second signal is not enough there, but it is for a
    rush.
    """
    if bits & RUSH:
        return has_second(bits) or age < QUICK_AGE_MS
    return bool(bits & QUICK) and (age < QUICK_AGE_MS or count_signals(bits) > 1)


def _most_links(bits: int, age: int) -> bool:  # rule 19
    return bool(bits & COVERAGE) and has_second(bits)


def _rare_agent(bits: int, age: int) -> bool:  # rule 23 is a gap: it takes another
    return bool(bits & RARE_AGENT) and has_second(bits)


def has_second(bits: int) -> bool:
    """Whether a click shows a second signal of its own: a gap, or a data center where nobody browses.

    A mail-security rewriter's referrer takes that away: the rewriter sends readers' own browsers on, and its
    customers' proxies are the ones that strip headers (rule 10).
    """
    return count_signals(bits) > 0


def count_signals(bits: int) -> int:
    """How many second signals a click shows."""
    if bits & REWRITTEN:
        return 0
    return (bits & SECOND).bit_count() + is_hosted(bits)


_SIGNALS = SECOND | DATACENTER | VENDOR | GATEWAY | REWRITTEN


def _alone(reason: str, bit: int) -> SetRule:
    """A rule that one of its bits is enough for."""
    return SetRule(reason, lambda bits, age: bool(bits & bit), bit)


MACHINE_RULES: Sequence[SetRule] = (
    _alone("burst", BURST),
    _alone("fan-out", FAN_OUT),
    _alone("hidden-link-copy", COPY_TRAP),
    _alone("network-burst", NETWORK_BURST),
    _alone("browser-burst", BROWSER_BURST),
    _alone("click-time-check", TWIN),
    SetRule("vendor-network", _vendor, VENDOR, aged=True),
    SetRule("datacenter-soon", _datacenter_soon, DATACENTER, aged=True),
    SetRule("seconds-after-sending", _seconds_after, 0, aged=True),
    SetRule("pair", _pair, PAIR | _SIGNALS),
    _alone("agent-burst", AGENT_BURST),
    _alone("hidden-link-address", ADDRESS_TRAP | NETWORK_TRAP),
    SetRule("bare-soon", _bare_soon, BARE, aged=True),
    SetRule("quick-links", _quick, QUICK | RUSH | _SIGNALS, aged=True),
    _alone("click-echo", ECHO),
    SetRule("most-links", _most_links, COVERAGE | _SIGNALS),
    SetRule("rare-agent", _rare_agent, RARE_AGENT | _SIGNALS),
)
"""What makes a machine of a click that looked human by itself, the surest first: the first to speak is the
reason.
"""

HUMAN_RULES: Sequence[SetRule] = (
    _alone("even-pace", EVEN),
    _alone("many-tabs", QUICK),
    _alone("many-links", COVERAGE),
    _alone("double-click", REPEAT),
    _alone("rewritten-link", REWRITTEN),
)
"""What is worth saying of a click that stays human."""
ALL_RULES = (*MACHINE_RULES, *HUMAN_RULES)


_READER = Judgement("human", "reader")


def judge_set(clicks: Iterable[Neighbour]) -> dict[int, Judgement]:
    """The verdict on every click of a set, by ``seq``; a verdict is right where all neighbours are in the
    set.

    The neighbours of a click are those that share a key of ``neighbours.FAMILIES`` within the family's
    horizon. The stored reason and bits of a click may be those of its request or of any earlier judgement.
    O(n log n).
    """
    known = list(clicks)
    bits = find_bits(known)
    return {click.seq: judge_bits(click, bits[click.seq]) for click in known}


def judge_family(clicks: Iterable[Neighbour], family: Family) -> dict[int, Judgement]:
    """The verdicts of a family's clicks after it has looked again; the bits of other families are the stored
    ones.

    This is how late clicks are taken in without asking for neighbours of neighbours. For clicks that are new
    under a key between two moments, ``clicks`` are all with that key from two horizons before the first to
    two after the last; the verdicts within one horizon are then right as far as this family goes. With every
    family in turn, each with the bits that the one before has left, the result is that of ``judge_set`` on
    everything.
    """
    about = [click for click in clicks if (click.copy is not None) is family.copies]
    found = find_bits(about, families=(family,))
    kept = ~(REQUEST_BITS | family.bits)
    return {click.seq: judge_bits(click, click.gaps & kept | found[click.seq]) for click in about}


def judge_bits(click: Neighbour, bits: int) -> Judgement:
    """The verdict on a click whose neighbourhood shows ``bits``; a machine by its request alone stays one."""
    gaps = click.gaps & REQUEST_BITS | bits
    if not gaps and not click.trap and click.reason == "reader" and age_of(click) >= SECONDS_AFTER_SENDING_MS:
        return _READER  # most clicks, and nothing could speak
    if click.reason in REQUEST_REASONS:
        reason = click.reason
    else:
        reason = next(reasons_that_speak(gaps, age=age_of(click), trap=click.trap), "reader")
    return Judgement(REASONS[reason].verdict, reason, gaps)


def reasons_that_speak(gaps: int, *, age: int, trap: bool) -> Iterator[str]:
    """Every rule over sets that speaks, the surest first; machines before what is said of people."""
    if trap:
        yield "hidden-link"
    if gaps or age < SECONDS_AFTER_SENDING_MS:
        for rule in ALL_RULES:
            if rule.speaks(gaps, age):
                yield rule.reason


def age_of(click: Neighbour) -> int:
    """Milliseconds from the sending of the issue to the click, or NEVER."""
    if click.sent is None or click.at < click.sent:
        return NEVER
    return click.at - click.sent


def is_settled(at: int, *, now: int, within: int = SETTLED_MS) -> bool:
    """Whether the window of a click at ``at`` is closed at ``now`` (both milliseconds of UTC epoch)."""
    return now - at > within
