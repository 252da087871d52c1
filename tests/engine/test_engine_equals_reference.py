"""The engine does what the reference simulator does, however its candles come and it restarts."""

import random
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from engine.candles import Candle
from tests.engine.reference.cases import MINUTE_MS, MONDAY_MS, Case, Order, make_case
from tests.engine.reference.comparison import compare_events, find_differences
from tests.engine.reference.runs import run_blocks, run_engine, run_reference

CASES = st.builds(make_case, st.randoms(use_true_random=False), st.just(12))
DRAWN = settings(
    deadline=None,
    derandomize=True,
    database=None,
    # The fixtures of every test change the working directory, which nothing here looks at.
    suppress_health_check=[
        HealthCheck.too_slow,
        HealthCheck.data_too_large,
        HealthCheck.function_scoped_fixture,
    ],
)


def differences(case):
    run, seen = run_reference(case)
    results, engine_seen = run_engine(case)
    return find_differences(run, seen, results, engine_seen)


def case_at(rows: Iterable[tuple[int, float]], *script: list[Order], **options) -> Case:
    """Return a case of candles that stand still, given as (minute, price)."""
    candles = tuple(Candle(MONDAY_MS + m * MINUTE_MS, p, p, p, p, 1.0) for m, p in rows)
    orders = tuple(tuple(orders) for orders in script)
    return Case(candles, options.pop("timeframes", ("1m",)), orders, 1.0, **options)


@pytest.mark.parametrize("block", range(10))
def test_thousands_of_random_runs_agree_in_all_that_happened(block):
    found = {}
    for seed in range(500 * block, 500 * (block + 1)):
        lines = differences(make_case(random.Random(seed)))
        if lines:
            found[seed] = lines[0]

    assert found == {}


@settings(DRAWN, max_examples=200)
@given(case=CASES)
def test_a_run_drawn_by_hypothesis_agrees_in_all_that_happened(case):
    assert differences(case) == []


def test_the_random_cases_reach_every_rule():
    runs = [run_reference(make_case(random.Random(seed))) for seed in range(500)]

    trades = [trade for run, _ in runs for trade in run.trades]
    reasons = Counter(trade.exit_reason for trade in trades)
    kinds = Counter(kind for run, _ in runs for _, kind in run.rejections)
    assert set(reasons) == {"signal", "stop_loss", "take_profit", "liquidation", "end"}
    assert set(kinds) == {"size", "equity", "level", "leverage", "unknown_position"}
    assert min(*reasons.values(), *kinds.values()) >= 40
    assert sum(trade.ambiguous for trade in trades) >= 40
    assert sum(run.funding != 0 for run, _ in runs) >= 40
    assert sum(len(seen.calls) == 0 for _, seen in runs) < 100


@pytest.mark.parametrize("block", range(4))
def test_any_split_into_blocks_and_any_restart_give_the_same_run(block):
    for seed in range(80 * block, 80 * (block + 1)):
        draw = random.Random(seed)
        case = make_case(draw, longest=80)
        length = len(case.candles)
        cuts = [draw.randrange(length) for _ in range(draw.choice((1, 4, 100)))]
        check_splits(case, cuts)


@settings(DRAWN, max_examples=100)
@given(case=CASES, cuts=st.lists(st.integers(0, 12), max_size=6))
def test_a_split_drawn_by_hypothesis_gives_the_same_run(case, cuts):
    check_splits(case, cuts)


def check_splits(case: Case, cuts: Iterable[int]) -> None:
    """Compare by `repr`, in which equal means bit-equal and NaN equals NaN."""
    whole = run_blocks(case)
    singly = run_blocks(case, range(len(case.candles)))
    split = run_blocks(case, cuts)
    restarted = run_blocks(case, cuts, restart=True)

    assert repr(run_blocks(case)) == repr(whole)
    for run in (singly, split, restarted):
        assert repr(run.events) == repr(whole.events)
        assert repr(run.calls) == repr(whole.calls)
        assert run.snapshot == whole.snapshot
        assert run.equity.items() <= singly.equity.items()
    assert repr(singly.ledger) == repr(split.ledger) == repr(whole.ledger)


def test_a_forward_run_agrees_with_the_reference_event_by_event():
    for seed in range(1000, 1300):
        case = make_case(random.Random(seed), longest=80)
        run, _ = run_reference(case)
        events = run_blocks(case, range(len(case.candles))).events
        assert list(compare_events(run, events)) == [], f"seed {seed}"


def test_an_exact_fit_of_the_leverage_passes_on_both_sides():
    halves = [Order("long", 50), Order("long", 50), Order("short", 0.001)]
    case = case_at([(0, 101), (1, 103)], halves, [])

    assert differences(case) == []
    assert [trade.id for trade in run_engine(case)[0].trades] == [1, 2]


@pytest.mark.parametrize(("excess", "trades"), [(1e-10, 1), (1e-8, 0)])
def test_the_leverage_gives_way_to_rounding_only(excess, trades):
    case = case_at([(0, 101), (1, 103)], [Order("long", 100 * (1 + excess))], [])

    assert differences(case) == []
    assert len(run_engine(case)[0].trades) == trades


@pytest.mark.parametrize(("price", "size_percent"), [(1.0, 5e-324), (1e9, 1e-318)])
def test_a_size_too_small_for_a_float_is_refused(price, size_percent):
    case = case_at([(0, price), (1, price)], [Order("long", size_percent)], [])
    case = replace(case, initial_balance=50.0)

    assert differences(case) == []
    assert [rejection.count for rejection in run_engine(case)[0].rejected] == [1]


def test_funding_in_the_hole_after_the_start_is_paid():
    case = case_at(
        [(0, 100), (18, 100)],
        [Order("long", 50)],
        timeframes=("5m",),
        start=MONDAY_MS + 2 * MINUTE_MS,
        funding=((MONDAY_MS + 3 * MINUTE_MS, 0.01),),
    )

    assert differences(case) == []


def test_hedged_positions_are_not_liquidated():
    # 6000 USD long, then 1500 % of the 400 that are left short: the sizes cancel out.
    orders = [Order("long", 600), Order("short", 1500)]
    case = case_at(
        [(0, 11), (1, 11)], orders, [], initial_balance=1000.0, fee_rate=0.1, max_leverage=100.0
    )

    assert differences(case) == []


def test_an_account_liquidated_without_costs_opens_nothing():
    case = case_at([(0, 7), (1, 0.25), (2, 1)], [Order("long", 150)], [Order("long", 100)])
    falling = Candle(MONDAY_MS + MINUTE_MS, 7, 7, 0.25, 0.25, 1.0)
    candles = (case.candles[0], falling, case.candles[2])
    case = replace(case, candles=candles, initial_balance=1000.0, max_leverage=2.0)

    reasons = [str(trade.exit_reason) for trade in run_engine(case)[0].trades]
    assert reasons == ["liquidation"]
