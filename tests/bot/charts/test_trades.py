from collections import Counter
from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain

import numpy as np
import pytest

from bot.charts.theme import PAGE, PICTURE
from bot.charts.trades import ENTRY_LOOKS, EXIT_LOOKS, trades_figure
from engine.orders import ExitReason, Side


def milliseconds(text: str) -> int:
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def markers(figure, looks) -> dict:
    """The marked points (time in ms, price) by kind."""
    found = {}
    for kind, look in looks.items():
        for trace in figure.data:
            if trace.name and trace.name.startswith(look.name + " ") and trace.mode == "markers":
                found[kind] = [
                    (milliseconds(x), y) for x, y in zip(trace.x, trace.y.tolist(), strict=True)
                ]
    return found


def names(figure) -> list[str]:
    return [trace.name for trace in figure.data]


def candles_of(figure):
    return figure.data[0]


@pytest.mark.parametrize("medium", [PICTURE, PAGE])
@pytest.mark.parametrize("shape", [(60, 24), (1461, 5000), (2, 1), (20, 0)])
def test_every_trade_is_marked_at_its_own_times_and_prices(build, medium, shape):
    days, count = shape
    results = build(days=days, trades=count)

    figure = trades_figure(results, medium)

    entries, exits = markers(figure, ENTRY_LOOKS), markers(figure, EXIT_LOOKS)
    for side in Side:
        expected = [(t.entry_time, t.entry_price) for t in results.trades if t.side is side]
        assert Counter(entries.get(side, [])) == Counter(expected)
    for reason in ExitReason:
        expected = [(t.exit_time, t.exit_price) for t in results.trades if t.exit_reason is reason]
        assert Counter(exits.get(reason, [])) == Counter(expected)


@pytest.mark.parametrize("medium", [PICTURE, PAGE])
@pytest.mark.parametrize("days", [9, 100, 545, 1461])
def test_every_marker_lies_within_the_candle_of_its_time(build, medium, days):
    results = build(days=days, trades=200)

    figure = trades_figure(results, medium)

    candles = candles_of(figure)
    opens = np.array([milliseconds(x) for x in candles.x])
    for looks in (ENTRY_LOOKS, EXIT_LOOKS):
        for time, price in chain.from_iterable(markers(figure, looks).values()):
            index = np.searchsorted(opens, time) - 1
            assert opens[index] < time <= opens[index] + candles.xperiod
            assert candles.low[index] <= price <= candles.high[index]


@pytest.mark.parametrize(("medium", "limit"), [(PICTURE, 400), (PAGE, 2000)])
def test_four_years_are_drawn_in_few_candles_that_keep_every_peak(build, medium, limit):
    results = build(days=1461, trades=10)

    candles = candles_of(trades_figure(results, medium))

    assert limit / 3 < len(candles.x) <= limit
    assert max(candles.high) == results.price.high.max()
    assert min(candles.low) == results.price.low.min()


def test_entries_and_exits_look_different_for_every_side_and_reason():
    looks = [*ENTRY_LOOKS.values(), *EXIT_LOOKS.values()]

    assert set(ENTRY_LOOKS) == set(Side)
    assert set(EXIT_LOOKS) == set(ExitReason)
    assert len({look.symbol for look in looks}) == len(looks)
    assert len({look.colour for look in looks}) == len(looks)
    assert ENTRY_LOOKS[Side.LONG].symbol == "triangle-up"
    assert ENTRY_LOOKS[Side.SHORT].symbol == "triangle-down"


def test_the_legend_counts_each_kind_and_names_only_what_happened(build):
    results = build(trades=3)

    figure = trades_figure(results)

    counts = Counter(trade.exit_reason for trade in results.trades)
    for reason, look in EXIT_LOOKS.items():
        assert (f"{look.name} {counts[reason]}" in names(figure)) == bool(counts[reason])


