"""The quick version of the benchmark: the base world, seeds 0-4, against the method's table."""

import importlib.util
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "ranking" / "simulated.py"


def load() -> ModuleType:
    """The benchmark as a module."""
    spec = importlib.util.spec_from_file_location("simulated", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def benchmark() -> ModuleType:
    """The benchmark."""
    return load()


@pytest.fixture(scope="module")
def found(benchmark: ModuleType) -> Any:
    """Scores in the base world; skipped where the simulator is not at hand."""
    simulator = benchmark.load()
    if simulator is None:
        pytest.skip(f"no simulator at {benchmark.SIMULATOR}")
    return benchmark.measure(simulator, "base", range(5))


def test_the_base_world_reaches_the_table(benchmark: ModuleType, found: Any) -> None:
    """Over seeds 0-4 the table is reached, and clicks per recipient beaten on each seed."""
    missed = [text for text in benchmark.shortfalls("base", found) if "gem_prec5" not in text]
    assert missed == []
    assert benchmark.wins(found) == 5


def test_most_gems_are_gems(benchmark: ModuleType, found: Any) -> None:
    """Of the 25 gems of five seeds, too few for the table's 0.70, three in five or more are true ones."""
    assert benchmark.means(found["ranking"])["gem_prec5"] >= 0.6


def test_raw_clicks_do_not_reach_the_table(benchmark: ModuleType, found: Any) -> None:
    """The floors can be missed: sorting by clicks falls short of tau and ndcg10."""
    raw = benchmark.means(found["raw clicks"])
    assert raw["tau"] < benchmark.FLOORS["base"]["tau"]
    assert raw["ndcg10"] < benchmark.FLOORS["base"]["ndcg10"]


def test_a_benchmark_without_simulator_says_so(
    benchmark: ModuleType, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Without a simulator the command explains itself and exits 2."""
    assert benchmark.main(["--simulator", str(tmp_path / "none.py")]) == 2
    assert "--simulator" in capsys.readouterr().out
