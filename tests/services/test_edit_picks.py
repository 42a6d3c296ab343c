"""Edits of a month's draft of picks: one draft for pages, commands and API, and undone like other edits."""

import json
from collections.abc import Callable
from typing import Any

import pytest

from shortener.errors import FieldError, InputError
from shortener.services import draft_picks, edit_picks, history
from shortener.services.draft_picks import Draft
from shortener.store import links, page_changes, picks_edits

LATER = 1_800_000_000
MONTH = "2024-05"
ONE, TWO = "https://a.example/one", "https://a.example/two"
OWN = "{% for pick in featured %}* {{ pick.title | text }} {{ pick.title_link | url }}\n{% endfor %}"


def build(newsletter: Any, **options: Any) -> Draft:
    """Build the draft of the month."""
    return draft_picks.build_draft(newsletter.store, MONTH, config=newsletter.config, as_of=LATER, **options)


def set_texts(newsletter: Any, url: str = ONE, **texts: str) -> None:
    """Change texts of an article of the draft."""
    entry = next(entry for entry in draft_picks.report_draft(build(newsletter)).featured if entry.url == url)
    present = {"title": entry.title, "byline": entry.author or "", "blurb": entry.summary or ""}
    edit_picks.set_texts(newsletter.store, MONTH, url, **present | texts)


def move(newsletter: Any, url: str, position: int) -> None:
    """Move an article of the draft."""
    edit_picks.move(newsletter.store, MONTH, build(newsletter).picks, url, position=position)


def featured(draft: Draft) -> list[str]:
    """Return the URLs of the top picks."""
    return [pick.url for pick in draft.picks.featured]


def test_texts_are_those_of_the_draft_only(read: Any) -> None:
    """Edited texts are in the draft and its section; the article keeps its own, and an unchanged text is not stored."""
    set_texts(read, title="  Better\ntitle ", blurb="Why it *matters*.")
    details = build(read).details[ONE]
    assert (details.title, details.byline, details.blurb) == ("Better title", "Ada", "Why it *matters*.")
    assert picks_edits.texts_by_article(read.store, MONTH) == {
        ONE: picks_edits.PickText(title="Better title", blurb="Why it *matters*.")
    }
    assert read.store.value("select title from articles where url = ?", (ONE,)) == "About one"
    set_texts(read, byline="")
    assert build(read).details[ONE].byline is None
    set_texts(read, title="About one", byline="Ada", blurb="")
    assert picks_edits.texts_by_article(read.store, MONTH) == {}


@pytest.mark.parametrize(
    ("texts", "field"),
    [({"title": " "}, "title"), ({"title": "x" * 501}, "title"), ({"blurb": "x" * 2_001}, "blurb")],
    ids=["no title", "long title", "long blurb"],
)
def test_refused_texts_name_their_field(read: Any, texts: dict[str, str], field: str) -> None:
    """An empty title or a text that is too long raises FieldError, and nothing is stored."""
    with pytest.raises(FieldError) as refused:
        set_texts(read, **texts)
    assert refused.value.field == field
    assert picks_edits.texts_by_article(read.store, MONTH) == {}


def test_an_article_is_moved(read: Any) -> None:
    """A moved article has its position; one beyond the end of the list is the last, and another article is refused."""
    assert featured(build(read)) == [ONE, TWO]
    move(read, TWO, 1)
    assert featured(build(read)) == [TWO, ONE]
    move(read, TWO, 99)
    assert featured(build(read)) == [ONE, TWO]
    with pytest.raises(FieldError, match="no longer among the picks"):
        move(read, "https://a.example/foot", 1)


def test_the_number_of_picks_is_chosen(read: Any) -> None:
    """The chosen numbers apply unless the caller gives others."""
    edit_picks.change_settings(read.store, MONTH, top=1, gems=0)
    assert featured(build(read)) == [ONE]
    assert featured(build(read, top=2)) == [ONE, TWO]
    edit_picks.change_settings(read.store, MONTH, top=None)
    assert featured(build(read)) == [ONE, TWO]
    assert picks_edits.settings(read.store, MONTH) == picks_edits.PicksSettings(gems=0)


