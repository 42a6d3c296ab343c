"""The operator's databases of networks: countries and vendors; refused when broken, read again when replaced."""

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from shortener.collector import collector as collecting
from shortener.collector.collector import Collector
from shortener.collector.ip_databases import IPDatabases, parse_asn, parse_country
from shortener.collector.reclassify import reclassify
from shortener.config import Config, Domain, Networks, Storage
from shortener.errors import ConfigError
from shortener.reporting.doctor import examine
from shortener.store import Store, issues, links, open_store

SENT = 1_795_500_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
HERE, VENDOR, UNKNOWN = "192.0.2.0/24", "203.0.113.0/24", "198.51.100.0/24"
COUNTRIES: dict[str, dict[Any, Any]] = {
    HERE: {"country": {"iso_code": "DE"}},
    "2001:db8::/32": {"country": {"iso_code": "FR"}},
}
SYSTEMS: dict[str, dict[Any, Any]] = {
    HERE: {"autonomous_system_number": 64496},
    VENDOR: {"autonomous_system_number": 16417},
}


def write_database(path: Path, networks: Mapping[str, dict[Any, Any]], *, kind: str = "Test") -> None:
    """A database as they are published, put in the place of what was there."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    fresh = path.with_suffix(".new")
    writer.to_db_file(str(fresh))
    fresh.rename(path)


class Site:
    """A store with one link of an issue, and the databases of a directory."""

    def __init__(self, directory: Path, *, asn: bool = True, countries: bool = True) -> None:
        self.directory = directory
        self.asn, self.countries = directory / "asn.mmdb", directory / "countries.mmdb"
        write_database(self.asn, SYSTEMS, kind="Test-ASN")
        write_database(self.countries, COUNTRIES, kind="Test-Country")
        self.config = Config(
            domain=(Domain(host="go.example"),),
            storage=Storage(data=str(directory / "data")),
            networks=Networks(
                asn=str(self.asn) if asn else "", countries=str(self.countries) if countries else ""
            ),
        )
        self.store: Store = open_store(self.config.data_directory)
        with self.store.transaction():
            issue = issues.add(
                self.store, "may", title="May", format="html", domain="go.example", sent_at=SENT, recipients=None,
                source=b"x", now=1,
            )  # fmt: skip
            link = links.add(
                self.store, "go.example", "a", target="https://a.example/", now=1, issue_id=issue
            )
            issues.replace_placements(self.store, issue, [issues.Placement(link, 1, None, "text", "a")])

    def write(self, *lines: dict[str, Any]) -> None:
        log = self.config.data_directory / "clicklog" / "test.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def drain(self, *lines: dict[str, Any]) -> None:
        self.write(*lines)
        collector = Collector(self.store, config=self.config)
        collector.drain()
        collector.close()

    def stored(self, column: str) -> dict[str, Any]:
        return dict(self.store.execute(f"select id, {column} from clicks").fetchall())


@pytest.fixture
def site(tmp_path: Path) -> Site:
    return Site(tmp_path)


def line(id: str, net: str | None = HERE, at: float = 300, **more: Any) -> dict[str, Any]:
    base = {
        "v": 1, "id": id, "ts": SENT + at, "host": "go.example", "code": "a", "n": 1, "ua": FIREFOX, "net": net,
        "addr": f"a{id}", "visitor": f"v{id}", "lang": "en", "h": {"sec-fetch-mode": "navigate"},
    }  # fmt: skip
    return base | more


def test_a_click_has_the_country_of_its_network(site: Site) -> None:
    """By the /24 or /48 that stands in the line; nothing where that is unknown, or not to be kept."""
    site.drain(
        line("v4"),
        line("v6", "2001:db8:7::/48"),
        line("unknown", UNKNOWN),
        line("none", None),
        line("foreign", None, ip="192.0.2.77"),
        line("asked", h={"sec-gpc": "1"}),
    )
    assert site.stored("country") == {
        "v4": "DE", "v6": "FR", "unknown": "", "none": "", "foreign": "DE", "asked": "",
    }  # fmt: skip
    rows = site.store.execute(
        "select value, clicks from breakdown_by_link where dimension = 'country' order by value"
    )
    assert rows.fetchall() == [("", 3), ("DE", 2), ("FR", 1)]


def test_vendors_known_by_their_system_only_count_soon_after_the_sending(site: Site) -> None:
    """Rule 13 by the number of the autonomous system: people in isolated browsers come from there as well, later."""
    site.drain(
        line("soon", VENDOR, at=300),
        line("later", VENDOR, at=700),
        line("reader", HERE),
        line("other", UNKNOWN),
    )
    assert site.stored("reason") == {
        "soon": "vendor-network", "later": "reader", "reader": "reader", "other": "reader",
    }  # fmt: skip


def test_history_can_be_judged_by_a_database_that_came_later(site: Site) -> None:
    """``reclassify`` asks the database as well, and says what changed."""
    without = Config(domain=site.config.domain, storage=site.config.storage)
    site.write(line("soon", VENDOR))
    collector = Collector(site.store, config=without)
    collector.drain()
    collector.close()
    assert site.stored("reason") == {"soon": "reader"}
    outcome = reclassify(site.store, config=site.config, on_progress=lambda done, total: None)
    assert outcome.verdict_changes.total() == 1
    assert site.stored("reason") == {"soon": "vendor-network"}


def test_a_replaced_file_is_read_again(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """With the next batch, without a restart; a broken one is named once and changes nothing."""
    collector = Collector(site.store, config=site.config)
    site.write(line("1"))
    collector.drain()
    write_database(site.countries, {HERE: {"country": {"iso_code": "AT"}}})
    write_database(site.asn, {HERE: {"autonomous_system_number": 16417}})
    site.write(line("2"))
    collector.drain()
    site.countries.write_bytes(b"half a download")
    for id in ("3", "4"):
        site.write(line(id))
        collector.drain()
    site.countries.unlink()
    site.write(line("5"))
    collector.drain()
    collector.close()
    assert site.stored("country") == {"1": "DE", "2": "AT", "3": "AT", "4": "AT", "5": "AT"}
    assert site.stored("reason")["2"] == "vendor-network"
    assert [record.getMessage().partition(":")[0] for record in caplog.records].count(
        f"networks.countries = {str(site.countries)!r}"
    ) == 2, "once for the broken file, once for the missing one"


@pytest.mark.parametrize(
    ("content", "words"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"", "cannot be read as a MaxMind database", id="empty"),
        pytest.param(
            b"network,country\n1.2.3.0/24,DE\n", "cannot be read as a MaxMind database", id="a CSV file"
        ),
    ],
)
@pytest.mark.parametrize("key", ["asn", "countries"])
def test_a_bad_file_is_refused(tmp_path: Path, key: str, content: bytes | None, words: str) -> None:
    """One line that names the key, the file and what is wrong; by the doctor too."""
    path = tmp_path / "bad.mmdb"
    if content is not None:
        path.write_bytes(content)
    config = Config(storage=Storage(data=str(tmp_path)), networks=Networks(**{key: str(path)}))
    with pytest.raises(ConfigError, match=words) as refused:
        IPDatabases(config)
    assert f"networks.{key} = " in str(refused.value)
    assert str(path) in str(refused.value)
    assert "\n" not in str(refused.value)
    assert any(found.level == "bad" and words in found.finding for found in examine(config, config_path=None))


def test_files_that_were_mixed_up_are_refused(site: Site) -> None:
    """A database of countries cannot say who runs a network."""
    mixed = Networks(asn=str(site.countries), countries="")
    with pytest.raises(ConfigError, match=r"another kind \(Test-Country\); it knows no autonomous systems"):
        IPDatabases(Config(networks=mixed))


def test_a_file_overwritten_in_place_cannot_hurt(site: Site) -> None:
    """It is held in memory: a copy that is just being written over it is not seen half."""
    atlas = IPDatabases(site.config)
    with site.countries.open("r+b") as file:
        file.truncate(10)
    assert atlas.country(HERE) == "DE"
    assert atlas.country("2001:db8:1::/48") == "FR"


def test_the_doctor_says_what_is_known(site: Site) -> None:
    """Which file, of which kind, and when it was built."""
    found = {each.check: each for each in examine(site.config, config_path=None)}
    assert found["networks.asn"].level == found["networks.countries"].level == "good"
    assert "Test-Country, built 2" in found["networks.countries"].finding


@pytest.mark.parametrize(
    ("record", "country"),
    [
        ({"country": {"iso_code": "DE", "names": {"en": "Germany"}}, "city": {}}, "DE"),
        ({"country_code": "fr"}, "FR"),
        ({"country": "US", "continent": "NA"}, "US"),
        ({"country": "Germany"}, ""),
        ({"country": {}}, ""),
        ({"country": {"iso_code": 49}}, ""),
        ({}, ""),
    ],
)
def test_countries_are_read_as_they_are_written(record: Mapping[str, Any], country: str) -> None:
    """Each publisher has another place for the code; what is none is left out."""
    assert parse_country(record) == country


@pytest.mark.parametrize(
    ("record", "system"),
    [
        ({"autonomous_system_number": 16417, "autonomous_system_organization": "x"}, 16417),
        ({"asn": "AS16417", "name": "x"}, 16417),
        ({"asn": ""}, None),
        ({"asn": "\u0661"}, None),
        ({}, None),
    ],
)
def test_systems_are_read_as_they_are_written(record: Mapping[str, Any], system: int | None) -> None:
    """As a number, or as text with AS before it."""
    assert parse_asn(record) == system


def test_whole_addresses_are_never_asked_for(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """The databases are asked for networks only, whatever a line brings."""
    asked: list[str | None] = []

    class Listening(IPDatabases):
        def country(self, net: str | None) -> str:
            asked.append(net)
            return super().country(net)

    monkeypatch.setattr(collecting, "IPDatabases", Listening)
    site.drain(line("1", None, ip="192.0.2.77"), line("2", None, ip="2001:db8:1:2:3::4"))
    assert asked == ["192.0.2.0/24", "2001:db8:1::/48"]
