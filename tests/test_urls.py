"""Target URLs: accepted and refused ones, canonical form, and forwarded queries."""

import json
import os
import re
import subprocess
import sys
import time
from pathlib import Path
from typing import Any
from urllib.parse import unquote_plus, urlsplit

import flask
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.errors import TargetRefused
from shortener.homographs import homograph_warning
from shortener.urls import (
    MAX_LOCATION_LENGTH,
    MAX_REFERRER_LENGTH,
    MAX_TARGET_LENGTH,
    add_query,
    canonicalize_target,
    clean_referrer,
)

LIST = Path(__file__).parents[2] / "shared" / "reliability" / "target_urls.jsonl"


def _location(target: str) -> str | None:
    """Return the Location header of Flask's redirect to ``target``."""
    environ: dict[str, Any] = {"wsgi.url_scheme": "https", "HTTP_HOST": "short.example", "SCRIPT_NAME": ""}
    return flask.redirect(target).get_wsgi_headers(environ | {"PATH_INFO": "/abc"}).get("Location")


def _escaped(target: str) -> str:
    """Return a target as Flask sends it: brackets and bars behind the host are escaped, which browsers leave alone."""
    host, rest = re.fullmatch(r"(https?://[^/?#]*)(.*)", target, re.S).groups()  # type: ignore[union-attr]
    return host + rest.replace("[", "%5B").replace("]", "%5D").replace("|", "%7C")


