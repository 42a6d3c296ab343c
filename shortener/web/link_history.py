"""The history of a link as sentences, the latest change first."""

from collections.abc import Container
from datetime import datetime

from markupsafe import Markup
from msgspec import Struct

from shortener.reporting.link_report import LinkEdit
from shortener.web.context import config
from shortener.web.filters import display_url, format_datetime
from shortener.web.languages import gettext as _

MAX_URL_LENGTH = 90


class LinkChange(Struct, frozen=True):
    """A change of a link, described in words."""

    at: datetime
    text: Markup
    field: str
    revert_at: int | None
    """Time of the change in seconds of the UTC epoch, for reverting it; None if it cannot be reverted."""


def describe_edits(
    edits: tuple[LinkEdit, ...],
    *,
    revertible: Container[tuple[str, int]],  # (field, seconds of the UTC epoch) of changes that can be reverted
) -> list[LinkChange]:
    """Return the changes of a link in words, the latest first."""
    return [
        LinkChange(
            edit.at,
            _sentence(edit),
            edit.field,
            at if (edit.field, at := int(edit.at.timestamp())) in revertible else None,
        )
        for edit in reversed(edits)
    ]


def _sentence(edit: LinkEdit) -> Markup:
    who = Markup("<bdi>{}</bdi>").format(edit.who)
    match edit.field:
        case "target":
            return _target_sentence(edit, who)
        case "title" if edit.new:
            return _("{who} changed the title to “{new}”", who=who, new=Markup("<bdi>{}</bdi>").format(edit.new))
        case "title":
            return _("{who} removed the title", who=who)
        case "status":
            return _("{who} retired the link", who=who) if edit.new == "retired" else _("{who} restored it", who=who)
        case "expires_at" if edit.new:
            return _("{who} let it expire on {when}", who=who, when=_time(edit.new))
        case "expires_at":
            return _("{who} removed the expiry", who=who)
        case "forward":
            mode = forward_modes().get(edit.new or "", edit.new)
            return _("{who} changed what happens to extra parts of the address: {mode}", who=who, mode=mode)
    return _("{who} marked it as a honeypot link, or unmarked it", who=who)


def _target_sentence(edit: LinkEdit, who: Markup) -> Markup:
    new = _url(edit.new)
    if edit.old is None:
        return _("{who} set the destination to {new}", who=who, new=new)
    return _("{who} changed the destination from {old} to {new}", who=who, old=_url(edit.old), new=new)


def _url(url: str | None) -> Markup:
    return Markup('<bdi title="{}">{}</bdi>').format(url or "", display_url(url, MAX_URL_LENGTH))


def _time(iso_text: str) -> Markup:
    return format_datetime(datetime.fromisoformat(iso_text))


def forward_modes() -> dict[str, str]:
    """Return ``{value: description}`` for a link's field ``forward``.

    The field says what happens to the query string of a click.
    """
    modes = {
        "merge": _("passed on to the destination, whose own values stay"),
        "override": _("passed on to the destination, replacing its own values"),
        "drop": _("not passed on"),
    }
    # With the value '', the link follows the site's setting.
    return {"": _("as for all links: {mode}", mode=modes[config().redirect.forward]), **modes}


def forward_result(
    forward: str | None,  # setting of the link; None or '' for the site's setting
) -> str:
    """Return in few words what happens to the query string of a click, such as "passed on"."""
    mode = forward or config().redirect.forward
    return _("passed on") if mode == "merge" else forward_modes()[mode]
