"""CPU time of a recorded redirect, compared with nginx under equal load; results are in README.md.

    python tests/benchmarks/redirect/against_nginx.py [--seconds 2] [--rounds 5] [--links 10000,1000000]
        [--workers 1,2] [--kinds same,paced,others,connections]

Needs nginx and wrk on the PATH (Debian: apt-get install nginx-light wrk) and installs nothing. Both servers run all the
time and are loaded alternately, so that other load of the machine affects both. The figures are medians over the
rounds, and the ratio is the median of the ratios of the rounds. The load runs on the last core, the servers on the
first (with two workers on all). CPU is that of the serving processes; the collector drains afterwards.

Kinds of load: ``same`` has equal headers in every request; ``paced`` has them too, with 1 to 5 ms between the requests
of a connection, so that both servers have an equal load; ``others`` has a new referrer in each request; ``connections``
has a new connection for each.
"""

import argparse
import os
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
from statistics import median

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
"""Headers that a browser sends when a link in a web mail is clicked."""
TICK = os.sysconf("SC_CLK_TCK")
CODES = 10_000
"""Number of codes from which requests choose at random."""

LUA = """
math.randomseed(os.time())
local headers = {%(headers)s}
function request()
    if %(others)s then headers["Referer"] = "https://example.com/" .. math.random(0, 1000000000) end
    if %(connections)s then headers["Connection"] = "close" end
    return wrk.format("GET", string.format("/c%%07x", math.random(0, %(last)d)), headers)
end
if %(paced)s then
    function delay() return math.random(1, 5) end
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


class Server(msgspec.Struct):
    """A running server."""

    name: str
    port: int
    pids: list[int]
    """Ids of the processes that serve requests."""
    answered: int = 0
    """Number of answered requests."""


class Round(msgspec.Struct):
    """Measurements of one server under load."""

    per_second: float
    cpu: float
    """CPU time of all serving processes, in µs a request."""
    p50: float
    p99: float
    """99th percentile of the response times; both in milliseconds."""
    memory: float
    """Resident memory of the largest serving process in MB."""


def free_port() -> int:
    """Return a port that is not in use."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def below(pid: int, *, kind: str = "") -> list[int]:
    """Return the ids of a process's children whose command line contains ``kind``."""
    children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
    return [int(child) for child in children if kind.encode() in Path(f"/proc/{child}/cmdline").read_bytes()]


