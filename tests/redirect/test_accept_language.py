"""Choice of a language by the header Accept-Language."""

import pytest

from shortener.redirect.accept_language import choose_language

AVAILABLE = ("en", "de", "es", "fr", "zh-Hans")
HEADERS = {
    "no header": (None, "en"),
    "empty": ("", "en"),
    "one": ("de", "de"),
    "region": ("de-AT", "de"),
    "upper case": ("DE-at", "de"),
    "script": ("zh-Hans-CN", "zh-Hans"),
    "China": ("zh-CN,zh;q=0.9,en;q=0.8", "zh-Hans"),
    "Chinese": ("zh", "zh-Hans"),
    "Taiwan": ("zh-TW", "zh-Hans"),
    "other than ours": ("pt-BR, ja", "en"),
    "second choice": ("pt-BR, fr;q=0.8, en;q=0.5", "fr"),
    "by weight": ("en;q=0.3, es;q=0.7", "es"),
    "equal weights": ("fr, es", "fr"),
    "refused": ("de;q=0, es;q=0.1", "es"),
    "any": ("*", "en"),
    "unreadable weight": ("de;q=high, fr;q=0.2", "fr"),
    "not a number": ("de;q=nan, fr;q=0.2", "fr"),
    "infinite weight": ("de;q=inf, fr;q=0.2", "fr"),
    "weight above 1": ("de;q=1e400, es;q=2, fr;q=0.2", "fr"),
    "negative weight": ("de;q=-1, fr;q=0.2", "fr"),
    "other parameter": ("de;level=1, fr;q=0.2", "fr"),
    "spaces": (" de ; q = 0.1 , fr ; q = 0.2", "fr"),
    "not ASCII": ("dé, ünd;q=1", "en"),
    "too many": ("x," * 20 + "de", "en"),
}


@pytest.mark.parametrize(("header", "expected"), HEADERS.values(), ids=HEADERS)
def test_the_language_that_a_client_prefers(header: str | None, expected: str) -> None:
    """Tags match exactly or by their first part, the highest weight first."""
    assert choose_language(header, AVAILABLE) == expected


def test_an_exact_match_comes_before_one_of_the_language() -> None:
    """Of two variants of a language, the requested one is chosen, else the first."""
    variants = ("pt", "pt-BR", "zh-Hans", "zh-Hant")
    assert [choose_language(tag, variants) for tag in ("pt-BR", "pt-PT", "zh-Hant", "zh")] == [
        "pt-BR",
        "pt",
        "zh-Hant",
        "zh-Hans",
    ]


def test_without_any_page_the_default_is_returned() -> None:
    """The choice among no languages is the default."""
    assert choose_language("de", ()) == "en"
