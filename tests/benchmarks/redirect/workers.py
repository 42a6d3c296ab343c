"""Whether two workers do twice the work of one: requests a second on two cores against one core.

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

from tests.benchmarks.redirect.against_nginx import CODES, HEADERS, LUA, Server, nginx, ours


def per_second(server: Server, script: Path, *, cores: int, seconds: int) -> float:
    """Requests a second when servers and load share so many cores."""
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
    told = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, check=True
    ).stdout
    assert "Non-2xx" not in told, told
    server.asked += int(re.findall(r"(\d+) requests in", told)[0])
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", told)[0])


def compare(servers: list[Server], script: Path, *, arguments: argparse.Namespace) -> list[list[float]]:
    """Requests a second, round by round: of one worker on one core, and of two on two."""
    found: list[list[float]] = [[], []]
    for _ in range(arguments.rounds):
        for cores, server in enumerate(servers, 1):
            found[cores - 1].append(per_second(server, script, cores=cores, seconds=arguments.seconds))
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
        print("       one worker       two  ratio")
        for name, kind in (("nginx", nginx), ("ours", ours)):
            with ExitStack() as running:
                servers = [
                    running.enter_context(kind(directory / f"{name}-{number}", links=CODES, workers=number))
                    for number in (1, 2)
                ]
                one, two = compare(servers, script, arguments=arguments)
            ratio = median(b / a for a, b in zip(one, two, strict=True))
            print(f"{name:<6} {median(one):>9,.0f} {median(two):>9,.0f} {ratio:>6.2f}", flush=True)


if __name__ == "__main__":
    main()
