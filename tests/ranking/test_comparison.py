"""The comparison of two issues at equal age."""

from typing import Any

import msgspec
import pytest

from shortener.errors import InputError, NotFound
from shortener.ranking import Arrival, History, Issue, compare

HOUR = 3600.0
OLD, NEW = Issue("old", "Old", 0.0, 1000), Issue("new", "New", 1000 * HOUR, 4000)
ARRIVALS = (
    Arrival("old", 0, 1, 50),
    Arrival("old", 1, 2, 30),
    Arrival("old", 2, 720, 400),
    Arrival("new", 0, 1, 300),
    Arrival("new", 1, 2, 100),
)
HISTORY = History((OLD, NEW), (), ARRIVALS)


def test_issues_are_compared_at_the_age_of_the_younger() -> None:
    """At the younger issue's age of two hours, later clicks of the older issue do not count."""
    comparison = compare(HISTORY, "new", "old", arrivals=ARRIVALS, as_of=1002 * HOUR)
    assert (comparison.hours, comparison.first.clicks, comparison.second.clicks) == (2.0, 400.0, 80.0)
    assert (comparison.first.rate, comparison.second.rate) == (0.1, 0.08)
    assert comparison.ratio == pytest.approx(1.25)
    assert comparison.low == pytest.approx(1.25 / 1.2232, rel=1e-3)
    assert comparison.to_come is not None
    assert comparison.first.to_come is not None
    assert comparison.first.to_come > 0.4
    assert comparison.second.to_come is not None
    assert comparison.second.to_come < 0.02
    assert comparison.text == (
        f"2 hours after sending ({comparison.to_come:.0%} of clicks still expected): "
        "issue new with 400 clicks (10.0% of 4000) against issue old with 80 clicks (8.0% of 1000); "
        "1.2\u00d7 the clicks per recipient "
        "(90% interval 1.0-1.5)"
    )


def test_an_earlier_age_can_be_chosen() -> None:
    """At one hour only the clicks of the first hour count."""
    comparison = compare(HISTORY, "new", "old", arrivals=ARRIVALS, as_of=1002 * HOUR, hours=1.0)
    assert (comparison.first.clicks, comparison.second.clicks) == (300.0, 50.0)


@pytest.mark.parametrize("hours", [5e-324, 1e-9, 1e-6, 0.001])
def test_less_than_one_click_is_not_compared(hours: float) -> None:
    """Seconds after sending, when less than one click is expected, there is no ratio instead of a meaningless one."""
    comparison = compare(HISTORY, "new", "old", arrivals=ARRIVALS, as_of=1002 * HOUR, hours=hours)
    assert (comparison.ratio, comparison.low, comparison.high) == (None, None, None)
    assert comparison.text.endswith("too few clicks to compare")


def test_nothing_is_expected_without_evidence() -> None:
    """Below an hour no share of clicks is expected, for the age and for the young issue; the counts are compared."""
    comparison = compare(HISTORY, "new", "old", arrivals=ARRIVALS, as_of=1000.5 * HOUR)
    assert (comparison.hours, comparison.first.clicks, comparison.second.clicks) == (0.5, 150.0, 25.0)
    assert (comparison.to_come, comparison.first.to_come) == (None, None)
    assert comparison.second.to_come is not None
    assert comparison.text.startswith("30 minutes after sending: issue new")


def test_the_issues_have_their_own_counts() -> None:
    """The counts are those of whole issues, not the sums over links that the arrival curve is estimated from."""
    whole = (Arrival("old", 0, 1, 40), Arrival("new", 0, 0.25, 200), Arrival("new", 0.25, 0.5, 40))
    comparison = compare(HISTORY, "new", "old", arrivals=whole, as_of=1002 * HOUR, hours=0.375)
    assert (comparison.first.clicks, comparison.second.clicks) == (220.0, 15.0)


@pytest.mark.parametrize(
    ("rows", "ratio", "text"),
    [
        pytest.param({"arrivals": ARRIVALS[:3]}, None, "too few clicks to compare", id="no clicks"),
        pytest.param(
            {"issues": (OLD, msgspec.structs.replace(NEW, recipients=None))},
            5.0,
            "5.0\u00d7 the clicks (",
            id="unknown recipients",
        ),
        pytest.param(
            {"issues": (OLD, msgspec.structs.replace(NEW, recipients=5000))},
            1.0,
            "no significant difference in clicks per recipient",
            id="no difference",
        ),
    ],
)
def test_the_text_of_the_ratio(rows: dict[str, Any], ratio: float | None, text: str) -> None:
    """There is no ratio without clicks, and none per recipient without recipients; chance is called not significant."""
    history = msgspec.structs.replace(HISTORY, **rows)
    comparison = compare(history, "new", "old", arrivals=history.arrivals, as_of=1002 * HOUR)
    assert comparison.ratio == (None if ratio is None else pytest.approx(ratio))
    assert text in comparison.text


@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        pytest.param({"first": "nope"}, NotFound, "'nope'", id="unknown"),
        pytest.param({"as_of": 1.0}, NotFound, "'new'", id="not sent yet"),
        pytest.param({"hours": 3.0}, InputError, "at most 2", id="older than the younger"),
        pytest.param({"hours": 0.0}, InputError, "more than 0", id="age 0"),
        pytest.param({"hours": float("nan")}, InputError, "nan hours", id="nan"),
    ],
)
def test_invalid_comparisons_are_refused(changes: dict[str, Any], error: type[Exception], message: str) -> None:
    """Unknown issues and ages that the younger issue has not reached raise an error."""
    options: dict[str, Any] = {"first": "new", "as_of": 1002 * HOUR, "hours": None} | changes
    with pytest.raises(error, match=message):
        compare(HISTORY, options.pop("first"), "old", arrivals=ARRIVALS, **options)


@pytest.mark.parametrize(
    ("units", "counted", "text"),
    [
        pytest.param(("visitors", "visitors"), "visitors", "1.2\u00d7 the visitors per recipient", id="visitors"),
        pytest.param(("clicks", "clicks"), "clicks", "1.2\u00d7 the clicks per recipient", id="clicks"),
        pytest.param(("visitors", "clicks"), "clicks", "issue new with 400 visitors", id="mixed"),
        pytest.param(("visitors", "clicks"), "clicks", "issue old with 80 clicks", id="mixed, other side"),
    ],
)
def test_the_comparison_names_what_it_counted(units: tuple[Any, Any], counted: str, text: str) -> None:
    """Each issue has its count in the key that its own `counted` names; the whole is visitors if both are."""
    new, old = (msgspec.structs.replace(issue, counted=unit) for issue, unit in zip((NEW, OLD), units, strict=True))
    history = msgspec.structs.replace(HISTORY, issues=(old, new))
    comparison = compare(history, "new", "old", arrivals=ARRIVALS, as_of=1002 * HOUR)
    assert comparison.counted == counted
    assert text in comparison.text
    for side, unit, count in ((comparison.first, units[0], 400.0), (comparison.second, units[1], 80.0)):
        assert (side.counted, getattr(side, unit)) == (unit, count)
        assert (side.visitors is None) != (side.clicks is None)