ACCEPTED = {
    "as it is": ("https://good.com/a", "https://good.com/a"),
    "no path": ("https://good.com", "https://good.com"),
    "http": ("http://good.com/", "http://good.com/"),
    "scheme and host in lower case": ("HTTPS://GOOD.COM/Path", "https://good.com/Path"),
    "surrounding spaces": ("  https://good.com/a ", "https://good.com/a"),
    "pasted no-break space and byte order mark": ("\ufeffhttps://good.com/a\u00a0", "https://good.com/a"),
    "at sign in the fragment": ("https://evil.com#@good.com", "https://evil.com#@good.com"),
    "at sign in the query": ("https://evil.com?@good.com", "https://evil.com?@good.com"),
    "at sign in the path": ("https://medium.com/@a/b", "https://medium.com/@a/b"),
    "encoded CR LF": ("https://good.com/%0d%0aSet-Cookie:a=1", "https://good.com/%0d%0aSet-Cookie:a=1"),
    "space": ("https://good.com/a b", "https://good.com/a%20b"),
    "non-ASCII": ("https://good.com/ä?ü=ö#é", "https://good.com/%C3%A4?%C3%BC=%C3%B6#%C3%A9"),
    "direction override": ("https://good.com/\u202ecod.exe", "https://good.com/%E2%80%AEcod.exe"),
    "dot segments": ("https://good.com/../../x", "https://good.com/../../x"),
    "encoded dots": ("https://good.com/%2e%2e/", "https://good.com/%2e%2e/"),
    "double slash": ("https://good.com/./a//b", "https://good.com/./a//b"),
    "broken escape": ("https://good.com/%zz%", "https://good.com/%zz%"),
    "encoded slash": ("https://good.com/a%2Fb%2fc", "https://good.com/a%2Fb%2fc"),
    "pipes, brackets, braces": (
        "https://good.com/?q=a|b&c=[d]&e={f}",
        "https://good.com/?q=a|b&c=[d]&e=%7Bf%7D",
    ),
    "brackets and bars in every part": (
        "https://good.com/[a]|b?f[0]=1|2#[c]|d",
        "https://good.com/[a]|b?f[0]=1|2#[c]|d",
    ),
    "escaped brackets": ("https://good.com/?a=%5B1%5D%7C", "https://good.com/?a=%5B1%5D%7C"),
    "quotes and angles": ("https://good.com/\"<'>`^", "https://good.com/%22%3C'%3E%60%5E"),
    "plus and space escapes": ("https://good.com/?a=%20+%2B", "https://good.com/?a=%20+%2B"),
    "parameters": ("https://good.com/;p=1;q", "https://good.com/;p=1;q"),
    "hash in the fragment": ("https://good.com/#a#b?c", "https://good.com/#a#b?c"),
    "question marks in the query": ("https://good.com/?a=?b?", "https://good.com/?a=?b?"),
    "template": ("https://good.com/{{7*7}}${7}%(x)s", "https://good.com/%7B%7B7*7%7D%7D$%7B7%7D%(x)s"),
    "a URL in the query": (
        "https://good.com/?u=https://b.c/?d=e#f",
        "https://good.com/?u=https://b.c/?d=e#f",
    ),
    "empty query": ("https://good.com/?", "https://good.com/"),
    "empty query before a fragment": ("https://good.com?#a", "https://good.com#a"),
    "empty fragment": ("https://good.com/#", "https://good.com/"),
    "empty port": ("https://example.com:/", "https://example.com/"),
    "default port": ("https://example.com:443/", "https://example.com:443/"),
    "port with a leading zero": ("https://example.com:0443/", "https://example.com:443/"),
    "highest port": ("https://example.com:65535/", "https://example.com:65535/"),
    "underscore": ("https://good_host.com/", "https://good_host.com/"),
    "leading dash": ("https://-a.com/", "https://-a.com/"),
    "one label": ("https://ai/", "https://ai/"),
    "trailing dot": ("https://example.com./a", "https://example.com./a"),
    "public IPv4": ("http://8.8.8.8/", "http://8.8.8.8/"),
    "public IPv6": ("http://[2606:4700::1111]:8080/", "http://[2606:4700::1111]:8080/"),
    "public IPv6 in upper case": ("http://[2606:4700::ABCD]/", "http://[2606:4700::abcd]/"),
    "NAT64 of a public address": ("http://[64:ff9b::808:808]/", "http://[64:ff9b::808:808]/"),
    "digits, but not in the last label": ("https://123.456.example/", "https://123.456.example/"),
    "hex letters in the last label": ("https://a.0xyz/", "https://a.0xyz/"),
    "label of 63": (f"https://{'a' * 63}.com/", f"https://{'a' * 63}.com/"),
    "host of 253": (f"https://{'a.' * 125}com/", f"https://{'a.' * 125}com/"),
    "Cyrillic and Latin": ("https://раураl.com/", "https://xn--l-7sba6dbr.com/"),
    "punycode": ("https://xn--80ak6aa92e.com/", "https://xn--80ak6aa92e.com/"),
    "punycode in upper case": ("https://XN--80AK6AA92E.com/", "https://xn--80ak6aa92e.com/"),
    "umlaut": ("https://MÜNCHEN.de/", "https://xn--mnchen-3ya.de/"),
    "decomposed umlaut": ("https://mu\u0308nchen.de/", "https://xn--mnchen-3ya.de/"),
    "sharp s is a letter of its own": ("https://straße.de/", "https://xn--strae-oqa.de/"),
    "capital sharp s": ("https://STRAẞE.de/", "https://xn--strae-oqa.de/"),
    "final sigma": ("https://βόλος.com/", "https://xn--nxasmm1c.com/"),
    "Hebrew": ("https://קום.com/", "https://xn--9dbq2a.com/"),
    "mathematical final sigma": ("https://a𝛓.com/", "https://xn--a-0mb.com/"),
    "IDN top level": ("https://кот.рф/", "https://xn--j1aim.xn--p1ai/"),
    "circled letters": ("https://ⓔⓧⓐⓜⓟⓛⓔ.com/", "https://example.com/"),
    "fullwidth letters": ("https://ｅｘａｍｐｌｅ．com/", "https://example.com/"),
    "ideographic full stop": ("https://example。com/", "https://example.com/"),
    "halfwidth full stop": ("https://example｡com/", "https://example.com/"),
    "soft hyphen": ("https://exa\u00admple.com/", "https://example.com/"),
    "zero-width space": ("https://exa\u200bmple.com/", "https://example.com/"),
    "a heart": ("https://i❤.ws/", "https://xn--i-7iq.ws/"),
    "a heart with a variation selector": ("https://i❤\ufe0f.ws/", "https://xn--i-7iq.ws/"),
    "a rare variation selector": ("https://例\U000e0100.jp/", "https://xn--fsq.jp/"),
    "joiner, as xn--": ("https://xn--mgba3gch31f060k.ir/", "https://xn--mgba3gch31f060k.ir/"),
    "longest": (f"https://a/{'a' * (MAX_TARGET_LENGTH - 10)}", f"https://a/{'a' * (MAX_TARGET_LENGTH - 10)}"),
}


