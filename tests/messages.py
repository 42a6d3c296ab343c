"""Extraction of the texts of the pages into the catalogues of translations: ``make messages``.

A new text is added to each catalogue without translation, and a text that is gone is removed. Nothing is guessed.
"""

import functools
import re
import sys
from collections.abc import Iterator
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import IO, Any

from babel import Locale
from babel.messages import extract
from babel.messages.catalog import Catalog, Message
from babel.messages.pofile import read_po, write_po

import shortener
from shortener.web.languages import CATALOGUES, EDITORS, READERS

Text = str | tuple[str, ...]
ROOT = Path(shortener.__file__).parent.parent
PACKAGE = ROOT / "shortener"
KEYWORDS: dict[str, Any] = {
    "_": None,
    "gettext": None,
    "ngettext": (1, 2),
    "Message": None,
    "plural": (1, 2),
    "mark_text": None,
}
"""Functions whose arguments are texts; the numbers are those of singular and plural."""
KEYWORD_CALL = re.compile(rf"\b(?:{'|'.join(KEYWORDS)})\s*\(")
METHODS = {".py": "python", ".html": "jinja2"}
"""Extraction method of Babel by the suffix of a file."""
READER_TEMPLATES = frozenset(
    {
        "base.html",
        "home.html",
        "preview.html",
        "privacy.html",
        "errors/error.html",
        "errors/gone.html",
        "errors/missing.html",
        "errors/unavailable.html",
    }
)
HEADER = r"""# {language}
msgid ""
msgstr ""
"Language: {locale}\n"
"Plural-Forms: {plural_forms}\n"
"MIME-Version: 1.0\n"
"Content-Type: text/plain; charset=utf-8\n"
"Content-Transfer-Encoding: 8bit\n"

"""
PLACEHOLDER = re.compile(r"\{(\w+)\}")


def extract_texts(domain: str) -> Catalog:
    """Return the texts of the pages for readers or for editors, with the files in which they are."""
    catalogue = Catalog(charset="utf-8")
    for text, path in _found_texts():
        if domain_of(path) == domain:
            catalogue.add(text, locations=[(path.relative_to(ROOT).as_posix(), 1)])
    return catalogue


@functools.cache
def _found_texts() -> tuple[tuple[Text, Path], ...]:
    found = []
    for path in sorted(path for path in PACKAGE.rglob("*") if path.suffix in METHODS):
        if path.suffix == ".py" and not KEYWORD_CALL.search(path.read_text("utf-8")):
            continue
        with path.open("rb") as file:
            found += [(text, path) for text in texts_of(file, method=METHODS[path.suffix])]
    return tuple(found)


def domain_of(path: Path) -> str:
    """Return the catalogue to which the texts of a source file belong."""
    templates = PACKAGE / "web" / "templates"
    is_template = path.is_relative_to(templates)
    return READERS if is_template and path.relative_to(templates).as_posix() in READER_TEMPLATES else EDITORS


def texts_of(file: IO[bytes], *, method: str) -> Iterator[Text]:
    """Return the texts of a source file; a text with plural as a pair."""
    for _line, text, _comments, _context in extract.extract(method, file, keywords=KEYWORDS):
        yield text


def read_catalogue(path: Path) -> Catalog:
    """Return the catalogue in a file. Its locale is the name of its directory."""
    with path.open("rb") as file:
        return read_po(file, locale=path.parent.name)


def updated(path: Path) -> Catalog:
    """Return the catalogue in a file with the texts of the pages as they are now."""
    catalogue = read_catalogue(path)
    catalogue.update(extract_texts(path.stem), no_fuzzy_matching=True, update_creation_date=False)
    return catalogue


def rendered(catalogue: Catalog) -> bytes:
    """Return a catalogue as the content of a ``.po`` file, with the names of files but without numbers of lines."""
    header = HEADER.format(
        language=Locale.parse(str(catalogue.locale)).get_display_name("en"),
        locale=catalogue.locale,
        plural_forms=catalogue.plural_forms,
    )
    file = BytesIO(header.encode())
    file.seek(0, SEEK_END)
    write_po(
        file, catalogue, width=120, include_lineno=False, sort_by_file=True, ignore_obsolete=True, omit_header=True
    )
    return file.getvalue()


def placeholders(text: str) -> list[str]:
    """Return the names of a text's placeholders and its HTML tags, sorted."""
    return sorted(PLACEHOLDER.findall(text) + re.findall(r"</?\w+", text))


def forms(message: Message) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the forms of a message in English, and those of its translation, which are empty if it has none."""
    english = (message.id,) if isinstance(message.id, str) else tuple(message.id)
    translation = message.string or ""
    return english, (translation,) if isinstance(translation, str) else tuple(translation)


def main() -> None:
    """Update every catalogue, and create those that are named as arguments, such as ``it/readers``."""
    for name in sys.argv[1:]:
        path = CATALOGUES / f"{name}.po"
        path.parent.mkdir(parents=True, exist_ok=True)
        if not path.exists():
            path.write_bytes(rendered(Catalog(path.parent.name)))
    for path in sorted(CATALOGUES.glob("*/*.po")):
        catalogue = updated(path)
        path.write_bytes(rendered(catalogue))
        missing = sum(not all(forms(message)[1]) for message in catalogue if message.id)
        print(f"{path.relative_to(ROOT)}: {len(catalogue)} texts, {missing} without translation")


if __name__ == "__main__":
    main()
