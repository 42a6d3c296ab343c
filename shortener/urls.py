"""Target URLs of short links: validate them, convert them to canonical form, and add the query string of a click."""

import contextlib
import ipaddress
import re
import unicodedata
from collections.abc import Collection, Iterable
from functools import lru_cache
from typing import NoReturn
from urllib.parse import quote, unquote_plus

from shortener.errors import TargetRefused
from shortener.messages import Message

MAX_TARGET_LENGTH = 4096  # characters of a canonical target
MAX_LOCATION_LENGTH = 8192  # characters of a target with a forwarded query; proxies commonly refuse headers above 8 KiB
MAX_REFERRER_LENGTH = 512  # characters

# Characters that are not escaped in each part: those that RFC 3986 allows there, "%", because existing escapes are
# kept, and brackets and bars, which browsers leave alone (WHATWG URL, section 1.3) and pages read from their URL.
_PATH_SAFE = "%!$&'()*+,/:;=@[]|"
_QUERY_SAFE = "%!$&'()*+,/:;=?@[]|"
_FRAGMENT_SAFE = "%!#$&'()*+,/:;=?@[]|"

_PASTED_SPACES = " \u00a0\u2007\u202f\u3000\u200b\ufeff"  # spaces often copied with a URL
_HEADER_SPACES = " \t"  # around the value of a header: RFC 9110, section 5.6.3
_CONTROL_CHARACTERS = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")
# RFC 3986, appendix B, for http(s). ASCII, because IGNORECASE would match U+017F as the s of https.
_URL_PATTERN = re.compile(r"(https?)://([^/?#]*)([^?#]*)(?:\?([^#]*))?(?:#(.*))?", re.ASCII | re.IGNORECASE | re.DOTALL)
_AUTHORITY_PATTERN = re.compile(r"(\[[^\[\]]*\]|[^:\[\]]*)(?::([0-9]*))?", re.ASCII)
# The URLs of apps identify mail clients.
_REFERRER_PATTERN = re.compile(
    r"((?:https?|android-app|ios-app)://(?:[a-z0-9._-]+|\[[0-9a-f:.]+\])(?::[0-9]+)?)(?![^/?#])(/[!$-;=@-\[\]-~]*)?",
    re.ASCII | re.IGNORECASE,
)

_LABEL_PATTERN = re.compile(r"[a-z0-9_-]+", re.ASCII)
# The last label of a host that "ends in a number" (WHATWG URL standard). Browsers read such a host as an IPv4 address.
_NUMERIC_LABEL = re.compile(r"[0-9]+|0x[0-9a-f]*", re.ASCII)
# Characters that UTS 46 removes, and those that it maps to a dot. The joiners U+200C and U+200D are missing, because
# browsers keep or refuse them by context. A host with joiners is refused unless it is written as xn--.
_IGNORED_CHARACTERS = re.compile(
    "[\u00ad\u034f\u180b-\u180d\u180f\u200b\u2060\u2064\ufe00-\ufe0f\ufeff\U000e0100-\U000e01ef]"
)
_DOT_VARIANTS = re.compile("[\u3002\uff0e\uff61]")
# Unicode categories that no host contains: controls, formats (joiners, direction marks), surrogates, private use,
# unassigned, and spaces.
_FORBIDDEN_CATEGORIES = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zs", "Zl", "Zp"})
# Characters without a visible glyph, and replacement characters.
_INVISIBLE_CHARACTERS = frozenset("\u115f\u1160\u17b4\u17b5\u2800\ufffc\ufffd")

# Suffixes of names that are valid inside one network only: RFC 6761, 6762 and 8375, and ICANN's reservation of 2024.
_PRIVATE_SUFFIXES = (".localhost", ".local", ".home.arpa", ".internal")
# Networks that ``ipaddress`` of Python 3.11 calls global, but that are in the IANA special-purpose registries.
_SPECIAL_IPV4_NETWORKS = (ipaddress.IPv4Network("192.0.0.0/24"),)
_SPECIAL_IPV6_NETWORKS = (ipaddress.IPv6Network("3fff::/20"),)
_GLOBAL_UNICAST = ipaddress.IPv6Network("2000::/3")
_NAT64 = ipaddress.IPv6Network("64:ff9b::/96")


