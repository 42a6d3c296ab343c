"""Browser tests of the polling of an open report."""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.browser.watching import Sessions

HIDING = """
let hidden = false;
Object.defineProperty(document, "hidden", { get: () => hidden });
window.hide = (value) => { hidden = value; document.dispatchEvent(new Event("visibilitychange")); };
"""
"""Script that simulates a hidden tab, because a headless browser never hides one."""


def test_polling_of_an_open_report(sample: "Sessions") -> None:
    """An open report polls at most once in five seconds, and not at all while its tab is hidden."""
    with sample.open("viewer") as watched:
        page = watched.page
        page.add_init_script(HIDING)
        page.clock.install()
        requests: list[str] = []
        page.on("request", lambda request: requests.append(request.url) if "/live" in request.url else None)
        response_sizes: list[int] = []
        page.on(
            "response",
            lambda response: response_sizes.append(len(response.body())) if "/live" in response.url else None,
        )

        def now() -> float:
            """Return the time of the page in seconds. Its clock is advanced, and runs by itself meanwhile."""
            return float(page.evaluate("Date.now()")) / 1_000

        def polls_during(seconds: int) -> int:
            """Advance the clock of the page by ``seconds``, and return how often it polled."""
            count_before = len(requests)
            for _ in range(seconds):
                page.clock.run_for(1_000)
                page.wait_for_timeout(30)
            return len(requests) - count_before

        watched.go("/-/issues/2026-11")
        begun = now()
        assert 3 <= polls_during(30) <= (now() - begun) / 5 + 1
        assert max(response_sizes) < 4_000, "the response is small"
        page.evaluate("hide(true)")
        assert polls_during(30) == 0
        for _ in range(20):
            page.evaluate("hide(false)")
            page.evaluate("hide(true)")
        assert polls_during(10) <= 1
        page.evaluate("hide(false)")
        assert 1 <= polls_during(12) <= 3
    assert not watched.problems
