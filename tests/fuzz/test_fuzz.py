"""Random input for the readers of issues, of the click log and of the configuration.

``tests.benchmarks.fuzz`` tries more.

Each found case is kept in FOUND, so that it is tried in every run.
"""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from tests.fuzz.properties import (
    CONFIGURATIONS,
    ISSUES,
    LOGS,
    check_click_log,
    check_configuration,
    check_issue,
)

FOUND: list[tuple[Callable[[Any], None], Any]] = [
    (check_issue, ("eml", b"From: a@b.example\n\n\n")),
    (check_issue, ("html", b"<html><body><![ if mso]><p>x</p><![endif]>")),
    (check_configuration, (b"", {"SHORTENER_DOMAIN__HOST": "x"})),
    (check_configuration, (b"server = 3", {"SHORTENER_SERVER__PORT": "3"})),
    (check_configuration, (b'[site]\nbase_url = "http://["', {})),
    (check_configuration, (b'[storage]\ndata = "~nobody-here/x"', {})),
    (check_configuration, (b'[storage]\ndata = "\\u0000"', {})),
    (check_configuration, (b"x = " + b"[" * 5_000, {})),
]

many = settings(max_examples=200, deadline=None, suppress_health_check=list(HealthCheck))


@pytest.mark.parametrize(("check", "case"), FOUND, ids=range(len(FOUND)))
def test_found_case(check: Callable[[Any], None], case: Any) -> None:
    """A case that failed once holds."""
    check(case)


@many
@given(ISSUES)
def test_issues(issue: Any) -> None:
    """An issue in any format is refused in words, or read, shown and rewritten."""
    check_issue(issue)


@many
@given(LOGS)
def test_click_logs(log: Any) -> None:
    """Each line of a click log is a click or is skipped."""
    check_click_log(log)


@many
@given(CONFIGURATIONS)
def test_configurations(case: Any) -> None:
    """A configuration is valid or refused in one line."""
    check_configuration(case)
