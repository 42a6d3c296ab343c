"""CPU per recorded redirect, ours against nginx, in one run under the same load; what it found stands in README.md.

    python tests/benchmarks/redirect/against_nginx.py [--seconds 5] [--links 10000,1000000] [--workers 1,2]

Needs nginx and wrk on the PATH (Debian: apt-get install nginx-light wrk) and installs nothing. The load runs on the
last core, the server on the first; CPU is what the kernel charged to the serving processes (not to the collector).
"""

import argparse
import os
import random
import re
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from shortener.store import open_store

HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Language": "en-US,en;q=0.5",
    "Referer": "https://mail.google.com/",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "cross-site",
}
"""What a browser sends when a link in a web mail is clicked."""
TICK = os.sysconf("SC_CLK_TCK")
CODES = 10_000
"""Different codes that are asked for, at random."""

LUA = """
math.randomseed(os.time())
local headers = {%s}
function request()
    return wrk.format("GET", string.format("/c%%07x", math.random(0, %d)), headers)
end
"""

NGINX = """
worker_processes %(workers)d; daemon off; pid %(at)s/pid; error_log %(at)s/error.log;
events { worker_connections 4096; }
http {
    map_hash_max_size %(hash)d; map_hash_bucket_size 256; keepalive_requests 1000000000;
    log_format click escape=json '{"v":1,"id":"$request_id","ts":$msec,"host":"$host","path":"$uri","status":$status,'
        '"ip":"$remote_addr","ua":"$http_user_agent","ref":"$http_referer","lang":"$http_accept_language",'
        '"h":{"accept":"$http_accept","sec-fetch-dest":"$http_sec_fetch_dest"}}';
    map $uri $target { default ""; include %(at)s/map; }
    server {
        listen 127.0.0.1:%(port)d backlog=4096 reuseport;
        access_log %(at)s/access.log click;
        location / {
            if ($target = "") { return 404; }
            add_header Cache-Control "private, no-store";
            return 302 $target;
        }
    }
}
"""


class Outcome(msgspec.Struct):
    """What one server did under load."""

    name: str
    per_second: float
    cpu: float
    """µs a request, of all serving processes together."""
    p50: str
    p99: str
    memory: float
    """MB of the largest serving process."""
    recorded: str


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def below(pid: int, *, kind: str = "") -> list[int]:
    """The process's children of a kind."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(each) for each in children if kind.encode() in Path(f"/proc/{each}/cmdline").read_bytes()]


def cpu_seconds(pids: list[int]) -> float:
    """What the kernel charged to the processes until now."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICK


def memory(pid: int) -> float:
    """Resident MB."""
    found = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(found[1]) / 1024 if found else 0.0


def load(
    name: str, port: int, pids: list[int], *, script: Path, arguments: argparse.Namespace
) -> tuple[Outcome, int]:
    """Warm up, then load for so many seconds; the outcome and all requests that were answered, warm-up included."""
    command = [
        "taskset",
        "-c",
        str((os.cpu_count() or 1) - 1),
        "wrk",
        "-t1",
        f"-c{arguments.connections}",
        "--latency",
    ]
    command += ["-s", str(script), f"http://127.0.0.1:{port}/"]
    warm = subprocess.run([*command, "-d1"], capture_output=True, text=True, check=True).stdout
    before = cpu_seconds(pids)
    told = subprocess.run(
        [*command, f"-d{arguments.seconds}"], capture_output=True, text=True, check=True
    ).stdout
    spent = cpu_seconds(pids) - before
    assert "Non-2xx" not in told, told
    requests = int(re.findall(r"(\d+) requests in", told)[0])
    outcome = Outcome(
        name,
        per_second=float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0]),
        cpu=spent / requests * 1e6,
        p50=re.findall(r"50%\s+(\S+)", told)[0],
        p99=re.findall(r"99%\s+(\S+)", told)[0],
        memory=max(map(memory, pids)),
        recorded="",
    )
    return outcome, requests + int(re.findall(r"(\d+) requests in", warm)[0])


