"""Short URLs: parsing, formatting, and validation of targets."""

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

PARSED = {
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
    "default port": ("https://go.example:443/abc", ("go.example", "abc")),
    "host with a dot at the end": ("https://go.example./abc", ("go.example", "abc")),
    "host with a port": ("127.0.0.1:8000/abc", ("127.0.0.1:8000", "abc")),
}


@pytest.mark.parametrize(("text", "key"), PARSED.values(), ids=PARSED)
def test_parsed_short_urls(text: str, key: tuple[str, str]) -> None:
    """Each form of a short URL is parsed to host and code."""
    assert parse_short_url(text, domains=DOMAINS) == key


NOT_PARSED = {
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


@pytest.mark.parametrize("text", NOT_PARSED.values(), ids=NOT_PARSED)
def test_other_urls_are_not_parsed(text: str) -> None:
    """Other hosts, our own pages and invalid codes give None."""
    assert parse_short_url(text, domains=DOMAINS) is None


def test_without_domains_nothing_is_a_short_url() -> None:
    """Without domains there is no default domain, so a bare code gives None too."""
    assert parse_short_url("abc", domains=()) is None


@given(
    code=st.text(DEFAULT_ALPHABET + "ABC", min_size=1, max_size=20),
    n=st.integers(0, 99_999),
    domain=st.sampled_from(DOMAINS),
)
def test_parsing_reverses_formatting(code: str, n: int, domain: Domain) -> None:
    """For every code, placement and domain, parsing undoes formatting."""
    stored = code if domain.case_sensitive else code.lower()
    short_url = format_short_url(domain, stored, n)
    assert parse_short_url(short_url, domains=DOMAINS) == (domain.host.lower(), stored)


def test_scheme_of_short_urls() -> None:
    """The scheme is that of the domain, and https for a domain that is not configured any more."""
    assert build_short_url("cased.example", "AbC", 3, domains=DOMAINS) == "http://cased.example/AbC/3"
    assert build_short_url("gone.example", "abc", domains=DOMAINS) == "https://gone.example/abc"


OWN_TARGETS = {
    "short-link domain": "https://go.example/x",
    "pages of the editors": "https://edit.example/-/",
}


@pytest.mark.parametrize("target", OWN_TARGETS.values(), ids=OWN_TARGETS)
def test_a_target_on_our_own_hosts_is_refused(target: str) -> None:
    """A target on a short-link domain or on the host of the pages is refused."""
    config = Config(site=Site(base_url="https://edit.example"), domain=DOMAINS)
    with pytest.raises(TargetRefused):
        validate_target(target, config=config)


def test_private_targets_follow_the_configuration() -> None:
    """An intranet address is refused unless redirect.private_targets allows it."""
    allowing = Config(redirect=Redirect(private_targets=True), domain=DOMAINS)
    with pytest.raises(TargetRefused, match="private network"):
        validate_target("http://10.0.0.1/", config=Config(domain=DOMAINS))
    assert validate_target("http://10.0.0.1/", config=allowing) == "http://10.0.0.1/"
