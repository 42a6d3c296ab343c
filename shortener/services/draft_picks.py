"""The draft of the next issue's picks: what the ranking and the editors put there, with a short link for each.

Editors decide about articles that the month's issues showed. A draft that is made again has the same links.
"""

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

from shortener.codes import check_code, new_code
from shortener.config import Config, Domain
from shortener.errors import InputError, NotFound
from shortener.ranking import Ranked, Ranking, picks, render
from shortener.ranking.picks import Facts, Pick, Picks, Verb
from shortener.reporting.counts import moment
from shortener.reporting.ranking import article_url, months_shown, ranking
from shortener.reporting.ranking_inputs import history
from shortener.short_urls import parse_short_url, short_url
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
    facts: Mapping[str, Facts]


class Decided(Struct, frozen=True):
    """An editor's decision as it is shown."""

    action: Verb
    reason: str
    who: str
    at: datetime


class Entry(Struct, frozen=True):
    """One article of the draft. ``ranked`` is its line of the ranking as it stands, whatever was decided."""

    url: str
    origin: Literal["list", "gem", "pinned", "chosen", "excluded"]
    title: str
    author: str | None
    summary: str | None
    image: str | None
    short_url: str | None
    decision: Decided | None
    ranked: Ranked | None


class DraftShown(Struct, frozen=True):
    """The draft as pages and JSON show it; times in ISO 8601, UTC."""

    month: str
    as_of: datetime
    featured: tuple[Entry, ...]
    lesser_known: tuple[Entry, ...]
    excluded: tuple[Entry, ...]
    footer: str
    warnings: tuple[str, ...]


