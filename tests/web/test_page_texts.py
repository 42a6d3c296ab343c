"""Tests of the texts of pages: they name no command, option or configuration key."""

import re
from pathlib import Path

import pytest

import shortener.web

TEMPLATES = Path(shortener.web.__file__).parent / "templates"
COMMANDS = "clicks|demo|doctor|edge|issue|link|picks|rank|report|serve|signals|user"
TECHNICAL_NAMES = re.compile(
    rf"<code>shortener|\bshortener (?:{COMMANDS})\b|(?<!\S)--[a-z]|config\.toml|\[\[?[a-z_]+\]\]? [a-z_]+"
)


@pytest.mark.parametrize("path", sorted(TEMPLATES.rglob("*.html")), ids=lambda path: path.name)
def test_templates_name_no_command_option_or_key(path: Path) -> None:
    """A template's text outside of Jinja code contains no command, option or configuration key."""
    text = re.sub(r"\{%.*?%\}|\{\{.*?\}\}", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    assert not TECHNICAL_NAMES.findall(text)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("<code>shortener serve</code>", True),
        ("run shortener user add", True),
        ("choose one with --slug", True),
        ("set [networks] countries", True),
        ("a shortener for newsletters", False),
        ("ask an admin", False),
    ],
    ids=["command in code", "command in text", "option", "configuration key", "product", "remedy"],
)
def test_pattern_of_technical_names(text: str, expected: bool) -> None:
    """The pattern of this test finds what it is for."""
    assert bool(TECHNICAL_NAMES.search(text)) is expected
