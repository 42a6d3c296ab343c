"""The collector process: drains the click log into the store."""

from shortener.collector.other_collector import acquire_collector
from shortener.server.process import Stop, Task
from shortener.store import open_store


def run(task: Task) -> None:
    """Drain the click log until SIGTERM."""
    stop = Stop()
    store = open_store(task.config.data_directory, create=False)
    collector = acquire_collector(store, config=task.config, stop=stop)
    if collector is not None:
        collector.follow(stop=stop)
