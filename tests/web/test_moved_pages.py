"""Former addresses of pages lead on to the present ones."""

from typing import TYPE_CHECKING

import pytest

from shortener.web.views.moved import MOVED

if TYPE_CHECKING:
    from tests.web.conftest import EditorSite


@pytest.mark.parametrize("former", MOVED)
def test_former_addresses_redirect_with_their_query(site_with_issue: "EditorSite", former: str) -> None:
    """A former address redirects to a page that exists, with the query unchanged."""
    browser = site_with_issue.client("viewer")
    response = browser.get(f"{former}?month=2027-01&q=a%2Bb&_external=1")
    assert response.status_code == 301
    assert response.location.startswith("/-/")
    assert response.location.endswith("?month=2027-01&q=a%2Bb&_external=1")
    assert browser.get(response.location.partition("?")[0]).status_code in {200, 404}
    assert response.location.partition("?")[0] not in MOVED


def test_former_addresses_need_a_sign_in(site: "EditorSite") -> None:
    """Without a session a former address redirects to the sign-in form."""
    assert "/-/sign-in" in site.browser().get("/-/ranking?month=2027-01").location
