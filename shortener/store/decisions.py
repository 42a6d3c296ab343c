"""SQL for editors' decisions about the recommended articles of a month.

An article has at most one decision in a month.
"""

import re
from typing import Literal, get_args

from msgspec import Struct

from shortener.errors import InputError, NotFound
from shortener.messages import Message
from shortener.store.database import Store
from shortener.store.sql_text import column_list

Action = Literal["pin", "exclude", "choose"]
"""``pin`` puts an article first, ``choose`` adds it to the lesser known articles, ``exclude`` leaves it out."""

MAX_TEXT_LENGTH = 1_000  # characters of a reason or a name
_MONTH_PATTERN = re.compile(r"[0-9]{4}-(?:0[1-9]|1[0-2])")


class Decision(Struct, frozen=True):
    """An editor's decision to pin, choose or exclude an article for a month's recommended articles."""

    month: str
    url: str
    """Canonical URL of the article."""
    action: Action
    reason: str
    """'' if no reason was given."""
    who: str
    """Name of the editor."""
    at: int
    """Seconds of the UTC epoch."""


_COLUMNS = column_list(Decision)


def decide(
    store: Store,
    month: str,
    url: str,  # canonical; the caller checks that an issue of the month contains it
    *,
    action: Action,
    reason: str,
    who: str,
    now: int,
) -> Decision:
    """Store and return an editor's decision about an article in a month.

    An earlier decision is replaced. Raises InputError.
    """
    reason, who = " ".join(reason.split()), " ".join(who.split())
    check_month(month)
    if action not in get_args(Action):
        raise InputError(
            Message("unknown action {action}; expected {names}", action=repr(action), names=", ".join(get_args(Action)))
        )
    if not who:
        raise InputError(
            Message("{url}: a decision needs the name of its editor", url=url), kind="decision_without_editor"
        )
    if max(len(reason), len(who)) > MAX_TEXT_LENGTH:
        raise InputError(
            Message(
                "{url}: the reason or the editor's name is longer than {limit} characters",
                url=url,
                limit=MAX_TEXT_LENGTH,
            )
        )
    with store.transaction():
        updated = store.execute(
            "update decisions set action = ?, reason = ?, who = ?, at = ? where month = ? and url = ?",
            (action, reason, who, now, month, url),
        ).rowcount
        if not updated:
            store.execute(
                "insert into decisions (month, url, action, reason, who, at) values (?, ?, ?, ?, ?, ?)",
                (month, url, action, reason, who, now),
            )
    return Decision(month, url, action, reason, who, now)


def delete(store: Store, month: str, url: str) -> Decision:
    """Delete and return the editor's decision about an article in a month. Raises NotFound."""
    check_month(month)
    with store.transaction():
        row = store.execute(
            f"delete from decisions where month = ? and url = ? returning {_COLUMNS}",  # noqa: S608
            (month, url),
        ).fetchone()
    if row is None:
        raise NotFound(
            Message("{url}: there is no decision about it in {month}", url=url, month=month), kind="decision_not_found"
        )
    return Decision(*row)


def rename_url(store: Store, *, old_url: str, new_url: str) -> None:
    """Move editors' decisions about an article from its old URL to its new URL.

    Nothing changes while an issue uses the old URL.
    """
    with store.transaction():
        # If both URLs have a decision in a month, the later decision is kept.
        store.execute(
            """
            delete from decisions where url = :new and not exists (select 1 from articles where url = :old) and exists
                (select 1 from decisions as moved
                 where moved.url = :old and moved.month = decisions.month and moved.at > decisions.at)
            """,
            {"old": old_url, "new": new_url},
        )
        store.execute(
            """
            update decisions set url = :new
            where url = :old and not exists (select 1 from articles where url = :old) and not exists
                (select 1 from decisions as kept where kept.url = :new and kept.month = decisions.month)
            """,
            {"old": old_url, "new": new_url},
        )
        store.execute(
            "delete from decisions where url = :old and not exists (select 1 from articles where url = :old)",
            {"old": old_url},
        )


def list_by_month(store: Store, month: str) -> list[Decision]:
    """Return the editors' decisions of a month, oldest first. Raises InputError for an invalid month."""
    check_month(month)
    sql = f"select {_COLUMNS} from decisions where month = ? order by at, id"  # noqa: S608
    return [Decision(*row) for row in store.execute(sql, (month,))]


def list_by_article(store: Store, url: str) -> list[Decision]:
    """Return the editors' decisions about an article, ordered by month."""
    sql = f"select {_COLUMNS} from decisions where url = ? order by month"  # noqa: S608
    return [Decision(*row) for row in store.execute(sql, (url,))]


def list_all(store: Store) -> list[Decision]:
    """Return all editors' decisions, the latest month first.

    Within a month, the oldest decision is first.
    """
    sql = f"select {_COLUMNS} from decisions order by month desc, at, id"  # noqa: S608
    return [Decision(*row) for row in store.execute(sql)]


def is_month(text: str) -> bool:
    """Return whether a text is a month, such as 2026-11."""
    return _MONTH_PATTERN.fullmatch(text) is not None


def check_month(month: str) -> None:
    """Raise InputError if the text is not a month, such as 2026-11."""
    if not is_month(month):
        raise InputError(Message("{month} is not a month; write it as 2026-11", month=repr(month)))
