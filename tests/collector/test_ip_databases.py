"""Databases of networks: countries and autonomous systems of clicks, damaged files, and replaced files."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest
from mmdb_writer import MMDBWriter
from netaddr import IPSet

from shortener.collector.collector import Collector
from shortener.collector.ip_databases import IPDatabases, parse_asn, parse_country
from shortener.collector.reclassify import reclassify
from shortener.config import Config, Domain, Networks, Storage
from shortener.errors import ConfigError
from shortener.reporting.doctor import examine
from shortener.store import Store, issues, links, open_store

SENT = 1_795_500_000
FIREFOX = "Mozilla/5.0 (X11; Linux x86_64; rv:145.0) Gecko/20100101 Firefox/145.0"
HOME, VENDOR, UNKNOWN = "192.0.2.0/24", "203.0.113.0/24", "198.51.100.0/24"
COUNTRY_RECORDS: dict[str, dict[Any, Any]] = {
    HOME: {"country": {"iso_code": "DE"}},
    "2001:db8::/32": {"country": {"iso_code": "FR"}},
}
ASN_RECORDS: dict[str, dict[Any, Any]] = {
    HOME: {"autonomous_system_number": 64496},
    VENDOR: {"autonomous_system_number": 16417},
}


def write_database(path: Path, networks: Mapping[str, dict[Any, Any]], *, kind: str = "Test") -> None:
    """Write a database in MaxMind's format, replacing the file at ``path``."""
    writer = MMDBWriter(ip_version=6, ipv4_compatible=True, database_type=kind)
    for network, record in networks.items():
        writer.insert_network(IPSet([network]), record)
    new_path = path.with_suffix(".new")
    writer.to_db_file(str(new_path))
    new_path.rename(path)


class Site:
    """A store with an issue of one link, and a database of countries and one of autonomous systems."""

    def __init__(self, directory: Path, *, asn: bool = True, countries: bool = True) -> None:
        self.directory = directory
        self.asn, self.countries = directory / "asn.mmdb", directory / "countries.mmdb"
        write_database(self.asn, ASN_RECORDS, kind="Test-ASN")
        write_database(self.countries, COUNTRY_RECORDS, kind="Test-Country")
        self.config = Config(
            domain=(Domain(host="go.example"),),
            storage=Storage(data=str(directory / "data")),
            networks=Networks(asn=str(self.asn) if asn else "", countries=str(self.countries) if countries else ""),
        )
        self.store: Store = open_store(self.config.data_directory)
        with self.store.transaction():
            issue = issues.add(
                self.store, "may", title="May", format="html", domain="go.example", sent_at=SENT, recipients=None,
                source=b"x", now=1,
            )  # fmt: skip
            link = links.add(self.store, "go.example", "a", target="https://a.example/", now=1, issue_id=issue)
            issues.replace_placements(self.store, issue, [issues.Placement(link, 1, None, "text", "a")])

    def write(self, *lines: dict[str, Any]) -> None:
        """Append lines to the click log."""
        log = self.config.data_directory / "clicklog" / "test.log"
        log.parent.mkdir(exist_ok=True)
        with log.open("a") as file:
            file.writelines(json.dumps(line) + "\n" for line in lines)

    def drain(self, *lines: dict[str, Any]) -> None:
        """Append lines to the click log and drain it with a new collector."""
        self.write(*lines)
        collector = Collector(self.store, config=self.config)
        collector.drain()
        collector.close()

    def stored(self, column: str) -> dict[str, Any]:
        """Return a column of all stored clicks by click id."""
        return dict(self.store.execute(f"select id, {column} from clicks").fetchall())


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """A site that closes its store when the test ends."""
    site = Site(tmp_path)
    yield site
    site.store.close()


def line(id: str, net: str | None = HOME, at: float = 300, **keys: Any) -> dict[str, Any]:
    """Return a click line, ``at`` seconds after the sending of the issue."""
    base = {
        "v": 1, "id": id, "ts": SENT + at, "host": "go.example", "code": "a", "n": 1, "ua": FIREFOX, "net": net,
        "addr": f"a{id}", "visitor": f"v{id}", "lang": "en", "h": {"sec-fetch-mode": "navigate"},
    }  # fmt: skip
    return base | keys


def test_a_click_has_the_country_of_its_network(site: Site) -> None:
    """The country is looked up by /24 or /48; it is empty if unknown or if the reader opted out."""
    site.drain(
        line("v4"),
        line("v6", "2001:db8:7::/48"),
        line("unknown", UNKNOWN),
        line("none", None),
        line("foreign", None, ip="192.0.2.77"),
        line("opted-out", h={"sec-gpc": "1"}),
    )
    assert site.stored("country") == {
        "v4": "DE", "v6": "FR", "unknown": "", "none": "", "foreign": "DE", "opted-out": "",
    }  # fmt: skip
    rows = site.store.execute("select value, clicks from breakdown_by_link where dimension = 'country' order by value")
    assert rows.fetchall() == [("", 3), ("DE", 2), ("FR", 1)]


