"""What was paid for is no article, and what stands next to it is."""

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
def test_sponsors_are_told_from_articles(text: str, articles: list[str]) -> None:
    """A label reaches as far as what it labels."""
    document = parse(text.encode(), format="markdown")
    reading = extract_articles(document, [link.url for link in document.links])
    assert [found.key for found in reading.articles if found.position] == articles
