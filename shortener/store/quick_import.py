"""Import of sqlite-utils without the optional packages numpy and pandas, because loading them is slow."""

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager

OPTIONAL_PACKAGES = ("numpy", "pandas")
"""Packages that sqlite-utils tries to import. Loading them takes longer than all the rest of a short command."""


@contextmanager
def _hidden(packages: tuple[str, ...]) -> Iterator[None]:
    """Let imports of these packages fail during the ``with`` block, unless they are loaded already."""
    hidden = [name for name in packages if name not in sys.modules]
    for name in hidden:
        sys.modules[name] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        for name in hidden:
            del sys.modules[name]


with _hidden(OPTIONAL_PACKAGES):
    importlib.import_module("sqlite_utils")
