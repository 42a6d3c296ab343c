"""The draft of the next issue's picks: what the ranking and the editors put there, with a short link for each.

Editors decide about articles that the month's issues showed. A draft that is made again has the same links.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from shortener.codes import generate_code, normalize_code
from shortener.config import Config, Domain
from shortener.errors import InputError, NotFound
from shortener.ranking import Counted, RankedArticle, Ranking, picks, render
from shortener.ranking.picks import Action, ArticleDetails, Pick, Picks
from shortener.reporting.counts import to_datetime
from shortener.reporting.ranking import months_by_article, rank_stored_articles, resolve_article_url
from shortener.reporting.ranking_inputs import load_history
from shortener.short_urls import build_short_url, parse_short_url
from shortener.store import Store, decisions, drafts, links
from shortener.store.decisions import Decision
from shortener.store.links import Link


class Draft(Struct, frozen=True):
    """The picks of a month, the ranking that they come from, and what the section shows of each article, by URL.

    ``short_url`` of the facts is '' for an article that has no link yet. ``as_of`` is seconds of UTC epoch.
    """

    month: str
    as_of: int
    picks: Picks
    ranking: Ranking
    details: Mapping[str, ArticleDetails]


class DecisionReport(Struct, frozen=True):
    """An editor's decision as it is shown."""

    action: Action
    reason: str
    who: str
    at: datetime


class DraftEntry(Struct, frozen=True):
    """One article of the draft. ``ranked`` is its line of the ranking as it stands, whatever was decided."""

    url: str
    origin: Literal["list", "gem", "pinned", "chosen", "excluded"]
    title: str
    author: str | None
    summary: str | None
    image: str | None
    short_url: str | None
    decision: DecisionReport | None
    ranked: RankedArticle | None


class DraftReport(Struct, frozen=True):
    """The draft as pages and JSON show it; times in ISO 8601, UTC."""

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
    top: int | None = None,
    gems: int | None = None,
) -> Draft:
    """The picks of a month with the links that they have by now; nothing is stored.

    ``top`` and ``gems`` are the most that the ranking may fill of each list. Raises InputError for a month that
    is none, NotFound for one that no article was last shown in.
    """
    decided = [_to_pick_decision(each) for each in decisions.list_by_month(store, month)]
    ranked = rank_stored_articles(store, config=config, as_of=as_of, month=month, top=top, gems=gems)
    if not ranked.articles and not decided:
        raise NotFound(_no_articles_message(store, month, config=config, as_of=as_of))
    made = picks.select_picks(ranked, decisions=decided, max_featured=top, max_gems=gems)
    shown = [*picks.picked_urls(made), *(each.url for each in made.excluded)]
    return Draft(month, as_of, made, ranked, _article_details(store, month, shown, config=config, now=as_of))


def add_short_links(store: Store, draft: Draft, *, config: Config, now: int) -> Draft:
    """The draft with a short link for each of its articles: the one of this month's draft, else a new one.

    A new link belongs to no issue until the issue that carries it is added. One that was retired or has
    expired is replaced. An article that is known by its short link alone keeps that one.
    """
    with store.transaction():
        # Looked up again under the lock: somebody else may have drafted the same month meanwhile.
        known = _article_details(store, draft.month, draft.details, config=config, now=now)
        for url in picks.picked_urls(draft.picks):
            if not known[url].short_url:
                link_id = _create_link(store, url, known[url].title, config=config, now=now)
                drafts.save_link(store, draft.month, url, link_id)
            elif key := parse_short_url(url, domains=config.domains):
                # Kept, so that the draft has this link also when somebody has said where it leads.
                drafts.save_link(store, draft.month, url, links.get(store, *key).id)
        facts = _article_details(store, draft.month, draft.details, config=config, now=now)
    return msgspec.structs.replace(draft, details=facts)


def render_section(
    draft: Draft, output_format: Literal["markdown", "html"], *, template: str | None = None
) -> str:
    """The section as text, from the editor's template or the one shipped. Raises InputError if it fails."""
    write = render.render_markdown if output_format == "markdown" else render.render_html
    return write(draft.picks, details=draft.details.values(), template=template)


def report_draft(draft: Draft) -> DraftReport:
    """The draft as a value for pages and files."""
    chosen = draft.picks
    return DraftReport(
        month=draft.month,
        as_of=to_datetime(draft.as_of),
        counted=draft.ranking.counted,
        featured=tuple(_picked_entry(draft, each) for each in chosen.featured),
        lesser_known=tuple(_picked_entry(draft, each) for each in chosen.lesser_known),
        excluded=tuple(_excluded_entry(draft, each) for each in chosen.excluded),
        footer=chosen.footer,
        warnings=chosen.warnings,
    )


