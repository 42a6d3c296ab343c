"""The tests of the store run on both engines."""

import pytest


@pytest.fixture(params=["sqlite", "postgres"])
def store_url(request: pytest.FixtureRequest) -> str:
    """URL of the store of a test: '' for SQLite."""
    url: str = "" if request.param == "sqlite" else request.getfixturevalue("postgres_url")
    return url
