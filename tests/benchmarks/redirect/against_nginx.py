"""CPU per recorded redirect of ``shortener serve`` and of nginx, in one run under the same load; README.md has results.

    python -m tests.benchmarks.redirect.against_nginx [--seconds 2] [--rounds 5] [--links 10000,1000000]
        [--workers 1,2] [--kinds kept,proxied,connections,paced,same] [--before DIRECTORY]

Needs nginx and wrk on the PATH (Debian: apt-get install nginx-light wrk) and installs nothing. All servers run all the
time and are loaded in turns, so that other work of the machine affects all of them; the figures are medians over the
rounds, and the ratio is the median of each round's ratio. The load runs on the last core, the servers on the first (two
workers: all). CPU is what the kernel charged to the serving processes; the collector drains afterwards.
``--before`` is a checkout of another commit, which is measured in the same run.

Kinds of load: ``kept`` connections, with 400 user agents, 5 languages, 4 referrers and 30 placements in random
combination, as readers are; ``proxied``, the same with an ``X-Forwarded-For`` of its own in each request;
``connections``, the same with a connection for each request; ``paced``, as ``kept`` with 1 to 5 ms between the requests
of a connection, so that all servers have the same load; ``same``, identical headers in every request.
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
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any

import msgspec

from shortener.store import open_store

HEADERS = {
    "User-Agent": "Mozilla/5.0 (X11; Linux x86_64; rv:128.0) Gecko/20100101 Firefox/128.0",
    "Accept": "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
    "Accept-Encoding": "gzip, deflate, br",
    "Accept-Language": "en-US,en;q=0.5",
    "Referer": "https://mail.google.com/",
    "Sec-Fetch-Dest": "document",
    "Sec-Fetch-Mode": "navigate",
    "Sec-Fetch-Site": "cross-site",
    "Upgrade-Insecure-Requests": "1",
}
"""What a browser sends when a link in a web mail is clicked."""
LANGUAGES = [
    "en-US,en;q=0.5",
    "en-GB,en;q=0.9",
    "de-DE,de;q=0.9,en;q=0.7",
    "fr-FR,fr;q=0.8",
    "es-ES,es;q=0.9,en;q=0.6",
]
REFERRERS = [
    "https://mail.google.com/",
    "https://outlook.live.com/",
    "https://mail.yahoo.com/",
    "https://news.example.com/issues/2026-11",
]
TICK = os.sysconf("SC_CLK_TCK")
CODES = 10_000
"""Different codes that are asked for, at random."""
KINDS = ("kept", "proxied", "connections", "paced", "same")


def user_agents() -> list[str]:
    """Return 400 user agents: ten platforms in forty versions."""
    systems = [
        "Windows NT 10.0; Win64; x64",
        "Macintosh; Intel Mac OS X 10_15_7",
        "X11; Linux x86_64",
        "Linux; Android 14; Pixel 8",
        "Linux; Android 13; SM-S911B",
    ]
    chrome = "Mozilla/5.0 ({}) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/{}.0.0.0 Safari/537.36"
    firefox = "Mozilla/5.0 ({}; rv:{}.0) Gecko/20100101 Firefox/{}.0"
    return [
        text.format(system, version, version)
        for text in (chrome, firefox)
        for system in systems
        for version in range(105, 145)
    ]


LUA = """
math.randomseed(os.time())
local headers = {%(headers)s}
local agents = {%(agents)s}
local languages = {%(languages)s}
local referrers = {%(referrers)s}
function request()
    local path = string.format("/c%%07x", math.random(0, %(last)d))
    if not %(same)s then
        headers["User-Agent"] = agents[math.random(#agents)]
        headers["Accept-Language"] = languages[math.random(#languages)]
        headers["Referer"] = referrers[math.random(#referrers)]
        path = path .. "/" .. math.random(30)
    end
    if %(proxied)s then
        headers["X-Forwarded-For"] = string.format("198.51.%%d.%%d", math.random(0, 255), math.random(0, 255))
    end
    if %(connections)s then headers["Connection"] = "close" end
    return wrk.format("GET", path, headers)
end
if %(paced)s then
    function delay() return math.random(1, 5) end
end
"""


def write_script(path: Path, kind: str) -> None:
    """Write the load of a kind as a script for wrk."""
    quoted = {name: ",".join(f'"{text}"' for text in texts) for name, texts in _LISTS.items()}
    flags = {flag: str(flag == kind).lower() for flag in KINDS}
    headers = ",".join(f'["{name}"]="{value}"' for name, value in HEADERS.items())
    path.write_text(LUA % {"headers": headers, "last": CODES - 1, **quoted, **flags})


_LISTS = {"agents": user_agents(), "languages": LANGUAGES, "referrers": REFERRERS}

NGINX = """
worker_processes %(workers)d; daemon off; pid %(at)s/pid; error_log %(at)s/error.log;
events { worker_connections 4096; }
http {
    map_hash_max_size %(hash)d; map_hash_bucket_size 256; keepalive_requests 1000000000;
    log_format click escape=json '{"v":1,"id":"$request_id","ts":$msec,"host":"$host","path":"$uri","status":$status,'
        '"ip":"$remote_addr","forwarded":"$http_x_forwarded_for","ua":"$http_user_agent","ref":"$http_referer","lang":"$http_accept_language",'
        '"h":{"accept":"$http_accept","sec-fetch-dest":"$http_sec_fetch_dest"}}';
    map $uri $code { "~^(?<first>/[^/]+)" $first; }
    map $code $target { default ""; include %(at)s/map; }
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
    """A server that is up."""

    name: str
    port: int
    pids: list[int]
    """Of the processes that serve."""
    workers: int = 1
    answered: int = 0
    """Requests that were answered so far."""


class Round(msgspec.Struct):
    """What one server did under load for some seconds."""

    per_second: float
    cpu: float
    """µs a request, of all serving processes together."""
    p50: float
    p99: float
    """Milliseconds."""
    memory: float
    """MB a worker, of its two processes together."""


def free_port() -> int:
    """A port that nobody listens on now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def below(pid: int, *, kind: str = "") -> list[int]:
    """Return the descendants of a process that are of a kind."""
    found = []
    for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split():
        if kind.encode() in Path(f"/proc/{child}/cmdline").read_bytes():
            found.append(int(child))
        found += below(int(child), kind=kind)
    return found


def cpu_seconds(pids: list[int]) -> float:
    """What the kernel charged to the processes until now."""
    fields = [Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split() for pid in pids]
    return sum(int(each[11]) + int(each[12]) for each in fields) / TICK


def memory(pid: int) -> float:
    """Return the memory of a process in MB; pages that several processes share are divided among them (PSS)."""
    found = re.search(r"Pss:\s+(\d+)", Path(f"/proc/{pid}/smaps_rollup").read_text())
    return int(found[1]) / 1024 if found else 0.0


def milliseconds(text: str) -> float:
    """A time as wrk prints it."""
    found = re.fullmatch(r"([\d.]+)(us|ms|s|m)", text)
    assert found, f"wrk printed {text!r} as a time"
    return float(found[1]) * {"us": 1e-3, "ms": 1.0, "s": 1e3, "m": 6e4}[found[2]]


def load(server: Server, script: Path, *, seconds: int, connections: int) -> Round:
    """Ask for so many seconds."""
    command = ["taskset", "-c", str((os.cpu_count() or 1) - 1)]
    command += ["wrk", "-t1", f"-c{connections}", f"-d{seconds}", "--latency", "-s", str(script)]
    before = cpu_seconds(server.pids)
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, check=True
    ).stdout
    spent = cpu_seconds(server.pids) - before
    assert "Non-2xx" not in told, told
    requests = int(re.findall(r"(\d+) requests in", told)[0])
    server.answered += requests
    return Round(
        per_second=float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0]),
        cpu=spent / requests * 1e6,
        p50=milliseconds(re.findall(r"\n +50%\s+(\S+)", told)[0]),
        p99=milliseconds(re.findall(r"\n +99%\s+(\S+)", told)[0]),
        memory=sum(map(memory, server.pids)) / server.workers,
    )


@contextmanager
def running(command: list[str], *, workers: int, **options: object) -> Iterator[subprocess.Popen[str]]:
    """A server, on the first core where one worker serves, ended afterwards."""
    pinned = ["taskset", "-c", "0"] if workers == 1 else []
    process = subprocess.Popen([*pinned, *command], text=True, **options)  # type: ignore[call-overload]
    try:
        yield process
    finally:
        process.send_signal(signal.SIGTERM)
        process.wait(30)


@contextmanager
def nginx(at: Path, *, links: int, workers: int) -> Iterator[Server]:
    """nginx with a map, `return 302` and an unbuffered JSON access log, every line of which is counted."""
    port = free_port()
    at.mkdir()
    with (at / "map").open("w") as file:
        file.writelines(f"/c{number:07x} https://example.com/articles/{number};\n" for number in range(links))
    (at / "conf").write_text(NGINX % {"workers": workers, "at": at, "hash": 2 * links, "port": port})
    command = ["nginx", "-c", str(at / "conf"), "-p", str(at), "-e", str(at / "error.log")]
    with running(command, workers=workers) as process:
        while not below(process.pid):
            time.sleep(0.05)
        server = Server("nginx", port, below(process.pid), workers)
        yield server
    with (at / "access.log").open("rb") as file:
        assert (logged := sum(1 for _ in file)) >= server.answered, f"{logged} of {server.answered} are logged"


@contextmanager
def ours(data: Path, *, links: int, workers: int, name: str = "ours", checkout: Path | None = None) -> Iterator[Server]:
    """``shortener serve`` of this commit or of a checkout; every click of the load is in the store afterwards."""
    port = free_port()
    store = open_store(data)
    rows = (
        (f"127.0.0.1:{port}", f"c{number:07x}", f"https://example.com/articles/{number}") for number in range(links)
    )
    with store.transaction():
        store.connection.execute_many(
            "insert into links (domain, code, target, created_at, updated_at) values (?, ?, ?, 0, 0)", rows
        )
    store.close()
    command = [sys.executable, "-m", "shortener", "serve", "--port", str(port), "--workers", str(workers)]
    environment = os.environ | {
        "SHORTENER_STORAGE__DATA": str(data),
        "SHORTENER_SERVER__TRUSTED_PROXIES": '["127.0.0.1"]',
        "PYTHONPATH": str(checkout or Path.cwd()),
    }
    options = {"env": environment, "cwd": checkout, "stdout": subprocess.PIPE}
    with running(command, workers=workers, **options) as process:
        assert process.stdout is not None
        process.stdout.readline()
        collectors = below(process.pid, kind="collector")
        for pid in collectors:
            os.kill(pid, signal.SIGSTOP)
        server = Server(name, port, below(process.pid, kind="worker"), workers)
        try:
            yield server
        finally:
            for pid in collectors:
                os.kill(pid, signal.SIGCONT)
    collect = [sys.executable, "-m", "shortener", "collect", "--once"]
    subprocess.run(collect, env=environment, check=True, capture_output=True)
    with sqlite3.connect(data / "store.db") as db:
        stored = db.execute("select count(*) from clicks").fetchone()[0]
    # wrk drops at its end what it was just being answered, so a few more are stored than it counted.
    assert stored >= server.answered, f"{stored} of {server.answered} clicks are in the store"
    print(f"  every click recorded: {stored:,} stored of {server.answered:,} answered", flush=True)


def compare(servers: list[Server], script: Path, kind: str, *, arguments: argparse.Namespace) -> None:
    """Load the servers in turns, and print a line for each."""
    rounds: dict[str, list[Round]] = {server.name: [] for server in servers}
    options = {"connections": arguments.connections}
    for server in servers:
        load(server, script, seconds=1, **options)
    for _ in range(arguments.rounds):
        for server in servers:
            rounds[server.name].append(load(server, script, seconds=arguments.seconds, **options))
    reference, before = rounds[servers[0].name], rounds[servers[-2].name]
    for name, own in rounds.items():
        ratio = median(a.cpu / b.cpu for a, b in zip(own, reference, strict=True))
        slower = median(a.p99 / b.p99 for a, b in zip(own, reference, strict=True))
        change = median(a.cpu / b.cpu for a, b in zip(own, before, strict=True))
        figures = {field: median(getattr(one, field) for one in own) for field in Round.__struct_fields__}
        print(
            "  {kind:<12}{name:<7}{per_second:>9,.0f}{cpu:>8.1f}{ratio:>7.2f}{p50:>8.2f}{p99:>8.2f}{slower:>8.2f}"
            "{memory:>7.1f}".format(kind=kind, name=name, ratio=ratio, slower=slower, **figures)
            + (f"{change:>8.2f}" if len(servers) > 2 and name == servers[-1].name else ""),
            flush=True,
        )


def main() -> None:
    """Measure both, in turns, and print a table with the ratios."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=2)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--connections", type=int, default=32)
    parser.add_argument("--links", default="10000,1000000")
    parser.add_argument("--workers", default="1,2")
    parser.add_argument("--kinds", default=",".join(KINDS))
    parser.add_argument("--before", type=Path, help="checkout of another commit, measured in the same run")
    arguments = parser.parse_args()
    missing = [tool for tool in ("nginx", "wrk", "taskset") if shutil.which(tool) is None]
    if missing:
        raise SystemExit(f"not installed: {', '.join(missing)} (Debian: apt-get install nginx-light wrk util-linux)")
    print("  kind        server     req/s  µs CPU  ratio  p50 ms  p99 ms   ratio     MB  before")
    for links in map(int, arguments.links.split(",")):
        for workers in map(int, arguments.workers.split(",")):
            with tempfile.TemporaryDirectory(prefix="redirect-") as name:
                directory = Path(name)
                directory.chmod(0o755)
                print(f"{links:,} links, {workers} worker{'s' * (workers > 1)}")
                options: dict[str, Any] = {"links": links, "workers": workers}
                with ExitStack() as stack:
                    servers = [stack.enter_context(nginx(directory / "nginx", **options))]
                    if arguments.before:
                        before = ours(directory / "before", name="before", checkout=arguments.before, **options)
                        servers.append(stack.enter_context(before))
                    servers.append(stack.enter_context(ours(directory / "data", **options)))
                    for kind in arguments.kinds.split(","):
                        script = directory / f"{kind}.lua"
                        write_script(script, kind)
                        compare(servers, script, kind, arguments=arguments)


if __name__ == "__main__":
    main()
