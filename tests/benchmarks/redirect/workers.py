"""Whether two workers do twice the work of one: requests a second on two cores against one core.

    python -m tests.benchmarks.redirect.workers [--seconds 3] [--rounds 5]

On a machine of two cores the load needs its share of them as well. So one worker and its load have one core between
them, then two workers and twice the load have both; what is lost on the way is what workers cost each other. The rounds
alternate, and the ratio is the median of each round's.
"""

import argparse
import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.benchmarks.redirect.against_nginx import CODES, HEADERS, LUA, Server, ours


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


def main() -> None:
    """Alternate, and print the medians."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="workers-")))
        script = directory / "load.lua"
        headers = ",".join(f'["{key}"]="{value}"' for key, value in HEADERS.items())
        kinds = dict.fromkeys(("others", "connections", "paced"), "false")
        script.write_text(LUA % ({"headers": headers, "last": CODES - 1} | kinds))
        servers = [
            stack.enter_context(ours(directory / f"data-{number}", links=CODES, workers=number))
            for number in (1, 2)
        ]
        found: list[list[float]] = [[], []]
        for _ in range(arguments.rounds):
            for cores, server in enumerate(servers, 1):
                found[cores - 1].append(per_second(server, script, cores=cores, seconds=arguments.seconds))
        one, two = found
        print(f"one worker, one core:   {median(one):,.0f} requests a second")
        print(f"two workers, two cores: {median(two):,.0f} requests a second")
        print(f"ratio: {median(b / a for a, b in zip(one, two, strict=True)):.2f}")


if __name__ == "__main__":
    main()
