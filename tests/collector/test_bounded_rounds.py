"""The number of nearby clicks that one classification reads does not grow with the length of an attack."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from shortener.classification.correlate import Neighbourhood
from shortener.collector import classifier
from shortener.collector.collector import Collector
from shortener.collector.neighbourhood import load_near_new
from shortener.collector.rebuild import rebuild
from shortener.config import Config, Domain, Storage, Verdicts
from shortener.store import issues, links, open_store

START = 1_795_500_000
ROUND_SECONDS = 60
MINUTES = 70
LINKS = 5
AGENTS = [f"Mozilla/5.0 (X11; Linux x86_64; rv:{n}.0) Gecko/20100101 Firefox/{n}.0" for n in (140, 141, 142)]
COMPLETE_HEADERS = {"accept": "*/*", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}


def scanner_lines(minute: int, *, hosted: bool) -> Iterator[dict[str, Any]]:
    """Yield one minute of lines from three addresses that open all links repeatedly, with the honeypot link."""
    for number in range(60):
        at = START + minute * ROUND_SECONDS + number
        code = (number * 7 + minute) % LINKS
        yield {
            "v": 1, "id": f"{minute}-{number}", "ts": at, "host": "go.example", "code": f"c{code}", "n": code + 1,
            "net": "203.0.113.0/24" if hosted else "192.0.2.0/24", "addr": f"a{number % 3}",
            "visitor": f"v{number % 3}", "ua": AGENTS[(number // 3 + minute) % 3], "lang": "en", "h": COMPLETE_HEADERS,
        }  # fmt: skip


@pytest.fixture
def clicks_read(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """Number of nearby clicks that each classification read."""
    rounds: list[int] = []

    def load_and_count(*args: Any) -> Neighbourhood:
        nearby = load_near_new(*args)
        rounds.append(len(nearby.clicks) + len(nearby.honeypot_hits))
        return nearby

    monkeypatch.setattr(classifier, "load_near_new", load_and_count)
    return rounds


@pytest.mark.parametrize("hosted", [False, True], ids=["at home", "in a data center"])
def test_repeated_honeypot_hits(tmp_path: Path, clicks_read: list[int], hosted: bool) -> None:
    """After an hour of hits a classification reads as many clicks as after the first minutes."""
    (tmp_path / "cloud.txt").write_text("203.0.113.0/24\n")
    config = Config(
        domain=(Domain(host="go.example"),),
        storage=Storage(data=str(tmp_path)),
        verdicts=Verdicts(datacenters=(str(tmp_path / "cloud.txt"),)),
    )
    store = open_store(tmp_path)
    with store.transaction():
        issue = issues.add(
            store, "may", title="May", format="html", domain="go.example", sent_at=None, recipients=None, source=b"x",
            now=1,
        )  # fmt: skip
        placements = []
        for number in range(LINKS):
            link = links.add(
                store,
                "go.example",
                f"c{number}",
                target="https://a.example/",
                now=1,
                issue_id=issue,
                honeypot=number == LINKS - 1,
            )
            placements.append(issues.Placement(link, number + 1, None, "text", ""))
        issues.replace_placements(store, issue, placements)
    log = tmp_path / "clicklog" / "scanner.log"
    log.parent.mkdir()
    collector = Collector(store, config=config)
    for minute in range(MINUTES):
        with log.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in scanner_lines(minute, hosted=hosted))
        collector.drain()
    collector.close()
    assert len(clicks_read) == MINUTES
    early = clicks_read[5:10]
    assert max(clicks_read[-10:]) <= max(early) + 3 * len(AGENTS) * 2 * 4, "only a few more honeypot hits"
    assert store.value("select count(*) from clicks where verdict = 'human'") == 0
    store.close()


def test_a_flood_from_one_address(tmp_path: Path, clicks_read: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    """In a flood only the nearest clicks are read, no click counts as human, and a rebuild gives equal sums."""
    monkeypatch.setattr("shortener.store.nearby_clicks.MAX_NEARBY_CLICKS", 100)
    config = Config(domain=(Domain(host="go.example"),), storage=Storage(data=str(tmp_path)))
    store = open_store(tmp_path)
    with store.transaction():
        for number in range(30):
            links.add(store, "go.example", f"c{number}", target="https://a.example/", now=1)
    log = tmp_path / "clicklog" / "flood.log"
    log.parent.mkdir()
    collector = Collector(store, config=config)
    for number in range(3_000):
        line = {
            "v": 1, "id": str(number), "ts": START + number / 100, "host": "go.example", "code": f"c{number % 30}",
            "net": "192.0.2.0/24", "addr": "a", "visitor": "v", "ua": AGENTS[0], "lang": "en", "h": COMPLETE_HEADERS,
        }  # fmt: skip
        with log.open("a") as file:
            file.write(json.dumps(line) + "\n")
        if number % 150 == 149:
            collector.drain()
    collector.close()
    assert len(clicks_read) == 20
    assert max(clicks_read) <= 2 * 3 * 100
    assert store.value("select count(*) from clicks where verdict = 'human'") == 0
    sums = "select * from clicks_by_link order by 1, 2, 3, 4"
    before = store.execute(sums).fetchall()
    rebuild(store, on_progress=lambda _: None)
    assert store.execute(sums).fetchall() == before
    store.close()
