"""Views of the picks, the recommended articles of a month: their texts, order, number, template and preview."""

from collections.abc import Callable
from contextlib import AbstractContextManager
from hashlib import blake2b
from typing import Literal, cast, get_args

import msgspec
from flask import Blueprint, Response, render_template, request, url_for
from flask.typing import ResponseReturnValue
from msgspec import Struct
from werkzeug.utils import redirect
from werkzeug.wrappers import Response as BaseResponse

from shortener.errors import FieldError, InputError, NotFound
from shortener.messages import Message, message_text
from shortener.ranking import RankedArticle
from shortener.ranking.picks import picked_urls
from shortener.ranking.render import BUNDLED_TEMPLATES, bundled_template
from shortener.services import draft_picks, edit_picks, history
from shortener.services.draft_picks import Draft
from shortener.services.history import Recorder, State
from shortener.store import Store, picks_edits
from shortener.store.picks_edits import PicksEdits, SectionFormat, TemplateName
from shortener.web.cache import get_or_compute, keep_cache
from shortener.web.context import config, current_user, now, role_required, store
from shortener.web.error_pages import error_message, sentence
from shortener.web.field_errors import form_view
from shortener.web.forms import FormFields, read_integer, read_text
from shortener.web.issue_sentence import describe_counted
from shortener.web.languages import gettext as _
from shortener.web.month_draft import find_draft, require_draft, sent_months
from shortener.web.ranking_cache import RankingKey, cached_draft, counted_articles, draft_if_ready, edited_draft
from shortener.web.responses import json_response, redirect_with_notice, show_notice
from shortener.web.views.articles import anchor_of_form, short_title
from shortener.web.views.history import MONTH_PAGES, undoable

blueprint = Blueprint("picks", __name__, url_prefix="/-")

Form = Literal["email", "markdown", "html"]
PREVIEW_POLICY = (
    "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src 'self'; base-uri 'none'; form-action 'none'; "
    "frame-ancestors 'self'; sandbox allow-same-origin"
)
"""Content security policy of the preview. An editor's own template may have styles, but no script runs."""
MAX_CANDIDATES = 10
MAX_PREVIEWED_FORMS = 250
"""Forms with edits that one request for a preview considers: two for each pick, and those of number and template."""
MAX_TOP_CHOICES = 30
"""Largest number of top picks that the menu offers; a larger one that was chosen is offered too."""


class _Section(Struct, frozen=True):
    """The rendered section of the recommended articles, or the reason why its template cannot be used."""

    text: str
    error: str = ""


@blueprint.get("/picks")
@role_required("viewer")
def show_picks() -> ResponseReturnValue:
    """Show the picks (recommended articles) of a month, with a preview of their section."""
    month, draft, message = find_draft(draft_if_ready)
    if draft is not None:
        return _render_draft(draft)
    if month and not message:
        most_clicked = describe_counted(counted_articles(RankingKey(month=month)))
        return render_template("picks_waiting.html", month=month, most_clicked=most_clicked)
    return render_template("picks_empty.html", message=message, months=sent_months()), 404 if month else 200


def _render_page() -> str:
    return _render_draft(require_draft())


def _render_draft(draft: Draft) -> str:
    form = _requested_form()
    section_format = _section_format(form)
    own = picks_edits.own_templates(store())
    section_formats: tuple[SectionFormat, ...] = get_args(SectionFormat)
    return render_template(
        "picks.html",
        draft=draft,
        report=draft_picks.report_draft(draft),
        months=sent_months(),
        form_name=form,
        section=_render_section(_for_copying(draft), section_format),
        section_format=section_format,
        linked=all(draft.details[url].short_url for url in picked_urls(draft.picks)),
        settings=picks_edits.settings(store(), draft.month),
        edited=picks_edits.texts_by_article(store(), draft.month),
        suggested=draft.ranking.top,
        top_choices=_top_choices(draft),
        candidates=_candidates(draft),
        own={name: own[name].text if name in own else "" for name in section_formats},
        bundled={name: bundled_template(BUNDLED_TEMPLATES[False, name]) for name in section_formats},
        changes=history.list_changes(store(), f"{MONTH_PAGES}{draft.month}"),
    )


def _requested_form() -> Form:
    name = request.values.get("form", "")
    return cast(Form, name) if name in get_args(Form) else "email"


def _section_format(form: Form) -> SectionFormat:
    return "markdown" if form == "markdown" else "html"


def _top_choices(draft: Draft) -> list[int]:
    chosen = len(draft.picks.featured)
    return sorted({*range(1, min(MAX_TOP_CHOICES, len(draft.ranking.articles)) + 1), chosen} - {0})


