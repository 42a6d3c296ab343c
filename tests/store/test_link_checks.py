"""The stored progress and results of a link check."""

from shortener.store import issues, link_checks
from tests.conftest import Newsletter
from tests.postgres import both_engines


@both_engines
def test_progress_of_the_last_check(newsletter: Newsletter) -> None:
    """Progress counts for the check that began at the given time only, and does not exceed its total."""
    store, issue = newsletter.store, issues.get(newsletter.store, "may").id
    link_checks.start(store, issue, total=3, now=100)
    for started_at, done, stored in ((100, 2, 2), (99, 1, 2), (100, 9, 3)):
        link_checks.set_progress(store, issue, started_at=started_at, done=done)
        check = link_checks.find(store, issue)
        assert check is not None
        assert (check.done, check.finished_at) == (stored, None)
    link_checks.finish(store, issue, started_at=100, results=b"[1]", now=105)
    assert link_checks.find(store, issue) == link_checks.StoredLinkCheck(100, 105, 3, 3, b"[1]")