def cpu_seconds(pids: list[int]) -> float:
    """Return the CPU time of the processes in seconds."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(stat[11]) + int(stat[12]) for stat in fields) / TICK


def memory(pid: int) -> float:
    """Return the resident memory of a process in MB."""
    match = re.search(r"VmRSS:\s+(\d+)", Path(f"/proc/{pid}/status").read_text())
    return int(match[1]) / 1024 if match else 0.0


def milliseconds(text: str) -> float:
    """Return a time printed by wrk in milliseconds."""
    match = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    assert match, f"wrk printed {text!r} as a time"
    return float(match[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[match[2]]


def load(server: Server, script: Path, *, seconds: int, connections: int) -> Round:
    """Load a server for ``seconds`` and return the measurements."""
    command = ["taskset", "-c", str((os.cpu_count() or 1) - 1)]
    command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", str(script)]
    before = cpu_seconds(server.pids)
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, check=True
    ).stdout
    spent = cpu_seconds(server.pids) - before
    assert "Non-2xx" not in output, output
    requests = int(re.findall(r"(\d+) requests in", output)[0])
    server.answered += requests
    return Round(
        per_second=float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0]),
        cpu=spent / requests * 1e6,
        p50=milliseconds(re.findall(r"\n +50%\s+(\S+)", output)[0]),
        p99=milliseconds(re.findall(r"\n +99%\s+(\S+)", output)[0]),
        memory=max(map(memory, server.pids)),
    )


@contextmanager
def running(command: list[str], *, workers: int, **options: object) -> Iterator[subprocess.Popen[str]]:
    """Run a server, on the first core if it has one worker, and stop it afterwards."""
    pinned = ["taskset", "-c", "0"] if workers == 1 else []
    process = subprocess.Popen([*pinned, *command], text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def nginx(at: Path, *, links: int, workers: int) -> Iterator[Server]:
    """Run nginx with a map, ``return 302`` and an unbuffered JSON log, and check that all requests are logged."""
    port = free_port()
    at.mkdir()
    with (at / "map").open("w") as file:
        file.writelines(f"/c{number:07x} https://example.com/articles/{number};\n" for number in range(links))
    (at / "conf").write_text(NGINX % {"workers": workers, "at": at, "hash": 2 * links, "port": port})
    command = ["nginx", "-c", str(at / "conf"), "-p", str(at), "-e", str(at / "error.log")]
    with running(command, workers=workers) as process:
        while not below(process.pid):
            time.sleep(0.05)
        server = Server("nginx", port, below(process.pid))
        yield server
    with (at / "access.log").open("rb") as file:
        assert (logged := sum(1 for _ in file)) >= server.answered, (
            f"{logged} of {server.answered} are logged"
        )


@contextmanager
def ours(data: Path, *, links: int, workers: int) -> Iterator[Server]:
    """Run ``shortener serve``, and check that every click is stored afterwards."""
    port = free_port()
    store = open_store(data)
    rows = (
        (f"127.0.0.1:{port}", f"c{number:07x}", f"https://example.com/articles/{number}")
        for number in range(links)
    )
    with store.transaction():
        store.db.conn.executemany(
            "insert into links (domain, code, target, created_at, updated_at) values (?, ?, ?, 0, 0)", rows
        )
    store.close()
    command = [sys.executable, "-m", "shortener", "serve", "--port", str(port), "--workers", str(workers)]
    environment = os.environ | {"SHORTENER_STORAGE__DATA": str(data)}
    with running(command, workers=workers, env=environment, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        collectors = below(process.pid, kind="collector")
        for pid in collectors:
            os.kill(pid, signal.SIGSTOP)
        server = Server("ours", port, below(process.pid, kind="worker"))
        try:
            yield server
        finally:
            for pid in collectors:
                os.kill(pid, signal.SIGCONT)
    collect = [sys.executable, "-m", "shortener", "collect", "--once"]
    subprocess.run(collect, env=environment, check=True, capture_output=True)
    with sqlite3.connect(data / "store.db") as db:
        stored = db.execute("select count(*) from clicks").fetchone()[0]
    # wrk does not count the responses that arrive at its end, so a few more clicks are stored than it counted.
    assert stored >= server.answered, f"{stored} of {server.answered} clicks are in the store"
    print(f"  every click recorded: {stored:,} stored of {server.answered:,} answered", flush=True)


def compare(servers: list[Server], script: Path, kind: str, *, arguments: argparse.Namespace) -> None:
    """Load the servers alternately, and print a row for each."""
    rounds: dict[str, list[Round]] = {server.name: [] for server in servers}
    options = {"connections": arguments.connections}
    for server in servers:
        load(server, script, seconds=1, **options)
    for _ in range(arguments.rounds):
        for server in servers:
            rounds[server.name].append(load(server, script, seconds=arguments.seconds, **options))
    reference = rounds[servers[0].name]
    for name, own in rounds.items():
        ratio = median(a.cpu / b.cpu for a, b in zip(own, reference, strict=True))
        slower = median(a.p99 / b.p99 for a, b in zip(own, reference, strict=True))
        figures = {
            field: median(getattr(measured, field) for measured in own) for field in Round.__struct_fields__
        }
        print(
            "  {kind:<12}{name:<7}{per_second:>9,.0f}{cpu:>8.1f}{ratio:>7.2f}{p50:>8.2f}{p99:>8.2f}{slower:>8.2f}"
            "{memory:>7.1f}".format(kind=kind, name=name, ratio=ratio, slower=slower, **figures),
            flush=True,
        )


def main() -> None:
    """Measure both servers and print a table with the ratios."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--links", default="10000,1000000")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--kinds", default="same,paced,others,connections")
    arguments = parser.parse_args()
    missing = [tool for tool in ("nginx", "wrk", "taskset") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(
            f"not installed: {', '.join(missing)} (Debian: apt-get install nginx-light wrk util-linux)"
        )
    print("  kind        server     req/s  µs CPU  ratio  p50 ms  p99 ms   ratio     MB")
    for links in map(int, arguments.links.split(",")):
        for workers in map(int, arguments.workers.split(",")):
            with tempfile.TemporaryDirectory(prefix="redirect-") as name:
                directory = Path(name)
                directory.chmod(0o755)
                print(f"{links:,} links, {workers} worker{'s' * (workers > 1)}")
                options = {"links": links, "workers": workers}
                with (
                    nginx(directory / "nginx", **options) as first,
                    ours(directory / "data", **options) as second,
                ):
                    for kind in arguments.kinds.split(","):
                        script = directory / f"{kind}.lua"
                        script.write_text(
                            LUA
                            % {
                                "headers": ",".join(f'["{key}"]="{value}"' for key, value in HEADERS.items()),
                                "last": CODES - 1,
                                "others": str(kind == "others").lower(),
                                "connections": str(kind == "connections").lower(),
                                "paced": str(kind == "paced").lower(),
                            }
                        )
                        compare([first, second], script, kind, arguments=arguments)


if __name__ == "__main__":
    main()
