"""A centre with two redirect nodes under load: killed processes, a database that crashes, stops or hangs, and edits.

The names in brackets are those of the acceptance cases.
"""

import os
import random
import signal
import time
from collections.abc import Iterator
from functools import partial

import pytest

from tests.faults.serving import TARGET, Server, needs_proc, wait
from tests.scale.machines import SECONDS, Cluster, running_cluster

pytestmark = needs_proc


@pytest.fixture(scope="module")
def cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A centre and two nodes, for all tests of this module."""
    with running_cluster(tmp_path_factory.mktemp("cluster"), nodes=2) as made:
        yield made


def wait_for_target(cluster: Cluster, target: str) -> None:
    """Wait until all machines redirect to a target."""
    for machine in cluster.machines:
        wait(partial(_redirects_to, machine, target), seconds=SECONDS, what=f"the target on {machine.directory.name}")


def _redirects_to(machine: Server, target: str) -> bool:
    return f"location: {target}\r\n".encode() in machine.get().lower()


def test_an_edit_is_seen_on_all_nodes(cluster: Cluster) -> None:
    """An edit at the centre reaches all nodes by a notification, and without notifications too (D4)."""
    cluster.edit("https://example.com/notified")
    wait_for_target(cluster, "https://example.com/notified")
    with cluster.without_notifications():
        cluster.edit(TARGET)
        wait_for_target(cluster, TARGET)


def test_killed_processes_and_crashes_lose_and_double_no_click(cluster: Cluster) -> None:
    """Workers, senders and the collector are killed, and PostgreSQL crashes: answered clicks are the stored ones (D1).

    The sums are those that are computed from the clicks, and readers at one address are one visitor a day on all
    machines (D8).
    """
    rng = random.Random(1)
    victims = ["worker", "sender", "collector", "", "sender", "worker", "collector"]
    with cluster.readers():
        for victim in victims:
            time.sleep(rng.uniform(0.3, 0.8))
            if victim:
                cluster.kill(victim, rng=rng)
            else:
                cluster.postgres.crash()
        time.sleep(0.5)
    found = cluster.settle()
    assert found.is_exact, found
    assert found.answered > 200
    before = cluster.rollups()
    assert before == cluster.rebuilt_rollups()
    visitors, days = cluster.store.execute(
        "select count(distinct visitor), count(distinct ts / 86400000) from clicks"
    ).fetchone()
    assert visitors == days
    cluster.wait_until_healthy()


@pytest.mark.parametrize("state", ["stopped", "hanging"])
def test_redirects_do_not_depend_on_the_database(cluster: Cluster, state: str) -> None:
    """While PostgreSQL is stopped or hangs every click is redirected, and stored afterwards (D2, D3).

    The sender of each machine gives up waiting, and logs one line.
    """
    for machine in cluster.machines:  # new processes have logged nothing yet
        for pid in machine.children("sender"):
            os.kill(pid, signal.SIGKILL)
    cluster.wait_until_healthy()
    logged = {machine.directory: len(machine.said()) for machine in cluster.machines}
    outage = "clicks stay in the click log until it is back"

    def messages() -> set[int]:
        return {each.said()[logged[each.directory] :].count(outage) for each in cluster.machines}

    with cluster.readers(), cluster.postgres.outage(hanging=state == "hanging"):
        wait(lambda: messages() == {1}, seconds=SECONDS, what="a message of each sender")
        time.sleep(1.0)
    found = cluster.settle()
    assert found.is_exact, found
    assert found.refused == found.rejected == found.ambiguous == 0
    assert found.answered > 200
    assert messages() == {1}