def canonicalize_target(
    raw: str,
    *,
    allow_private: bool = False,  # allow local names and addresses
    own_hosts: Collection[str] = (),  # hosts that are refused
) -> str:
    """Return a target URL in the canonical form in which it is stored and sent to browsers. Raises TargetRefused."""
    # A canonical target is ASCII, and browsers do not change it.
    text = raw.strip(_PASTED_SPACES)
    _check_characters(text)
    parts = _URL_PATTERN.fullmatch(text)
    if parts is None:
        _refuse(text, Message("is not a web address; write it in full, as https://example.com/page"))
    scheme, authority, path, query, fragment = parts.groups(default="")
    host, port = _host_and_port(text, authority)
    host = _canonicalize_host(text, host)  # lower case and ASCII (UTS 46)
    scheme = scheme.lower()
    if not allow_private:
        _check_public(text, host)
    if own_hosts and _is_own_host(scheme, host, port, own_hosts):
        _refuse(
            text,
            Message("is on our own short-link domain and could redirect in a loop; enter the page it should lead to"),
        )
    tail = _join_parts(quote(path, _PATH_SAFE), quote(query, _QUERY_SAFE), quote(fragment, _FRAGMENT_SAFE))
    target = f"{scheme}://{host}{f':{port}' if port else ''}{tail}"
    if len(target) > MAX_TARGET_LENGTH:
        _refuse(
            text,
            Message(
                "has {value} characters when encoded; {limit} are allowed",
                value=len(target),
                limit=MAX_TARGET_LENGTH,
            ),
        )
    return target


def add_query(
    target: str,
    query: str,
    *,
    forward: str,  # drop (add nothing), merge (keys of the target win) or override (keys of the query win)
) -> str:
    """Add the query string of a click to a canonical target, unless the result would be too long."""
    if not query or forward == "drop" or len(query) > MAX_LOCATION_LENGTH:
        return target
    base, fragment_mark, fragment = target.partition("#")
    page, _, own = base.partition("?")
    # Empty pairs in the click's query are dropped. Those in the target stay, because the target must not change.
    kept, added = own.split("&"), [pair for pair in quote(query, _QUERY_SAFE, errors="replace").split("&") if pair]
    if own and forward == "override":
        kept = _remove_keys(kept, {_decode_key(pair) for pair in added})
    elif own:
        added = _remove_keys(added, {_decode_key(pair) for pair in kept})
    if not added:
        return target
    joined = "&".join([*kept, *added] if own else added)
    result = f"{page}?{joined}{fragment_mark}{fragment}"
    return result if len(result) <= MAX_LOCATION_LENGTH else target


def clean_referrer(raw: str) -> str:
    """Return the origin and path of a referrer URL; '' if the URL is invalid."""
    parts = _REFERRER_PATTERN.match(raw)
    return (parts[1].lower() + (parts[2] or "/"))[:MAX_REFERRER_LENGTH] if parts else ""


def strip_port(host: str) -> str:
    """Return a host without its ``:port``, such as ``example.com`` for ``example.com:80``."""
    name, _, port = host.rpartition(":")
    return name if port.isascii() and port.isdigit() else host


def normalize_host_header(value: str) -> str:
    """Return the value of a Host header in one spelling: ``Example.COM.:443`` gives ``example.com``."""
    host = value.strip(_HEADER_SPACES).lower()
    name, colon, port = host.rpartition(":")
    if not colon or not port.isascii() or (port and not port.isdigit()):
        name, port = host, ""
    bracketed = name[:1] == "[" and name[-1:] == "]"
    if ":" in name and not bracketed:
        return host
    name, port = name.rstrip(_HEADER_SPACES), port.lstrip("0")
    if bracketed:
        with contextlib.suppress(ValueError):
            address = ipaddress.IPv6Address(name[1:-1])
            name = str(address.ipv4_mapped) if address.ipv4_mapped else f"[{address.compressed}]"
    elif not name.endswith(("..", " .", "\t.")):
        name = name.removesuffix(".")
    return name if port in {"", "80", "443"} else f"{name}:{port}"


