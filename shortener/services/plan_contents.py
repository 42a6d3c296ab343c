"""Preview of an issue: the contents that it will have, before anything is stored."""

from msgspec import Struct

from shortener.config import Config
from shortener.reporting.counts import to_datetime_or_none
from shortener.reporting.issue_contents import (
    ArticleContents,
    ArticleLinkContents,
    IssueContents,
    LinkContents,
    PlacementContents,
)
from shortener.services.issue_plan import IssuePlan, PlannedArticle
from shortener.services.plan_links import left_alone_lines
from shortener.short_urls import build_short_url


class PlanContents(Struct, frozen=True):
    """The contents that an issue will have, and what adding it will create.

    ``other_links`` are the link targets that are not articles.
    """

    issue: IssueContents
    other_links: tuple[ArticleContents, ...]
    targets: tuple[ArticleContents, ...]
    """Articles and other targets, in document order."""
    created: bool
    articles: int
    new_links: int
    adopted: int
    links_without_target: tuple[str, ...]
    skipped: tuple[str, ...]
    untouched: tuple[str, ...]
    warnings: tuple[str, ...]


def plan_contents(plan: IssuePlan, *, config: Config) -> PlanContents:
    """Return what will be stored for an issue, in the structs that describe a stored issue."""
    short_urls = [build_short_url(*link.key, domains=config.domains) for link in plan.links]
    todo = tuple(url for url, link in zip(short_urls, plan.links, strict=True) if link.target is None)
    placed: dict[int, dict[str, list[PlacementContents]]] = {}
    by_link: dict[int, list[PlacementContents]] = {}
    for placement in plan.placements:
        contents = PlacementContents(placement.n, placement.kind, placement.text, placement.part)
        placed.setdefault(placement.article, {}).setdefault(short_urls[placement.link], []).append(contents)
        by_link.setdefault(placement.link, []).append(contents)
    targets = [_article_contents(article, placed.get(index, {})) for index, article in enumerate(plan.articles)]
    articles = sorted((target for target in targets if target.position is not None), key=_position)
    others = sorted((target for target in targets if target.position is None), key=_is_other)
    links = tuple(
        LinkContents(
            short_urls[index],
            link.target,
            plan.articles[link.article].url if link.article is not None else None,
            tuple(by_link.get(index, ())),
            role=plan.articles[link.article].role if link.article is not None else "other",
        )
        for index, link in enumerate(plan.links)
    )
    issue = IssueContents(
        slug=plan.slug,
        title=str(plan.fields.get("title", "")),
        sent_at=to_datetime_or_none(plan.fields.get("sent_at")),
        recipients=plan.fields.get("recipients"),
        articles=tuple(articles),
        links=links,
        todo=todo,
        format=plan.format,
        domain=str(plan.fields.get("domain", "")),
    )
    return PlanContents(
        issue=issue,
        other_links=tuple(others),
        targets=tuple(targets),
        created=plan.issue_id is None,
        articles=len(articles),
        new_links=sum(link.link_id is None and not link.adopted for link in plan.links),
        adopted=sum(link.adopted for link in plan.links),
        links_without_target=todo,
        skipped=left_alone_lines(plan.skipped),
        untouched=left_alone_lines(plan.untouched),
        warnings=plan.warnings,
    )


def _article_contents(article: PlannedArticle, placed: dict[str, list[PlacementContents]]) -> ArticleContents:
    return ArticleContents(
        position=article.position,
        url=article.url,
        title=article.title,
        author=article.author,
        summary=article.summary,
        section=article.section,
        links=tuple(ArticleLinkContents(short_url, tuple(found)) for short_url, found in placed.items()),
        image=article.image,
        role=article.role,
    )


def _position(article: ArticleContents) -> int:
    return article.position or 0


def _is_other(article: ArticleContents) -> bool:
    return article.role != "inline"
