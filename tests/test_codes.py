"""Codes: made, checked and mended."""

import string

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from shortener.codes import (
    DEFAULT_ALPHABET,
    MAX_CODE_LENGTH,
    generate_code,
    normalize_code,
    strip_punctuation,
)
from shortener.errors import CodeRefused


def _none_taken(code: str) -> bool:
    return False


def test_default_alphabet_has_no_look_alikes() -> None:
    """The alphabet is lower-case letters and digits without 0 o 1 l i j, each once."""
    expected = set(string.ascii_lowercase + string.digits) - set("0o1lij")
    assert sorted(DEFAULT_ALPHABET) == sorted(expected)


def test_new_code_has_the_asked_length_and_alphabet() -> None:
    """A new code has the length asked for and only characters of the alphabet, and codes differ."""
    codes = [generate_code(length=7, alphabet=DEFAULT_ALPHABET, is_taken=_none_taken) for _ in range(200)]
    assert {len(code) for code in codes} == {7}
    assert set("".join(codes)) <= set(DEFAULT_ALPHABET)
    assert len(set(codes)) == 200


def test_new_code_is_never_one_that_is_taken() -> None:
    """All codes of a small space can be handed out, none twice, and then the length grows."""
    made: set[str] = set()
    for _ in range(60):
        code = generate_code(length=1, alphabet="abcdefgh", is_taken=made.__contains__)
        assert code not in made
        made.add(code)
    assert {len(code) for code in made} >= {1, 2}


def test_new_code_grows_by_one_when_the_length_is_full() -> None:
    """Where every code of a length is taken, the next one is one character longer, not more."""

    def all_of_five(code: str) -> bool:
        return len(code) == 5

    assert len(generate_code(length=5, alphabet=DEFAULT_ALPHABET, is_taken=all_of_five)) == 6


def test_new_code_never_begins_or_ends_with_punctuation() -> None:
    """Even an alphabet with "-" and "_" makes codes that pass the check for custom codes."""
    for _ in range(300):
        code = generate_code(length=3, alphabet="ab-_", is_taken=_none_taken)
        assert normalize_code(code, case_sensitive=True) == code


def test_new_code_gives_up_in_the_end() -> None:
    """A store in which everything is taken gets an error, not an endless loop."""
    with pytest.raises(CodeRefused, match="no free code of 60 to 64 characters"):
        generate_code(length=60, alphabet=DEFAULT_ALPHABET, is_taken=lambda code: True)


ACCEPTED = {
    "letters and digits": ("7pj1e", "7pj1e"),
    "one character": ("a", "a"),
    "only digits": ("2021", "2021"),
    "dash and underscore inside": ("april-2021_b", "april-2021_b"),
    "upper case is folded": ("April", "april"),
    "longest": ("a" * 64, "a" * 64),
}


@pytest.mark.parametrize(("code", "normal"), ACCEPTED.values(), ids=ACCEPTED.keys())
def test_check_code_accepts(code: str, normal: str) -> None:
    """A good code comes back in lower case, and as it is where case counts; twice changes nothing."""
    assert normalize_code(code, case_sensitive=False) == normal
    assert normalize_code(code, case_sensitive=True) == code
    assert normalize_code(normal, case_sensitive=False) == normal


REFUSED = {
    "empty": ("", "empty"),
    "too long": ("a" * 65, "65 characters"),
    "slash": ("a/b", "'/'"),
    "plus": ("a+", r"'\+'"),
    "percent": ("a%20b", "'%'"),
    "space": ("a b", "' '"),
    "surrounding space": (" ab", "' '"),
    "newline at the end": ("ab\n", r"'\\n'"),
    "nul": ("a\0b", r"'\\x00'"),
    "dot, so that robots.txt is never shadowed": ("robots.txt", r"'\.'"),
    "favicon.ico": ("favicon.ico", r"'\.'"),
    "dots only": ("..", r"'\.'"),
    "question mark": ("a?b", r"'\?'"),
    "hash": ("a#b", "'#'"),
    "non-ASCII letter": ("caf\u00e9", r"'\\xe9'"),
    "Cyrillic letter": ("\u0430bc", r"'\\u0430'"),
    "fullwidth digit": ("\uff11", r"'\\uff11'"),
    "superscript digit": ("a\u00b2", r"'\\xb2'"),
    "Kelvin sign, which lower() makes a k": ("\u212a", r"'\\u212a'"),
    "lone surrogate": ("a\ud800", r"'\\ud800'"),
    "our own pages": ("-", "begins with -"),
    "begins with a dash": ("-health", "begins with -"),
    "begins with an underscore": ("_a", "begins with _"),
    "ends in a dash": ("a-", "ends in -"),
    "ends in an underscore": ("a_", "ends in _"),
}


@pytest.mark.parametrize(("code", "reason"), REFUSED.values(), ids=REFUSED.keys())
@pytest.mark.parametrize("case_sensitive", [True, False])
def test_check_code_refuses(code: str, reason: str, case_sensitive: bool) -> None:
    """A bad code is refused in one printable line that names what is wrong."""
    with pytest.raises(CodeRefused, match=reason) as refusal:
        normalize_code(code, case_sensitive=case_sensitive)
    assert str(refusal.value).isprintable()
    assert str(refusal.value).isascii()


GLUE = [
    *".,)>];:!?'\"*_-|}~…。，）》›»”’、",
    "&gt;",
    "&gt",
    "&#39;",
    "&quot;)",
    "%3E",
    "%E2%80%A6",
    ").",
    "...",
    " ",
    "\u200b",
    "=",
]


@pytest.mark.parametrize("glue", GLUE)
def test_clean_code_strips_what_mail_clients_glue_on(glue: str) -> None:
    """Punctuation at the end goes, be it text or UTF-8 bytes that WSGI reads as Latin-1."""
    assert strip_punctuation(f"7pj1e{glue}") == "7pj1e"
    assert strip_punctuation(f"7pj1e{glue.encode().decode('latin-1')}") == "7pj1e"


UNTOUCHED: dict[str, tuple[str, str]] = {
    "a clean code": ("7pj1e", "7pj1e"),
    "case is the domain's business": ("April", "April"),
    "dash inside": ("april-2021", "april-2021"),
    "a file name is not glue": ("index.php", "index.php"),
    "only punctuation": ("...", ""),
    "empty": ("", ""),
    "a flood": ("a" * 100 + "." * 100, ""),
}


@pytest.mark.parametrize(("raw", "expected"), UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_clean_code_leaves_the_rest(raw: str, expected: str) -> None:
    """What is not glue at the end stays, and nothing is made of nothing."""
    assert strip_punctuation(raw) == expected


@given(st.text(max_size=70))
@settings(max_examples=200, deadline=None)
def test_every_accepted_code_survives_cleaning(text: str) -> None:
    """A code that passes the check is never cut by the cleaning, and is at most 64 URL-safe characters."""
    try:
        code = normalize_code(text, case_sensitive=True)
    except CodeRefused:
        return
    assert strip_punctuation(code) == code
    assert set(code) <= set(string.ascii_letters + string.digits + "-_")
    assert 1 <= len(code) <= MAX_CODE_LENGTH
