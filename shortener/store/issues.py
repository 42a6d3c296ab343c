"""SQL for issues, their articles and their placements."""

from collections.abc import Iterator, Sequence
from typing import Any, Literal

from msgspec import Struct

from shortener.errors import NotFound
from shortener.store.database import Store

CorrectableField = Literal["title", "author", "summary", "position"]


class Issue(Struct, frozen=True):
    """An issue without its documents; times in seconds of UTC epoch."""

    id: int
    slug: str
    title: str
    format: str
    domain: str
    sent_at: int | None
    recipients: int | None
    created_at: int
    updated_at: int


class Article(Struct, frozen=True):
    """An article of one issue; ``position`` is None for what is tracked but is no article."""

    id: int
    url: str
    position: int | None
    title: str
    author: str
    summary: str
    section: str
    image: str
    corrected_fields: str
    """The fields that an editor corrected, separated by spaces: a new version of the issue leaves them alone."""


class Placement(Struct, frozen=True):
    """One occurrence of a link in an issue."""

    link_id: int
    n: int
    article_id: int | None
    kind: str
    text: str


_COLUMNS = ", ".join(Issue.__struct_fields__)
_ARTICLE_COLUMNS = ", ".join(Article.__struct_fields__)
_PLACEMENT_COLUMNS = ", ".join(Placement.__struct_fields__)


def find(store: Store, slug: str) -> Issue | None:
    """The issue of a slug, or None."""
    row = store.execute(f"select {_COLUMNS} from issues where slug = ?", (slug,)).fetchone()  # noqa: S608
    return Issue(*row) if row else None


def get(store: Store, slug: str) -> Issue:
    """The issue of a slug. Raises NotFound."""
    issue = find(store, slug)
    if issue is None:
        raise NotFound(f"{slug}: there is no issue of this slug; `shortener issue list` shows them all")
    return issue


def get_documents(store: Store, issue_id: int) -> tuple[bytes, bytes]:
    """An issue's source and the same bytes with short links."""
    source, output = store.execute("select source, output from issues where id = ?", (issue_id,)).fetchone()
    return bytes(source), bytes(output)


def add(
    store: Store,
    slug: str,
    *,
    title: str,
    format: str,
    domain: str,
    sent_at: int | None,
    recipients: int | None,
    source: bytes,
    now: int,
) -> int:
    """Add an issue whose rewritten document is still to come; its id."""
    row = store.execute(
        """
        insert into issues (slug, title, format, domain, sent_at, recipients, source, output, created_at, updated_at)
        values (?, ?, ?, ?, ?, ?, ?, x'', ?, ?) returning id
        """,
        (slug, title, format, domain, sent_at, recipients, source, now, now),
    ).fetchone()
    return int(row[0])


def update(store: Store, issue_id: int, *, now: int, **fields: Any) -> None:
    """Set fields of an issue: title, domain, sent_at, recipients, source, output."""
    names = ", ".join(f"{name} = ?" for name in fields)
    store.execute(
        f"update issues set {names}, updated_at = ? where id = ?",  # noqa: S608
        (*fields.values(), now, issue_id),
    )


def list_all(store: Store) -> Iterator[dict[str, Any]]:
    """Every issue with its numbers of articles and links, human clicks and visitors, latest first."""
    yield from store.rows(
        """
        select slug, title, sent_at, recipients,
               (select count(*) from articles where issue_id = issues.id and position is not null) as articles,
               (select count(distinct link_id) from placements where issue_id = issues.id) as links,
               coalesce(counts.clicks, 0) as clicks, coalesce(counts.visitors, 0) as visitors
        from issues left join (
            select issue_id, sum(human) as clicks, sum(issue_visitors) as visitors
            from totals_by_placement group by issue_id
        ) as counts on counts.issue_id = issues.id
        order by coalesce(sent_at, created_at) desc, issues.id desc
        """
    )


def list_articles(store: Store, issue_id: int) -> list[Article]:
    """The articles of an issue by position; what is no article comes last, in the order in which it was found."""
    sql = (
        f"select {_ARTICLE_COLUMNS} from articles where issue_id = ? order by position is null, position, id"  # noqa: S608
    )
    return [Article(*row) for row in store.execute(sql, (issue_id,))]


def put_article(
    store: Store,
    issue_id: int,
    url: str,
    *,
    title: str,
    author: str,
    summary: str,
    section: str,
    image: str,
) -> int:
    """Add an article, or bring it up to date except for what an editor corrected; its id. Its position comes later."""
    kept = {field: f"case when instr(corrected_fields, '{field}') then {field} else excluded.{field} end"
            for field in ("title", "author", "summary")}  # fmt: skip
    row = store.execute(
        f"""
        insert into articles (issue_id, url, title, author, summary, section, image) values (?, ?, ?, ?, ?, ?, ?)
        on conflict (issue_id, url) do update set
            title = {kept["title"]}, author = {kept["author"]}, summary = {kept["summary"]},
            section = excluded.section, image = excluded.image
        returning id
        """,  # noqa: S608
        (issue_id, url, title, author, summary, section, image),
    ).fetchone()
    return int(row[0])


def correct_article(store: Store, article: Article, field: CorrectableField, value: str | int | None) -> None:
    """Set a field of an article and remember that an editor did."""
    corrected = " ".join(sorted({*article.corrected_fields.split(), field}))
    store.execute(
        f"update articles set {field} = ?, corrected_fields = ? where id = ?",  # noqa: S608
        (value, corrected, article.id),
    )


def set_positions(store: Store, positions: dict[int, int | None]) -> None:
    """Set the positions of articles by id."""
    store.db.conn.executemany(
        "update articles set position = ? where id = ?",
        ((position, article_id) for article_id, position in positions.items()),
    )


def rename_article_url(store: Store, link_id: int, *, old_url: str, new_url: str) -> None:
    """Let the article of a link follow the link's new target, unless the issue has an article there already."""
    store.execute(
        """
        update or ignore articles set url = ?
        where url = ? and id in (select article_id from placements where link_id = ?)
        """,
        (new_url, old_url, link_id),
    )


def list_placements(store: Store, issue_id: int) -> list[Placement]:
    """The placements of an issue in the order of n."""
    sql = f"select {_PLACEMENT_COLUMNS} from placements where issue_id = ? order by n, link_id"  # noqa: S608
    return [Placement(*row) for row in store.execute(sql, (issue_id,))]


def used_placement_numbers(store: Store, link_id: int, *, except_issue_id: int) -> set[int]:
    """The n that a link has in other issues than ``but``."""
    sql = "select n from placements where link_id = ? and issue_id <> ?"
    return {row[0] for row in store.execute(sql, (link_id, except_issue_id))}


def replace_placements(store: Store, issue_id: int, placements: Sequence[Placement]) -> None:
    """Replace the placements of an issue, and forget articles that nothing refers to any more."""
    store.execute("delete from placements where issue_id = ?", (issue_id,))
    store.db.conn.executemany(
        "insert into placements (link_id, n, issue_id, article_id, kind, text) values (?, ?, ?, ?, ?, ?)",
        ((each.link_id, each.n, issue_id, each.article_id, each.kind, each.text) for each in placements),
    )
    store.execute(
        """
        delete from articles where issue_id = ?
            and id not in (select article_id from placements where issue_id = ? and article_id is not null)
            and id not in (select article_id from links where article_id is not null)
        """,
        (issue_id, issue_id),
    )
    # The placements decide what a click belongs to: let the collector look again.
    store.execute("update meta set value = value + 1 where name = 'links_revision'")
