"""Failing system calls: strace lets the Nth call of a redirect worker fail, for every N of a short run."""

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from shortener.clicklog.reader import ClickLog
from shortener.store import links, open_store

REQUESTS = 3
WORKER = f"""
import json, logging, sys
from pathlib import Path
from shortener.clicklog import writer
from shortener.config import Clicklog, Config, Domain, Storage
from shortener.shared_memory import read_totals
from shortener.redirect.redirector import Redirector
from shortener.redirect.request import parse_environ

logging.disable()  # a message is a write as well
writer.RETRY_SECONDS = 0.0
data, sync = sys.argv[1], float(sys.argv[2])
config = Config(
    domain=(Domain(host="go.example"),), storage=Storage(data=data), clicklog=Clicklog(sync=sync)
)
handler = Redirector(config)
answers = []
for number in range({REQUESTS}):
    environ = dict(REQUEST_METHOD="GET", PATH_INFO="/abcde", REMOTE_ADDR="192.0.2.7",
                   HTTP_HOST="go.example", HTTP_REFERER=f"https://mail.example/{{number}}")
    answers.append(handler.respond(parse_environ(environ))[0])
handler.close()
print(json.dumps([answers, read_totals(Path(data))]))
"""
FAULTS = {
    "a short write": "write:retval=5",
    "a full disk": "write:error=ENOSPC",
    "a broken disk": "write:error=EIO",
}


@pytest.fixture(scope="module")
def strace() -> str:
    """The path of strace; the tests are skipped if it is missing or not permitted."""
    path = shutil.which("strace")
    if path is None:
        pytest.skip("strace is not installed")
    trial = [
        path,
        "-qq",
        "-o",
        "/dev/null",
        "-e",
        "inject=fdatasync:error=EIO:when=1",
        sys.executable,
        "-c",
        "",
    ]
    if subprocess.run(trial, capture_output=True, check=False).returncode:
        pytest.skip("strace may not trace here")
    return path


def run(strace: str, data: Path, *, fault: str, when: int | str, sync: float) -> tuple[list[int], dict[str, int], str]:
    """Run a worker whose ``when``-th call fails (``1+``: every call); return its responses, counters and trace."""
    store = open_store(data)
    with store.transaction():
        links.add(store, "go.example", "abcde", target="https://example.com/a", now=0)
    store.close()
    trace = data / "trace"
    calls = "write,fdatasync"
    command = [strace, "-f", "-y", "-qq", "-o", str(trace), "-e", f"trace={calls}"]
    command += ["-e", f"inject={fault}:when={when}", sys.executable, "-c", WORKER, str(data), str(sync)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    answers, counted = json.loads(done.stdout)
    return answers, counted, trace.read_text()


def recorded(data: Path) -> list[str]:
    """Return the referrers of all lines in the click log; assert that other lines are only torn."""
    log, found = ClickLog(data), []
    for segment in log.segments():
        lines, progress = log.read(segment, position=0, skipping=False)
        assert {skip.reason for skip in progress.skips} <= {"torn"}
        found += [str(line.ref) for line in lines]
    return found


@pytest.mark.parametrize("fault", FAULTS.values(), ids=FAULTS)
def test_a_failing_write_costs_at_most_its_own_click(strace: str, tmp_path: Path, fault: str) -> None:
    """If any write fails, readers are redirected, missing clicks are counted, and no line is joined or doubled."""
    for when in range(1, REQUESTS + 3):  # the segment's header, the day's key, and each click
        data = tmp_path / str(when)
        answers, counted, trace = run(strace, data, fault=fault, when=when, sync=3600.0)
        assert "(INJECTED)" in trace, when
        assert answers == [302] * REQUESTS
        found = recorded(data)
        assert len(found) == len(set(found)) == REQUESTS - counted["unrecorded"], when
        assert counted["redirects"] == REQUESTS
        assert counted["unrecorded"] + counted["errors"] <= 1, when


def test_a_failed_sync_is_not_tried_again_on_the_same_file(strace: str, tmp_path: Path) -> None:
    """If any sync fails, the click is written to a new file, and the old one is never synced again."""
    for when in range(1, REQUESTS + 1):
        data = tmp_path / str(when)
        answers, counted, trace = run(strace, data, fault="fdatasync:error=EIO", when=when, sync=0.0)
        assert answers == [302] * REQUESTS
        assert counted["unrecorded"] == 0
        synced = re.findall(r"fdatasync\(\d+<([^>]+)>\)\s+= (-?\d)", trace)
        failed = next(number for number, (_, result) in enumerate(synced) if result != "0")
        assert synced[failed][0] not in {path for path, _ in synced[failed + 1 :]}
        assert len(set(recorded(data))) == REQUESTS


def test_every_sync_fails(strace: str, tmp_path: Path) -> None:
    """If every write fails, readers are redirected and every click is counted as unrecorded."""
    answers, counted, _ = run(strace, tmp_path / "data", fault="fdatasync:error=EIO", when="1+", sync=0.0)
    assert answers == [302] * REQUESTS
    assert counted["unrecorded"] == REQUESTS
