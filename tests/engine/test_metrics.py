"""Metrics against hand-computed figures, an independent library, and whatever hypothesis finds."""

import math

import empyrical
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine import metrics
from engine.metrics import Metrics, compute_metrics
from engine.orders import ExitReason, Side, Trade
from engine.timeframe import DAY_MS, MINUTE_MS

HOUR_MS = 60 * MINUTE_MS
START = 1_704_067_200_000  # 2024-01-01 00:00 UTC
BALANCE = 1000.0


def make_trade(pnl: float = 0.0, **changes) -> Trade:
    values = {
        "id": 1,
        "side": Side.LONG,
        "entry_time": START,
        "entry_price": 100.0,
        "exit_time": START + HOUR_MS,
        "exit_price": 100.0,
        "size": 1.0,
        "size_usd": 100.0,
        "pnl": pnl,
        "pnl_percent": pnl,
        "fees": 0.1,
        "exit_reason": ExitReason.SIGNAL,
    }
    return Trade(**(values | changes))


def floats(*values: float) -> np.ndarray:
    return np.array(values, dtype=np.float64)


def times(*values: int) -> np.ndarray:
    return np.array(values, dtype=np.int64)


def closes_each(step: int, count: int) -> np.ndarray:
    return START + step * np.arange(1, count + 1, dtype=np.int64)


def compute(
    trades=(), *, equity=(1000.0,), step=MINUTE_MS, time=None, closes=None, balance=BALANCE
) -> Metrics:
    time = closes_each(step, len(equity)) if time is None else time
    return compute_metrics(
        trades=trades,
        time=time,
        equity=floats(*equity),
        initial_balance=balance,
        closes=floats(*(equity if closes is None else closes)),
        start=START,
        end=int(time[-1]) if len(time) else START,
    )


# Growth


def test_total_return_compares_the_last_equity_with_the_initial_balance():
    assert metrics.total_return_pct(floats(900, 1250), BALANCE) == pytest.approx(25)
    assert metrics.total_return_pct(floats(2000, 0), BALANCE) == -100
    assert metrics.total_return_pct(floats(), BALANCE) is None


def test_cagr_over_two_years_is_the_root_of_the_growth():
    end = START + 2 * 365 * DAY_MS

    assert metrics.cagr_pct(floats(1210), BALANCE, start=START, end=end) == pytest.approx(10)


def test_cagr_does_not_exist_for_a_debt_or_no_time_or_beyond_floats():
    year = START + 365 * DAY_MS

    assert metrics.cagr_pct(floats(-1), BALANCE, start=START, end=year) is None
    assert metrics.cagr_pct(floats(1100), BALANCE, start=START, end=START) is None
    assert metrics.cagr_pct(floats(1100), BALANCE, start=START, end=START + MINUTE_MS) is None
    assert metrics.cagr_pct(floats(0), BALANCE, start=START, end=year) == -100


def test_buy_and_hold_goes_from_the_first_to_the_last_close():
    assert metrics.buy_and_hold_pct(floats(40, 10, 50)) == pytest.approx(25)
    assert metrics.buy_and_hold_pct(floats(40)) == 0
    assert metrics.buy_and_hold_pct(floats()) is None


# Drawdown


def test_max_drawdown_is_a_positive_share_of_the_peak():
    equity = floats(1100, 990, 1200, 900, 1300)

    assert metrics.max_drawdown_pct(equity, BALANCE) == pytest.approx(25)  # 1200 to 900


def test_initial_balance_is_the_first_peak():
    assert metrics.max_drawdown_pct(floats(800, 900), BALANCE) == pytest.approx(20)


def test_max_drawdown_is_zero_without_a_fall_and_above_100_in_debt():
    assert metrics.max_drawdown_pct(floats(1000, 1000, 1001), BALANCE) == 0
    assert metrics.max_drawdown_pct(floats(1000, -100), BALANCE) == pytest.approx(110)