def test_a_template_is_used_for_later_months_too(read: Any) -> None:
    """A month without a choice has the template of the latest earlier month with one."""
    edit_picks.change_settings(read.store, "2024-03", template="list")
    assert draft_picks.render_section(build(read), "markdown").startswith(
        "# Our picks of the month\n\n- [**About one**]"
    )
    assert "<ul>\n<li>" in draft_picks.render_section(build(read), "html")
    edit_picks.change_settings(read.store, MONTH, template="cards")
    assert "Read more" in draft_picks.render_section(build(read), "html")
    assert picks_edits.template_name(read.store, "2024-02") == "cards"


def set_template(newsletter: Any, text: str) -> None:
    """Check and store an own template for Markdown."""
    edit_picks.check_template(draft_picks.template_request(build(newsletter), "markdown", text))
    edit_picks.set_template(newsletter.store, "markdown", text, who="Ana", now=LATER)


def test_an_own_template_is_tried_before_it_is_stored(read: Any) -> None:
    """An own template is rendered in a process with limits; one that fails is refused and not stored."""
    set_template(read, OWN)
    edit_picks.change_settings(read.store, MONTH, template="own")
    assert draft_picks.render_section(build(read), "markdown") == "* About one /1\n* About two /1\n"
    assert "<h1>" in draft_picks.render_section(build(read), "html")
    for bad, message in (("{% for %}", "cannot be used"), ("{{ nothing }}", "nothing"), ("x" * 1_048_577, "1,048,576")):
        with pytest.raises(InputError, match=message):
            set_template(read, bad)
    assert draft_picks.render_section(build(read), "markdown") == "* About one /1\n* About two /1\n"
    set_template(read, " ")
    assert picks_edits.own_templates(read.store) == {}


def test_commands_and_pages_have_one_draft(read: Any, shortener: Any) -> None:
    """``picks`` writes the edited texts, order and number."""
    set_texts(read, title="Better title")
    move(read, TWO, 1)
    draft = json.loads(shortener("picks", "--month", MONTH, "--format", "json").stdout)
    assert [entry["title"] for entry in draft["featured"]] == ["About two", "Better title"]
    edit_picks.change_settings(read.store, MONTH, top=1, template="list")
    assert shortener("picks", "--month", MONTH).stdout.count("- [**") == 1


EDITS: dict[str, tuple[Callable[[Any], history.State], Callable[[Any], None]]] = {
    "texts": (lambda read: edit_picks.month_text(read.store, MONTH, ONE), lambda read: set_texts(read, title="New")),
    "order": (lambda read: edit_picks.month_order(read.store, MONTH), lambda read: move(read, TWO, 1)),
    "settings": (
        lambda read: edit_picks.month_settings(read.store, MONTH),
        lambda read: edit_picks.change_settings(read.store, MONTH, top=1),
    ),
    "template": (
        lambda read: edit_picks.format_template(read.store, "markdown"),
        lambda read: set_template(read, OWN),
    ),
}


@pytest.mark.parametrize("name", EDITS)
def test_edits_are_undone(read: Any, name: str) -> None:
    """The history restores what an edit has changed."""
    state, edit = EDITS[name]
    before = state(read)
    with history.recorded(
        read.store, lambda: state(read), page=f"picks/{MONTH}", summary="x", who="Ana", now=LATER
    ) as recorder:
        edit(read)
    assert state(read) != before
    assert recorder.change_id is not None
    history.undo(read.store, page_changes.get(read.store, recorder.change_id), who="Ana", now=LATER)
    assert state(read) == before


def test_edits_follow_a_changed_destination(read: Any) -> None:
    """Texts and order of an article whose URL is corrected are those of the new URL."""
    from shortener.services.edit import retarget

    set_texts(read, title="Better title")
    move(read, TWO, 1)
    link = links.get(read.store, "go.example", "one")
    retarget(read.store, link, "https://a.example/new", config=read.config, who="Ana", now=LATER)
    assert [entry.title for entry in draft_picks.report_draft(build(read)).featured] == ["About two", "Better title"]
