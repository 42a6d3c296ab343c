"""The catalogues of translations are complete and fit the texts of the pages."""

import re
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

import shortener.web
from shortener.web import languages
from shortener.web.languages import CATALOGUES, EDITORS, READERS
from tests.messages import forms, placeholders, read_catalogue, rendered, updated

FILES = sorted(CATALOGUES.glob("*/*.po"))
TEMPLATES = Path(shortener.web.__file__).parent / "templates"
TEMPLATE_NAMES = [path.relative_to(TEMPLATES).as_posix() for path in TEMPLATES.rglob("*.html")]
ENGLISH_TEMPLATES = {"api_problems.html", "api_reference.html"}
"""Reference pages of the JSON API, which is English."""
SHOWN_ATTRIBUTES = re.compile(r'\b(?:alt|aria-label|placeholder|title|data-name|data-label)="([^"]*)"')


def name_of(path: Path) -> str:
    """Return the name of a catalogue for the output of tests."""
    return f"{path.parent.name}/{path.stem}"


def test_there_is_a_catalogue_for_each_language() -> None:
    """Readers have five languages with English; every folder has the texts for readers."""
    assert {path.parent.name for path in FILES if path.stem == READERS} >= {"de", "es", "fr", "zh_Hans"}
    assert {path.stem for path in FILES} <= {READERS, EDITORS}
    for path in FILES:
        assert (path.parent / f"{READERS}.po").exists(), path


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_a_catalogue_has_the_texts_of_the_pages(path: Path) -> None:
    """A catalogue has each text of the code and no other, in the form that the extraction writes."""
    assert rendered(updated(path)).decode() == path.read_text(encoding="utf-8"), "run `make messages`"


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_text_is_translated_in_every_form(path: Path) -> None:
    """Each text has a translation for each plural form of the language."""
    catalogue = read_catalogue(path)
    for message in catalogue:
        if message.id:
            english, translation = forms(message)
            assert all(translation), f"without translation: {message.id}"
            assert len(translation) == (catalogue.num_plurals if len(english) > 1 else 1), message.id
            assert not message.fuzzy, message.id


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_translations_have_the_placeholders_and_tags_of_the_text(path: Path) -> None:
    """A translation has the placeholders and HTML tags of the English text, in any order."""
    for message in read_catalogue(path):
        if message.id:
            english, translation = forms(message)
            assert placeholders(translation[-1]) == placeholders(english[-1]), message.id
            for form in translation:
                assert set(placeholders(form)) <= set(placeholders(english[-1])), form


@pytest.mark.parametrize("path", FILES, ids=name_of)
def test_every_translation_is_used(path: Path) -> None:
    """The program leaves out no translation: the placeholders of each can be filled."""
    loaded = languages.read_catalogue(path)
    for message in read_catalogue(path):
        if message.id:
            english, translation = forms(message)
            plural = loaded.ngettext(english[0], english[-1], 1)
            found = loaded.gettext(english[0]) if len(english) == 1 else plural
            assert found == translation[0], message.id


BROKEN = {
    "stray brace": 'msgid "Sent {when}"\nmsgstr "{when} {"\n',
    "other name": 'msgid "Sent {when}"\nmsgstr "{wann}"\n',
    "no name": 'msgid "Sent {when}"\nmsgstr "{}"\n',
    "attribute": 'msgid "Sent {when}"\nmsgstr "{when.x}"\n',
    "conversion": 'msgid "Sent {when}"\nmsgstr "{when!z}"\n',
    "empty": 'msgid "Sent {when}"\nmsgstr ""\n',
}


@pytest.mark.parametrize("entry", BROKEN.values(), ids=BROKEN)
def test_a_broken_translation_is_left_out(entry: str, tmp_path: Path) -> None:
    """The English text is shown in place of a translation whose placeholders cannot be filled."""
    path = tmp_path / "readers.po"
    path.write_text(
        f'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n\n{entry}\nmsgid "a"\nmsgstr "b"\n'
    )
    loaded = languages.read_catalogue(path)
    assert (loaded.gettext("Sent {when}"), loaded.gettext("a")) == ("Sent {when}", "b")


def test_a_translation_without_a_plural_form_is_left_out(tmp_path: Path) -> None:
    """The English text is shown for every count if one form is missing or broken."""
    path = tmp_path / "readers.po"
    for other in ("", "{count} {", "{n}"):
        path.write_text(
            'msgid ""\nmsgstr "Content-Type: text/plain; charset=utf-8\\n"\n'
            '"Plural-Forms: nplurals=2; plural=(n != 1);\\n"\n\nmsgid "{count} a"\nmsgid_plural "{count} as"\n'
            f'msgstr[0] "{{count}} b"\nmsgstr[1] "{other}"\n'
        )
        loaded = languages.read_catalogue(path)
        assert [loaded.ngettext("{count} a", "{count} as", n) for n in (1, 2)] == ["{count} a", "{count} as"]


@pytest.mark.parametrize("name", sorted(set(TEMPLATE_NAMES) - ENGLISH_TEMPLATES))
def test_templates_have_no_text_outside_the_catalogues(name: str) -> None:
    """Letters outside of tags, and those of attributes that are shown, come from the function for texts."""
    assert not fixed_texts((TEMPLATES / name).read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("<p>{{ _('Text') }}</p>", []),
        ("<p>Text</p>", ["Text"]),
        ('<a class="x" title="Text">{{ name }}</a>', ["Text"]),
        ("{% if x %}<b>Text</b>{% endif %}", ["Text"]),
        ("<p>{{ name }} · 12 %</p>", []),
    ],
)
def test_search_for_texts_outside_the_catalogues(template: str, expected: list[str]) -> None:
    """The search of this test finds what it is for."""
    assert fixed_texts(template) == expected


def fixed_texts(source: str) -> list[str]:
    """Return the texts of a template that are not passed to the function for texts."""
    tree = Environment(autoescape=True).parse(source)
    markup = "".join(data.data for data in tree.find_all(nodes.TemplateData))
    texts = [*SHOWN_ATTRIBUTES.findall(markup), *re.sub(r"<[^>]*>", "\n", markup).split("\n")]
    return [text.strip() for text in texts if re.search(r"[A-Za-z]{2}", re.sub(r"&\w+;|https://", "", text))]