def test_drawdowns_last_from_the_peak_to_the_recovery():
    equity = floats(1000, 1100, 1050, 1090, 1100, 1200, 1150, 1201)

    durations = metrics.drawdown_durations_ms(
        closes_each(HOUR_MS, 8), equity, initial_balance=BALANCE, start=START
    )

    assert durations.tolist() == [3 * HOUR_MS, 2 * HOUR_MS]
    assert metrics.longest_drawdown_ms(durations) == 3 * HOUR_MS
    assert metrics.average_drawdown_ms(durations) == 2.5 * HOUR_MS


def test_drawdown_from_the_first_mark_counts_from_the_start():
    durations = metrics.drawdown_durations_ms(
        closes_each(HOUR_MS, 3), floats(990, 995, 1000), initial_balance=BALANCE, start=START
    )

    assert durations.tolist() == [3 * HOUR_MS]


def test_unrecovered_drawdown_counts_up_to_the_end():
    durations = metrics.drawdown_durations_ms(
        closes_each(HOUR_MS, 5), floats(1000, 1100, 1, 2, 3), initial_balance=BALANCE, start=START
    )

    assert durations.tolist() == [3 * HOUR_MS]


def test_drawdown_spanning_a_gap_counts_its_time():
    durations = metrics.drawdown_durations_ms(
        times(START + HOUR_MS, START + 2 * HOUR_MS, START + 50 * HOUR_MS),
        floats(1000, 900, 1000),
        initial_balance=BALANCE,
        start=START,
    )

    assert durations.tolist() == [49 * HOUR_MS]


def test_rising_equity_has_no_drawdown():
    result = compute(equity=(1000, 1001, 1002))

    assert result.longest_drawdown_ms is None
    assert result.average_drawdown_ms is None


# Daily returns


def test_day_is_valued_at_its_last_mark_and_the_first_against_the_initial_balance():
    time = closes_each(12 * HOUR_MS, 4)

    returns = metrics.daily_returns(time, floats(500, 1100, 700, 990), initial_balance=BALANCE)

    assert returns == pytest.approx([0.1, -0.1])


def test_mark_at_midnight_belongs_to_the_day_that_it_ends():
    midnight = START + DAY_MS

    one_day = metrics.daily_returns(
        times(midnight - 1, midnight), floats(1050, 1100), initial_balance=BALANCE
    )
    two_days = metrics.daily_returns(
        times(midnight, midnight + 1), floats(1100, 1210), initial_balance=BALANCE
    )

    assert one_day == pytest.approx([0.1])
    assert two_days == pytest.approx([0.1, 0.1])


def test_day_without_marks_carries_the_last_equity():
    time = times(START + HOUR_MS, START + 3 * DAY_MS + HOUR_MS)

    returns = metrics.daily_returns(time, floats(1100, 1210), initial_balance=BALANCE)

    assert returns == pytest.approx([0.1, 0, 0, 0.1])


@pytest.mark.parametrize("last", [0.0, -50.0])
def test_daily_returns_do_not_exist_once_a_day_ends_with_nothing(last):
    returns = metrics.daily_returns(
        closes_each(DAY_MS, 3), floats(1100, last, 1000), initial_balance=BALANCE
    )

    assert len(returns) == 0


def test_equity_that_only_dips_below_zero_within_a_day_keeps_its_returns():
    returns = metrics.daily_returns(
        closes_each(12 * HOUR_MS, 2), floats(-5, 1100), initial_balance=BALANCE
    )

    assert returns == pytest.approx([0.1])


# Ratios


def test_ratios_of_hand_computed_returns():
    returns = floats(0.03, -0.01, 0.01)  # mean 0.01, sample deviation 0.02

    assert metrics.sharpe_ratio(returns) == pytest.approx(0.5 * math.sqrt(365))
    assert metrics.volatility_pct(returns) == pytest.approx(2 * math.sqrt(365))
    # The downside deviation is sqrt(0.01^2 / 3).
    assert metrics.sortino_ratio(returns) == pytest.approx(math.sqrt(3) * math.sqrt(365))


