from dataclasses import replace
from datetime import UTC, datetime

import pytest

from bot.charts import theme
from bot.charts.one_trade import MOST_CANDLES, OneTrade, one_trade_figure, window_of
from engine.candles import CandleSeries
from engine.orders import ExitReason, Side
from engine.timeframe import MINUTE_MS
from tests.bot.charts.golden_figures import one_trade_chart, wave_candles, wave_trade


def milliseconds(text):
    return round(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp() * 1000)


def texts(figure):
    return [note.text for note in figure.layout.annotations]


def test_entry_and_exit_are_marked_at_their_own_times_and_prices():
    chart = one_trade_chart()

    _, way, entry, leaving = one_trade_figure(chart).data

    trade = chart.trade
    for trace, time, price in (
        (entry, trade.entry_time, trade.entry_price),
        (leaving, trade.exit_time, trade.exit_price),
    ):
        assert [milliseconds(x) for x in trace.x] == [time]
        assert list(trace.y) == [price]
    assert list(way.y) == [trade.entry_price, trade.exit_price]


@pytest.mark.parametrize(
    ("pnl", "colour"), [(12.0, theme.GREEN), (-12.0, theme.RED), (0.0, theme.MUTED)]
)
def test_the_colour_is_that_of_the_outcome(pnl, colour):
    chart = one_trade_chart()

    figure = one_trade_figure(replace(chart, trade=replace(chart.trade, pnl=pnl)))

    assert figure.data[1].line.color == colour
    assert figure.data[3].marker.color == colour
    assert figure.layout.shapes[-1].fillcolor == colour


@pytest.mark.parametrize("minutes", [1, 45, 600, 30_000])
def test_a_phone_gets_few_candles_however_long_the_trade(build, minutes):
    candles = build(days=30, timeframe="1m", trades=0).price
    trade = wave_trade(candles, 1_000, 1_000 + minutes)
    start, end = window_of(trade)

    figure = one_trade_figure(OneTrade(trade, "BTC/USDT", candles.between(start, end)))

    drawn = figure.data[0]
    assert 10 <= len(drawn.x) <= MOST_CANDLES
    assert max(drawn.high) == candles.between(start, end).high.max()
    axis = [milliseconds(text) for text in figure.layout.xaxis.range]
    assert axis[0] < trade.entry_time < trade.exit_time < axis[1]


def test_levels_far_away_do_not_flatten_the_candles():
    chart = one_trade_chart()
    far = replace(chart.trade, stop_loss=80_000.0, take_profit=20_000.0)

    figure = one_trade_figure(replace(chart, trade=far))

    low, high = figure.layout.yaxis.range
    assert 39_000 < low < high < 41_000
    assert "<b>Stop ↑ $80,000.00</b>" in texts(figure)
    assert "<b>Target ↓ $20,000.00</b>" in texts(figure)


def test_levels_near_by_are_lines_within_the_picture():
    chart = one_trade_chart()

    figure = one_trade_figure(chart)

    low, high = figure.layout.yaxis.range
    assert low < chart.trade.stop_loss < high
    assert chart.trade.stop_loss in [shape.y0 for shape in figure.layout.shapes]


@pytest.mark.parametrize(("name", "word"), [("stop_loss", "Stop"), ("take_profit", "Target")])
def test_where_the_exit_is_at_a_level_one_tag_says_it(name, word):
    chart = one_trade_chart()
    levels = {"stop_loss": 39_000.0, "take_profit": 45_000.0}
    trade = replace(chart.trade, **{**levels, name: chart.trade.exit_price})

    tags = [note.split()[0] for note in texts(one_trade_figure(replace(chart, trade=trade)))]

    other = {"Stop", "Target"} - {word}
    assert f"<b>{word}" not in tags
    assert {"<b>Entry", "<b>Exit", f"<b>{other.pop()}"} <= set(tags)


def test_a_trade_without_levels_shows_none():
    chart = one_trade_chart()
    bare = replace(chart.trade, stop_loss=None, take_profit=None)

    words = " ".join(texts(one_trade_figure(replace(chart, trade=bare))))

    assert "Stop" not in words
    assert "Target" not in words


@pytest.mark.parametrize("reason", list(ExitReason))
@pytest.mark.parametrize("side", list(Side))
def test_every_kind_of_exit_can_be_drawn(side, reason):
    chart = one_trade_chart()
    trade = replace(chart.trade, side=side, exit_reason=reason)

    figure = one_trade_figure(
        replace(chart, trade=trade, symbol="<b>X</b>/USDT", is_simulated=True)
    )

    assert "simulated" in texts(figure)
    assert not any("<b>X</b>" in text for text in texts(figure))


def test_a_price_that_never_moves_is_drawn():
    flat = [100.0] * 60
    series = CandleSeries("1m", wave_candles().timestamp[:60], flat, flat, flat, flat, [0.0] * 60)
    trade = replace(
        wave_trade(series, 20, 40), entry_price=100.0, exit_price=100.0, stop_loss=None,
        take_profit=None,
    )  # fmt: skip

    low, high = one_trade_figure(OneTrade(trade, "A/B", series)).layout.yaxis.range

    assert low < 100.0 < high


def test_without_candles_nothing_is_drawn():
    chart = one_trade_chart()

    with pytest.raises(ValueError, match="no candles"):
        one_trade_figure(replace(chart, candles=CandleSeries.empty()))


def test_the_window_has_room_on_both_sides_of_a_short_trade():
    trade = wave_trade(wave_candles(), 190, 191)

    start, end = window_of(trade)

    assert trade.entry_time - start == 25 * MINUTE_MS
    assert end - trade.exit_time == 4 * MINUTE_MS