def _refuse(text: str, reason: str) -> NoReturn:
    cut = text if len(text) <= 100 else f"{text[:100]}..."
    raise TargetRefused(
        Message("{value} {reason}", value=cut if cut and cut.isprintable() else ascii(cut), reason=reason),
        reason=Message("it {reason}", reason=reason),
    )


def _check_characters(text: str) -> None:
    if not text:
        raise TargetRefused(Message("the web address is empty; enter one such as https://example.com/page"))
    if len(text) > MAX_TARGET_LENGTH:
        _refuse(
            text,
            Message(
                "has {value} characters; {limit} are allowed",
                value=len(text),
                limit=MAX_TARGET_LENGTH,
            ),
        )
    if control := _CONTROL_CHARACTERS.search(text):
        _refuse(
            text, Message("contains a control character (U+{code}); remove it", code=format(ord(control[0]), "04X"))
        )
    if "\\" in text:
        _refuse(text, Message("contains a backslash, which browsers read as a slash; write / or %5C"))
    try:
        text.encode()
    except UnicodeEncodeError:
        _refuse(text, Message("is damaged text (half of a surrogate pair); copy it again"))


def _host_and_port(text: str, authority: str) -> tuple[str, int | None]:
    if "@" in authority:
        _refuse(text, Message("has a user name before its host; remove it and the @"))
    if "%" in authority:
        _refuse(text, Message("has a % in its host; write the host in plain letters"))
    parts = _AUTHORITY_PATTERN.fullmatch(authority)
    if parts is None:
        _refuse(text, Message("has a host or port that cannot be read; write it as example.com or example.com:8080"))
    host, digits = parts.groups(default="")
    if not host:
        _refuse(text, Message("has no host; write it in full, as https://example.com/page"))
    if digits and not 1 <= int(digits) <= 65535:
        _refuse(text, Message("has the port {value}; ports go from 1 to 65535", value=digits[:8]))
    return host, int(digits) if digits else None


def _canonicalize_host(text: str, host: str) -> str:
    if host.startswith("["):
        return _check_ipv6(text, host.lower())
    name = host.lower() if host.isascii() else _map_uts46(host)
    labels = [_encode_label(text, label) for label in name.removesuffix(".").split(".")]
    canonical = ".".join(labels)
    if len(canonical) > 253:
        _refuse(text, Message("has a host of {value} characters; no host has more than 253", value=len(canonical)))
    if _NUMERIC_LABEL.fullmatch(labels[-1]) and not (host == canonical and _is_ipv4(host)):
        _refuse(
            text,
            Message("has an odd spelling of an IP address as its host; write it as four plain numbers, 192.0.2.1"),
        )
    return canonical + "." if name.endswith(".") else canonical


def _check_ipv6(text: str, host: str) -> str:
    try:
        ipaddress.IPv6Address(host[1:-1])
    except ValueError:
        _refuse(text, Message("has a malformed IPv6 address {host}; write it as [2001:db8::1]", host=host))
    return host


def _is_ipv4(host: str) -> bool:
    try:
        ipaddress.IPv4Address(host)
    except ValueError:
        return False
    return True


def _map_uts46(host: str) -> str:
    text = _IGNORED_CHARACTERS.sub("", _DOT_VARIANTS.sub(".", host)).replace("ẞ", "ß")
    # ß and ς are letters of their own since IDNA 2008. casefold would replace them, and the host would be another one.
    folded = "".join(c if c in "ßς" else unicodedata.normalize("NFKC", c).casefold() for c in text)
    return unicodedata.normalize("NFKC", folded)


def _encode_label(text: str, label: str) -> str:
    if not 0 < len(label) <= 63:
        _refuse(
            text,
            Message("has an empty or over-long part in its host (1 to 63 characters between dots); check the dots"),
        )
    if label.isascii():
        if not _LABEL_PATTERN.fullmatch(label) or (label.startswith("xn--") and not _is_valid_punycode_label(label)):
            _refuse(
                text, Message("has {label} in its host; a host consists of letters, digits, - and dots", label=label)
            )
        return label
    encoded = "xn--" + label.encode("punycode").decode()
    if label.startswith("xn--") or not _is_valid_unicode_label(label):
        _refuse(
            text, Message("has letters in its host that browsers treat differently; write the host in its xn-- form")
        )
    if len(encoded) > 63:
        _refuse(
            text,
            Message(
                "has a part of {value} characters in its host; 63 are allowed between two dots", value=len(encoded)
            ),
        )
    return encoded


