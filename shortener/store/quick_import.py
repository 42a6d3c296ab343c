"""Import of sqlite-utils without the optional packages numpy and pandas, because loading them is slow."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OPTIONAL_PACKAGES = ("numpy", "pandas")
"""Packages that sqlite-utils tries to import. Loading them takes longer than all the rest of a short command."""


@contextmanager
def _block_imports(packages: tuple[str, ...]) -> Iterator[None]:
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        # The import of a name that is None in ``sys.modules`` fails.
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _block_imports(OPTIONAL_PACKAGES):
    importlib.import_module("sqlite_utils")