@contextmanager
def running(command: list[str], **options: object) -> Iterator[subprocess.Popen[str]]:
    """A server, ended afterwards."""
    process = subprocess.Popen(command, text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


def on_first_cores(command: list[str], *, workers: int) -> list[str]:
    """With one worker on the first core; with more on all, as there is no other room."""
    return ["taskset", "-c", "0", *command] if workers == 1 else command


def measure_nginx(
    directory: Path, *, links: int, workers: int, script: Path, arguments: argparse.Namespace
) -> Outcome:
    """nginx with a map, `return 302` and an unbuffered JSON access log."""
    at, port = directory / "nginx", free_port()
    shutil.rmtree(at, ignore_errors=True)
    at.mkdir()
    with (at / "map").open("w") as file:
        file.writelines(f"/c{number:07x} https://example.com/articles/{number};\n" for number in range(links))
    (at / "conf").write_text(NGINX % {"workers": workers, "at": at, "hash": 2 * links, "port": port})
    command = on_first_cores(
        ["nginx", "-c", str(at / "conf"), "-p", str(at), "-e", str(at / "error.log")], workers=workers
    )
    with running(command) as process:
        wait_for(port)
        outcome, requests = load("nginx", port, below(process.pid), script=script, arguments=arguments)
    with (at / "access.log").open("rb") as file:
        logged = sum(1 for _ in file)
    outcome.recorded = f"{logged:,} lines of {requests:,}"
    return outcome


def measure_ours(
    directory: Path, *, links: int, workers: int, script: Path, arguments: argparse.Namespace
) -> Outcome:
    """``shortener serve`` with its collector, and every click in the store afterwards."""
    data, port = directory / "data", free_port()
    shutil.rmtree(data, ignore_errors=True)
    store = open_store(data)
    rows = (
        (f"127.0.0.1:{port}", f"c{number:07x}", f"https://example.com/articles/{number}")
        for number in range(links)
    )
    with store.writing():
        store.db.conn.executemany(
            "insert into links (domain, code, target, created_at, updated_at) values (?, ?, ?, 0, 0)", rows
        )
    store.close()
    command = [sys.executable, "-m", "shortener", "serve", "--port", str(port), "--workers", str(workers)]
    environment = os.environ | {"SHORTENER_STORAGE__DATA": str(data)}
    with running(
        on_first_cores(command, workers=workers), env=environment, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout is not None
        process.stdout.readline()
        if arguments.without_collector:
            for pid in below(process.pid, kind="collector"):
                os.kill(pid, signal.SIGSTOP)
        pids = below(process.pid, kind="worker")
        outcome, requests = load("shortener", port, pids, script=script, arguments=arguments)
        for pid in below(process.pid, kind="collector"):
            os.kill(pid, signal.SIGCONT)
    subprocess.run(
        [sys.executable, "-m", "shortener", "collect", "--once"],
        env=environment,
        check=True,
        capture_output=True,
    )
    with sqlite3.connect(data / "store.db") as db:
        stored = db.execute("select count(*) from clicks").fetchone()[0]
    # wrk drops at its end what it was just being answered, so a few more are stored than it counted.
    assert stored >= requests, f"{stored} of {requests} clicks are in the store"
    outcome.recorded = f"{stored:,} clicks of {requests:,}"
    return outcome


def wait_for(port: int) -> None:
    """Until somebody listens."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        with socket.socket() as probe:
            if probe.connect_ex(("127.0.0.1", port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


def main() -> None:
    """Measure both, alternating, and print a table with the ratio."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--links", default="10000,1000000")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--without-collector", action="store_true", help="let it drain after the load only")
    arguments = parser.parse_args()
    missing = [tool for tool in ("nginx", "wrk", "taskset") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(
            f"not installed: {', '.join(missing)} (Debian: apt-get install nginx-light wrk util-linux)"
        )
    random.seed(1)
    print("links  workers  server  req/s  µs CPU  ratio  p50  p99  MB  recorded")
    with tempfile.TemporaryDirectory(prefix="redirect-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        script = directory / "load.lua"
        headers = ",".join(f'["{key}"]="{value}"' for key, value in HEADERS.items())
        script.write_text(LUA % (headers, CODES - 1))
        for links in map(int, arguments.links.split(",")):
            for workers in map(int, arguments.workers.split(",")):
                options = {"links": links, "workers": workers}
                nginx = measure_nginx(directory, **options, script=script, arguments=arguments)
                ours = measure_ours(directory, **options, script=script, arguments=arguments)
                for each in (nginx, ours):
                    print(f"{links:,}  {workers}  {each.name:<9}  {each.per_second:,.0f}", end="  ")
                    print(f"{each.cpu:.1f}  {each.cpu / nginx.cpu:.2f}  {each.p50}  {each.p99}", end="  ")
                    print(f"{each.memory:.1f}  {each.recorded}", flush=True)


if __name__ == "__main__":
    main()
