"""A short run of the benchmark: scenario base with seeds 0-4, compared with docs/ranking.md section 19."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "ranking" / "simulated.py"


def load() -> ModuleType:
    """Import the benchmark as a module."""
    spec = importlib.util.spec_from_file_location("simulated", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The benchmark as a module."""
    return load()


@pytest.fixture(scope="module")
def scores(benchmark: ModuleType) -> Any:
    """Scores of every rule in scenario base; skips the test without a simulator."""
    simulator = benchmark.load()
    if simulator is None:
        pytest.skip(f"no simulator at {benchmark.SIMULATOR}")
    return benchmark.measure(simulator, "base", range(5))


def test_base_reaches_the_floors(benchmark: ModuleType, scores: Any) -> None:
    """Over seeds 0-4 the figures reach their floors, and tau is above that of clicks per recipient for each seed."""
    shortfalls = [text for text in benchmark.shortfalls("base", scores) if "gem_prec5" not in text]
    assert shortfalls == []
    assert benchmark.wins(scores) == 5


def test_most_hidden_gems_are_true(benchmark: ModuleType, scores: Any) -> None:
    """At least 60 % of the 25 hidden gems are true ones; five seeds are too few for the floor of 70 %."""
    assert benchmark.means(scores["ranking"])["gem_prec5"] >= 0.6


def test_raw_clicks_miss_the_floors(benchmark: ModuleType, scores: Any) -> None:
    """Sorting by clicks does not reach the floors of tau and NDCG, so the floors can be missed."""
    raw_clicks = benchmark.means(scores["raw clicks"])
    assert raw_clicks["tau"] < benchmark.FLOORS["base"]["tau"]
    assert raw_clicks["ndcg10"] < benchmark.FLOORS["base"]["ndcg10"]


def test_a_benchmark_without_simulator_fails(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a simulator the command names the option and exits with status 2."""
    assert benchmark.main(["--simulator", str(tmp_path / "none.py")]) == 2
    assert "--simulator" in capsys.readouterr().out
