"""The accuracy of the rules on small simulations; ``tests/benchmarks/verdicts/simulated.py`` runs the large ones."""

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "verdicts" / "simulated.py"


@pytest.fixture(scope="module")
def simulated() -> ModuleType:
    """Return the benchmark's module, or skip the test if there is no simulator."""
    spec = importlib.util.spec_from_file_location("simulated_scanners", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not module.SIMULATOR.is_file():
        pytest.skip(f"no simulator at {module.SIMULATOR}")
    return module


def test_accuracy_is_within_its_bounds(simulated: ModuleType) -> None:
    """Over three seeds, every setting reaches its bounds for caught and kept clicks, purity and rank correlation."""
    runs = [simulated.simulate(simulated.SIMULATOR, seed=seed, share=0.65, extra=[]) for seed in (1, 2, 3)]
    for setting in simulated.SETTINGS:
        total = simulated.Outcome(by_population=Counter(), reasons=Counter())
        for events, meta in runs:
            classifications = simulated.classify(events, meta, setting)
            simulated.add(total, simulated.compare(events, classifications, meta["honeypot"]))
        caught, kept, purity = total.rates()
        assert caught >= setting.caught, setting.name
        assert kept >= setting.kept, setting.name
        assert purity >= setting.purity, setting.name
        assert total.correlation > 0.9, setting.name
