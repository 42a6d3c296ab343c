"""The rules on one small run of the simulator; ``tests/benchmarks/verdicts/simulated.py`` runs them all."""

import importlib.util
from collections import Counter
from pathlib import Path
from types import ModuleType

import pytest

BENCHMARK = Path(__file__).parents[1] / "benchmarks" / "verdicts" / "simulated.py"


@pytest.fixture(scope="module")
def simulated() -> ModuleType:
    spec = importlib.util.spec_from_file_location("simulated_scanners", BENCHMARK)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    if not module.SIMULATOR.is_file():
        pytest.skip(f"no simulator at {module.SIMULATOR}")
    return module


def test_the_bounds_are_reached(simulated: ModuleType) -> None:
    """Over three seeds, every setting catches, keeps and ranks as it has to."""
    runs = [simulated.simulate(simulated.SIMULATOR, seed=seed, share=0.65, extra=[]) for seed in (1, 2, 3)]
    for setting in simulated.SETTINGS:
        total = simulated.Outcome(by_population=Counter(), reasons=Counter())
        for events, meta in runs:
            judged = simulated.judge(events, meta, setting)
            simulated.add(total, simulated.compare(events, judged, meta["honeypot"]))
        caught, kept, purity = total.rates()
        assert caught >= setting.caught, setting.name
        assert kept >= setting.kept, setting.name
        assert purity >= setting.purity, setting.name
        assert total.correlation > 0.9, setting.name