def draft(
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
    decided = [_pure(each) for each in decisions.of_month(store, month)]
    ranked = ranking(store, config=config, as_of=as_of, month=month, top=top, gems=gems)
    if not ranked.articles and not decided:
        raise NotFound(_nothing(store, month, config=config, as_of=as_of))
    made = picks.pick(ranked, decisions=decided, top=top, gems=gems)
    shown = [*picks.needed(made), *(each.url for each in made.excluded)]
    return Draft(month, as_of, made, ranked, _facts(store, month, shown, config=config, now=as_of))


def link(store: Store, made: Draft, *, config: Config, now: int) -> Draft:
    """The draft with a short link for each of its articles: the one of this month's draft, else a new one.

    A new link belongs to no issue until the issue that carries it is added. One that was retired or has
    expired is replaced. An article that is known by its short link alone keeps that one.
    """
    with store.writing():
        # Looked up again under the lock: somebody else may have drafted the same month meanwhile.
        known = _facts(store, made.month, made.facts, config=config, now=now)
        for url in picks.needed(made.picks):
            if not known[url].short_url:
                link_id = _new_link(store, url, known[url].title, config=config, now=now)
                drafts.keep_link(store, made.month, url, link_id)
            elif key := parse_short_url(url, domains=config.domains):
                # Kept, so that the draft has this link also when somebody has said where it leads.
                drafts.keep_link(store, made.month, url, links.get(store, *key).id)
        facts = _facts(store, made.month, made.facts, config=config, now=now)
    return msgspec.structs.replace(made, facts=facts)


def render_draft(made: Draft, form: Literal["markdown", "html"], *, template: str | None = None) -> str:
    """The section as text, from the editor's template or the one shipped. Raises InputError if it fails."""
    write = render.markdown if form == "markdown" else render.html
    return write(made.picks, facts=made.facts.values(), template=template)


def show(made: Draft) -> DraftShown:
    """The draft as a value for pages and files."""
    chosen = made.picks
    return DraftShown(
        month=made.month,
        as_of=moment(made.as_of),
        featured=tuple(_entry(made, each) for each in chosen.featured),
        lesser_known=tuple(_entry(made, each) for each in chosen.lesser_known),
        excluded=tuple(_left_out(made, each) for each in chosen.excluded),
        footer=chosen.footer,
        warnings=chosen.warnings,
    )


def decide(
    store: Store,
    month: str,
    url: str,
    *,
    action: Verb,
    reason: str,
    who: str,
    config: Config,
    now: int,
) -> Decision:
    """Decide about an article: its URL, or a short link that leads to it. The numbers stay what they are.

    Raises NotFound for an article that no issue of the month showed, InputError without a reason or a name.
    """
    decisions.check_month(month)
    known = history(store, as_of=now)
    article = article_url(store, known, url, config=config)
    months = months_shown(known, as_of=now, config=config).get(article, set())
    if month not in months:
        told = f"it was shown in {', '.join(sorted(months))}" if months else "no issue that was sent shows it"
        raise NotFound(
            f"{url}: no article of {month}; {told}. `shortener rank --month {month}` lists the month's articles"
        )
    return decisions.decide(store, month, article, action=action, reason=reason, who=who, now=now)


def undo(store: Store, url: str, *, config: Config, now: int, month: str | None = None) -> Decision:
    """Take a decision back; without a month the only one about the article. Raises NotFound, InputError."""
    article = article_url(store, history(store, as_of=now), url, config=config)
    if month is None:
        months = [each.month for each in decisions.of_article(store, article)]
        if len(months) > 1:
            raise InputError(f"{url}: decided about in {', '.join(months)}; say which with --month")
        if not months:
            raise NotFound(f"{url}: nothing was decided about it; `shortener picks decisions` shows what was")
        month = months[0]
    return decisions.undo(store, month, article)


def _pure(decision: Decision) -> picks.Decision:
    return picks.Decision(
        url=decision.url,
        verb=decision.action,
        reason=decision.reason,
        who=decision.who,
        when=decision.at,
    )


def _nothing(store: Store, month: str, *, config: Config, as_of: int) -> str:
    shown = months_shown(history(store, as_of=as_of), as_of=as_of, config=config)
    months = sorted({each for months in shown.values() for each in months}, reverse=True)
    others = f"issues were sent in {', '.join(months[:6])}" if months else "no issue was sent yet"
    return f"{month}: no article was last shown in this month: nothing to pick from; {others}"


def _facts(store: Store, month: str, urls: Iterable[str], *, config: Config, now: int) -> dict[str, Facts]:
    known = drafts.about(store, urls)
    made = drafts.links(store, month)
    return {
        url: Facts(
            url=url,
            title=about.title or url,
            short_url=_short_url(url, made.get(url), config=config, now=now),
            image=_image(about.image),
            byline=about.author or None,
            blurb=about.summary or None,
        )
        for url in urls
        for about in [known.get(url, drafts.About())]
    }


def _image(source: str) -> str | None:
    """The picture of an article, unless its address is one that no section may carry."""
    try:
        render.destination(source)
    except InputError:
        return None
    return source or None


def _short_url(url: str, link: Link | None, *, config: Config, now: int) -> str:
    if link and link.status == "active" and (link.expires_at is None or now < link.expires_at):
        return short_url(link.domain, link.code, domains=config.domains)
    # An adopted code without a target stands for its article until somebody says where it leads.
    return url if parse_short_url(url, domains=config.domains) else ""


def _new_link(store: Store, url: str, title: str, *, config: Config, now: int) -> int:
    domain = config.domains[0]
    code = new_code(
        length=config.codes.length,
        alphabet=config.codes.alphabet,
        taken=lambda code: links.find(store, domain.host, _cased(code, domain)) is not None,
    )
    return links.add(store, domain.host, _cased(code, domain), target=url, title=title, now=now)


def _cased(code: str, domain: Domain) -> str:
    return check_code(code, case_sensitive=domain.case_sensitive)


def _entry(made: Draft, chosen: Pick) -> Entry:
    decision = None if chosen.decision is None else _decided(chosen.decision)
    return _about(made, chosen.url, chosen.origin, decision, chosen.ranked)


def _left_out(made: Draft, decision: picks.Decision) -> Entry:
    ranked = next((each for each in made.ranking.articles if each.url == decision.url), None)
    return _about(made, decision.url, "excluded", _decided(decision), ranked)


def _about(
    made: Draft,
    url: str,
    origin: Literal["list", "gem", "pinned", "chosen", "excluded"],
    decision: Decided | None,
    ranked: Ranked | None,
) -> Entry:
    fact = made.facts[url]
    return Entry(
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


def _decided(decision: picks.Decision) -> Decided:
    return Decided(decision.verb, decision.reason, decision.who, moment(int(decision.when)))