def _is_valid_punycode_label(label: str) -> bool:
    try:
        decoded = label[4:].encode().decode("punycode")
        again = decoded.encode("punycode").decode()
    except (UnicodeError, ValueError, OverflowError):
        return False
    plain = decoded.replace("\u200c", "").replace("\u200d", "")
    return again == label[4:] and not decoded.isascii() and _is_valid_unicode_label(plain)


def _is_valid_unicode_label(label: str) -> bool:
    # A label must not begin with a combining mark (category M).
    if not label or unicodedata.category(label[0]).startswith("M") or _mixes_directions(label):
        return False
    # Browsers must not replace any of its characters.
    return _map_uts46(label) == label and all(_is_host_character(c) for c in label)


def _mixes_directions(label: str) -> bool:
    # RFC 5893 forbids this in host names.
    directions = [unicodedata.bidirectional(c) for c in label]
    if {"R", "AL", "AN"}.isdisjoint(directions):
        return False
    return "L" in directions or directions[0] not in {"R", "AL"}


def _is_host_character(character: str) -> bool:
    if character.isascii():
        return bool(_LABEL_PATTERN.fullmatch(character))
    return character not in _INVISIBLE_CHARACTERS and unicodedata.category(character) not in _FORBIDDEN_CATEGORIES


def _check_public(text: str, host: str) -> None:
    name = host.removesuffix(".")
    if f".{name}".endswith(_PRIVATE_SUFFIXES) or not _is_public(name):
        _refuse(text, Message("is on a private network, which readers cannot reach"))


def _is_public(host: str) -> bool:
    if host.startswith("["):
        return _is_public_ipv6(ipaddress.IPv6Address(host[1:-1]))
    # A name counts as public. It is not resolved.
    return not _is_ipv4(host) or _is_public_ipv4(ipaddress.IPv4Address(host))


def _is_public_ipv4(address: ipaddress.IPv4Address) -> bool:
    special = (
        address.is_multicast or address.is_reserved or any(address in network for network in _SPECIAL_IPV4_NETWORKS)
    )
    return address.is_global and not special


def _is_public_ipv6(address: ipaddress.IPv6Address) -> bool:
    # The IPv4 address in a mapped, 6to4 or NAT64 address decides.
    inner = address.ipv4_mapped or address.sixtofour
    if address in _NAT64:
        inner = ipaddress.IPv4Address(int(address) & 0xFFFFFFFF)
    if inner is not None:
        return _is_public_ipv4(inner)
    return (
        address in _GLOBAL_UNICAST
        and address.is_global
        and not any(address in network for network in _SPECIAL_IPV6_NETWORKS)
    )


def _is_own_host(scheme: str, host: str, port: int | None, own_hosts: Collection[str]) -> bool:
    name, number = _comparable_host(host), port or (443 if scheme == "https" else 80)
    return any(
        name == own_name and own_port in (None, number) for own_name, own_port in map(_parse_own_host, own_hosts)
    )


@lru_cache(maxsize=256)
def _parse_own_host(entry: str) -> tuple[str, int | None]:
    host, port = _host_and_port(entry, entry)
    return _comparable_host(_canonicalize_host(entry, host)), port


def _comparable_host(host: str) -> str:
    return ipaddress.IPv6Address(host[1:-1]).compressed if host.startswith("[") else host.removesuffix(".")


def _join_parts(path: str, query: str, fragment: str) -> str:
    return path + (f"?{query}" if query else "") + (f"#{fragment}" if fragment else "")


def _decode_key(pair: str) -> str:
    return unquote_plus(pair.partition("=")[0])


def _remove_keys(pairs: Iterable[str], keys: set[str]) -> list[str]:
    return [pair for pair in pairs if _decode_key(pair) not in keys]