def decide(
    store: Store,
    month: str,
    url: str,
    *,
    action: Action,
    reason: str,
    who: str,
    config: Config,
    now: int,
) -> Decision:
    """Decide about an article: its URL, or a short link that leads to it. The numbers stay what they are.

    Raises NotFound for an article that no issue of the month showed, InputError without a reason or a name.
    """
    decisions.check_month(month)
    known = load_history(store, as_of=now)
    article = resolve_article_url(store, known, url, config=config)
    months = months_by_article(known, as_of=now, config=config).get(article, set())
    if month not in months:
        told = f"it was shown in {', '.join(sorted(months))}" if months else "no issue that was sent shows it"
        raise NotFound(
            f"{url}: no article of {month}; {told}. `shortener rank --month {month}` lists the month's articles"
        )
    return decisions.decide(store, month, article, action=action, reason=reason, who=who, now=now)


def undo_decision(store: Store, url: str, *, config: Config, now: int, month: str | None = None) -> Decision:
    """Take a decision back; without a month the only one about the article. Raises NotFound, InputError."""
    article = resolve_article_url(store, load_history(store, as_of=now), url, config=config)
    if month is None:
        months = [each.month for each in decisions.list_by_article(store, article)]
        if len(months) > 1:
            raise InputError(f"{url}: decided about in {', '.join(months)}; say which with --month")
        if not months:
            raise NotFound(f"{url}: nothing was decided about it; `shortener picks decisions` shows what was")
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


def _no_articles_message(store: Store, month: str, *, config: Config, as_of: int) -> str:
    shown = months_by_article(load_history(store, as_of=as_of), as_of=as_of, config=config)
    months = sorted({each for months in shown.values() for each in months}, reverse=True)
    others = f"issues were sent in {', '.join(months[:6])}" if months else "no issue was sent yet"
    return f"{month}: no article was last shown in this month: nothing to pick from; {others}"


def _article_details(
    store: Store, month: str, urls: Iterable[str], *, config: Config, now: int
) -> dict[str, ArticleDetails]:
    known = drafts.article_details(store, urls)
    made = drafts.links_by_article(store, month)
    return {
        url: ArticleDetails(
            url=url,
            title=about.title or url,
            short_url=_active_short_url(url, made.get(url), config=config, now=now),
            image=_embeddable_image(about.image),
            byline=about.author or None,
            blurb=about.summary or None,
        )
        for url in urls
        for about in [known.get(url, drafts.ArticleDetails())]
    }


def _embeddable_image(url: str) -> str | None:
    """The picture of an article, unless its address is one that no section may carry."""
    try:
        render.sanitize_url(url)
    except InputError:
        return None
    return url or None


def _active_short_url(url: str, link: Link | None, *, config: Config, now: int) -> str:
    if link and link.status == "active" and (link.expires_at is None or now < link.expires_at):
        return build_short_url(link.domain, link.code, domains=config.domains)
    # An adopted code without a target stands for its article until somebody says where it leads.
    return url if parse_short_url(url, domains=config.domains) else ""


def _create_link(store: Store, url: str, title: str, *, config: Config, now: int) -> int:
    domain = config.domains[0]
    code = generate_code(
        length=config.codes.length,
        alphabet=config.codes.alphabet,
        is_taken=lambda code: links.find(store, domain.host, _normalize_code(code, domain)) is not None,
    )
    return links.add(store, domain.host, _normalize_code(code, domain), target=url, title=title, now=now)


def _normalize_code(code: str, domain: Domain) -> str:
    return normalize_code(code, case_sensitive=domain.case_sensitive)


def _picked_entry(draft: Draft, pick: Pick) -> DraftEntry:
    decision = None if pick.decision is None else _report_decision(pick.decision)
    return _build_entry(draft, pick.url, pick.origin, decision, pick.ranked)


def _excluded_entry(draft: Draft, decision: picks.Decision) -> DraftEntry:
    ranked = next((each for each in draft.ranking.articles if each.url == decision.url), None)
    return _build_entry(draft, decision.url, "excluded", _report_decision(decision), ranked)


def _build_entry(
    draft: Draft,
    url: str,
    origin: Literal["list", "gem", "pinned", "chosen", "excluded"],
    decision: DecisionReport | None,
    ranked: RankedArticle | None,
) -> DraftEntry:
    fact = draft.details[url]
    return DraftEntry(
        url=url,
        origin=origin,
        title=fact.title,
        author=fact.byline,
        summary=fact.blurb,
        image=fact.image,
        short_url=fact.short_url or None,
        decision=decision,
        ranked=ranked,
    )


def _report_decision(decision: picks.Decision) -> DecisionReport:
    return DecisionReport(
        decision.action, decision.reason, decision.who, to_datetime(int(decision.decided_at))
    )
