"""Unlikely details of an issue: they are saved only when they are confirmed."""

from collections.abc import Callable
from typing import Any

import pytest

from shortener.errors import Doubtful
from shortener.services.add_issue import AddRequest, add_or_update_issue
from shortener.services.edit import correct_issue
from shortener.store import issues
from tests.conftest import SENT

DAY = 86_400
NOW = SENT + 3 * DAY
DOUBTS: dict[str, tuple[dict[str, Any], str, str]] = {
    "fewer recipients than visitors": ({"recipients": 2}, "recipients", "2 recipients are fewer than the 3 visitors"),
    "sent after the clicks": ({"sent_at": SENT + DAY}, "sent_at", "does not fit: 6 of 6 clicks were made before it"),
    "scheduled after clicks": ({"sent_at": NOW + DAY}, "sent_at", "is in the future, and it does not fit: 6 of 6"),
    "both": ({"sent_at": SENT + DAY, "recipients": 1}, "sent_at", "before it; 1 recipient is fewer"),
}
LIKELY: dict[str, dict[str, Any]] = {
    "as many recipients as visitors": {"recipients": 3},
    "unknown recipients": {"recipients": None},
    "sent in the quarter-hour of the first clicks": {"sent_at": SENT + 600},
    "sent earlier": {"sent_at": SENT - DAY},
    "unknown sending time": {"sent_at": None},
    "a title": {"title": "June"},
}


@pytest.mark.parametrize(("changes", "field", "message"), DOUBTS.values(), ids=DOUBTS)
def test_unlikely_details_need_a_confirmation(read: Any, changes: dict[str, Any], field: str, message: str) -> None:
    """Nothing is saved before the confirmation; the error names the field."""
    before = issues.get(read.store, "may")
    with pytest.raises(Doubtful, match=message) as raised:
        correct_issue(read.store, "may", now=NOW, title="New", **changes)
    assert raised.value.field == field
    assert issues.get(read.store, "may") == before
    correct_issue(read.store, "may", now=NOW, confirmed=True, **changes)
    saved = issues.get(read.store, "may")
    assert {name: getattr(saved, name) for name in changes} == changes
    # A stored value is not questioned again.
    correct_issue(read.store, "may", now=NOW, title="Newer", **changes)


@pytest.mark.parametrize("changes", LIKELY.values(), ids=LIKELY)
def test_likely_details_are_saved(read: Any, changes: dict[str, Any]) -> None:
    """Likely and unknown values are saved without a question."""
    correct_issue(read.store, "may", now=NOW, **changes)
    saved = issues.get(read.store, "may")
    assert {name: getattr(saved, name) for name in changes} == changes


@pytest.mark.parametrize(("days", "is_doubtful"), [(1, False), (31, False), (32, True), (1_500, True)])
def test_an_issue_without_clicks_can_be_scheduled(newsletter: Any, days: int, is_doubtful: bool) -> None:
    """A month ahead is planned; a later time is more likely a slip."""
    save: Callable[..., None] = lambda **more: correct_issue(  # noqa: E731
        newsletter.store, "may", now=NOW, sent_at=NOW + days * DAY, recipients=1, **more
    )
    if is_doubtful:
        with pytest.raises(Doubtful, match=f"{days:,} days ahead"):
            save()
    save(confirmed=is_doubtful)
    assert issues.get(newsletter.store, "may").sent_at == NOW + days * DAY


def test_recipients_are_not_questioned_where_visitors_are_unknown(newsletter: Any) -> None:
    """Readers without visitors cannot be compared with the recipients."""
    for minute in range(3):
        newsletter.click("one", 1, visitor=None, after=60 * minute)
    newsletter.drain()
    correct_issue(newsletter.store, "may", now=NOW, recipients=1)


def test_adding_an_issue_checks_its_details(read: Any) -> None:
    """A new issue far ahead, and an update of one with clicks, need a confirmation too; a refused one is not stored."""
    for slug, details, message in (
        ("later", {"sent_at": NOW + 100 * DAY}, "100 days ahead"),
        ("may", {"recipients": 1}, "1 recipient is fewer than the 3 visitors"),
    ):
        values: dict[str, Any] = {
            "source": b"### [One](https://a.example/one)",
            "filename": "x.md",
            "slug": slug,
            **details,
        }
        before = issues.find(read.store, slug)
        with pytest.raises(Doubtful, match=message):
            add_or_update_issue(read.store, AddRequest(**values), config=read.config, now=NOW)
        assert issues.find(read.store, slug) == before
        add_or_update_issue(read.store, AddRequest(**values, confirmed=True), config=read.config, now=NOW)
        stored = issues.get(read.store, slug)
        assert {name: getattr(stored, name) for name in details} == details
