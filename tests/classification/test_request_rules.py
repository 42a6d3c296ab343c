"""Request rules: the reason and the evidence of one request, and what its user agent claims."""

from typing import Any

import pytest

from shortener.classification.browsers import current_chrome_major, is_old, parse_browser
from shortener.classification.evidence import (
    DATACENTER,
    IMPOSSIBLE_BROWSER,
    IN_FRAME,
    MAIL_GATEWAY,
    NO_FETCH_METADATA,
    NO_LANGUAGE,
    OLD_BROWSER,
    REWRITTEN_LINK,
    SCANNER_BROWSER,
    SECURITY_VENDOR,
    ClickRequest,
)
from shortener.classification.networks import read_networks
from shortener.classification.reasons import REASONS, describe_evidence
from shortener.classification.request_rules import classify_request, datacenter_table

NOW = 1_790_000_000.0  # September 2026
CHROME = (
    "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/152.0.0.0 Safari/537.36"
)
SAFARI = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_6 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/26.6 Mobile/15E148 Safari/604.1"
)
NAVIGATION = {"sec-fetch-site": "none", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
DATACENTERS = datacenter_table(read_networks("20.36.0.0/14\n67.231.144.0/20", name="list"))


def request(**changes: Any) -> ClickRequest:
    """Return a reader's request with Chrome from a home network, with some fields changed."""
    fields = {
        "ts": NOW,
        "method": "GET",
        "ua": CHROME,
        "headers": NAVIGATION,
        "lang": "en",
        "net": "24.5.6.0/24",
    }
    return ClickRequest(**{**fields, **changes})


def sent(**headers: str) -> dict[str, str]:
    """Return the headers of a navigation, with some added or changed; ``_`` in a name is ``-``."""
    return {**NAVIGATION, **{name.replace("_", "-"): value for name, value in headers.items()}}


REQUESTS: dict[str, tuple[dict[str, Any], str, int]] = {
    "a reader at home": ({}, "reader", 0),
    "a reader on a phone": ({"ua": SAFARI}, "reader", 0),
    "HEAD": ({"method": "HEAD"}, "head-request", 0),
    "HEAD by a preview is a preview": ({"method": "HEAD", "ua": "Slackbot 1.0 (+x)"}, "named-preview", 0),
    "a part of a redirect": ({"headers": sent(range="bytes=0-32768")}, "range-request", 0),
    "Gmail's image proxy": (
        {
            "ua": "Mozilla/5.0 (Windows NT 5.1; rv:11.0) Gecko Firefox/11.0 (via ggpht.com GoogleImageProxy)",
            "headers": {"accept": "image/*"},
            "lang": None,
            "net": "66.249.93.0/24",
        },
        "named-bot",
        NO_LANGUAGE,
    ),
    "a reader in Gmail": (
        {"ref": "https://mail.google.com/", "headers": sent(sec_fetch_site="cross-site")},
        "reader",
        0,
    ),
    "a privacy browser": ({"lang": None, "headers": sent(dnt="1", sec_gpc="1")}, "reader", NO_LANGUAGE),
    "no user agent": ({"ua": ""}, "no-user-agent", 0),
    "a user agent that was withheld": ({"ua": None}, "reader", 0),
    "a browser's prefetch": ({"headers": sent(sec_purpose="prefetch")}, "prefetch-header", 0),
    "a prerender": ({"headers": sent(sec_purpose="prefetch;prerender")}, "prefetch-header", 0),
    "Safari's preview": ({"ua": SAFARI, "headers": sent(x_purpose="preview")}, "prefetch-header", 0),
    "an old Firefox's prefetch": ({"headers": sent(x_moz="prefetch")}, "prefetch-header", 0),
    "an old Chrome's prefetch": ({"headers": sent(purpose="Prefetch")}, "prefetch-header", 0),
    "a header that was sent empty": ({"headers": sent(purpose="", x_moz="")}, "reader", 0),
    "a crawler that prefetches": (
        {"ua": "GPTBot/1.2 (x)", "headers": sent(purpose="prefetch")},
        "named-bot",
        0,
    ),
    "an image": ({"headers": sent(sec_fetch_dest="image", sec_fetch_mode="no-cors")}, "no-navigation", 0),
    "a fetch of a script": (
        {"headers": sent(sec_fetch_dest="empty", sec_fetch_mode="cors")},
        "no-navigation",
        0,
    ),
    "a frame in a mail client": ({"headers": sent(sec_fetch_dest="iframe")}, "reader", IN_FRAME),
    "no language": ({"lang": None}, "reader", NO_LANGUAGE),
    "a language among the headers": ({"lang": None, "headers": sent(accept_language="de")}, "reader", 0),
    "no Sec-Fetch headers": ({"headers": {"accept": "*/*"}}, "reader", NO_FETCH_METADATA),
    "no headers at all": ({"headers": {}, "lang": None}, "bare-request", NO_LANGUAGE | NO_FETCH_METADATA),
    "a log without headers": ({"headers": None, "lang": None}, "reader", 0),
    "a log without headers, from a cloud": (
        {"headers": None, "lang": None, "net": "20.37.0.0/24"},
        "reader",
        DATACENTER,
    ),
    "a plain http link": ({"headers": {}, "https": False}, "reader", 0),
    "an old Safari sends no Sec-Fetch": (
        {
            "headers": {},
            "ua": SAFARI.replace("18_6", "15_8").replace("26.6", "15.6"),
        },
        "reader",
        0,
    ),
    "a gateway's network": ({"net": "40.107.9.0/24"}, "gateway-network", MAIL_GATEWAY),
    "a vendor's network": ({"net": "148.163.130.0/24"}, "reader", SECURITY_VENDOR),
    "a data center": ({"net": "20.37.0.0/24"}, "reader", DATACENTER),
    "a vendor's network on the operator's list": (
        {"net": "67.231.150.0/24"},
        "reader",
        SECURITY_VENDOR | DATACENTER,
    ),
    "a data center without a language": (
        {"net": "20.37.0.0/24", "lang": None},
        "bare-datacenter",
        DATACENTER | NO_LANGUAGE,
    ),
    "a frame in a data center": (
        {"net": "20.37.0.0/24", "headers": sent(sec_fetch_dest="iframe")},
        "reader",
        DATACENTER | IN_FRAME,
    ),
    "an old browser in a data center": (
        {"net": "20.37.0.0/24", "ua": CHROME.replace("152", "112")},
        "reader",
        DATACENTER | OLD_BROWSER,
    ),
    "a scanner's browser at home": (
        {"ua": CHROME.replace("152", "104")},
        "reader",
        OLD_BROWSER | SCANNER_BROWSER,
    ),
    "a scanner's browser in a data center": (
        {"ua": CHROME.replace("152", "104"), "net": "20.37.0.0/24"},
        "scanner-browser",
        OLD_BROWSER | SCANNER_BROWSER | DATACENTER,
    ),
    "a scanner's browser without a language": (
        {"ua": CHROME.replace("152", "104"), "lang": None},
        "false-browser",
        OLD_BROWSER | SCANNER_BROWSER | NO_LANGUAGE,
    ),
    "a Chrome that was never built": (
        {"ua": CHROME.replace("152.0.0.0", "152.0.1.7")},
        "reader",
        IMPOSSIBLE_BROWSER,
    ),
    "a rewriter's referrer": (
        {"ref": "https://eur02.safelinks.protection.outlook.com/"},
        "rewritten-link",
        REWRITTEN_LINK,
    ),
    "a referrer that only looks like a rewriter's": (
        {"ref": "https://safelinks.protection.outlook.com.evil.example/"},
        "reader",
        0,
    ),
}


@pytest.mark.parametrize("name", REQUESTS)
def test_requests_are_classified(name: str) -> None:
    """A request gets the expected reason and evidence, and the verdict of its reason."""
    changes, reason, evidence = REQUESTS[name]
    actual = classify_request(request(**changes), datacenters=DATACENTERS)
    assert (actual.reason, actual.evidence) == (reason, evidence), describe_evidence(actual.evidence)
    assert actual.verdict == REASONS[reason].verdict


HOSTILE: dict[str, dict[str, Any]] = {
    "a hostile user agent": {"ua": "Mozilla/5.0 (" + "(" * 5000},
    "control characters": {"ua": "\x00\x1f\ud800 \u202e" * 50, "ref": "\x00", "net": "\x00"},
    "a network that is none": {"net": "not a network"},
    "an odd referrer": {"ref": "https://"},
    "odd headers": {"headers": {"sec-fetch-dest": "\u00fc", "purpose": "x" * 9999}},
    "the beginning of time": {"ts": 0.0},
    "an unheard-of method": {"method": "BREW"},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_malformed_requests_have_a_verdict(name: str) -> None:
    """Any content of a request's fields gives a verdict and raises no error."""
    assert classify_request(request(**HOSTILE[name]), datacenters=DATACENTERS).verdict


BROWSERS = {
    "Chrome": (CHROME, True, False),
    "Chrome with a build": (CHROME.replace("152.0.0.0", "152.0.7444.59"), True, True),
    "an old Chrome's real build": (CHROME.replace("152.0.0.0", "79.0.3945.88"), False, False),
    "an old Chrome's impossible build": (CHROME.replace("152.0.0.0", "79.0.2171.71"), False, True),
    "Electron": (
        CHROME.replace("Chrome/152.0.0.0", "Slack/4.4 Chrome/134.0.6998.205 Electron/35.1.5"),
        True,
        False,
    ),
    "a web view": (
        "Mozilla/5.0 (Linux; Android 15; SM-S928B Build/AP3A.240905.015; wv) AppleWebKit/537.36 "
        "(KHTML, like Gecko) Version/4.0 Chrome/152.0.7444.102 Mobile Safari/537.36",
        True,
        False,
    ),
    "Safari": (SAFARI, True, False),
    "Chrome on an iPhone": (SAFARI.replace("Version/26.6", "CriOS/152.0.7444.102"), True, False),
    "an iPhone with Chrome's engine": (
        "Mozilla/5.0 (iPhone; CPU iPhone OS 11_0 like Mac OS X) AppleWebKit/537.36 (KHTML, like Gecko) "
        "Chrome/57.0.7038.1767 Mobile Safari/537.36",
        False,
        True,
    ),
    "Firefox": ("Mozilla/5.0 (X11; Linux x86_64; rv:151.0) Gecko/20100101 Firefox/151.0", True, False),
    "an old Firefox": ("Mozilla/5.0 (X11; Linux x86_64; rv:78.0) Gecko/20100101 Firefox/78.0", False, False),
    "a major beyond the table": (CHROME.replace("152.0.0.0", "39.0.2171.71"), False, False),
    "a number that is no version": ("Mozilla/5.0 (X) Chrome/99999999999999999999.0.0.0 x", False, False),
}


@pytest.mark.parametrize("name", BROWSERS)
def test_claimed_browsers_are_recognised(name: str) -> None:
    """Whether the claimed browser sends Sec-Fetch headers, and whether it ever existed, is recognised."""
    user_agent, sends_fetch_metadata, impossible = BROWSERS[name]
    browser = parse_browser(user_agent)
    assert (browser.sends_fetch_metadata, browser.impossible) == (sends_fetch_metadata, impossible)


def test_browsers_are_outdated_at_the_time_of_the_click() -> None:
    """Whether a browser is outdated depends on the time of the click, so that reclassifying gives the same result."""
    chrome = parse_browser(CHROME.replace("152", "112"))
    assert not is_old(chrome, ts=1_700_000_000)
    assert is_old(chrome, ts=NOW)
    assert not is_old(parse_browser(SAFARI), ts=NOW)
    assert 150 <= current_chrome_major(NOW) <= 154
