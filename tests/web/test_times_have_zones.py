"""Every time on pages and in tables is in the site's zone, and names it."""

from datetime import UTC, datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from shortener.app import build_pages_app
from shortener.cli.output import format_local_time
from shortener.config import Config, Site, Storage
from shortener.web.filters import format_datetime

TIMES = {
    "winter": (
        "Europe/Berlin",
        datetime(2026, 11, 27, 7, tzinfo=UTC),
        "27 Nov 2026, 08:00 CET",
        "2026-11-27 08:00 CET",
    ),
    "summer": ("Europe/Berlin", datetime(2026, 7, 1, 6, tzinfo=UTC), "1 Jul 2026, 08:00 CEST", "2026-07-01 08:00 CEST"),
    "utc": ("UTC", datetime(2026, 7, 1, 18, 5, tzinfo=UTC), "1 Jul 2026, 18:05 UTC", "2026-07-01 18:05 UTC"),
    "a zone without names": (
        "America/Sao_Paulo",
        datetime(2026, 7, 1, 2, tzinfo=UTC),
        "30 Jun 2026, 23:00 UTC-03",
        "2026-06-30 23:00 UTC-03",
    ),
}


@pytest.mark.parametrize(("zone", "time", "page", "table"), TIMES.values(), ids=TIMES)
def test_a_time_names_its_zone(tmp_path: Path, zone: str, time: datetime, page: str, table: str) -> None:
    """Pages and commands give the local time on a 24-hour clock with the abbreviation of the zone at that time."""
    app = build_pages_app(Config(site=Site(timezone=zone), storage=Storage(data=str(tmp_path))))
    with app.test_request_context():
        assert f">{page}</time>" in format_datetime(time)
    assert format_local_time(time, ZoneInfo(zone)) == table
    assert format_local_time(time.timestamp(), ZoneInfo(zone)) == table
    assert format_local_time(time, ZoneInfo(zone), seconds=True).startswith(table[:16] + ":00 ")
