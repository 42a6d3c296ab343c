"""Codes: generation, validation, and removal of appended punctuation."""

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
    """The default alphabet has each lower-case letter and digit once, without 0 o 1 l i j."""
    expected = set(string.ascii_lowercase + string.digits) - set("0o1lij")
    assert sorted(DEFAULT_ALPHABET) == sorted(expected)


def test_generated_codes_have_the_given_length_and_alphabet() -> None:
    """Generated codes have the given length and characters of the alphabet only, and differ."""
    codes = [generate_code(length=7, alphabet=DEFAULT_ALPHABET, is_taken=_none_taken) for _ in range(200)]
    assert {len(code) for code in codes} == {7}
    assert set("".join(codes)) <= set(DEFAULT_ALPHABET)
    assert len(set(codes)) == 200


def test_generated_codes_are_never_taken_ones() -> None:
    """All codes of a short length are generated once each, then longer ones."""
    taken: set[str] = set()
    for _ in range(60):
        code = generate_code(length=1, alphabet="abcdefgh", is_taken=taken.__contains__)
        assert code not in taken
        taken.add(code)
    assert {len(code) for code in taken} >= {1, 2}


def test_generated_codes_grow_by_one_character() -> None:
    """If every code of a length is taken, the generated code is one character longer."""

    def all_of_five(code: str) -> bool:
        return len(code) == 5

    assert len(generate_code(length=5, alphabet=DEFAULT_ALPHABET, is_taken=all_of_five)) == 6


def test_generated_codes_have_no_punctuation_at_the_ends() -> None:
    """With "-" and "_" in the alphabet, generated codes are valid custom codes."""
    for _ in range(300):
        code = generate_code(length=3, alphabet="ab-_", is_taken=_none_taken)
        assert normalize_code(code, case_sensitive=True) == code


def test_generate_code_without_free_codes() -> None:
    """If all codes are taken, CodeRefused is raised after a limited number of attempts."""
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
def test_accepted_codes(code: str, normal: str) -> None:
    """A valid code is returned in lower case, or unchanged if case-sensitive; normalizing again changes nothing."""
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
def test_refused_codes(code: str, reason: str, case_sensitive: bool) -> None:
    """An invalid code is refused with one printable line that names the error."""
    with pytest.raises(CodeRefused, match=reason) as refusal:
        normalize_code(code, case_sensitive=case_sensitive)
    assert str(refusal.value).isprintable()
    assert str(refusal.value).isascii()


PUNCTUATION = [
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
    "=20",
    "=E2=80=9D",
    "&rdquo;",
    "&#x27;",
    "&#62",
]


@pytest.mark.parametrize("punctuation", PUNCTUATION)
def test_appended_punctuation_is_removed(punctuation: str) -> None:
    """Punctuation at the end is removed, as text and as UTF-8 bytes that WSGI reads as Latin-1."""
    assert strip_punctuation(f"7pj1e{punctuation}") == "7pj1e"
    assert strip_punctuation(f"7pj1e{punctuation.encode().decode('latin-1')}") == "7pj1e"


def test_no_text_takes_exponential_time() -> None:
    """Entities that end in a letter are searched in linear time; with backtracking this test would not end."""
    text = "a" + "&gt;" * 31 + "x"
    assert strip_punctuation(text) == text


UNTOUCHED: dict[str, tuple[str, str]] = {
    "a clean code": ("7pj1e", "7pj1e"),
    "case is the domain's business": ("April", "April"),
    "dash inside": ("april-2021", "april-2021"),
    "a file name has no punctuation at its end": ("index.php", "index.php"),
    "only punctuation": ("...", ""),
    "empty": ("", ""),
    "a flood": ("a" * 100 + "." * 100, ""),
}


@pytest.mark.parametrize(("raw", "expected"), UNTOUCHED.values(), ids=UNTOUCHED.keys())
def test_other_text_is_unchanged(raw: str, expected: str) -> None:
    """Text without punctuation at its end is unchanged; text of punctuation only becomes empty."""
    assert strip_punctuation(raw) == expected


@given(st.text(max_size=70))
@settings(max_examples=200, deadline=None)
def test_removal_of_punctuation_keeps_every_valid_code(text: str) -> None:
    """A valid code has at most 64 URL-safe characters, and removing punctuation does not change it."""
    try:
        code = normalize_code(text, case_sensitive=True)
    except CodeRefused:
        return
    assert strip_punctuation(code) == code
    assert set(code) <= set(string.ascii_letters + string.digits + "-_")
    assert 1 <= len(code) <= MAX_CODE_LENGTH
