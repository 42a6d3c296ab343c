"""Unique names of issues, for lists and menus. Issues with the same title get different names."""

from collections import Counter
from collections.abc import Iterable
from typing import Protocol


class TitledIssue(Protocol):
    """An issue with its slug and its title, which can be ''."""

    @property
    def slug(self) -> str:
        """The unique name of the issue in URLs."""

    @property
    def title(self) -> str:
        """The title, '' if the issue has none."""


def name_issues(issues: Iterable[TitledIssue]) -> dict[str, str]:
    """Return a name for each issue, by slug: its title if it has one.

    If several have the same title, the slug is added.
    """
    listed = list(issues)
    counts = Counter(issue.title for issue in listed)
    return {
        issue.slug: f"{issue.title} ({issue.slug})"
        if issue.title and counts[issue.title] > 1
        else issue.title or issue.slug
        for issue in listed
    }