def test_calmar_is_growth_over_the_deepest_fall():
    assert metrics.calmar_ratio(30.0, 20.0) == 1.5
    assert metrics.calmar_ratio(-30.0, 20.0) == -1.5
    assert metrics.calmar_ratio(30.0, 0.0) is None
    assert metrics.calmar_ratio(None, 20.0) is None
    assert metrics.calmar_ratio(30.0, None) is None


def test_ratios_need_two_days_and_a_variation():
    for returns in (floats(), floats(0.1), floats(0, 0, 0), floats(0.1, 0.1, 0.1)):
        assert metrics.sharpe_ratio(returns) is None
        assert metrics.sortino_ratio(returns) is None


def test_steady_growth_has_no_sharpe_ratio_despite_rounding():
    equity = BALANCE * 1.001 ** np.arange(1, 101)

    returns = metrics.daily_returns(closes_each(DAY_MS, 100), equity, initial_balance=BALANCE)

    assert returns.std() > 0
    assert metrics.sharpe_ratio(returns) is None


def test_volatility_of_flat_equity_is_zero():
    assert metrics.volatility_pct(floats(0, 0, 0)) == 0


# Agreement with an independent library

daily_returns = st.lists(
    st.floats(-0.5, 0.5).map(lambda value: round(value, 4)), min_size=2, max_size=60
).map(lambda values: np.array(values))


@given(daily_returns)
def test_ratios_agree_with_empyrical(returns):
    equity = BALANCE * np.cumprod(1 + returns)

    ours = compute(equity=equity.tolist(), step=DAY_MS)

    assert_agrees(ours.sharpe_ratio, empyrical.sharpe_ratio(returns, annualization=365))
    assert_agrees(ours.sortino_ratio, empyrical.sortino_ratio(returns, annualization=365))
    assert_agrees(ours.max_drawdown_pct, -100 * empyrical.max_drawdown(returns))
    assert_agrees(
        ours.volatility_pct, 100 * empyrical.annual_volatility(returns, annualization=365)
    )
    assert_agrees(ours.cagr_pct, 100 * empyrical.cagr(returns, annualization=365))
    assert_agrees(ours.total_return_pct, 100 * empyrical.cum_returns_final(returns))
    assert_agrees(ours.calmar_ratio, empyrical.calmar_ratio(returns, annualization=365))


def assert_agrees(ours: float | None, theirs: float) -> None:
    if ours is None:
        # Where rounding is all the variation there is, the library gives an absurd ratio.
        assert not math.isfinite(theirs) or abs(theirs) > 1e10
    else:
        assert ours == pytest.approx(theirs, rel=1e-6, abs=1e-8)


def test_minute_marks_give_the_ratios_of_the_daily_closes():
    generator = np.random.default_rng(7)
    equity = BALANCE * np.exp(np.cumsum(generator.normal(0, 1e-4, 10 * 1440)))
    daily = np.concatenate(([BALANCE], equity[1439::1440]))
    returns = daily[1:] / daily[:-1] - 1

    ours = compute(equity=equity.tolist())

    assert ours.sharpe_ratio == pytest.approx(empyrical.sharpe_ratio(returns, annualization=365))
    minutes = np.diff(equity, prepend=BALANCE) / np.concatenate(([BALANCE], equity[:-1]))
    assert ours.max_drawdown_pct == pytest.approx(-100 * empyrical.max_drawdown(minutes))


# Trades


