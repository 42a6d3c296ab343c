"""Numbers on pages have no false precision."""

import pytest

from shortener.web.filters import format_number


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, "0"),
        (12_345, "12,345"),
        (0.0, "0.0"),
        (0.04, "< 0.1"),
        (0.05, "0.1"),
        (4.23, "4.2"),
        (9.94, "9.9"),
        (9.96, "10"),
        (86.8, "87"),
        (1234.5, "1,234"),
        (None, "–"),
    ],
)
def test_numbers(value: float | None, text: str) -> None:
    """Counts are whole; typical values have one decimal below 10 only, and a small one is not shown as 0."""
    assert format_number(value) == text
