"""Option type for whole numbers with limits, in a module of its own because `serve` has to import little."""

from typing import Any

import click


class WholeNumber(click.ParamType[int]):
    """Option type: a whole number from ``minimum`` to ``maximum``."""

    name = "number"

    def __init__(self, minimum: int, maximum: int | None = None) -> None:
        self._minimum = minimum
        self._maximum = maximum

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """Return the number. Other text is a usage error that says which numbers are allowed."""
        text = str(value).strip()
        if text.isascii() and text.removeprefix("-").isdigit() and len(text) < 20:
            number = int(text)
            if self._minimum <= number and (self._maximum is None or number <= self._maximum):
                return number
        bounds = f"from {self._minimum} to {self._maximum}" if self._maximum else f"of {self._minimum} or more"
        return self.fail(f"{value!r} is not a whole number {bounds}", param, ctx)