def _candidates(draft: Draft) -> list[RankedArticle]:
    decided = {*picked_urls(draft.picks), *(decision.url for decision in draft.picks.excluded)}
    return [article for article in draft.ranking.articles if article.url not in decided][:MAX_CANDIDATES]


def _render_section(draft: Draft, section_format: SectionFormat) -> _Section:
    own = draft.own_templates.get(section_format)
    if own is None:
        return _Section(draft_picks.render_section(draft, section_format))

    # Cached, because a template by the editors is rendered in a process of its own.
    def compute(_store: Store) -> _Section:
        try:
            return _Section(draft_picks.render_section(draft, section_format))
        except InputError as error:
            return _Section("", error_message(error))

    encoded = msgspec.json.encode(draft_picks.template_request(draft, section_format, own), enc_hook=message_text)
    return get_or_compute(("section", blake2b(encoded).digest()), compute)


@blueprint.get("/picks/preview")
@role_required("viewer")
def preview_picks() -> Response:
    """Return the section of recommended articles as HTML, for the preview frame."""
    section = _render_section(_for_frame(require_draft()), "html")
    headers = {"Content-Security-Policy": PREVIEW_POLICY, "X-Frame-Options": "SAMEORIGIN"}
    return Response(render_template("picks_preview.html", section=section), headers=headers)


def _for_frame(draft: Draft) -> Draft:
    return draft_picks.with_placeholder_links(draft, "#", image=url_for("static", filename="picture.svg"), replace=True)


def _for_copying(draft: Draft) -> Draft:
    domain = config().domains[0]
    return draft_picks.with_placeholder_links(draft, f"{domain.scheme}://{domain.host}/…")


@blueprint.post("/picks/preview")
@role_required("editor")
def preview_edits() -> Response:
    """Return the section of recommended articles as JSON, with the unsaved edits from the page's forms."""
    form = _requested_form()
    draft = require_draft()
    try:
        draft = _with_unsaved_edits(draft)
        draft = _for_frame(draft) if form == "email" else _for_copying(draft)
        section = _Section(draft_picks.render_section(draft, _section_format(form)))
    except InputError as error:
        section = _Section("", sentence(error_message(error)))
    return json_response(section)


def _with_unsaved_edits(draft: Draft) -> Draft:
    edits = picks_edits.load_edits(store(), draft.month)
    for number in range(MAX_PREVIEWED_FORMS):
        # The field ``kind-0`` says what form 0 edits.
        if f"kind-{number}" not in request.form:
            break
        # The names of this form's fields end with its number, as in ``title-2``.
        suffix = f"-{number}"
        names = [name for name in request.form if name.endswith(suffix)]
        fields = FormFields((name.removesuffix(suffix), request.form[name]) for name in names)
        edits = _with_edit(edits, draft, fields)
        draft = edited_draft(draft, edits)
    return draft


def _with_edit(edits: PicksEdits, draft: Draft, fields: FormFields) -> PicksEdits:
    url = read_text(fields, "url", max_length=10_000)
    match fields["kind"]:
        case "text":
            text = edit_picks.changed_text(store(), url, **_read_texts(fields))
            return msgspec.structs.replace(edits, texts={**edits.texts, url: text})
        case "move":
            order = edit_picks.moved_order(draft.picks, url, position=_read_position(fields))
            return msgspec.structs.replace(edits, order=order)
        case "settings":
            settings = msgspec.structs.replace(edits.settings, **_read_settings(fields))
            return msgspec.structs.replace(edits, settings=settings, template=settings.template or edits.template)
    section_format, template = _read_template(fields)
    edit_picks.check_template_size(template)
    own = {**edits.own_templates, section_format: template}
    if not template.strip():
        del own[section_format]
    return msgspec.structs.replace(edits, template="own", own_templates=own)


@blueprint.get("/picks.json")
@role_required("viewer")
def picks_json() -> Response:
    """Return the draft of the recommended articles as JSON, as ``picks --format json`` prints it."""
    return json_response(draft_picks.report_draft(require_draft()))


@blueprint.post("/picks")
@role_required("editor")
@form_view("links", "month", page=_render_page)
def link_picks() -> BaseResponse:
    """Create a short link for every recommended article of the draft that has none."""
    month, draft, message = find_draft(draft_if_ready)
    # Nothing is done while the ranking is computed.
    if draft is None:
        if message:
            raise NotFound(message)
        return redirect(url_for("picks.show_picks", month=month, form=_requested_form()), 303)
    # The next page must have the ranking, so that the section can be copied at once.
    with keep_cache():
        draft_picks.add_short_links(store(), draft, config=config(), now=now())
    notice = _("The short links of the section are ready.").unescape()
    return redirect_with_notice(
        notice, "picks.show_picks", month=draft.month, form=_requested_form(), _anchor="section"
    )


