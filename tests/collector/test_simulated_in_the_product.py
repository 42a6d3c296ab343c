"""A small simulation, drained by the collector; ``tests/benchmarks/verdicts/product.py`` runs large ones."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "verdicts" / "product.py"


@pytest.fixture(scope="module")
def product() -> Any:
    """The benchmark module, which is no importable package."""
    spec = importlib.util.spec_from_file_location("simulated_product", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def simulated(product: Any) -> Any:
    """The benchmark's module around the simulator; skips the tests where there is no simulator."""
    module = product.load_simulated()
    if not module.SIMULATOR.is_file():
        pytest.skip(f"no simulator at {module.SIMULATOR}")
    return module


@pytest.mark.parametrize("piece", [97, 10_000])
def test_collector_and_pure_rules_agree(product: Any, simulated: Any, piece: int) -> None:
    """Verdicts and reasons from log, collector and export equal those of the pure rules on all clicks at once."""
    extra = ["--recipients", "2500", "--days", "1"]
    events, meta = simulated.simulate(simulated.SIMULATOR, seed=4, share=0.65, extra=extra)
    for setting in simulated.SETTINGS:
        results = product.run(events, meta, setting, piece=piece)
        assert results.keys() == set(range(len(events))), setting.name
        assert not product.differences(simulated.classify(events, meta, setting), results), setting.name
        caught, kept, _ = simulated.compare(events, results, meta["honeypot"]).rates()
        assert caught > 0.6, setting.name
        assert kept > 0.95, setting.name
