"""Requests a second of two workers compared with one.

    python -m tests.benchmarks.redirect.workers [--seconds 3] [--rounds 5]

One worker runs on the first core and the load generator on the last; two workers and the load generator share both. The
load generator sends sixteen requests in one write, so that it uses little CPU; each request is parsed, recorded and
answered by itself. The rounds alternate, and the ratio is the median of the ratios of the rounds.
"""

import argparse
import os
import re
import subprocess
import tempfile
from contextlib import ExitStack
from pathlib import Path
from statistics import median

from tests.benchmarks.redirect.against_nginx import CODES, HEADERS, Server, ours

LUA = """
math.randomseed(os.time())
local headers = {%s}
local ready = {}
function init(args)
    for number = 1, 200 do
        local some = {}
        for each = 1, 16 do
            some[each] = wrk.format("GET", string.format("/c%%07x", math.random(0, %d)), headers)
        end
        ready[number] = table.concat(some)
    end
end
function request() return ready[math.random(1, #ready)] end
"""


def pin(pids: list[int], cores: str) -> None:
    """Pin processes with all their threads to these cores."""
    for pid in pids:
        subprocess.run(["taskset", "-acp", cores, str(pid)], check=True, capture_output=True)


def per_second(server: Server, script: Path, *, cores: str, seconds: int) -> float:
    """Return the requests a second, with the load generator on these cores."""
    command = ["taskset", "-c", cores, "wrk", "-t1", "-c32", f"-d{seconds}", "-s", str(script)]
    output = subprocess.run(
        [*command, f"http://127.0.0.1:{server.port}/"], capture_output=True, text=True, check=True
    ).stdout
    assert "Non-2xx" not in output, output
    server.answered += int(re.findall(r"(\d+) requests in", output)[0])
    return float(re.findall(r"Requests/sec:\s+([\d.]+)", output)[0])


def main() -> None:
    """Measure one and two workers alternately, and print the medians."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seconds", type=int, default=3)
    parser.add_argument("--rounds", type=int, default=5)
    arguments = parser.parse_args()
    last = (os.cpu_count() or 1) - 1
    assert last, "two cores are needed"
    with tempfile.TemporaryDirectory(prefix="workers-") as temporary, ExitStack() as running:
        directory = Path(temporary)
        script = directory / "load.lua"
        headers = ",".join(f'["{key}"]="{value}"' for key, value in HEADERS.items())
        script.write_text(LUA % (headers, CODES - 1))
        one, two = (
            running.enter_context(ours(directory / f"data-{number}", links=CODES, workers=number)) for number in (1, 2)
        )
        pin(one.pids, "0")
        pin(two.pids, f"0,{last}")
        rounds = [
            (
                per_second(one, script, cores=str(last), seconds=arguments.seconds),
                per_second(two, script, cores=f"0,{last}", seconds=arguments.seconds),
            )
            for _ in range(arguments.rounds)
        ]
        print(f"one worker:  {median(a for a, _ in rounds):>8,.0f} requests a second")
        print(
            f"two workers: {median(b for _, b in rounds):>8,.0f}, {median(b / a for a, b in rounds):.2f} times as many"
        )


if __name__ == "__main__":
    main()
