"""A client that openapi-python-client generates from the OpenAPI document works with the API."""

import importlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from shortener.api.openapi import build_document
from tests.api.conftest import BASE, ApiSite
from tests.api.test_issues import DOCUMENT

httpx = pytest.importorskip("httpx", reason="needs httpx")
pytest.importorskip("openapi_python_client", reason="needs openapi-python-client")


@pytest.fixture
def package(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The name of the generated package, which can be imported."""
    document, config = tmp_path / "openapi.json", tmp_path / "generator.yaml"
    document.write_bytes(msgspec.json.encode(build_document()))
    # The generator handles these media types as text, of which it gets to know none but text/html.
    types = ("application/x-ndjson", "text/markdown", "message/rfc822")
    overrides = "".join(f"  {media_type}: text/html\n" for media_type in types)
    config.write_text(f"post_hooks: []\ncontent_type_overrides:\n{overrides}", encoding="utf-8")
    command = [sys.executable, "-m", "openapi_python_client", "generate", "--path", str(document)]
    command += ["--config", str(config), "--meta", "none", "--output-path", str(tmp_path / "generated_client")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "warning" not in (done.stdout + done.stderr).lower(), done.stdout + done.stderr
    monkeypatch.syspath_prepend(tmp_path)
    yield "generated_client"
    for name in [name for name in sys.modules if name.partition(".")[0] == "generated_client"]:
        del sys.modules[name]


def test_a_generated_client_works(site: ApiSite, package: str) -> None:
    """It creates a link and an issue, reads the report, and gets a problem as an object."""

    def module(name: str) -> Any:
        return importlib.import_module(f"{package}.{name}")

    models = module("models")
    client = module("client").AuthenticatedClient(
        base_url=BASE,
        token=site.tokens["editor"],
        httpx_args={"transport": httpx.WSGITransport(app=site.app)},
    )
    create = module("api.links.create_link")
    new_link = models.NewLink(target="https://example.com/a", code="autumn")
    created = create.sync(client=client, body=new_link)
    assert (created.code, created.status) == ("autumn", "active")
    taken = create.sync_detailed(client=client, body=new_link)
    assert (taken.status_code, taken.parsed.title) == (409, "The code is taken")
    page = module("api.links.list_links").sync(client=client, limit=1)
    assert [link.short_url for link in page.data] == [f"{BASE}/autumn"]
    added = module("api.issues.add_issue").sync(client=client, body=models.NewIssue(document=DOCUMENT, slug="may"))
    assert added.issue.slug == "may"
    report = module("api.reports.report_issue").sync(client=client, slug="may")
    assert report.totals.clicks.human == 0
    assert len(report.articles) == len(added.issue.articles)
