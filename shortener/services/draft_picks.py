"""The draft of a month's picks: recommended articles from the ranking and from editors' decisions, with short links."""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from shortener.config import Config
from shortener.errors import InputError, NotFound
from shortener.messages import Message
from shortener.ranking import Counted, RankedArticle, Ranking, picks, render
from shortener.ranking.picks import Action, ArticleDetails, Pick, Picks
from shortener.reporting.counts import to_datetime
from shortener.reporting.ranking import months_by_article, rank_stored_articles, resolve_article_url
from shortener.reporting.ranking_inputs import load_history
from shortener.services.custom_template import TemplateRequest, render_custom_template
from shortener.services.new_code import new_unused_code
from shortener.short_urls import build_short_url, parse_short_url
from shortener.store import Store, articles, decisions, draft_links, links, picks_edits
from shortener.store.decisions import Decision
from shortener.store.links import Link
from shortener.store.picks_edits import PicksEdits, PickText, SectionFormat, TemplateName


class Draft(Struct, frozen=True):
    """The draft of a month's recommended articles, and the ranking that they come from."""

    month: str
    as_of: int
    """Seconds of the UTC epoch."""
    picks: Picks
    ranking: Ranking
    details: Mapping[str, ArticleDetails]
    """Details of each article, by article URL."""
    template: TemplateName = "cards"
    own_templates: Mapping[SectionFormat, str] = {}
    """Templates that editors have written, by format."""


class DecisionReport(Struct, frozen=True):
    """An editor's decision about an article, as pages and files show it."""

    action: Action
    reason: str
    who: str
    at: datetime


class MonthDecision(Struct, frozen=True):
    """An editor's decision to pin, choose or exclude an article for a month's recommended articles.

    Commands and the API show it in this form.
    """

    month: str
    url: str
    action: Action
    reason: str
    who: str
    at: datetime


class DraftEntry(Struct, frozen=True):
    """An article in a month's draft of recommended articles, or one that an editor excluded from it."""

    url: str
    origin: Literal["list", "gem", "pinned", "chosen", "excluded"]
    """Reason: "list" is the top of the ranking, "gem" a good article that few readers saw."""
    title: str
    author: str | None
    summary: str | None
    image: str | None
    short_url: str | None
    decision: DecisionReport | None
    ranked: RankedArticle | None
    """The article's row in the ranking, if any."""


class DraftReport(Struct, frozen=True):
    """The draft of a month's recommended articles, as pages and JSON show it.

    ``lesser_known`` are articles that editors chose, and good articles that few readers saw.
    """

    month: str
    as_of: datetime
    counted: Counted
    featured: tuple[DraftEntry, ...]
    lesser_known: tuple[DraftEntry, ...]
    excluded: tuple[DraftEntry, ...]
    footer: str
    warnings: tuple[str, ...]


def build_draft(
    store: Store,
    month: str,
    *,
    config: Config,
    as_of: int,
    top: int | None = None,  # largest number of featured articles; None for the month's setting
    gems: int | None = None,  # largest number of good articles that few readers saw; None for the month's setting
) -> Draft:
    """Return a draft of a month's recommended articles.

    Raises InputError for an invalid month, NotFound for a month without articles.
    """
    decisions.check_month(month)
    ranking = rank_stored_articles(store, config=config, as_of=as_of, month=month, top=top, gems=gems)
    return draft_from_ranking(store, month, ranking, config=config, as_of=as_of, top=top, gems=gems)


def draft_from_ranking(
    store: Store,
    month: str,
    ranking: Ranking,
    *,
    config: Config,
    as_of: int,
    top: int | None = None,
    gems: int | None = None,
    edits: PicksEdits | None = None,
) -> Draft:
    """Return the draft of a month's recommended articles as ``build_draft`` does, but from the given ranking.

    ``edits``, if given, is used instead of the stored edits.
    """
    month_decisions = [_to_pick_decision(decision) for decision in decisions.list_by_month(store, month)]
    if not ranking.articles and not month_decisions:
        raise NotFound(_no_articles_message(store, ranking, month, config=config, as_of=as_of))
    edits = edits or picks_edits.load_edits(store, month)
    selection = picks.select_picks(
        ranking,
        decisions=month_decisions,
        max_featured=edits.settings.top if top is None else top,
        max_gems=edits.settings.gems if gems is None else gems,
    )
    selection = picks.arrange_picks(selection, edits.order)
    urls = [*picks.picked_urls(selection), *(decision.url for decision in selection.excluded)]
    details = _details_by_url(store, month, urls, edits.texts, config=config, now=as_of)
    own = edits.own_templates if edits.template == "own" else {}
    return Draft(month, as_of, selection, ranking, details, edits.template, own)


