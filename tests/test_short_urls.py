"""Short URLs: what people write names one link or none, and what we write is read back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from shortener.codes import DEFAULT_ALPHABET
from shortener.config import Config, Domain, Redirect, Site
from shortener.errors import TargetRefused
from shortener.short_urls import build_short_url, format_short_url, parse_short_url, validate_target

DOMAINS = (
    Domain(host="go.example"),
    Domain(host="Cased.example", case_sensitive=True, scheme="http"),
    Domain(host="127.0.0.1:8000", scheme="http"),
)

READ = {
    "whole": ("https://go.example/abc", ("go.example", "abc")),
    "http": ("http://go.example/abc", ("go.example", "abc")),
    "without scheme": ("go.example/abc", ("go.example", "abc")),
    "bare code": ("abc", ("go.example", "abc")),
    "bare code with n": ("abc/2", ("go.example", "abc")),
    "placement": ("https://go.example/abc/12", ("go.example", "abc")),
    "preview": ("https://go.example/abc+", ("go.example", "abc")),
    "bare preview": ("abc+", ("go.example", "abc")),
    "slash at the end": ("https://go.example/abc/", ("go.example", "abc")),
    "query": ("https://go.example/abc?utm_source=x", ("go.example", "abc")),
    "fragment": ("https://go.example/abc/2#top", ("go.example", "abc")),
    "spaces around": ("  go.example/abc\n", ("go.example", "abc")),
    "scheme and host in capitals": ("HTTPS://GO.Example/abc", ("go.example", "abc")),
    "case folds": ("https://go.example/AbC", ("go.example", "abc")),
    "case kept": ("https://cased.example/AbC", ("cased.example", "AbC")),
    "port that says nothing": ("https://go.example:443/abc", ("go.example", "abc")),
    "host with a dot at the end": ("https://go.example./abc", ("go.example", "abc")),
    "host with a port": ("127.0.0.1:8000/abc", ("127.0.0.1:8000", "abc")),
}


@pytest.mark.parametrize(("text", "key"), READ.values(), ids=READ)
def test_a_short_url_names_its_link(text: str, key: tuple[str, str]) -> None:
    """Whole, shortened or bare, with placement or preview mark: it is the same link."""
    assert parse_short_url(text, domains=DOMAINS) == key


NOT_READ = {
    "another host": "https://else.example/abc",
    "another host without scheme": "else.example/abc",
    "another port": "https://go.example:8443/abc",
    "host in the path": "https://else.example/go.example/abc",
    "user name": "https://go.example@else.example/abc",
    "another scheme": "ftp://go.example/abc",
    "no code": "https://go.example/",
    "host alone": "https://go.example",
    "nothing": "",
    "a page of ours": "https://go.example/-/health",
    "two steps": "https://go.example/abc/x",
    "n that is no number": "abc/²",
    "code with a dot": "https://go.example/robots.txt",
    "code with a space": "a b",
    "code that is too long": "a" * 65,
}


@pytest.mark.parametrize("text", NOT_READ.values(), ids=NOT_READ)
def test_what_is_no_short_url_of_ours_names_nothing(text: str) -> None:
    """Other hosts, our own pages and broken codes are not taken for a link."""
    assert parse_short_url(text, domains=DOMAINS) is None


def test_without_domains_nothing_is_a_short_url() -> None:
    """There is no default domain then, so that a bare code names nothing either."""
    assert parse_short_url("abc", domains=()) is None


@given(
    code=st.text(DEFAULT_ALPHABET + "ABC", min_size=1, max_size=20),
    n=st.integers(0, 99_999),
    domain=st.sampled_from(DOMAINS),
)
def test_what_is_written_is_read_back(code: str, n: int, domain: Domain) -> None:
    """For every code, placement and domain, parsing undoes formatting."""
    stored = code if domain.case_sensitive else code.lower()
    written = format_short_url(domain, stored, n)
    assert parse_short_url(written, domains=DOMAINS) == (domain.host.lower(), stored)


def test_the_scheme_is_the_domains_own() -> None:
    """A domain that answers by http only is written so; one that is not configured any more by https."""
    assert build_short_url("cased.example", "AbC", 3, domains=DOMAINS) == "http://cased.example/AbC/3"
    assert build_short_url("gone.example", "abc", domains=DOMAINS) == "https://gone.example/abc"


CIRCLES = {
    "short-link domain": "https://go.example/x",
    "pages of the editors": "https://edit.example/-/",
}


@pytest.mark.parametrize("target", CIRCLES.values(), ids=CIRCLES)
def test_a_target_on_our_own_hosts_is_refused(target: str) -> None:
    """No short link leads to a short link, nor to the editors' pages."""
    config = Config(site=Site(base_url="https://edit.example"), domain=DOMAINS)
    with pytest.raises(TargetRefused):
        validate_target(target, config=config)


def test_private_targets_follow_the_configuration() -> None:
    """An intranet address is refused unless redirect.private_targets allows it."""
    allowing = Config(redirect=Redirect(private_targets=True), domain=DOMAINS)
    with pytest.raises(TargetRefused, match="private network"):
        validate_target("http://10.0.0.1/", config=Config(domain=DOMAINS))
    assert validate_target("http://10.0.0.1/", config=allowing) == "http://10.0.0.1/"
