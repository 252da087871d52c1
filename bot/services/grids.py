"""Ranges of parameters as people type them, and all their combinations. Runs nothing."""

import itertools
import math
from collections.abc import Mapping
from decimal import Decimal, InvalidOperation
from typing import Final

from bot.errors import InvalidInput

Grid = Mapping[str, tuple[str, ...]]

MAX_VALUES: Final = 10_000

# Numbers of no parameter lie beyond; with some of them decimals can't be reckoned.
_MOST_DIGITS: Final = 20
_EXAMPLE: Final = "write them as fast_period=10:60:10,slow_period=100|200,allow_short=true"


def parse_grid(text: str) -> Grid:
    """Return the values of each parameter in `name=values,...`.

    Values are first:last:step (the last one included, step 1 if left out), one|two|three, or one.

    Raises:
        InvalidInput: a part can't be read, a name comes twice, or a range has too many values.
    """
    grid: dict[str, tuple[str, ...]] = {}
    for part in filter(None, (part.strip() for part in text.split(","))):
        name, sign, values = (piece.strip() for piece in part.partition("="))
        if not sign or not name or not values:
            raise InvalidInput(f"params: {part!r} is not name=values: {_EXAMPLE}")
        if name in grid:
            raise InvalidInput(f"params: {name} is given twice: keep one")
        grid[name] = _range(name, values) if ":" in values else _list(name, values)
    if not grid:
        raise InvalidInput(f"params: no ranges given: {_EXAMPLE}")
    return grid


def count_sets(grid: Grid) -> int:
    """Return how many combinations a grid has."""
    return math.prod(len(values) for values in grid.values())


def combine(grid: Grid) -> tuple[dict[str, str], ...]:
    """Return every combination, the last parameter changing fastest."""
    rows = itertools.product(*grid.values())
    return tuple(dict(zip(grid, row, strict=True)) for row in rows)


def _list(name: str, text: str) -> tuple[str, ...]:
    values = tuple(value.strip() for value in text.split("|"))
    if not all(values) or len(set(values)) < len(values):
        raise InvalidInput(f"params: {name}={text}: values are empty or come twice")
    return values


def _range(name: str, text: str) -> tuple[str, ...]:
    try:
        # Decimals: 0.1 + 0.2 is 0.3 here, as it is for whoever typed it.
        first, last, step = map(Decimal, [*text.split(":"), "1"][:3])
    except (InvalidOperation, ValueError):
        raise InvalidInput(f"params: {name}={text} is not first:last:step in numbers") from None
    if text.count(":") > 2 or not all(map(_is_usual, (first, last, step))):
        raise InvalidInput(f"params: {name}={text} is not first:last:step in numbers")
    if step <= 0 or last < first:
        raise InvalidInput(
            f"params: {name}={text}: the step is above 0, the last not below the first"
        )
    if (last - first) / step >= MAX_VALUES:
        raise InvalidInput(f"params: {name}={text} has more than {MAX_VALUES:,} values")
    return tuple(
        format(first + number * step, "f") for number in range(int((last - first) / step) + 1)
    )


def _is_usual(number: Decimal) -> bool:
    return number.is_finite() and abs(number.adjusted()) <= _MOST_DIGITS