def test_lines_lead_from_entry_to_exit_in_the_colour_of_the_outcome(build):
    results = build(trades=9)

    figure = trades_figure(results)

    for name, won in (("Won", True), ("Lost", False)):
        trades = [trade for trade in results.trades if (trade.pnl > 0) is won]
        line = next(trace for trace in figure.data if trace.name == f"{name} {len(trades)}")
        prices = line.y.reshape(-1, 3)
        assert prices[:, :2].tolist() == [[t.entry_price, t.exit_price] for t in trades]
        assert np.isnan(prices[:, 2]).all()
        assert [milliseconds(x) for x in line.x[::3]] == [t.entry_time for t in trades]
        assert [milliseconds(x) for x in line.x[1::3]] == [t.exit_time for t in trades]


def test_levels_are_short_dashed_lines_from_entry_to_exit(build):
    results = build(trades=9)

    figure = trades_figure(results)

    for name, level in (("Stop level", "stop_loss"), ("Target level", "take_profit")):
        line = next(trace for trace in figure.data if trace.name == name)
        expected = [getattr(t, level) for t in results.trades if getattr(t, level) is not None]
        assert line.y.reshape(-1, 3)[:, :2].tolist() == [[price, price] for price in expected]
        assert line.line.dash


def test_many_trades_are_drawn_smaller_and_without_levels(build):
    few, many = (trades_figure(build(days=400, trades=count)) for count in (20, 900))

    def size(figure) -> float:
        return next(
            trace.marker.size
            for trace in figure.data
            if trace.type == "scatter" and trace.mode == "markers"
        )

    assert size(many) < size(few) / 2
    assert "Stop level" in names(few)
    assert "Stop level" not in names(many)


def test_a_far_level_does_not_squeeze_the_candles(build):
    results = build(trades=5)
    far = tuple(replace(trade, take_profit=1e7) for trade in results.trades)

    lowest, highest = trades_figure(replace(results, trades=far)).layout.yaxis.range

    prices = results.price
    span = max(prices.high) - min(prices.low)
    assert highest < max(prices.high) + span / 2
    assert lowest < min(prices.low)


def test_the_page_tells_side_size_profit_and_reason_under_the_pointer(build):
    results = build(trades=24)

    figure = trades_figure(results, PAGE)

    stopped = next(trace for trace in figure.data if trace.name.startswith("Stop loss"))
    trade = next(t for t in results.trades if t.exit_reason is ExitReason.STOP_LOSS)
    number, size, size_usd, side, pnl, pnl_percent, *_ = stopped.customdata[0]
    assert (number, size, side) == (trade.id, trade.size, str(trade.side))
    assert size_usd == trade.size_usd
    assert pnl == f"−${abs(trade.pnl):,.2f}"
    assert pnl_percent == f"−{abs(trade.pnl_percent):,.2f}%"
    assert "closed: stop loss" in stopped.hovertemplate
    assert "UTC" in stopped.hovertemplate


def test_an_ambiguous_trade_says_so_under_the_pointer(build):
    results = build(trades=7)
    assert results.trades[-1].ambiguous

    figure = trades_figure(results, PAGE)

    rows = [
        row for trace in figure.data if trace.customdata is not None for row in trace.customdata
    ]
    exits = {row[0]: row[-1] for row in rows if len(row) == 8}
    assert "stop assumed" in exits[7]
    assert exits[6] == ""


def test_a_picture_carries_no_words_for_the_pointer(build):
    figure = trades_figure(build(), PICTURE)

    assert all(trace.hoverinfo == "skip" for trace in figure.data)


def test_no_trades_one_candle_and_no_candle_can_be_drawn(build):
    assert len(candles_of(trades_figure(build(days=3, trades=0))).x) == 72
    assert len(candles_of(trades_figure(build(days=1 / 24, trades=0))).x) == 1
    assert len(candles_of(trades_figure(build(days=0, trades=0))).x) == 0


def test_prices_in_another_coin_carry_no_dollar_sign(build):
    assert "$" not in trades_figure(build(symbol="ETH/BTC")).layout.yaxis.tickformat
    assert "$" in trades_figure(build(symbol="ETH/USDT")).layout.yaxis.tickformat