def test_vendor_networks_found_by_asn_count_soon_after_sending(site: Site) -> None:
    """Rule 13 matches a vendor's autonomous system within ten minutes; later, people come from there too."""
    site.drain(
        line("soon", VENDOR, at=300),
        line("later", VENDOR, at=700),
        line("reader", HOME),
        line("other", UNKNOWN),
    )
    assert site.stored("reason") == {
        "soon": "vendor-network", "later": "reader", "reader": "reader", "other": "reader",
    }  # fmt: skip


def test_reclassification_uses_a_database_added_later(site: Site) -> None:
    """``reclassify`` queries the database of autonomous systems and returns the changed verdicts."""
    without = Config(domain=site.config.domain, storage=site.config.storage)
    site.write(line("soon", VENDOR))
    collector = Collector(site.store, config=without)
    collector.drain()
    collector.close()
    assert site.stored("reason") == {"soon": "reader"}
    result = reclassify(site.store, config=site.config, on_progress=lambda done, total: None)
    assert result.verdict_changes.total() == 1
    assert site.stored("reason") == {"soon": "vendor-network"}


def test_a_replaced_database_is_reloaded(site: Site, caplog: pytest.LogCaptureFixture) -> None:
    """A replaced file is used from the next batch on; a damaged one is logged once, and the old content stays."""
    collector = Collector(site.store, config=site.config)
    site.write(line("1"))
    collector.drain()
    write_database(site.countries, {HOME: {"country": {"iso_code": "AT"}}})
    write_database(site.asn, {HOME: {"autonomous_system_number": 16417}})
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
    ) == 2, "one warning for the damaged file, one for the missing file"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(None, "No such file", id="missing"),
        pytest.param(b"", "cannot be read as a MaxMind database", id="empty"),
        pytest.param(b"network,country\n1.2.3.0/24,DE\n", "cannot be read as a MaxMind database", id="a CSV file"),
    ],
)
@pytest.mark.parametrize("key", ["asn", "countries"])
def test_a_bad_file_is_refused(tmp_path: Path, key: str, content: bytes | None, message: str) -> None:
    """The error is one line with key, file and cause, and the doctor reports it too."""
    path = tmp_path / "bad.mmdb"
    if content is not None:
        path.write_bytes(content)
    config = Config(storage=Storage(data=str(tmp_path)), networks=Networks(**{key: str(path)}))
    with pytest.raises(ConfigError, match=message) as error:
        IPDatabases(config)
    assert f"networks.{key} = " in str(error.value)
    assert str(path) in str(error.value)
    assert "\n" not in str(error.value)
    assert any(check.level == "bad" and message in check.finding for check in examine(config, config_path=None))


def test_swapped_databases_are_refused(site: Site) -> None:
    """A database of countries is refused as the database of autonomous systems."""
    mixed = Networks(asn=str(site.countries), countries="")
    with pytest.raises(ConfigError, match="is a Test-Country database without autonomous system numbers"):
        IPDatabases(Config(networks=mixed))


def test_a_database_overwritten_in_place_stays_readable(site: Site) -> None:
    """Look-ups read the database from memory, so a truncated file does not affect them."""
    databases = IPDatabases(site.config)
    with site.countries.open("r+b") as file:
        file.truncate(10)
    assert databases.country(HOME) == "DE"
    assert databases.country("2001:db8:1::/48") == "FR"


def test_the_doctor_describes_the_databases(site: Site) -> None:
    """The doctor reports kind and build date of each database."""
    findings = {finding.check: finding for finding in examine(site.config, config_path=None)}
    assert findings["networks.asn"].level == findings["networks.countries"].level == "good"
    assert "Test-Country, built 2" in findings["networks.countries"].finding


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
def test_country_records(record: Mapping[str, Any], country: str) -> None:
    """The country code is found in the formats of all publishers; other values give an empty country."""
    assert parse_country(record) == country


@pytest.mark.parametrize(
    ("record", "asn"),
    [
        ({"autonomous_system_number": 16417, "autonomous_system_organization": "x"}, 16417),
        ({"asn": "AS16417", "name": "x"}, 16417),
        ({"asn": ""}, None),
        ({"asn": "\u0661"}, None),
        ({}, None),
    ],
)
def test_asn_records(record: Mapping[str, Any], asn: int | None) -> None:
    """The autonomous system number is read as an integer, or as text that begins with AS."""
    assert parse_asn(record) == asn


def test_databases_are_queried_with_networks_only(site: Site, monkeypatch: pytest.MonkeyPatch) -> None:
    """A whole address in a line is reduced to its network before the look-up."""
    queries: list[str | None] = []

    class RecordingDatabases(IPDatabases):
        def country(self, net: str | None) -> str:
            queries.append(net)
            return super().country(net)

    monkeypatch.setattr("shortener.collector.enrich.IPDatabases", RecordingDatabases)
    site.drain(line("1", None, ip="192.0.2.77"), line("2", None, ip="2001:db8:1:2:3::4"))
    assert queries == ["192.0.2.0/24", "2001:db8:1::/48"]
