"""SQL for what editors decided about a month's picks: who, when, and why.

There is one decision for an article in a month; a later one takes its place.
"""

import re
from typing import Literal, get_args

from msgspec import Struct

from shortener.errors import InputError, NotFound
from shortener.store.database import Store

Action = Literal["pin", "exclude", "choose"]
"""``pin`` puts an article at the head of the list, ``choose`` among the lesser known, ``exclude`` leaves it out."""

MAX_TEXT_LENGTH = 1_000  # characters of a reason or a name
_MONTH_PATTERN = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


class Decision(Struct, frozen=True):
    """What an editor (``who``) decided; ``url`` is the article's canonical target, ``at`` seconds of UTC epoch."""

    month: str
    url: str
    action: Action
    reason: str
    who: str
    at: int


_COLUMNS = ", ".join(Decision.__struct_fields__)


def decide(
    store: Store, month: str, url: str, *, action: Action, reason: str, who: str, now: int
) -> Decision:
    """Decide about the article of a canonical URL, in place of what was decided in that month before.

    Whether the month's issues show the article is for the caller to know. Raises InputError without a reason or
    a name, or for a month or action that is none.
    """
    reason, who = " ".join(reason.split()), " ".join(who.split())
    check_month(month)
    if action not in get_args(Action):
        raise InputError(f"{action!r} is no decision; use {', '.join(get_args(Action))}")
    if not reason:
        raise InputError(f"{url}: a decision needs a reason; say why with --reason")
    if not who:
        raise InputError(f"{url}: a decision needs the name of who decided; give it with --who")
    if max(len(reason), len(who)) > MAX_TEXT_LENGTH:
        raise InputError(
            f"{url}: the reason or the name is longer than {MAX_TEXT_LENGTH:,} characters; shorten it"
        )
    with store.transaction():
        store.execute(
            """
            insert into decisions (month, url, action, reason, who, at) values (?, ?, ?, ?, ?, ?)
            on conflict (month, url) do update set
                action = excluded.action, reason = excluded.reason, who = excluded.who, at = excluded.at
            """,
            (month, url, action, reason, who, now),
        )
    return Decision(month, url, action, reason, who, now)


def delete(store: Store, month: str, url: str) -> Decision:
    """Take back what was decided about an article in a month; what it was. Raises NotFound."""
    check_month(month)
    with store.transaction():
        row = store.execute(
            f"delete from decisions where month = ? and url = ? returning {_COLUMNS}",  # noqa: S608
            (month, url),
        ).fetchone()
    if row is None:
        raise NotFound(
            f"{url}: nothing was decided about it in {month}; `shortener picks decisions` shows what was"
        )
    return Decision(*row)


def rename_url(store: Store, *, old_url: str, new_url: str) -> None:
    """Let decisions follow an article to its new URL, unless another issue's article still has the old one.

    Of two about the same article in one month, the later one stays.
    """
    with store.transaction():
        store.execute(
            """
            insert into decisions (month, url, action, reason, who, at)
            select month, :new, action, reason, who, at from decisions
            where url = :old and not exists (select 1 from articles where url = :old)
            on conflict (month, url) do update set
                action = excluded.action, reason = excluded.reason, who = excluded.who, at = excluded.at
            where excluded.at > decisions.at
            """,
            {"old": old_url, "new": new_url},
        )
        store.execute(
            "delete from decisions where url = :old and not exists (select 1 from articles where url = :old)",
            {"old": old_url},
        )


def list_by_month(store: Store, month: str) -> list[Decision]:
    """The decisions of a month, oldest first. Raises InputError for a month that is none."""
    check_month(month)
    sql = f"select {_COLUMNS} from decisions where month = ? order by at, id"  # noqa: S608
    return [Decision(*row) for row in store.execute(sql, (month,))]


def list_by_article(store: Store, url: str) -> list[Decision]:
    """The decisions about an article, by month."""
    sql = f"select {_COLUMNS} from decisions where url = ? order by month"  # noqa: S608
    return [Decision(*row) for row in store.execute(sql, (url,))]


def list_all(store: Store) -> list[Decision]:
    """All decisions, the latest month first, in each the oldest first."""
    sql = f"select {_COLUMNS} from decisions order by month desc, at, id"  # noqa: S608
    return [Decision(*row) for row in store.execute(sql)]


def check_month(month: str) -> None:
    """Raise InputError for what is no month."""
    if not _MONTH_PATTERN.fullmatch(month):
        raise InputError(f"{month!r} is not a month; write it as 2026-11")
