"""The session of docs/api.md, typed into a shell against a running server; the rate limit leaves redirects alone."""

import json
import re
import shutil
import subprocess
import urllib.error
import urllib.request
from contextlib import closing
from pathlib import Path

import pytest

from shortener.cli import main
from shortener.services import accounts, tokens
from shortener.store import open_store
from tests.api.test_issues import SEED
from tests.faults.serving import Server, isolated_runner, serving

DOCUMENT = Path(__file__).parents[2] / "docs" / "api.md"
RATE_LIMIT = 5

pytestmark = pytest.mark.skipif(not (shutil.which("curl") and shutil.which("jq")), reason="needs curl and jq")


def status_of(url: str, **headers: str) -> tuple[int, str | None]:
    """Return the status of a GET request, and its Retry-After."""
    try:
        with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
            return response.status, None
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.headers["Retry-After"]


def test_the_session_of_the_guide(tmp_path: Path) -> None:
    """The commands of the guide add an issue and print its report; then the limit is reached, and redirects work."""
    (commands,) = re.findall(r"^```sh\n(.*?)^```", DOCUMENT.read_text(encoding="utf-8"), flags=re.M | re.S)
    shutil.copy(SEED, tmp_path / "issue.md")
    server = Server(tmp_path, tables=f"[api]\nrate_limit = {RATE_LIMIT}\n")
    with closing(open_store(server.data)) as store:
        accounts.add_user(store, "Ada", role="editor", password=None, now=1)
        scopes = ("read", "issues")
        token = tokens.add_token(store, "Ada", "session", scopes=scopes, expires_at=None, now=1).text
    with serving(server, pages=True):
        api = f"http://{server.host}/-/api/v1"
        environment = server.environment | {"API": api, "TOKEN": token}
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", commands],
            cwd=tmp_path,
            env=environment,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr
        left_alone, _, report = done.stdout.partition("{")
        assert re.match(r"line \d+: ", left_alone)
        found = json.loads("{" + report)
        assert (found["slug"], found["clicks"], len(found["articles"])) == ("2026-11", 0, 8)
        by_command = isolated_runner().invoke(main, ["--config", str(server.config), "issue", "export", "2026-11"])
        assert (tmp_path / "issue.out.md").read_bytes() == by_command.stdout_bytes
        answers = [status_of(f"{api}/me", Authorization=f"Bearer {token}") for _ in range(RATE_LIMIT - 1)]
        assert [status for status, _ in answers] == [200] * (RATE_LIMIT - 2) + [429]
        assert 1 <= int(answers[-1][1] or 0) <= 60
        assert server.get().startswith(b"HTTP/1.1 302")
