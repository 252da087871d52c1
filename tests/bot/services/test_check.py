"""What a check finds in strategies that are right, and in some that are wrong in one way each."""

import numpy as np
import pytest

from bot.services.check import check_strategy
from bot.services.check_findings import findings
from engine import Signal, Strategy
from engine.backtest import BacktestData, BacktestRequest
from engine.candles import CandleSeries

HOURS = 200
HOUR_MS = 3_600_000
REQUEST = BacktestRequest("own")


@pytest.fixture
def data():
    count = 60 * HOURS
    close = 100 + 10 * np.sin(np.arange(count) / 300)
    opened = np.concatenate(([100.0], close[:-1]))
    series = CandleSeries(
        timestamp=60_000 * np.arange(count, dtype=np.int64),
        open=opened,
        high=np.maximum(opened, close),
        low=np.minimum(opened, close),
        close=close,
        volume=np.ones(count),
        timeframe="1m",
    )
    return BacktestData(series)


def checked(strategy, data, request=REQUEST):
    stages = []
    check = check_strategy(request, strategy, data, lambda report: stages.append(report[0]))
    return check, {finding.title: finding for finding in findings(check)}, stages


def turned(close):
    """Candles whose close turns upwards."""
    up = np.diff(close, prepend=close[0]) > 0
    return up & ~np.concatenate(([True], up[:-1]))


def turns_next(close):
    return np.append(turned(close)[1:], False)


class Turning(Strategy):
    """Buys where the price turns upwards."""

    turn = staticmethod(turned)

    def on_init(self, data):
        self.signal = data["1h"].indicator(self.turn)

    def on_candle(self, data, portfolio):
        if self.signal[-1]:
            price = data["1h"].latest.close
            return [Signal.close(), Signal.open_long(50, stop_loss=0.9 * price)]
        return []


class Waking(Turning):
    def wake(self, data):
        return self.signal


def test_a_strategy_that_keeps_its_promises_holds(data):
    check, found, stages = checked(Waking, data)

    assert check.holds
    assert {finding.holds for finding in found.values()} == {True}
    assert check.closes == HOURS
    assert 3 <= check.decisions == check.wake.calls < HOURS
    assert check.cuts == min(check.decisions, 8)
    assert list(dict.fromkeys(stages)) == [
        "called at every close", "the same once more", "called as it wants",
        "without the candles to come",
    ]  # fmt: skip


def test_no_wake_is_no_fault(data):
    check, found, _ = checked(Turning, data)

    assert check.holds
    assert found["Wakes in time"].holds is None
    assert f"called at all of {HOURS} closes" in found["Wakes in time"].text


def test_a_look_ahead_is_found_with_its_candle(data):
    class Peeking(Turning):
        turn = staticmethod(turns_next)

    check, found, _ = checked(Peeking, data)

    hourly = data.candles.close[59::60]
    first = int(np.flatnonzero(turns_next(hourly))[0])
    assert not check.holds
    assert check.peeks_at == first * HOUR_MS
    assert f"at the candle of 1970-01-0{1 + first // 24}" in found["Sees no future"].text


def test_levels_that_know_the_future_are_a_look_ahead(data):
    class Knowing(Turning):
        def on_init(self, data):
            super().on_init(data)
            self.lowest = data["1h"].indicator(lambda close: np.full(len(close), close[-1]))

        def on_candle(self, data, portfolio):
            if self.signal[-1]:
                return Signal.open_long(10, stop_loss=0.1 * self.lowest[-1])
            return None

    assert checked(Knowing, data)[0].peeks_at is not None


def test_a_wrong_wake_names_the_first_candle_that_it_misses(data):
    class Late(Waking):
        def wake(self, data):
            return data["1h"].indicator(lambda close: np.roll(turned(close), 1))

    check, found, _ = checked(Late, data)

    hourly = data.candles.close[59::60]
    first = int(np.flatnonzero(turned(hourly))[0])
    assert check.wake.missed == first * HOUR_MS
    assert found["Wakes in time"].holds is False
    assert "wake says it would not" in found["Wakes in time"].text


