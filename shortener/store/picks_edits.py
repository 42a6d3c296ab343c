"""SQL for what editors change in the draft of a month's recommended articles."""

from collections.abc import Iterable, Mapping
from typing import Literal

from msgspec import Struct

from shortener.store.database import Store
from shortener.store.sql_text import column_list

TemplateName = Literal["cards", "list", "own"]
"""``cards`` and ``list`` are bundled templates; ``own`` is the editors' own."""
SectionFormat = Literal["markdown", "html"]


class PicksSettings(Struct, frozen=True):
    """What editors have chosen for the recommended articles of a month. None means no choice."""

    top: int | None = None
    """Number of top articles."""
    gems: int | None = None
    """Number of good articles that few readers saw."""
    template: TemplateName | None = None


class PickText(Struct, frozen=True):
    """Texts that replace an article's own ones among one month's recommended articles. None means no replacement."""

    title: str | None = None
    byline: str | None = None
    blurb: str | None = None


class OwnTemplate(Struct, frozen=True):
    """A template that editors have written, saved by ``who`` at ``at`` (seconds of the UTC epoch)."""

    text: str
    who: str
    at: int


class PicksEdits(Struct, frozen=True):
    """Everything that editors have changed in a month's recommended articles."""

    settings: PicksSettings
    template: TemplateName
    """Name of the template in use."""
    order: tuple[str, ...]
    """Article URLs in the order that editors chose."""
    texts: Mapping[str, PickText]
    """Changed texts by article URL."""
    own_templates: Mapping[SectionFormat, str]
    """Text of the editors' own template for each format."""


def load_edits(store: Store, month: str) -> PicksEdits:
    """Return everything that editors have changed in a month's recommended articles."""
    return PicksEdits(
        settings=settings(store, month),
        template=template_name(store, month),
        order=order(store, month),
        texts=texts_by_article(store, month),
        own_templates={name: template.text for name, template in own_templates(store).items()},
    )


def settings(store: Store, month: str) -> PicksSettings:
    """Return how many recommended articles, and which template, editors have chosen for a month."""
    sql = f"select {column_list(PicksSettings)} from picks_settings where month = ?"  # noqa: S608
    row = store.execute(sql, (month,)).fetchone()
    return PicksSettings(*row) if row else PicksSettings()


def save_settings(store: Store, month: str, chosen: PicksSettings) -> None:
    """Store how many recommended articles, and which template, editors have chosen for a month."""
    store.execute("delete from picks_settings where month = ?", (month,))
    if chosen != PicksSettings():
        store.execute(
            "insert into picks_settings (month, top, gems, template) values (?, ?, ?, ?)",
            (month, chosen.top, chosen.gems, chosen.template),
        )


def template_name(store: Store, month: str) -> TemplateName:
    """Return the name of the template for a month's recommended articles.

    If none was chosen, the latest choice for an earlier month applies.
    """
    name: TemplateName | None = store.value(
        "select template from picks_settings where month <= ? and template is not null order by month desc limit 1",
        (month,),
    )
    return name or "cards"


def texts_by_article(store: Store, month: str) -> dict[str, PickText]:
    """Return the texts that editors changed in the recommended articles of a month, by article URL."""
    sql = f"select url, {column_list(PickText)} from picks_texts where month = ?"  # noqa: S608
    return {url: PickText(*values) for url, *values in store.execute(sql, (month,))}


def save_text(store: Store, month: str, url: str, text: PickText) -> None:
    """Store an editor's texts for an article in one month's recommended articles.

    An empty ``PickText()`` deletes the stored texts.
    """
    store.execute("delete from picks_texts where month = ? and url = ?", (month, url))
    if text != PickText():
        store.execute(
            "insert into picks_texts (month, url, title, byline, blurb) values (?, ?, ?, ?, ?)",
            (month, url, text.title, text.byline, text.blurb),
        )


def order(store: Store, month: str) -> tuple[str, ...]:
    """Return the URLs of a month's recommended articles in the order that editors chose, or an empty tuple."""
    rows = store.execute("select url from picks_order where month = ? order by position, url", (month,))
    return tuple(url for (url,) in rows)


def save_order(store: Store, month: str, urls: Iterable[str]) -> None:
    """Store the URLs of a month's recommended articles in the order that editors chose."""
    store.execute("delete from picks_order where month = ?", (month,))
    for position, url in enumerate(urls, 1):
        store.execute("insert into picks_order (month, url, position) values (?, ?, ?)", (month, url, position))


def own_templates(store: Store) -> dict[SectionFormat, OwnTemplate]:
    """Return the templates that editors have written, by format."""
    rows = store.execute("select format, text, who, at from picks_templates")
    return {name: OwnTemplate(*values) for name, *values in rows}


def save_template(store: Store, section_format: SectionFormat, template: OwnTemplate | None) -> None:
    """Store the template that editors have written for a format. None deletes it."""
    store.execute("delete from picks_templates where format = ?", (section_format,))
    if template is not None:
        store.execute(
            "insert into picks_templates (format, text, who, at) values (?, ?, ?, ?)",
            (section_format, template.text, template.who, template.at),
        )


def rename_url(store: Store, *, old_url: str, new_url: str) -> None:
    """Move texts and positions that editors chose for an article to its new URL.

    Nothing changes while an issue uses the old URL.
    """
    if store.value("select 1 from articles where url = ? limit 1", (old_url,)):
        return
    # In a month in which the new URL has its own text or position, that one is kept.
    for table in ("picks_texts", "picks_order"):
        store.execute(
            f"""
            update {table} set url = :new where url = :old
                and not exists (select 1 from {table} as other where other.month = {table}.month and other.url = :new)
            """,  # noqa: S608
            {"old": old_url, "new": new_url},
        )
        store.execute(f"delete from {table} where url = ?", (old_url,))  # noqa: S608
