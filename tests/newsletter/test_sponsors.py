"""Sponsored links are no articles, but the links beside them are."""

import pytest

from shortener.newsletter import extract_articles, parse

SENTENCE = """Hello,

This week's issue is sponsored by [Acme](https://acme.example/x). Enjoy!

## Insight

**[How to count](https://a.example/count)**
Counting is harder than it looks.
"""


@pytest.mark.parametrize(
    ("text", "articles"),
    [
        pytest.param(SENTENCE, ["https://a.example/count"], id="a sentence that links its sponsor"),
        pytest.param("[Sponsored: Try FooDB](https://foo.example/)\n", [], id="a link that says so itself"),
        pytest.param(
            "Sponsored\n\n## [FooDB](https://foo.example/)\n\nFast.\n\n"
            "## [Whales](https://a.example/w)\n\nThey sing.\n",
            ["https://a.example/w"],
            id="a label over one title",
        ),
        pytest.param(
            "## [FooDB (Sponsor)](https://foo.example/)\n\nFast.\n\n## [Whales](https://a.example/w)\n\nThey sing.\n",
            ["https://a.example/w"],
            id="a marked title",
        ),
    ],
)
def test_sponsored_links_are_no_articles(text: str, articles: list[str]) -> None:
    """Only the links that a sponsor label covers are excluded from the articles."""
    document = parse(text.encode(), format="markdown")
    issue = extract_articles(document, [link.url for link in document.links])
    assert [article.key for article in issue.articles if article.position] == articles