def test_figures_of_trades_computed_by_hand():
    pnl = floats(10, -5, 20, 0, -15)

    assert metrics.win_rate_pct(pnl) == 40
    assert metrics.profit_factor(pnl) == 1.5
    assert metrics.expectancy_usd(pnl) == 2
    assert metrics.average_win_usd(pnl) == 15
    assert metrics.average_loss_usd(pnl) == -10
    assert metrics.best_trade(pnl) == 20
    assert metrics.worst_trade(pnl) == -15
    # The squared deviations 64, 49, 324, 4 and 289 add up to 730.
    assert metrics.sqn(pnl) == pytest.approx(math.sqrt(5) * 2 / math.sqrt(730 / 4))


def test_trade_without_profit_is_neither_win_nor_loss_and_ends_streaks():
    pnl = floats(1, 1, 0, 1, -1, -1, -1, 0, -1)
    result = compute([make_trade(value) for value in pnl])

    assert metrics.longest_win_streak(pnl) == 2
    assert metrics.longest_loss_streak(pnl) == 3
    assert (result.winning_trades, result.losing_trades, result.trades) == (3, 4, 9)


def test_only_wins_have_no_profit_factor_and_only_losses_one_of_zero():
    assert metrics.profit_factor(floats(1, 2)) is None
    assert metrics.average_loss_usd(floats(1, 2)) is None
    assert metrics.profit_factor(floats(-1, -2)) == 0
    assert metrics.average_win_usd(floats(-1, -2)) is None


def test_sqn_needs_two_trades_of_different_profit():
    assert metrics.sqn(floats(5)) is None
    assert metrics.sqn(floats(0.1, 0.1, 0.1)) is None
    assert metrics.sqn(floats(-1, -3)) == pytest.approx(-2)


def test_sides_fees_and_ambiguity_are_counted():
    trades = [
        make_trade(5.0, side=Side.LONG, fees=0.25),
        make_trade(-2.0, side=Side.SHORT, fees=0.5, ambiguous=True),
        make_trade(3.0, side=Side.SHORT, fees=0.25, pnl_percent=7.0),
    ]

    result = compute(trades)

    assert (result.long_trades, result.short_trades) == (1, 2)
    assert (result.long_pnl_usd, result.short_pnl_usd) == (5, 1)
    assert result.total_fees_usd == 1
    assert result.ambiguous_trades == 1
    assert (result.best_trade_pct, result.worst_trade_pct) == (7, -2)


def test_holding_time_is_the_mean_from_entry_to_exit():
    trades = [
        make_trade(exit_time=START + HOUR_MS),
        make_trade(exit_time=START + 4 * HOUR_MS),
    ]

    assert compute(trades).average_holding_ms == 2.5 * HOUR_MS


# Exposure


def exposure(*intervals: tuple[int, int], time: np.ndarray | None = None) -> float | None:
    """Exposure over ten hourly closes to trades given as hours after the start."""
    return metrics.exposure_pct(
        closes_each(HOUR_MS, 10) if time is None else time,
        entry_time=times(*(START + first * HOUR_MS for first, _ in intervals)),
        exit_time=times(*(START + last * HOUR_MS for _, last in intervals)),
    )


def test_exposure_is_the_share_of_candles_with_a_position():
    assert exposure((2, 5)) == 30
    assert exposure((0, 10)) == 100
    assert exposure() == 0
    assert exposure((3, 3)) == 0
    assert exposure(time=times()) is None


def test_exposure_counts_positions_held_together_once():
    assert exposure((1, 5), (3, 7)) == 60
    assert exposure((1, 9), (2, 3), (4, 5)) == 80
    assert exposure((1, 2), (2, 3)) == 20


def test_exposure_does_not_depend_on_the_order_of_trades():
    assert exposure((5, 8), (1, 3), (2, 6)) == exposure((1, 3), (2, 6), (5, 8)) == 70


def test_exposure_counts_the_candles_that_exist():
    with_gap = np.delete(closes_each(HOUR_MS, 10), [3, 4])  # closes at 4 h and 5 h are missing

    assert exposure((2, 6), time=with_gap) == 25


