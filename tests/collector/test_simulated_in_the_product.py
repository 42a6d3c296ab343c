"""One small run of the simulator through the whole product; ``tests/benchmarks/verdicts/product.py`` runs many."""

import importlib.util
from pathlib import Path
from typing import Any

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "verdicts" / "product.py"


@pytest.fixture(scope="module")
def product() -> Any:
    spec = importlib.util.spec_from_file_location("simulated_product", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def simulated(product: Any) -> Any:
    module = product.load_simulated()
    if not module.SIMULATOR.is_file():
        pytest.skip(f"no simulator at {module.SIMULATOR}")
    return module


@pytest.mark.parametrize("piece", [97, 10_000])
def test_the_product_says_what_the_pure_rules_say(product: Any, simulated: Any, piece: int) -> None:
    """Through log lines, collector and export every verdict and reason is that of the rules on everything at once."""
    extra = ["--recipients", "2500", "--days", "1"]
    events, meta = simulated.simulate(simulated.SIMULATOR, seed=4, share=0.65, extra=extra)
    for setting in simulated.SETTINGS:
        judged = product.run(events, meta, setting, piece=piece)
        assert judged.keys() == set(range(len(events))), setting.name
        assert not product.differences(simulated.classify(events, meta, setting), judged), setting.name
        caught, kept, _ = simulated.compare(events, judged, meta["honeypot"]).rates()
        assert caught > 0.6, setting.name
        assert kept > 0.95, setting.name
