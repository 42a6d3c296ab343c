"""Terms: every word that a page explains, and every link into the help page, leads to an explanation."""

import re
from pathlib import Path
from typing import TYPE_CHECKING

import shortener.web
from shortener.web.terms import find_term, term_sections

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite

TEMPLATES = Path(shortener.web.__file__).parent / "templates"
HELP_LINK = re.compile(r"""show_help["']\)\s*(?:\}\}|~\s*["'])#([a-z-]+)|explained\("([a-z-]+)""")


def test_links_into_the_help_page_lead_to_a_term(site: "EditorSite") -> None:
    """Templates name terms that exist, and the help page has an anchor for each term, once."""
    with site.app.test_request_context():
        keys = [key for _, terms in term_sections() for key in terms]
    named = {key for path in TEMPLATES.glob("*.html") for found in HELP_LINK.findall(path.read_text()) for key in found}
    assert len(named) > 3
    assert named - {""} <= set(keys)
    page = site.client("viewer").get("/-/help").text
    assert page.index("Your first issue in five steps") < page.index("1. Was it good?")
    assert re.findall(r'<div id="([a-z-]+)"', page) == keys
    assert len(keys) == len(set(keys))


def test_a_term_has_a_short_explanation(site: "EditorSite") -> None:
    """The explanation of a word on a page is one or two sentences."""
    with site.app.test_request_context():
        for _title, terms in term_sections():
            for key, term in terms.items():
                assert find_term(key) == term
                assert len(term.text) <= 120, key
                assert term.text.endswith("."), key