@given(st.lists(st.tuples(st.integers(0, 10), st.integers(0, 10)).map(sorted), max_size=8))
def test_exposure_equals_the_count_candle_by_candle(intervals):
    held = [any(first < hour <= last for first, last in intervals) for hour in range(1, 11)]

    assert exposure(*intervals) == 100 * sum(held) / 10


# What doesn't exist


def test_run_without_trades_has_no_figures_of_trades():
    result = compute(equity=(1000.0, 1000.0))

    assert result.trades == result.longest_win_streak == result.longest_loss_streak == 0
    assert result.total_return_pct == result.max_drawdown_pct == result.exposure_pct == 0
    assert result.long_pnl_usd == result.short_pnl_usd == result.total_fees_usd == 0
    nothing = (
        "win_rate_pct profit_factor expectancy_usd average_win_usd average_loss_usd sqn "
        "best_trade_usd worst_trade_usd best_trade_pct worst_trade_pct average_holding_ms "
        "sharpe_ratio sortino_ratio calmar_ratio"
    )
    assert {name: getattr(result, name) for name in nothing.split()} == dict.fromkeys(
        nothing.split()
    )


def test_run_without_marks_has_no_figures_of_equity():
    result = compute(equity=())

    nothing = "total_return_pct cagr_pct max_drawdown_pct exposure_pct buy_and_hold_pct"
    assert all(getattr(result, name) is None for name in nothing.split())


moments = st.integers(0, 20 * DAY_MS).map(lambda offset: START + offset)
intervals = st.tuples(moments, moments).map(sorted)
money = st.floats(-1e12, 1e12)
trades_of_any_kind = st.builds(
    lambda interval, **changes: make_trade(
        entry_time=interval[0], exit_time=interval[1], **changes
    ),
    intervals,
    pnl=money | st.just(0.0),
    pnl_percent=money,
    side=st.sampled_from(Side),
    fees=st.floats(0, 1e9),
    ambiguous=st.booleans(),
)
equity_curves = st.one_of(
    st.lists(money, max_size=40),
    st.lists(st.sampled_from([0.0, -1.0, 1000.0, 5e-324]), max_size=40),
    st.lists(st.floats(1, 1e6), max_size=40),
)


@given(
    trades=st.lists(trades_of_any_kind, max_size=12),
    equity=equity_curves,
    step=st.sampled_from([MINUTE_MS, HOUR_MS, 7 * HOUR_MS, DAY_MS, 3 * DAY_MS]),
    balance=st.floats(1e-3, 1e12),
    prices=st.lists(st.floats(1e-9, 1e9), max_size=5),
)
def test_every_figure_is_none_or_finite(trades, equity, step, balance, prices):
    result = compute(trades, equity=equity, step=step, balance=balance, closes=prices)

    for name, value in result.to_json().items():
        assert value is None or type(value) in (int, float), name
        assert value is None or math.isfinite(value), name


@given(equity=st.lists(st.floats(1, 1e6), min_size=1, max_size=40))
def test_drawdown_stays_between_nothing_and_everything(equity):
    result = compute(equity=equity)

    assert result.max_drawdown_pct is not None
    assert 0 <= result.max_drawdown_pct <= 100
    assert (result.max_drawdown_pct == 0) == (result.longest_drawdown_ms is None)


def test_inputs_are_left_as_they_were():
    equity, time, closes = floats(900, 1100, 800), closes_each(DAY_MS, 3), floats(1, 2, 3)
    for array in (equity, time, closes):
        array.flags.writeable = False

    result = compute_metrics(
        trades=[make_trade(1.0)],
        time=time,
        equity=equity,
        initial_balance=BALANCE,
        closes=closes,
        start=START,
        end=START + 3 * DAY_MS,
    )

    assert result.total_return_pct == pytest.approx(-20)
    assert equity.tolist() == [900, 1100, 800]


def test_to_json_holds_every_field_by_name():
    result = compute([make_trade(1.0)])

    assert result.to_json() == {name: getattr(result, name) for name in Metrics.__slots__}