def test_counting_calls_is_found_out_though_wake_misses_nothing(data):
    class Counting(Waking):
        calls = 0

        def on_candle(self, data, portfolio):
            self.calls += 1
            decision = super().on_candle(data, portfolio)
            return [Signal.open_long(min(90, self.calls))] if decision else []

    check, found, _ = checked(Counting, data)

    assert check.wake.missed is None
    assert "remember something" in found["Wakes in time"].text
    assert not check.holds


def test_chance_is_found_out_and_ends_the_check(data):
    class Gambling(Turning):
        rng = np.random.default_rng(1)

        def on_candle(self, data, portfolio):
            return Signal.open_long(float(self.rng.uniform(1, 99)))

    check, found, _ = checked(Gambling, data)

    assert check.varies_at == 0
    assert found["Repeats itself"].holds is False
    assert "Sees no future" not in found


def test_chance_is_found_out_in_a_list_that_is_used_again(data):
    class Reusing(Turning):
        rng = np.random.default_rng(1)

        def on_init(self, data):
            super().on_init(data)
            self.signals = []

        def on_candle(self, data, portfolio):
            self.signals.clear()
            if self.signal[-1]:
                self.signals.append(Signal.open_long(float(self.rng.uniform(1, 99))))
            return self.signals

    check, _, _ = checked(Reusing, data)

    assert check.decisions > 0
    assert check.varies_at is not None


def test_signals_that_are_yielded_are_decisions_like_others(data):
    class Yielding(Turning):
        def on_candle(self, data, portfolio):
            yield from super().on_candle(data, portfolio)

    check, _, _ = checked(Yielding, data)

    assert check.holds
    assert check.decisions == checked(Turning, data)[0].decisions


def test_code_that_raises_is_named_with_line_and_candle(data):
    class Failing(Turning):
        def on_candle(self, data, portfolio):
            if len(data["1h"].history.close) == 30:
                raise ValueError("thirty")
            return []

    check, found, _ = checked(Failing, data)

    assert list(found) == ["Runs"]
    assert "ValueError: thirty" in found["Runs"].text
    assert "test_check.py, line" in found["Runs"].text
    assert "at the candle of 1970-01-02T05:00" in found["Runs"].text
    assert check.failure.time == 29 * HOUR_MS


def test_code_that_raises_only_where_calls_are_left_out_is_told_as_that(data):
    class Stepping(Waking):
        last = None

        def on_candle(self, data, portfolio):
            time = data["1h"].latest.timestamp
            if self.last is not None and time > self.last + HOUR_MS:
                raise ValueError("an hour is missing")
            self.last = time
            return super().on_candle(data, portfolio)

    check, found, _ = checked(Stepping, data)

    second = int(np.flatnonzero(turned(data.candles.close[59::60]))[1])
    assert not check.holds
    assert check.wake.missed is None
    assert check.wake.failure.time == second * HOUR_MS
    assert "called only where wake says so, it fails" in found["Wakes in time"].text
    assert "an hour is missing" in found["Wakes in time"].text


def test_code_that_raises_only_the_second_time_does_not_repeat_itself(data):
    class Spent(Turning):
        runs = 0

        def on_init(self, data):
            super().on_init(data)
            Spent.runs += 1

        def on_candle(self, data, portfolio):
            if self.runs > 1 and data["1h"].latest.timestamp == 30 * HOUR_MS:
                raise ValueError("once is enough")
            return super().on_candle(data, portfolio)

    check, found, _ = checked(Spent, data)

    assert check.varies_at == 30 * HOUR_MS
    assert found["Repeats itself"].holds is False


def test_code_that_raises_before_any_candle_is_told_so(data):
    class Failing(Turning):
        def on_init(self, data):
            raise KeyError("4h")

    _, found, _ = checked(Failing, data)

    assert "before any candle" in found["Runs"].text


def test_a_strategy_that_decides_nothing_proves_nothing_of_the_future(data):
    class Idle(Turning):
        def on_candle(self, data, portfolio):
            return None

    check, found, _ = checked(Idle, data)

    assert check.holds
    assert found["Sees no future"].holds is None
