"""From the reader's request to the store, through the real handler and collector: what is kept of whom."""

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


def collected(site: "Site") -> dict[str, Any]:
    """The one click of the store."""
    collector = Collector(site.store, config=site.config, clock=lambda: site.now)
    try:
        collector.drain()
    finally:
        collector.close()
    (row,) = site.store.rows("select * from clicks left join user_agents on user_agents.id = agent_id")
    return row


@pytest.mark.parametrize("signal", ["SEC_GPC", "DNT"])
def test_who_asks_not_to_be_followed_is_only_counted(site: "Site", signal: str) -> None:
    """Global Privacy Control and Do Not Track: a human click without visitor, user agent, referrer or copy."""
    assert site.get("/abcde?_c=ann", **READER, **{signal: "1"}).code == "302"
    row = collected(site)
    assert (row["verdict"], row["visitor"], row["ua"], row["referrer"], row["recipient_token"]) == (
        "human",
        None,
        None,
        "",
        None,
    )
    assert site.store.value("select sum(clicks) from clicks_by_link where verdict = 'human'") == 1
    assert site.store.value("select sum(visitors) from clicks_by_link") == 0
    content = b"".join(path.read_bytes() for path in site.data.rglob("*") if path.is_file())
    assert AGENT.encode() not in content
    assert b"mail.example" not in content


def test_a_copy_token_is_kept_as_a_hash_alone(site: "Site") -> None:
    """The token of a reader's copy goes neither to the target nor to the disk, but tells copies apart."""
    for token in ("ann%40example.com", "bob"):
        reply = site.get(f"/abcde?_c={token}", **READER)
        assert reply.headers["Location"] == "https://example.com/a"
    collector = Collector(site.store, config=site.config, clock=lambda: site.now)
    collector.drain()
    collector.close()
    copies = [row[0] for row in site.store.execute("select recipient_token from clicks")]
    assert len(set(copies)) == 2
    assert None not in copies
    content = b"".join(path.read_bytes() for path in site.data.rglob("*") if path.is_file())
    assert b"ann@example.com" not in content
    assert b"ann%40" not in content


@pytest.mark.parametrize(
    "signal", [{"SEC_PURPOSE": "prefetch"}, {"PURPOSE": "prefetch"}, {"X_MOZ": "prefetch"}]
)
def test_a_prefetch_is_not_counted_as_a_reader(site: "Site", signal: dict[str, str]) -> None:
    """A browser that asks ahead is written down as such, refused or redirected."""
    site.get("/abcde", **READER, **signal)
    assert collected(site)["verdict"] == "prefetch"
