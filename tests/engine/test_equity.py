"""The curve is marked and read in parts; a plain look at every mark gives the same bits."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.equity import (
    LedgerEntry,
    drawdown_durations_ms,
    mark_equity,
    max_drawdown_pct,
)

MINUTE = 60_000
START = 1_704_067_200_000
# A little more than two parts of a curve, so that parts are joined.
LENGTH = 5000

CURVES = ("walk", "rising", "falling", "flat", "steps")


def _curve(kind: str, length: int, seed: int) -> np.ndarray:
    random = np.random.default_rng(seed)
    steps = random.normal(0, 1, length)
    if kind == "rising":
        steps = np.abs(steps)
    elif kind == "falling":
        steps = -np.abs(steps)
    elif kind == "flat":
        steps = np.zeros(length)
    elif kind == "steps":
        # Long stretches without a change, and peaks that are reached again exactly.
        steps = np.round(steps * (random.random(length) < 0.001)) * 10
    return 1000 + np.cumsum(steps)


@given(
    kind=st.sampled_from(CURVES),
    length=st.one_of(st.integers(1, 20), st.integers(2000, LENGTH)),
    seed=st.integers(0, 200),
    balance=st.sampled_from([1.0, 990.0, 1000.0, 1010.0, 5000.0]),
)
def test_drawdowns_are_those_that_a_look_at_every_mark_finds(kind, length, seed, balance):
    equity = _curve(kind, length, seed)
    time = START + MINUTE * np.arange(1, length + 1)
    peak, durations, begun = balance, [], None
    shares = []
    for index, value in enumerate(equity.tolist()):
        peak = max(peak, value)
        shares.append(value / peak)
        before = START if index == 0 else int(time[index - 1])
        if value < peak and begun is None:
            begun = before
        elif value >= peak and begun is not None:
            durations.append(int(time[index]) - begun)
            begun = None
    if begun is not None:
        durations.append(int(time[-1]) - begun)

    assert max_drawdown_pct(equity, balance) == 100 * (1 - min(shares))
    found = drawdown_durations_ms(time, equity, initial_balance=balance, start=START)
    assert found.tolist() == durations


@pytest.mark.parametrize("changes", [1, 3, 40, 3000])
def test_equity_is_the_book_of_each_moment_at_its_price(changes):
    random = np.random.default_rng(changes)
    length, first = 70_000, 100
    closes = random.uniform(50, 150, length)
    indexes = [0, *sorted(random.integers(first - 10, first + length, changes).tolist())]
    ledger = [
        LedgerEntry(index, *random.uniform(-1000, 1000, 3).tolist())
        if number % 2
        else LedgerEntry(index, float(random.uniform(0, 1000)), 0.0, 0.0)
        for number, index in enumerate(indexes)
    ]
    expected, later = [], ledger[1:]
    book = ledger[0]
    for index, close in enumerate(closes.tolist(), first):
        while later and later[0].candle_index <= index:
            book = later.pop(0)
        expected.append(book.balance + (book.net_size * close - book.net_cost))

    assert mark_equity(ledger, first, closes).tolist() == expected
