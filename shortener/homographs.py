"""Warnings about host names that look like other host names, such as example.com with a Cyrillic letter."""

import unicodedata
from urllib.parse import urlsplit

from shortener.messages import Message

_EAST_ASIAN_SCRIPTS = frozenset(
    {"LATIN", "CJK", "IDEOGRAPHIC", "HIRAGANA", "KATAKANA", "KATAKANA-HIRAGANA", "HANGUL", "BOPOMOFO"}
)
# Cyrillic, Greek and rare Latin letters that look like a common Latin letter in most fonts.
_LATIN_LOOKALIKES = frozenset("асԁеһіјӏорԛѕԝхуѵгпкьαγικνορτυωχɑɡ")


def homograph_warning(target: str) -> str | None:
    """Return a warning if the host name of ``target`` could be mistaken for another one, else None.

    ``target`` is a canonical URL.
    """
    host = urlsplit(target).hostname or ""
    top = host.removesuffix(".").rpartition(".")[2]
    for label in host.split("."):
        if not label.startswith("xn--"):
            continue
        text = label[4:].encode().decode("punycode", "replace")
        if reason := _describe_deception(text, has_idn_tld=top.startswith("xn--")):
            return Message(
                "{host}: its part “{value}” {reason}; make sure that it is the site you mean",
                host=host,
                value=text,
                reason=reason,
            )
    return None


def _describe_deception(
    text: str,  # a part of a host name
    *,
    has_idn_tld: bool,
) -> str | None:
    letters = [c for c in text if c.isalpha()]
    scripts = {unicodedata.name(c, "UNKNOWN").split()[0] for c in letters}
    if len(scripts) > 1 and not scripts <= _EAST_ASIAN_SCRIPTS:
        return Message("mixes {names} letters", names=" and ".join(sorted(script.capitalize() for script in scripts)))
    # Under an internationalized top-level domain such letters are usual.
    if not has_idn_tld and all(c.isascii() or c in _LATIN_LOOKALIKES for c in letters):
        return Message("is made of letters and signs that look like others")
    return None