@pytest.mark.parametrize(("raw", "expected"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_accepted_targets_have_one_form(raw: str, expected: str) -> None:
    """A valid target gets a canonical form that neither we nor Flask's redirect change again."""
    target = canonicalize_target(raw)
    assert target == expected
    assert canonicalize_target(target) == target
    assert _location(target) == _escaped(target)


REFUSED = {
    "script": ("javascript:alert(1)", "not a web address"),
    "script in mixed case": ("JaVaScRiPt:alert(1)", "not a web address"),
    "script after a space": (" javascript:alert(1)", "not a web address"),
    "script after a control": ("\x01javascript:alert(1)", r"U\+0001"),
    "script with a tab": ("java\tscript:alert(1)", r"U\+0009"),
    "script with two slashes": ("javascript://good.com/%0aalert(1)", "not a web address"),
    "data": ("data:text/html,<script>alert(1)</script>", "not a web address"),
    "file": ("file:///etc/passwd", "not a web address"),
    "blob": ("blob:https://a/1", "not a web address"),
    "view-source": ("view-source:https://a/", "not a web address"),
    "intent": ("intent://x#Intent;scheme=http;end", "not a web address"),
    "mail": ("mailto:a@b.c", "not a web address"),
    "telephone": ("tel:+1", "not a web address"),
    "ftp": ("ftp://example.com/", "not a web address"),
    "httpſ with a long s": ("httpſ://example.com/", "not a web address"),
    "relative": ("/x", "not a web address"),
    "no scheme": ("example.com/page", "not a web address"),
    "two slashes": ("//evil.com", "not a web address"),
    "three slashes": ("///evil.com", "not a web address"),
    "no slash": ("https:evil.com", "not a web address"),
    "one slash": ("https:/evil.com", "not a web address"),
    "empty host": ("https:///evil.com", "no host"),
    "nothing but the scheme": ("https://", "no host"),
    "port without a host": ("https://:80/", "no host"),
    "empty": ("", "empty"),
    "spaces": ("   ", "empty"),
    "backslash for a slash": ("https:\\\\evil.com", "backslash"),
    "backslash before @": ("https://good.com\\@evil.com", "backslash"),
    "backslash in the host": ("https://evil.com\\.good.com", "backslash"),
    "backslash in the path": ("https://good.com/a\\b", "backslash"),
    "user": ("https://good.com@evil.com", "user name"),
    "user and password": ("https://user:pass@good.com/", "user name"),
    "user that looks like a port": ("https://good.com:80@evil.com/", "user name"),
    "empty user": ("https://@evil.com/", "user name"),
    "fullwidth at": ("https://good.com＠evil.com/", "browsers treat differently|a host consists of"),
    "percent in the host": ("https://%65xample.com/", "% in its host"),
    "encoded @ in the host": ("https://good.com%40evil.com", "% in its host"),
    "fullwidth percent in the host": ("https://good.com％40evil.com", "a host consists of"),
    "account-of sign, which maps to a/c": ("https://good.com℀.evil.com/", "a host consists of"),
    "header splitting": ("https://good.com/\r\nSet-Cookie: a=1", r"U\+000D"),
    "newline in the host": ("https://exa\nmple.com/", r"U\+000A"),
    "newline at the end": ("https://good.com/\n", r"U\+000A"),
    "tab in the path": ("https://good.com/a\tb", r"U\+0009"),
    "nul": ("https://good.com/\0", r"U\+0000"),
    "delete": ("https://good.com/\x7f", r"U\+007F"),
    "next line": ("https://good.com/\x85", r"U\+0085"),
    "line separator": ("https://good.com/\u2028", r"U\+2028"),
    "paragraph separator": ("https://good.com/\u2029", r"U\+2029"),
    "lone surrogate": ("https://good.com/\ud800", "surrogate"),
    "lone surrogate in the host": ("https://good\udfff.com/", "surrogate"),
    "port too high": ("https://example.com:99999/", "65535"),
    "port 65536": ("https://example.com:65536/", "65535"),
    "port 0": ("https://example.com:0/", "65535"),
    "port in letters": ("https://example.com:abc/", "cannot be read"),
    "negative port": ("https://example.com:-1/", "cannot be read"),
    "port in Arabic digits": ("https://example.com:٨٠/", "cannot be read"),
    "port twice": ("https://example.com:80:80/", "cannot be read"),
    "endless port": (f"https://example.com:{'9' * 3000}/", "65535"),
    "open bracket": ("https://[::1", "cannot be read"),
    "text after a bracket": ("https://[::1]evil.com/", "cannot be read"),
    "bracketed name": ("https://[example.com]/", "IPv6"),
    "future IP": ("https://[v1.x]/", "IPv6"),
    "zone": ("https://[fe80::1%25eth0]/", "% in its host"),
    "dot": ("https://.", "empty or over-long"),
    "dots": ("https://..", "empty or over-long"),
    "empty label": ("https://a..com/", "empty or over-long"),
    "leading dot": ("https://.com/", "empty or over-long"),
    "two trailing dots": ("https://a.com../", "empty or over-long"),
    "ellipsis, which maps to dots": ("https://a…com/", "empty or over-long"),
    "label of 64": (f"https://{'a' * 64}.com/", "over-long"),
    "punycode label of 64": (f"https://{'ü' * 60}.com/", "has a part of"),
    "host of 254": (f"https://{'a.' * 125}info/", "254"),
    "space before the host": ("https:// good.com/", "a host consists of"),
    "space after the host": ("https://good.com /", "a host consists of"),
    "template in the host": ("https://{{host}}/", "a host consists of"),
    "merge tag in the host": ("https://*|URL|*/", "a host consists of"),
    "short IPv4": ("https://127.1/", "odd spelling"),
    "decimal IPv4": ("https://2130706433/", "odd spelling"),
    "hex IPv4": ("https://0x7f.1/", "odd spelling"),
    "hex IPv4 in upper case": ("https://0X7F000001/", "odd spelling"),
    "empty hex": ("https://a.0x/", "odd spelling"),
    "octal IPv4": ("https://0177.0.0.1/", "odd spelling"),
    "IPv4 with a trailing dot": ("https://8.8.8.8./", "odd spelling"),
    "five numbers": ("https://1.2.3.4.5/", "odd spelling"),
    "number too large": ("https://1.2.3.256/", "odd spelling"),
    "name that ends in a number": ("https://example.42/", "odd spelling"),
    "circled digits": ("https://①②⑦.⓪.⓪.①/", "odd spelling"),
    "fullwidth public IPv4": ("https://８.８.８.８/", "odd spelling"),
    "joiner in a Latin host": ("https://exa\u200dmple.com/", "xn-- form"),
    "direction override in the host": ("https://exa\u202emple.com/", "xn-- form"),
    "host of nothing but soft hyphens": ("https://\u00ad\u00ad/", "empty or over-long"),
    "Hebrew and Latin in one label": ("https://abשc.com/", "xn-- form"),
    "Hebrew after a digit": ("https://1ש.com/", "xn-- form"),
    "the same as punycode": ("https://xn--1-gjc.com/", "a host consists of"),
    "Hangul filler, which has no ink": ("https://goo\u3164gle.com/", "xn-- form"),
    "combining mark first": ("https://\u0301a.com/", "xn-- form"),
    "private-use character": ("https://a\ue000.com/", "xn-- form"),
    "punycode of plain ASCII": ("https://xn--abc-.com/", "a host consists of"),
    "punycode of nothing": ("https://xn--.com/", "a host consists of"),
    "broken punycode": ("https://xn--99999999.com/", "a host consists of"),
    "punycode of an upper-case letter": ("https://xn--wca.com/", "a host consists of"),
    "punycode of a surrogate": ("https://xn--a-rc4g.com/", "a host consists of"),
    "non-ASCII under xn--": ("https://xn--ü.com/", "xn-- form"),
    "too long": (f"https://a/{'a' * (MAX_TARGET_LENGTH - 9)}", "4,097 characters"),
    "too long when encoded": (f"https://a/{'ü' * 700}", "when encoded"),
    "a megabyte": (f"https://a/{'a' * 1_000_000}", "4,096 are allowed"),
}


@pytest.mark.parametrize(("raw", "reason"), REFUSED.values(), ids=REFUSED.keys())
def test_refused_targets_get_one_printable_line(raw: str, reason: str) -> None:
    """An invalid target is refused with one short printable line, whether private targets are allowed or not."""
    for allow_private in (False, True):
        with pytest.raises(TargetRefused, match=reason) as refusal:
            canonicalize_target(raw, allow_private=allow_private)
        message = str(refusal.value)
        assert message.isprintable()
        assert len(message) < 900


PRIVATE = """
    127.0.0.1 127.255.255.254 0.0.0.0 255.255.255.255 10.0.0.1 172.16.0.1 192.168.1.1 169.254.169.254
    100.64.0.1 224.0.0.1 239.1.2.3 240.0.0.1 192.0.0.8 192.0.2.1 198.18.0.1 198.51.100.7 203.0.113.9
    [::] [::1] [0:0:0:0:0:0:0:1] [::ffff:127.0.0.1] [::ffff:7f00:1] [::ffff:10.0.0.1] [::127.0.0.1]
    [64:ff9b::7f00:1] [64:ff9b::192.168.0.1] [64:ff9b:1::1] [2002:7f00:1::] [2002:c0a8:101::1] [2001:0:1::1]
    [2001:db8::1] [3fff::1] [fe80::1] [fec0::1] [fc00::1] [fd12::1] [ff02::1] [100::1] [5f00::1] [4000::1]
    localhost localhost. LOCALHOST ⓛocalhost a.localhost printer.local nas.home.arpa wiki.internal
"""


@pytest.mark.parametrize("host", PRIVATE.split())
def test_private_targets_are_the_operators_choice(host: str) -> None:
    """A private target is refused by default, and canonicalized if private targets are allowed."""
    with pytest.raises(TargetRefused, match="private network"):
        canonicalize_target(f"http://{host}/a")
    target = canonicalize_target(f"http://{host}:8080/a", allow_private=True)
    assert _location(target) == _escaped(target)
    assert canonicalize_target(target, allow_private=True) == target


OWN_HOSTS = ("short.example", "xn--mnchen-3ya.de", "dev.example:8000", "[2606:4700::1]", "8.8.8.8")
OWN = {
    "root": "https://short.example/",
    "a code": "https://short.example/7pj1e/2",
    "other scheme": "http://short.example/7pj1e",
    "default port": "https://short.example:443/",
    "other port": "https://short.example:8443/",
    "upper case": "https://SHORT.Example/",
    "trailing dot": "https://short.example./",
    "trailing dot and port": "https://short.example.:443/",
    "fullwidth": "https://ｓhort.example/",
    "ideographic full stop": "https://short。example/",
    "soft hyphen": "https://sh\u00adort.example/",
    "no path": "https://short.example?a",
    "IDN": "https://münchen.de/",
    "at the configured port": "http://dev.example:8000/",
    "IPv6 spelled out": "https://[2606:4700:0:0:0:0:0:1]/",
    "IPv4": "https://8.8.8.8/",
}


@pytest.mark.parametrize("raw", OWN.values(), ids=OWN.keys())
def test_targets_on_our_own_domain_are_refused(raw: str) -> None:
    """No spelling of our own host is accepted as a target, so no link can redirect to itself."""
    with pytest.raises(TargetRefused, match="our own short-link domain"):
        canonicalize_target(raw, own_hosts=OWN_HOSTS)


@pytest.mark.parametrize(
    "raw",
    [
        "https://www.short.example/",
        "https://notshort.example/",
        "https://short.example.com/",
        "https://a.com/short.example",
        "https://a.com/?u=https://short.example/",
        "https://dev.example/",
        "https://dev.example:8001/",
    ],
)
def test_other_hosts_are_not_ours(raw: str) -> None:
    """A host similar to ours, or ours at another port than the configured one, is accepted."""
    assert canonicalize_target(raw, own_hosts=OWN_HOSTS) == raw


def test_own_host_with_the_default_port_is_the_one_without() -> None:
    """An own host with the scheme's default port also matches a target without port."""
    with pytest.raises(TargetRefused, match="our own"):
        canonicalize_target("https://a.example/", own_hosts=["a.example:443"])
    assert canonicalize_target("http://a.example/", own_hosts=["a.example:443"]) == "http://a.example/"


@pytest.mark.skipif(not LIST.exists(), reason="the list of hostile targets is not beside this checkout")
def test_the_list_of_hostile_targets() -> None:
    """Each target of the list is accepted or refused as the list says, and sent as it says."""
    rows = [json.loads(line) for line in LIST.read_text(encoding="utf-8").splitlines()]
    wrong = [row for row in rows if not _agrees(row)]
    assert len(rows) == 89
    assert wrong == []


def _agrees(row: dict[str, str]) -> bool:
    try:
        target = canonicalize_target(row["input"])
    except TargetRefused:
        return not row["verdict"].startswith("accept") and _agrees_when_private(row)
    return row["verdict"].startswith("accept") and _escaped(target) == row["flask_location"] == _location(target)


def _agrees_when_private(row: dict[str, str]) -> bool:
    try:
        target = canonicalize_target(row["input"], allow_private=True)
    except TargetRefused:
        return row["verdict"] == "reject"
    return row["verdict"].startswith("operator") and _escaped(target) == row["flask_location"] == _location(target)


URL_PIECES = st.lists(
    st.sampled_from([*"ab.:/?#[]@%&=;+|{}~-_ 09", "xn--", "..", "%2F", "ü", "ß", "ⓐ", "。", "\u00ad", "日", "١"])
    | st.characters(),
    max_size=25,
).map("".join)


@given(URL_PIECES, st.sampled_from(["https://", "http://a.com", "https://a.com/", "HTTP://ü.b", ""]))
@settings(max_examples=250, deadline=None)
def test_whatever_is_accepted_is_a_fixed_point(tail: str, start: str) -> None:
    """Any text is refused, or becomes ASCII that Flask sends unchanged, with the validated host."""
    try:
        target = canonicalize_target(start + tail)
    except TargetRefused:
        return
    assert target.isascii()
    assert target.isprintable()
    assert " " not in target
    assert canonicalize_target(target) == target
    assert _location(target) == _escaped(target)


WARNED = {
    "Cyrillic and Latin": ("https://раураl.com/", "mixes Cyrillic and Latin"),
    "all Cyrillic look-alikes": ("https://xn--80ak6aa92e.com/", "look like others"),
    "Greek and Latin": ("https://gοοgle.com/", "mixes Greek and Latin"),
    "Latin script g": ("https://ɡoogle.com/", "look like others"),
    "in a subdomain": ("https://раураl.evil.com/", "mixes"),
    "division slash": ("https://good.com∕a.evil.com/", "look like others"),
}
NOT_WARNED = {
    "ASCII": "https://example.com/",
    "German": "https://münchen.de/",
    "Russian": "https://пример.com/",
    "Cyrillic under a Cyrillic ending": "https://сор.рф/",
    "Japanese with Latin": "https://日本語ーabc.jp/",
    "Korean": "https://한국.kr/",
    "Cyrillic in the path only": "https://example.com/раураl",
    "an address": "http://8.8.8.8/",
}


@pytest.mark.parametrize(("raw", "reason"), WARNED.values(), ids=WARNED.keys())
def test_hosts_that_deceive_get_a_warning(raw: str, reason: str) -> None:
    """A host with look-alike letters is accepted, with a warning that shows its punycode name."""
    target = canonicalize_target(raw)
    warning = homograph_warning(target)
    assert warning is not None
    assert reason in warning
    assert warning.startswith(f"{urlsplit(target).hostname}: ")


@pytest.mark.parametrize("raw", NOT_WARNED.values(), ids=NOT_WARNED.keys())
def test_honest_hosts_get_no_warning(raw: str) -> None:
    """A name in one common script gives no warning."""
    assert homograph_warning(canonicalize_target(raw)) is None


FORWARDED = {
    "no query": ("https://a.com/", "", "https://a.com/"),
    "plain": ("https://a.com/", "x=1", "https://a.com/?x=1"),
    "no path": ("https://a.com", "x=1", "https://a.com?x=1"),
    "no path, host-like query": ("https://a.com", "@b.c/", "https://a.com?@b.c/"),
    "no path, dotted query": ("https://a.com", ".b.c", "https://a.com?.b.c"),
    "before the fragment": ("https://a.com/#s", "x=1", "https://a.com/?x=1#s"),
    "question mark in the fragment": ("https://a.com/#s?x=2", "x=1", "https://a.com/?x=1#s?x=2"),
    "other key": ("https://a.com/?a=1#s", "x=1", "https://a.com/?a=1&x=1#s"),
    "case counts": ("https://a.com/?a=1", "A=2", "https://a.com/?a=1&A=2"),
    "key twice in the click": ("https://a.com/?b=0", "a=1&a=2", "https://a.com/?b=0&a=1&a=2"),
    "no equals sign": ("https://a.com/?a", "b", "https://a.com/?a&b"),
    "empty pairs": ("https://a.com/", "&&x=1&", "https://a.com/?x=1"),
    "nothing but separators": ("https://a.com/?a=1", "&&", "https://a.com/?a=1"),
    "target with empty pairs": ("https://a.com/?&a=1&", "x=1", "https://a.com/?&a=1&&x=1"),
    "semicolon separates nothing": ("https://a.com/?a=1", "b=1;a=2", "https://a.com/?a=1&b=1;a=2"),
    "verbatim": ("https://a.com/", "x=%2f%zz+a:/?@!$'()*,~", "https://a.com/?x=%2f%zz+a:/?@!$'()*,~"),
    "encoded CR LF stays encoded": ("https://a.com/", "x=%0d%0aA:b", "https://a.com/?x=%0d%0aA:b"),
    "raw CR LF": ("https://a.com/", "x=\r\nA: b", "https://a.com/?x=%0D%0AA:%20b"),
    "nul, quotes, angles, hash": ("https://a.com/", '\0"<>#|\\', "https://a.com/?%00%22%3C%3E%23|%5C"),
    "text of Latin-1": ("https://a.com/", "ü", "https://a.com/?%C3%BC"),
    "text beyond Latin-1": ("https://a.com/", "日", "https://a.com/?%E6%97%A5"),
    "lone surrogate": ("https://a.com/", "\ud800", "https://a.com/??"),
    "leading question mark": ("https://a.com/", "?a=1", "https://a.com/??a=1"),
    "a URL": ("https://a.com/", "url=//evil.com", "https://a.com/?url=//evil.com"),
}


@pytest.mark.parametrize(("target", "query", "expected"), FORWARDED.values(), ids=FORWARDED.keys())
def test_query_is_forwarded(target: str, query: str, expected: str) -> None:
    """Merge and override add missing pairs before the fragment, escaped for a header; drop adds none."""
    assert add_query(target, query, forward="merge") == expected
    assert add_query(target, query, forward="override") == expected
    assert add_query(target, query, forward="drop") == target
    assert _location(expected) == _escaped(expected)


# name: target, query, result of merge, result of override
CLASHES = {
    "same key": ("https://a.com/?a=1", "a=2", "https://a.com/?a=1", "https://a.com/?a=2"),
    "encoded in the click": (
        "https://a.com/?utm_source=n",
        "utm%5Fsource=x",
        "https://a.com/?utm_source=n",
        "https://a.com/?utm%5Fsource=x",
    ),
    "encoded in the target": (
        "https://a.com/?utm%5fsource=n",
        "utm_source=x&b=1",
        "https://a.com/?utm%5fsource=n&b=1",
        "https://a.com/?utm_source=x&b=1",
    ),
    "a space": ("https://a.com/?a%20b=1", "a+b=2", "https://a.com/?a%20b=1", "https://a.com/?a+b=2"),
    "twice in the target": (
        "https://a.com/?a=1&a=2&b",
        "a=3",
        "https://a.com/?a=1&a=2&b",
        "https://a.com/?b&a=3",
    ),
    "every key": ("https://a.com/?a=1#s", "a=2&a=3", "https://a.com/?a=1#s", "https://a.com/?a=2&a=3#s"),
    "no equals sign": ("https://a.com/?a", "a=1&b", "https://a.com/?a&b", "https://a.com/?a=1&b"),
    "no value": ("https://a.com/?a=", "a=1", "https://a.com/?a=", "https://a.com/?a=1"),
}


@pytest.mark.parametrize(("target", "query", "merged", "overridden"), CLASHES.values(), ids=CLASHES.keys())
def test_key_that_both_have(target: str, query: str, merged: str, overridden: str) -> None:
    """For a key in both, merge keeps the target's value and override the click's, in any encoding of the key."""
    assert add_query(target, query, forward="merge") == merged
    assert add_query(target, query, forward="override") == overridden
    assert add_query(target, query, forward="drop") == target


@pytest.mark.parametrize("forward", ["merge", "override"])
def test_query_that_is_too_long_is_left_out(forward: str) -> None:
    """A result of 8,192 characters is returned; for a longer one the target is returned without the query."""
    target = "https://a.com/?a=1#s"
    room = MAX_LOCATION_LENGTH - len(target) - len("&x=")
    assert len(add_query(target, f"x={'y' * room}", forward=forward)) == MAX_LOCATION_LENGTH
    assert add_query(target, f"x={'y' * (room + 1)}", forward=forward) == target
    assert add_query(target, "\0" * 3000, forward=forward) == target
    assert add_query(target, "x" * 1_000_000, forward=forward) == target


TARGETS = st.sampled_from(
    [
        "https://good.com",
        "https://good.com/",
        "http://good.com:8080/a?utm_source=n&b#f?g#h",
        "https://[2606:4700::1111]/?a=1&a=2",
        "https://xn--80ak6aa92e.com/%zz?q",
        "https://good.com#frag",
    ]
)
QUERY = st.lists(
    st.sampled_from([*"ab&=;?#@/\\%+:. \r\n\t\0", "utm_source", "utm%5Fsource", "//evil.com", "%0d%0a", "%ff"])
    | st.characters(max_codepoint=255)
    | st.characters(),
    max_size=30,
).map("".join)


@given(TARGETS, QUERY, st.sampled_from(["merge", "override"]))
@settings(max_examples=250, deadline=None)
def test_no_query_changes_the_host(target: str, query: str, forward: str) -> None:
    """For any query, scheme, host, path and fragment are unchanged, and Flask sends the result unchanged."""
    result = add_query(target, query, forward=forward)
    before, after = urlsplit(target), urlsplit(result)
    assert (after.scheme, after.netloc, after.path) == (before.scheme, before.netloc, before.path)
    assert after.fragment == before.fragment
    assert result.isascii()
    assert result.isprintable()
    assert " " not in result
    assert _location(result) == _escaped(result)
    assert canonicalize_target(result) == result


@given(TARGETS, QUERY)
@settings(max_examples=150, deadline=None)
def test_merge_keeps_every_pair_of_the_target(target: str, query: str) -> None:
    """Merge appends to the target's query and never adds a key that it has already."""
    own = urlsplit(target).query
    merged = urlsplit(add_query(target, query, forward="merge")).query
    assert merged.startswith(own)
    had = {unquote_plus(pair.partition("=")[0]) for pair in own.split("&")} if own else set()
    added = [pair for pair in merged[len(own) :].split("&") if pair]
    assert not had & {unquote_plus(pair.partition("=")[0]) for pair in added}


REFERRERS = {
    "origin only": ("https://mail.google.com", "https://mail.google.com/"),
    "origin": ("https://mail.google.com/", "https://mail.google.com/"),
    "path": ("https://a.com/b/c", "https://a.com/b/c"),
    "query goes": ("https://a.com/b?token=1#x", "https://a.com/b"),
    "query without a path": ("https://a.com?token=1", "https://a.com/"),
    "fragment goes": ("https://a.com#token", "https://a.com/"),
    "host in lower case, path as it is": ("HTTPS://A.com:8443/B", "https://a.com:8443/B"),
    "IPv6": ("http://[2606:4700::1]:80/a", "http://[2606:4700::1]:80/a"),
    "an app": ("android-app://com.google.android.gm/", "android-app://com.google.android.gm/"),
    "user name": ("https://user:pass@a.com/", ""),
    "user name alone": ("https://user@a.com/", ""),
    "not a URL": ("rubbish", ""),
    "empty": ("", ""),
    "no host": ("https:///a", ""),
    "script": ("javascript:alert(1)", ""),
    "file": ("file:///home/a/mail.html", ""),
    "about": ("about:blank", ""),
    "leading space": (" https://a.com/", ""),
    "markup in the host": ("https://a.com<script>/", ""),
    "backslash in the host": ("https://a.com\\b/", ""),
    "backslash cuts the path": ("https://a.com/b\\c", "https://a.com/b"),
    "control cuts the path": ("https://a.com/b\r\nc", "https://a.com/b"),
    "markup cuts the path": ("https://a.com/b<script>", "https://a.com/b"),
    "non-ASCII cuts the path": ("https://a.com/bü", "https://a.com/b"),
    "brackets and braces stay": ("https://a.com/[b]{c}", "https://a.com/[b]{c}"),
    "too long": (f"https://a.com/{'b' * 9000}", f"https://a.com/{'b' * (MAX_REFERRER_LENGTH - 14)}"),
}


@pytest.mark.parametrize(("raw", "expected"), REFERRERS.values(), ids=REFERRERS.keys())
def test_referrer_is_cut_to_origin_and_path(raw: str, expected: str) -> None:
    """Only origin and path of a referrer are kept, and nothing of an invalid one."""
    assert clean_referrer(raw) == expected
    assert clean_referrer(expected) == expected


def test_importing_urls_loads_no_framework() -> None:
    """Importing the module, as redirect workers do, loads neither Flask nor werkzeug."""
    script = "import sys, shortener.urls, shortener.codes; print(*sys.modules)"
    loaded = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True, env=dict(os.environ)
    ).stdout.split()
    assert not {"flask", "werkzeug", "sqlite3"} & set(loaded)


def cpu_seconds(host: str, *, length: int) -> float:
    """Return the CPU time of 200 targets with a path of this length."""
    begin = time.process_time()
    for n in range(200):
        canonicalize_target(f"https://{host}/{n}/{'a%C3%A4/' * (length // 8)}?utm_source=n", own_hosts=OWN_HOSTS)
    return time.process_time() - begin


@pytest.mark.parametrize("host", ["good.com", "bücher.example"])
def test_time_grows_with_the_length_of_a_target_and_not_faster(host: str) -> None:
    """A target of ten times the length takes no more than thirty times the CPU time; a square would be a hundred."""
    cpu_seconds(host, length=320)
    assert cpu_seconds(host, length=3_200) < 30 * min(cpu_seconds(host, length=320) for _ in range(3))
