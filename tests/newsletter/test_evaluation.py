"""Articles, titles, authors, sections and roles of short issues of many shapes and languages."""

from pathlib import Path

from tests.benchmarks.newsletter.evaluate import evaluate

FOLDER = Path(__file__).parent / "evaluation"


def test_every_issue_is_read_as_its_answer_says() -> None:
    """All articles, titles, authors, sections and roles of at least 25 issues are right."""
    score = evaluate(FOLDER)
    assert score.errors == []
    assert score.issues >= 25
    assert score.right == score.expected == score.found > 50


def test_differences_are_counted(tmp_path: Path) -> None:
    """A wrong answer lowers every measure that it concerns."""
    (tmp_path / "a.md").write_text("# T\n\n- [One](https://example.org/1) by Ann Lee\n", encoding="utf-8")
    (tmp_path / "a.json").write_text(
        '{"title": "U", "articles": [{"url": "https://example.org/1", "title": "Two", "author": "Bo", "section": "S"},'
        '{"url": "https://example.org/2", "title": "x"}], "inline": [], "other": []}',
        encoding="utf-8",
    )
    score = evaluate(tmp_path)
    assert (score.expected, score.found, score.right) == (2, 1, 1)
    assert (score.titles, score.right_authors, score.false_authors, score.sections, score.issue_titles) == (
        0,
        0,
        1,
        0,
        0,
    )
    assert len(score.errors) == 5
    assert any(line.startswith("recall      0.500") for line in score.lines())
