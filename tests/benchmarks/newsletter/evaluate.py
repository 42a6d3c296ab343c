"""Precision and recall of the articles that are found in a folder of issues with right answers.

    python tests/benchmarks/newsletter/evaluate.py FOLDER [--verbose]

An answer is a JSON file beside the issue, with the same stem: the ``title`` of the issue, its ``articles`` in order
with the keys ``url``, ``title``, ``author`` and ``section`` (the last two are compared if they are there), and the URLs
of ``inline`` and ``other`` links. Links that are in none of them must be left alone.
"""

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from msgspec import Struct

from shortener.newsletter import (
    ExtractedArticle,
    ExtractedIssue,
    detect_format,
    extract_articles,
    find_opt_out_links,
    parse,
)


class Score(Struct):
    """Counts over issues; ``errors`` are sentences."""

    issues: int = 0
    expected: int = 0
    found: int = 0
    right: int = 0
    titles: int = 0
    authors: int = 0
    right_authors: int = 0
    false_authors: int = 0
    sections: int = 0
    compared_sections: int = 0
    issue_titles: int = 0
    roles: int = 0
    compared_roles: int = 0
    errors: list[str] = []

    def lines(self) -> Iterator[str]:
        """Yield a line for each measure."""
        yield f"issues      {self.issues}, titles right {_share(self.issue_titles, self.issues)}"
        yield f"articles    {self.expected} expected, {self.found} found"
        yield f"precision   {_share(self.right, self.found)}"
        yield f"recall      {_share(self.right, self.expected)}"
        yield f"titles      {_share(self.titles, self.right)}"
        yield f"authors     {_share(self.right_authors, self.authors)}, {self.false_authors} false"
        yield f"sections    {_share(self.sections, self.compared_sections)}"
        yield f"roles       {_share(self.roles, self.compared_roles)}"


def _share(part: int, whole: int) -> str:
    return f"{part / whole:.3f} ({part} of {whole})" if whole else "none to compare"


def read_issue(path: Path) -> ExtractedIssue:
    """Return what is found in an issue whose links are tracked where they can be."""
    source = path.read_bytes()
    document = parse(source, format=detect_format(path.name, source))
    opt_outs = find_opt_out_links(document)
    keys = [None if link.index in opt_outs else link.url for link in document.links]
    return extract_articles(document, keys)


def add_issue(score: Score, name: str, found: ExtractedIssue, answer: dict[str, Any]) -> None:
    """Add the comparison of an issue with its answer to the score."""
    score.issues += 1
    score.issue_titles += _is_right(score, f"{name}: title", found.title, answer["title"])
    by_url = {article.key: article for article in found.articles if article.position is not None}
    expected = {article["url"]: article for article in answer["articles"]}
    score.expected += len(expected)
    score.found += len(by_url)
    score.errors += [f"{name}: {url} is no article" for url in by_url.keys() - expected.keys()]
    score.errors += [f"{name}: {url} was missed" for url in expected.keys() - by_url.keys()]
    for url in expected.keys() & by_url.keys():
        score.right += 1
        _compare(score, name, expected[url], by_url[url])
    roles = {article.key: article.role for article in found.articles}
    wanted = dict.fromkeys(answer["inline"], "inline") | dict.fromkeys(answer["other"], "other")
    for url, role in roles.items():
        if url not in expected:
            score.compared_roles += 1
            score.roles += wanted.get(url) == role
            if wanted.get(url) != role:
                score.errors.append(f"{name}: {url} is {role}, expected {wanted.get(url, 'left alone')}")


def _compare(score: Score, name: str, wanted: dict[str, Any], article: ExtractedArticle) -> None:
    score.titles += _is_right(score, f"{name}: title", article.title, wanted["title"])
    if "author" in wanted:
        is_right = _is_right(score, f"{name}: author", article.author, wanted["author"])
        score.authors += wanted["author"] is not None
        score.right_authors += wanted["author"] is not None and is_right
        score.false_authors += article.author is not None and not is_right
    if "section" in wanted:
        score.compared_sections += 1
        score.sections += _is_right(score, f"{name}: section", article.section, wanted["section"])


def _is_right(score: Score, name: str, found: str | None, wanted: str | None) -> bool:
    """Return whether a value is the expected one. If it is not, add an error to the score."""
    if found != wanted:
        score.errors.append(f"{name} {found!r}, expected {wanted!r}")
    return found == wanted


def evaluate(folder: Path) -> Score:
    """Return the score of all issues in a folder that have an answer."""
    score = Score()
    for answer in sorted(folder.glob("*.json")):
        for path in sorted(folder.glob(f"{answer.stem}.*")):
            if path != answer:
                add_issue(score, path.name, read_issue(path), json.loads(answer.read_text(encoding="utf-8")))
    return score


def main() -> None:
    """Print the measures, and with --verbose every difference."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--verbose", action="store_true")
    arguments = parser.parse_args()
    score = evaluate(arguments.folder)
    if arguments.verbose:
        print(*score.errors, sep="\n")
    print(*score.lines(), sep="\n")


if __name__ == "__main__":
    main()
