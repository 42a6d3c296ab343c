"""The list of an issue's link targets on a page: its order, and the corrections that an editor submits in the list."""

from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import UNSET, UnsetType, structs

from shortener.newsletter import Role
from shortener.reporting.issue_contents import ArticleContents
from shortener.services.edit import ArticleEdit


def reading_order(
    targets: Sequence[ArticleContents],
    place: Callable[[ArticleContents], int],  # returns a sort key: where a target is in the document
) -> tuple[ArticleContents, ...]:
    """Return the articles and other link targets of an issue in reading order."""
    # Articles are ordered by position. Another target comes after the article that precedes it in the document.
    before: tuple[int, int] = (0, 0)
    keyed = []
    for target in sorted(targets, key=place):
        before = (target.position, 0) if target.position else (before[0], before[1] + 1)
        keyed.append((before, target))
    return tuple(target for _, target in sorted(keyed, key=_key))


def _key(keyed: tuple[tuple[int, int], ArticleContents]) -> tuple[int, int]:
    return keyed[0]


def find_corrections(
    shown: Iterable[ArticleContents],  # the values in the form before the change
    submitted: Iterable[ArticleEdit],
) -> tuple[ArticleEdit, ...]:
    """Return an edit for each link target that an editor changed in a form.

    An edit holds only the changed values.
    """
    by_url = {target.url: target for target in shown}
    edits = [_only_changes(by_url[edit.url], edit) for edit in submitted if edit.url in by_url]
    # If an article becomes an inline or other link, the articles after it move up: reduce their submitted positions.
    removed = [by_url[edit.url].position or 0 for edit in edits if edit.role not in (None, "article")]
    return tuple(_moved_up(edit, removed) for edit in edits if edit != ArticleEdit(url=edit.url))


def _only_changes(shown: ArticleContents, edit: ArticleEdit) -> ArticleEdit:
    role: Role | None = edit.role if edit.role != shown.role else None
    position = edit.position if edit.position != shown.position else UNSET
    if role is None and position is None:
        role, position = "other", UNSET
    if role not in (None, "article"):
        position = UNSET
    texts = {name: getattr(edit, name) for name in ("title", "author", "summary")}
    changed = {name: text for name, text in texts.items() if text is not None and text != getattr(shown, name)}
    return ArticleEdit(url=edit.url, role=role, position=position, **changed)


def _moved_up(edit: ArticleEdit, removed: Sequence[int]) -> ArticleEdit:
    if not isinstance(edit.position, int):
        return edit
    position = edit.position - sum(0 < other < edit.position for other in removed)
    return structs.replace(edit, position=max(1, position))


def merge_corrections(
    earlier: Iterable[ArticleEdit],
    new: Iterable[ArticleEdit],
    *,
    shown: Mapping[str, ArticleContents],  # by URL; earlier edits of other targets are left out
) -> tuple[ArticleEdit, ...]:
    """Return one edit for each link target, merged from earlier and new edits.

    New values override earlier ones.
    """
    new = tuple(new)
    removed = [shown[edit.url].position or 0 for edit in new if edit.role not in (None, "article")]
    merged = {edit.url: _moved_up(edit, removed) for edit in earlier if edit.url in shown}
    for edit in new:
        old = merged.get(edit.url, ArticleEdit(url=edit.url))
        changes = {name: value for name, value in structs.asdict(edit).items() if value is not None}
        if edit.role not in (None, "article"):
            changes["position"] = UNSET
        elif isinstance(edit.position, UnsetType):
            del changes["position"]
        merged[edit.url] = structs.replace(old, **changes)
    return tuple(merged.values())
