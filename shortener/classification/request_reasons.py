"""The reasons for verdicts that follow from a click's request alone, such as a missing user agent.

Each reason has a verdict, a description and a precision class. The class says how certain the reason is; see
docs/classification.md, section 8.
"""

from collections.abc import Mapping
from typing import Literal

from msgspec import Struct

from shortener.messages import Message

Verdict = Literal["human", "bot", "scanner", "preview", "prefetch"]
Precision = Literal["sure", "likely", "suspect", "person"]
"""How certain a reason is, called its precision class.

``sure``: automated, right in over 99.5 % of cases; ``likely``: automated, less certain; ``suspect``: human,
but with a pattern that scanners show too; ``person``: human.
"""


class Reason(Struct, frozen=True):
    """The verdict that a rule gives, how precise the rule is, and its description."""

    verdict: Verdict
    description: str
    precision: Precision = "sure"


REQUEST_REASONS: Mapping[str, Reason] = {
    "named-scanner": Reason("scanner", Message("the user agent names a mail scanner")),
    "named-preview": Reason("preview", Message("the user agent names a link preview")),
    "named-bot": Reason("bot", Message("the user agent names a crawler, a tool or a library")),
    "no-user-agent": Reason("bot", Message("no user agent was sent")),
    "no-browser-name": Reason("bot", Message("the user agent is too short for a browser's")),
    "prefetch-header": Reason("prefetch", Message("prefetched by the browser, not opened by a reader")),
    "head-request": Reason("bot", Message("a HEAD request, which checks a link without opening it")),
    "range-request": Reason("bot", Message("a Range header was sent, as link previews do")),
    "no-navigation": Reason("bot", Message("the Sec-Fetch headers show that no page was being opened")),
    "gateway-network": Reason("scanner", Message("the request came from a mail gateway's network")),
    "bare-request": Reason("scanner", Message("a browser's user agent without Accept-Language and Sec-Fetch headers")),
    "false-browser": Reason("scanner", Message("an outdated, impossible or scanner's browser, with headers missing")),
    "bare-datacenter": Reason("scanner", Message("from a data center, without headers that a browser sends")),
    "scanner-browser": Reason("scanner", Message("from a data center, with a user agent that mail scanners still use")),
}
"""Reasons that are decided by the request alone, by name. Nearby clicks then never change them."""