def add_short_links(store: Store, draft: Draft, *, config: Config, now: int) -> Draft:
    """Create the missing short links of the recommended articles, and return the draft with all short links."""
    with store.transaction():
        # Read again under the write lock: another request may have drafted the month since the draft was built.
        texts = picks_edits.texts_by_article(store, draft.month)
        details = _details_by_url(store, draft.month, draft.details, texts, config=config, now=now)
        for url in picks.picked_urls(draft.picks):
            # A retired or expired link is replaced. A new link belongs to no issue until an issue contains it.
            if not details[url].short_url:
                link_id = _add_link(store, url, details[url].title, config=config, now=now)
                draft_links.save_link(store, draft.month, url, link_id)
            elif key := parse_short_url(url, domains=config.domains):
                # An adopted link without a target is the article's URL: the draft keeps it once it has a target.
                draft_links.save_link(store, draft.month, url, links.get(store, *key).id)
        details = _details_by_url(store, draft.month, draft.details, texts, config=config, now=now)
    return msgspec.structs.replace(draft, details=details)


def render_section(
    draft: Draft,
    output_format: Literal["markdown", "html"],
    *,
    template: str | None = None,  # its text; None for the editors' own template, or else a bundled one
) -> str:
    """Return a draft's recommended articles as a section of a newsletter issue. Raises InputError."""
    template = draft.own_templates.get(output_format) if template is None else template
    if template is not None:
        return render_custom_template(template_request(draft, output_format, template))
    render_picks = render.render_markdown if output_format == "markdown" else render.render_html
    bundled = render.bundled_template(render.BUNDLED_TEMPLATES[draft.template == "list", output_format])
    return render_picks(draft.picks, details=draft.details.values(), template=bundled)


def with_placeholder_links(
    draft: Draft,
    link: str,  # the placeholder
    *,
    image: str | None = None,  # placeholder for images, used with ``replace``
    replace: bool = False,  # whether all short links and images are replaced
) -> Draft:
    """Return a copy of a draft with a placeholder URL for each missing short link."""
    details = {
        url: msgspec.structs.replace(
            each,
            short_url=link if replace or not each.short_url else each.short_url,
            image=image if replace and each.image else each.image,
        )
        for url, each in draft.details.items()
    }
    return msgspec.structs.replace(draft, details=details)


def template_request(draft: Draft, output_format: SectionFormat, template: str) -> TemplateRequest:
    """Return the request to render the recommended articles with a template that editors have written."""
    return TemplateRequest(output_format, template, draft.picks, list(draft.details.values()))


def report_draft(draft: Draft) -> DraftReport:
    """Return the draft of a month's recommended articles in the form that pages and files show."""
    selection = draft.picks
    return DraftReport(
        month=draft.month,
        as_of=to_datetime(draft.as_of),
        counted=draft.ranking.counted,
        featured=tuple(_picked_entry(draft, pick) for pick in selection.featured),
        lesser_known=tuple(_picked_entry(draft, pick) for pick in selection.lesser_known),
        excluded=tuple(_excluded_entry(draft, decision) for decision in selection.excluded),
        footer=selection.footer,
        warnings=selection.warnings,
    )


def decide(
    store: Store,
    month: str,
    url: str,  # canonical URL or short URL
    *,
    action: Action,
    reason: str | None,  # not empty; None if none was given
    who: str,
    config: Config,
    now: int,
) -> Decision:
    """Store and return an editor's decision about recommending an article in a month.

    Raises InputError, and NotFound for an article of another month.
    """
    decisions.check_month(month)
    if reason is not None and not reason.strip():
        raise InputError(Message("{url}: a decision needs a reason", url=url), kind="decision_without_reason")
    history = load_history(store, as_of=now)
    article = resolve_article_url(store, history, url, config=config)
    months = months_by_article(history, as_of=now, config=config).get(article, set())
    if month not in months:
        shown = f"it was shown in {', '.join(sorted(months))}" if months else "no issue that was sent has it"
        raise NotFound(
            Message("{url}: no article of {month}; {shown}", url=url, month=month, shown=shown),
            kind="article_not_in_month",
        )
    return decisions.decide(store, month, article, action=action, reason=reason or "", who=who, now=now)


