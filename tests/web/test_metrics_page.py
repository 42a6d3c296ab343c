"""Tests of access to ``/-/metrics``."""

from pathlib import Path

import pytest

from shortener.app import create_pages_app
from shortener.config import Config, Server, Storage


@pytest.mark.parametrize(
    ("peer", "forwarded", "server", "status"),
    [
        pytest.param("127.0.0.1", None, Server(), 200, id="this machine"),
        pytest.param("::1", None, Server(), 200, id="this machine, IPv6"),
        pytest.param("203.0.113.9", None, Server(), 404, id="another machine"),
        pytest.param("127.0.0.1", "203.0.113.9", Server(), 404, id="behind a proxy that is not declared"),
        pytest.param(
            "127.0.0.1",
            "203.0.113.9",
            Server(trusted_proxies=("127.0.0.1",)),
            404,
            id="a stranger through the proxy",
        ),
        pytest.param(
            "127.0.0.1",
            "10.0.0.7",
            Server(trusted_proxies=("127.0.0.1",), metrics=("10.0.0.0/24",)),
            200,
            id="named",
        ),
        pytest.param("127.0.0.1", None, Server(metrics=()), 404, id="nobody"),
    ],
)
def test_access_to_metrics(tmp_path: Path, peer: str, forwarded: str | None, server: Server, status: int) -> None:
    """Only clients in ``server.metrics`` get metrics, by the address that trusted proxies report; others get 404."""
    app = create_pages_app(Config(server=server, storage=Storage(data=str(tmp_path / "data"))))
    headers = {"Host": "127.0.0.1:8000"} | ({"X-Forwarded-For": forwarded} if forwarded else {})
    response = app.test_client().get("/-/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})
    assert response.status_code == status
    if status == 200:
        assert "shortener_unrecorded_total 0" in response.text