@blueprint.post("/picks/text")
@role_required("editor")
@form_view("text", "title", page=_render_page)
def edit_text() -> BaseResponse:
    """Change title, byline and blurb of an article only in this month's recommendations."""
    draft, url = require_draft(), read_text(request.form, "url", max_length=10_000)
    if url not in picked_urls(draft.picks):
        raise FieldError(Message("this article is no longer among the picks"), field="title")
    month, texts = draft.month, _read_texts(request.form)
    message = _("Texts changed: {article}", article=short_title(url)).unescape()
    with _recorded(month, message, lambda: edit_picks.month_text(store(), month, url)) as recorder:
        edit_picks.set_texts(store(), month, url, **texts)
    return _redirect_with_undo(month, message, recorder)


@blueprint.post("/picks/move")
@role_required("editor")
@form_view("move", "position", page=_render_page)
def move() -> BaseResponse:
    """Move an article to another position in its list of picks (recommended articles)."""
    month, url = _read_month(), read_text(request.form, "url", max_length=10_000)
    position = _read_position(request.form)
    message = _("Moved to position {position}: {article}", position=position, article=short_title(url)).unescape()
    with _recorded(month, message, lambda: edit_picks.month_order(store(), month)) as recorder:
        edit_picks.move(store(), month, cached_draft(month).picks, url, position=position)
    return _redirect_with_undo(month, message, recorder)


@blueprint.post("/picks/settings")
@role_required("editor")
@form_view("settings", "top", page=_render_page)
def change_settings() -> BaseResponse:
    """Choose how many articles are recommended, or the template of their section."""
    month, changes = _read_month(), _read_settings(request.form)
    message = _("Template changed") if "template" in changes else _("Number of picks changed")
    with _recorded(month, message.unescape(), lambda: edit_picks.month_settings(store(), month)) as recorder:
        edit_picks.change_settings(store(), month, **changes)
    return _redirect_with_undo(month, message.unescape(), recorder)


@blueprint.post("/picks/template")
@role_required("editor")
@form_view("template", "template", page=_render_page)
def save_template() -> BaseResponse:
    """Save the template that the editors wrote for a format. An empty text removes the stored template."""
    draft = require_draft()
    section_format, text = _read_template(request.form)
    sample = draft_picks.with_placeholder_links(draft, "#", replace=True)
    edit_picks.check_template(draft_picks.template_request(sample, section_format, text))
    message = _("Your template was saved").unescape() if text.strip() else _("Your template was removed").unescape()
    with _recorded(draft.month, message, lambda: edit_picks.format_template(store(), section_format)) as recorder:
        edit_picks.set_template(store(), section_format, text, who=current_user().name, now=now())
    return _redirect_with_undo(draft.month, message, recorder)


def _read_texts(fields: FormFields) -> dict[str, str]:
    return {name: read_text(fields, name) for name in edit_picks.MAX_TEXT_LENGTHS}


def _read_position(fields: FormFields) -> int:
    position = read_integer(fields, "position", minimum=1, maximum=1_000)
    if position is None:
        raise FieldError(Message("enter a position"), field="position")
    return position


def _read_settings(fields: FormFields) -> dict[str, object]:
    changes: dict[str, object] = {}
    for name, minimum in (("top", 1), ("gems", 0)):
        if name in fields:
            changes[name] = read_integer(fields, name, minimum=minimum, maximum=edit_picks.MAX_TOP)
    if "template" in fields:
        template = fields["template"]
        if template not in get_args(TemplateName):
            raise FieldError(Message("choose one of the templates"), field="template")
        changes["template"] = template
    return changes


def _read_template(fields: FormFields) -> tuple[SectionFormat, str]:
    name = fields.get("format", "")
    if name not in get_args(SectionFormat):
        raise FieldError(Message("choose a format"), field="template")
    return cast(SectionFormat, name), fields.get("template", "").replace("\r\n", "\n")


def _read_month() -> str:
    return require_draft().month


def _recorded(month: str, summary: str, state: Callable[[], State]) -> AbstractContextManager[Recorder]:
    return history.recorded(
        store(), state, page=f"{MONTH_PAGES}{month}", summary=summary, who=current_user().name, now=now()
    )


def _redirect_with_undo(month: str, message: str, recorder: Recorder) -> BaseResponse:
    place = url_for("picks.show_picks", month=month, form=_requested_form())
    show_notice(undoable(message, recorder.change_id, next_url=place))
    return redirect(place + anchor_of_form(), 303)
