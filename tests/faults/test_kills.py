"""``kill -9`` under load, and the stored clicks afterwards; ``tests.benchmarks.faults.kills`` kills more often."""

from pathlib import Path

import pytest

from tests.faults.accounting import (
    AMBIGUOUS,
    ANSWERED,
    REFUSED,
    REJECTED,
    WRONG,
    account,
    kill_again_and_again,
)
from tests.faults.serving import Server, needs_proc

RECOVERY_SECONDS = 10.0
"""Deadline on a busy machine; the benchmark measures how long a recovery takes."""
PAUSE_SECONDS = 0.005
"""Mean pause between the requests of one of six readers."""


@needs_proc
def test_no_answered_click_is_lost_or_doubled(tmp_path: Path) -> None:
    """After a kill of any process exactly the answered clicks are stored once, and readers are served again soon."""
    victims = ["tree", "collector", "worker", "serve"]
    found = kill_again_and_again(Server(tmp_path, workers=2, pages=False), victims, pause=PAUSE_SECONDS)
    assert found.account.is_exact, found.account
    assert found.account.answered > 300
    assert found.account.rejected == 0
    assert found.healed
    assert found.recoveries
    assert max(found.recoveries) < RECOVERY_SECONDS


@needs_proc
def test_a_stop_breaks_no_answer(tmp_path: Path) -> None:
    """SIGTERM under load ends the server soon; no response is cut off and no click lost.

    The promise is ten seconds. The deadline leaves room for a machine on which many other programs run.
    """
    found = kill_again_and_again(Server(tmp_path, pages=False), ["term", "term"], pause=PAUSE_SECONDS)
    assert found.account.is_exact, found.account
    assert found.account.ambiguous == found.account.rejected == 0
    assert max(found.stops) < 40


@pytest.mark.parametrize(
    ("outcome", "stored", "fault"),
    [
        (ANSWERED, 0, "lost"),
        (ANSWERED, 1, None),
        (ANSWERED, 2, "doubled"),
        (AMBIGUOUS, 0, None),
        (AMBIGUOUS, 1, None),
        (AMBIGUOUS, 2, "doubled"),
        (REFUSED, 0, None),
        (REFUSED, 1, "without_request"),
        (REJECTED, 1, "without_request"),
        (WRONG, 1, "wrong"),
    ],
)
def test_the_accounts_find_what_is_wrong(outcome: str, stored: int, fault: str | None) -> None:
    """The comparison finds missing, doubled and unexpected clicks, also if the totals agree."""
    found = account({7: outcome, 8: ANSWERED}, ["k8", *["k7"] * stored])
    assert found.is_exact == (fault is None)
    assert fault is None or getattr(found, fault) == 1