def report_month_decision(decision: Decision) -> MonthDecision:
    """Return an editor's decision about a recommended article as commands and the API show it.

    The time is a datetime in UTC.
    """
    return MonthDecision(
        decision.month, decision.url, decision.action, decision.reason, decision.who, to_datetime(decision.at)
    )


def undo_decision(
    store: Store,
    url: str,
    *,
    config: Config,
    now: int,
    month: str | None = None,  # None for the only decision about the article
) -> Decision:
    """Delete and return an editor's decision about recommending an article in a month. Raises NotFound, InputError."""
    article = resolve_article_url(store, load_history(store, as_of=now), url, config=config)
    if month is None:
        months = [decision.month for decision in decisions.list_by_article(store, article)]
        if len(months) > 1:
            raise InputError(
                Message("{url}: there are decisions about it in {names}", url=url, names=", ".join(months)),
                kind="several_decisions",
            )
        if not months:
            raise NotFound(Message("{url}: there is no decision about it", url=url), kind="decision_not_found")
        month = months[0]
    return decisions.delete(store, month, article)


def _to_pick_decision(decision: Decision) -> picks.Decision:
    return picks.Decision(
        url=decision.url,
        action=decision.action,
        reason=decision.reason,
        who=decision.who,
        decided_at=decision.at,
    )


def _no_articles_message(store: Store, ranking: Ranking, month: str, *, config: Config, as_of: int) -> str:
    months_of_articles = months_by_article(load_history(store, as_of=as_of), as_of=as_of, config=config)
    months = sorted(set().union(*months_of_articles.values()), reverse=True)
    if month in months:
        return f"{month}: {ranking.footer}"
    others = f"issues were sent in {', '.join(months[:6])}" if months else "no issue was sent yet"
    return f"{month}: no article was last shown in this month; {others}"


def _details_by_url(
    store: Store, month: str, urls: Iterable[str], texts: Mapping[str, PickText], *, config: Config, now: int
) -> dict[str, ArticleDetails]:
    stored_details = articles.details_by_url(store, urls)
    links_by_url = draft_links.links_by_article(store, month)
    return {
        url: ArticleDetails(
            url=url,
            title=edited.title or stored.title or url,
            short_url=_active_short_url(url, links_by_url.get(url), config=config, now=now),
            image=_safe_image_url(stored.image),
            byline=(stored.author if edited.byline is None else edited.byline) or None,
            blurb=(stored.summary if edited.blurb is None else edited.blurb) or None,
        )
        for url in urls
        for stored in [stored_details.get(url, articles.ArticleDetails())]
        for edited in [texts.get(url, PickText())]
    }


def _safe_image_url(url: str) -> str | None:
    try:
        render.sanitize_url(url)
    except InputError:
        return None
    return url or None


def _active_short_url(url: str, link: Link | None, *, config: Config, now: int) -> str:
    if link and link.status == "active" and (link.expires_at is None or now < link.expires_at):
        return build_short_url(link.domain, link.code, domains=config.domains)
    # The URL of an article may be an adopted short link that has no target yet.
    return url if parse_short_url(url, domains=config.domains) else ""


def _add_link(store: Store, url: str, title: str, *, config: Config, now: int) -> int:
    domain = config.domains[0]
    code = new_unused_code(store, domain, config=config)
    return links.add(store, domain.host, code, target=url, title=title, now=now)


def _picked_entry(draft: Draft, pick: Pick) -> DraftEntry:
    decision = None if pick.decision is None else _report_decision(pick.decision)
    return _build_entry(draft, pick.url, pick.origin, decision, pick.ranked)


def _excluded_entry(draft: Draft, decision: picks.Decision) -> DraftEntry:
    ranked = next((article for article in draft.ranking.articles if article.url == decision.url), None)
    return _build_entry(draft, decision.url, "excluded", _report_decision(decision), ranked)


def _build_entry(
    draft: Draft,
    url: str,
    origin: Literal["list", "gem", "pinned", "chosen", "excluded"],
    decision: DecisionReport | None,
    ranked: RankedArticle | None,
) -> DraftEntry:
    details = draft.details[url]
    return DraftEntry(
        url=url,
        origin=origin,
        title=details.title,
        author=details.byline,
        summary=details.blurb,
        image=details.image,
        short_url=details.short_url or None,
        decision=decision,
        ranked=ranked,
    )


def _report_decision(decision: picks.Decision) -> DecisionReport:
    return DecisionReport(decision.action, decision.reason, decision.who, to_datetime(int(decision.decided_at)))
