"""From a request to the stored click, through redirector and collector: which data of a reader is stored."""

from typing import TYPE_CHECKING, Any

import pytest

from shortener.collector.collector import Collector

if TYPE_CHECKING:
    from tests.redirect.conftest import Site

AGENT = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
READER = {
    "USER_AGENT": AGENT,
    "REFERER": "https://mail.example/inbox",
    "ACCEPT_LANGUAGE": "en-GB,en;q=0.9",
    "SEC_FETCH_MODE": "navigate",
    "SEC_FETCH_DEST": "document",
}


def drain_one(site: "Site") -> dict[str, Any]:
    """Drain the click log and return the only stored click."""
    collector = Collector(site.store, config=site.config, clock=lambda: site.now)
    try:
        collector.drain()
    finally:
        collector.close()
    (row,) = site.store.rows("select * from clicks left join user_agents on user_agents.id = agent_id")
    return row


@pytest.mark.parametrize("signal", ["SEC_GPC", "DNT"])
def test_readers_who_opt_out(site: "Site", signal: str) -> None:
    """An opted-out reader is a human click without visitor, user agent, referrer and recipient token."""
    assert site.get("/abcde?_c=ann", **READER, **{signal: "1"}).code == "302"
    row = drain_one(site)
    assert (row["verdict"], row["visitor"], row["ua"], row["referrer"], row["recipient_token"]) == (
        "human",
        None,
        None,
        "",
        None,
    )
    assert site.store.value("select sum(human) from clicks_by_link") == 1
    assert site.store.value("select sum(visitors) from clicks_by_link") == 0
    content = b"".join(path.read_bytes() for path in site.data.rglob("*") if path.is_file())
    assert AGENT.encode() not in content
    assert b"mail.example" not in content


def test_recipient_tokens_are_stored_as_hashes(site: "Site") -> None:
    """A recipient token is neither forwarded nor stored, and different tokens have different hashes."""
    for token in ("ann%40example.com", "bob"):
        reply = site.get(f"/abcde?_c={token}", **READER)
        assert reply.headers["Location"] == "https://example.com/a"
    collector = Collector(site.store, config=site.config, clock=lambda: site.now)
    collector.drain()
    collector.close()
    hashes = [row[0] for row in site.store.execute("select recipient_token from clicks")]
    assert len(set(hashes)) == 2
    assert None not in hashes
    content = b"".join(path.read_bytes() for path in site.data.rglob("*") if path.is_file())
    assert b"ann@example.com" not in content
    assert b"ann%40" not in content


@pytest.mark.parametrize("signal", [{"SEC_PURPOSE": "prefetch"}, {"PURPOSE": "prefetch"}, {"X_MOZ": "prefetch"}])
def test_prefetches_have_their_own_verdict(site: "Site", signal: dict[str, str]) -> None:
    """A prefetch has the verdict ``prefetch``, whether it was refused or redirected."""
    site.get("/abcde", **READER, **signal)
    assert drain_one(site)["verdict"] == "prefetch"
