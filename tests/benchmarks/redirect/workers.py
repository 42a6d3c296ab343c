"""Whether two workers do twice the work of one: requests a second and CPU a request, on two cores against one.

    python -m tests.benchmarks.redirect.workers [--seconds 3] [--rounds 5]

On a machine of two cores the load needs its share of them as well. So one worker and its load have one core between
them, then two workers and twice the load have both; what is lost on the way is what workers cost each other, and what
two cores of this machine are worth, which nginx shows. The rounds alternate, the ratio is the median of each round's.
"""

import argparse
import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.benchmarks.redirect.against_nginx import CODES, HEADERS, LUA, Server, cpu_seconds, nginx, ours


def share(server: Server, script: Path, *, cores: int, seconds: int) -> tuple[float, float]:
    """Requests a second, and µs of the workers' CPU for each, when servers and load share so many cores."""
    mask = ",".join(map(str, range(cores)))
    for pid in server.pids:
        for task in Path(f"/proc/{pid}/task").iterdir():
            subprocess.run(["taskset", "-cp", mask, task.name], check=True, capture_output=True)
    command = [
        "taskset",
        "-c",
        mask,
        "wrk",
        f"-t{cores}",
        f"-c{32 * cores}",
        f"-d{seconds}",
        "-s",
        str(script),
    ]
    before = cpu_seconds(server.pids)
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, check=True
    ).stdout
    assert "Non-2xx" not in told, told
    requests = int(re.findall(r"(\d+) requests in", told)[0])
    server.asked += requests
    cpu = (cpu_seconds(server.pids) - before) / requests * 1e6
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0]), cpu


def compare(
    servers: list[Server], script: Path, *, arguments: argparse.Namespace
) -> list[list[tuple[float, float]]]:
    """Round by round: one worker on one core, and two on two."""
    found: list[list[tuple[float, float]]] = [[], []]
    for _ in range(arguments.rounds):
        for cores, server in enumerate(servers, 1):
            found[cores - 1].append(share(server, script, cores=cores, seconds=arguments.seconds))
    return found


def main() -> None:
    """Alternate, and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="workers-") as temporary:
        directory = Path(temporary)
        directory.chmod(0o755)
        script = directory / "load.lua"
        headers = ",".join(f'["{key}"]="{value}"' for key, value in HEADERS.items())
        kinds = dict.fromkeys(("others", "connections", "paced"), "false")
        script.write_text(LUA % ({"headers": headers, "last": CODES - 1} | kinds))
        print("                          one worker        two  ratio")
        for name, kind in (("nginx", nginx), ("ours", ours)):
            with ExitStack() as running:
                servers = [
                    running.enter_context(kind(directory / f"{name}-{number}", links=CODES, workers=number))
                    for number in (1, 2)
                ]
                one, two = compare(servers, script, arguments=arguments)
            for at, what in enumerate(("requests a second", "µs CPU a request")):
                ratio = median(b[at] / a[at] for a, b in zip(one, two, strict=True))
                first, second = (median(each[at] for each in found) for found in (one, two))
                print(f"{name:<6} {what:<18} {first:>10,.1f} {second:>10,.1f} {ratio:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
