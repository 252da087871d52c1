import pytest

from bot.errors import BotError, InvalidInput, UnknownStrategy
from bot.services.forward.service import ForwardAsk
from data.errors import ExchangeUnavailable, UnknownSymbol
from engine.errors import InvalidParams, InvalidRun, StrategyFailed
from tests.soak.world import MINUTE_MS, World, open_world, settle

HOUR_MS = 60 * MINUTE_MS

HOLDER = '''
from engine import Field, MultiTimeframeData, Signal, Strategy, StrategyParams


class Holder(Strategy):
    """Buy at the first close and hold, with a stop that is near."""

    timeframes = ("5m",)
    history_ms = 86_400_000

    class Params(StrategyParams):
        """Distances in percent."""

        stop_percent: float = Field(50, gt=0, lt=100)

    def on_init(self, data):
        self.calls = 0
        # init

    def on_candle(self, data, portfolio):
        self.calls += 1
        # candle
        if portfolio.has_position or self.calls > 1:
            return []
        price = data["5m"].latest.close
        return [Signal.open_long(50, stop_loss=price * (1 - self.params.stop_percent / 100))]

    def get_state(self):
        # get
        return {"calls": self.calls}

    def set_state(self, state):
        # set
        self.calls = state["calls"]
'''


def write_holder(folder, *, breaks=None, line="raise RuntimeError('it broke')"):
    """Write the strategy, broken in one of its methods, or sound."""
    text = HOLDER if breaks is None else HOLDER.replace(f"# {breaks}", line)
    (folder / "holder.py").write_text(text)
    return text.splitlines().index(f"        {line}") + 1 if breaks else None


@pytest.fixture
async def holding(tmp_path, strategies):
    """A world whose only strategy is `holder`."""
    write_holder(strategies)
    async with open_world(tmp_path, strategies=strategies, speed_up=20.0) as world:
        yield world


async def go(world: World, service, minutes: int):
    await world.until_subscribed(service)
    now = world.clock.now_ms() // MINUTE_MS * MINUTE_MS
    await world.advance(service, now + minutes * MINUTE_MS)


def ask(**changes):
    return ForwardAsk(**{"strategy": "holder", "symbol": "BTC/USDT", "ticks": False, **changes})


async def test_names_are_chosen_checked_and_never_taken_twice(holding):
    async with holding.process() as (service, _):
        names = [(await service.start(ask())).name for _ in range(3)]
        names.append((await service.start(ask(name="my-test_1"))).name)
        assert names == ["holder", "holder-2", "holder-3", "my-test_1"]
        for wrong in ("", "Big", "a b", "-x", "x" * 41, "x\n", "ünder"):
            with pytest.raises(InvalidInput, match="can't be a test's name"):
                await service.start(ask(name=wrong))
        with pytest.raises(InvalidInput, match="choose another name"):
            await service.start(ask(name="my-test_1"))
        assert len(await service.tests()) == 4


@pytest.mark.parametrize(
    ("changes", "error", "text"),
    [
        ({"strategy": "nobody"}, UnknownStrategy, "there are holder"),
        ({"symbol": "NOPE/USDT"}, UnknownSymbol, "NOPE/USDT"),
        ({"symbol": "!!"}, UnknownSymbol, "no symbol"),
        ({"params": {"stop": "1"}}, InvalidParams, "unknown parameter stop"),
        ({"params": {"stop_percent": "0"}}, InvalidParams, "greater than 0"),
        ({"initial_balance": 0.0}, InvalidRun, "initial balance"),
        ({"initial_balance": -5.0}, InvalidRun, "initial balance"),
    ],
)
async def test_bad_input_makes_no_test(holding, changes, error, text):
    async with holding.process() as (service, database):
        with pytest.raises(error, match=text):
            await service.start(ask(**changes))
        assert await database.list_forward_tests() == []
        assert service.runners() == []


async def test_an_end_that_has_passed_is_refused(holding):
    async with holding.process() as (service, _):
        with pytest.raises(InvalidInput, match="has passed"):
            await service.start(ask(), until=holding.clock.now_ms() - 1)


async def test_a_strategy_that_cant_begin_makes_no_test(holding, strategies):
    line = write_holder(strategies, breaks="init")
    async with holding.process() as (service, _):
        with pytest.raises(StrategyFailed, match=rf"holder.py, line {line}, in on_init"):
            await service.start(ask())
        assert await service.tests() == []


@pytest.mark.parametrize(
    ("place", "line", "text"),
    [
        ("get", "return {'calls': {1, 2}}", "the state of holder can't be stored: .*set"),
        ("get", "return {'calls': self.missing}", "Holder raised AttributeError.*holder.py, line"),
        ("set", "state['missing']", "Holder.set_state raised KeyError: 'missing'.*holder.py, line"),
    ],
)
async def test_a_strategy_that_could_not_come_back_makes_no_test(
    holding, strategies, place, line, text
):
    write_holder(strategies, breaks=place, line=line)
    async with holding.process() as (service, _):
        with pytest.raises(StrategyFailed, match=text):
            await service.start(ask())
        assert await service.tests() == []


async def test_a_test_is_paused_and_resumed_and_stays_so_across_restarts(holding):
    async with holding.process() as (service, _):
        await service.start(ask(name="t"))
        assert (await service.pause("t")).status == "paused"
        with pytest.raises(InvalidInput, match="is paused"):
            await service.pause("t")
        await go(holding, service, 20)
    async with holding.process() as (service, database):
        assert await service.recover() == []
        [test] = await service.tests()
        assert test.status == "paused"
        assert not service.positions(test)
        assert (await service.resume("t")).status == "running"
        with pytest.raises(InvalidInput, match="is running already"):
            await service.resume("t")
        refused = await database.get_events(test.id, kind="signal_rejected")
        assert refused[0].details == {"reason": "entries are paused"}
    async with holding.process() as (service, _):
        await service.recover()
        [test] = await service.tests()
        assert test.status == "running"
        assert not service.runner(test).session.entries_paused


async def test_a_pause_that_was_stored_by_half_is_made_whole(holding):
    async with holding.process() as (service, database):
        test = await service.start(ask(name="t"))
        runner = service.runner(test)
        # As if the process had died between the step and the status.
        await runner.order(lambda: runner.session.set_paused(True, 0))
        assert (await database.find_forward_test("t")).status == "running"
    async with holding.process() as (service, _):
        await service.recover()
        assert (await service.find("t")).status == "paused"


async def test_stopping_closes_positions_or_leaves_them(holding):
    async with holding.process() as (service, database):
        one = await service.start(ask(name="one"))
        two = await service.start(ask(name="two"))
        await go(holding, service, 12)
        assert service.positions(one)
        assert service.positions(two)
        assert (await service.stop("one", close_positions=True)).status == "stopped"
        await service.stop("two", close_positions=False)
        [trade] = [item.trade for item in await database.get_trades(one.id)]
        assert trade.exit_reason == "manual"
        assert await database.get_open_positions(one.id) == []
        assert await database.get_trades(two.id) == []
        assert len(await database.get_open_positions(two.id)) == 1
        for name in ("one", "two"):
            with pytest.raises(InvalidInput, match="was stopped"):
                await service.stop(name, close_positions=False)
            with pytest.raises(InvalidInput, match="was stopped"):
                await service.resume(name)
            with pytest.raises(InvalidInput, match="is stopped"):
                await service.pause(name)
        with pytest.raises(InvalidInput, match="no forward test 'nobody': there are one, two"):
            await service.stop("nobody", close_positions=False)
    async with holding.process() as (service, _):
        assert await service.recover() == []
        assert service.runners() == []


async def test_a_position_is_closed_by_hand_once(holding):
    async with holding.process() as (service, database):
        test = await service.start(ask(name="t"))
        await go(holding, service, 12)
        record = await service.close_position("t", 1)
        assert [trade.exit_reason for trade in record.trades] == ["manual"]
        with pytest.raises(InvalidRun, match="t has no open position 1"):
            await service.close_position("t", 1)
        assert len(await database.get_trades(test.id)) == 1
        kinds = [event.kind for event in await database.get_events(test.id)]
        assert kinds == ["manual_close"]


@pytest.mark.parametrize("place", ["candle", "get"])
async def test_a_strategy_that_breaks_rests_until_its_file_is_mended(holding, strategies, place):
    """It holds a position, breaks, is watched through a restart, and goes on when mended."""
    broken = "if self.calls == 3: raise RuntimeError('it broke')"
    line = write_holder(strategies, breaks=place, line=broken)
    async with holding.process() as (service, database):
        test = await service.start(ask(name="t", params={"stop_percent": "0.4"}))
        await go(holding, service, 17)
        faulted = await service.find("t")
        assert faulted.status == "faulted"
        assert f"it broke ({strategies / 'holder.py'}, line {line}" in faulted.fault
        assert holding.watcher.faults == [("t", faulted.fault)]
        assert service.positions(test)
        with pytest.raises(InvalidInput, match="is faulted"):
            await service.pause("t")
    (strategies / "holder.py").write_text("this is no Python")
    async with holding.process() as (service, database):
        assert await service.recover() == []
        assert (await service.find("t")).fault == faulted.fault
        with pytest.raises(StrategyFailed, match="can't be loaded"):
            await service.resume("t")
        assert (await service.find("t")).status == "faulted"
        await go(holding, service, 24 * 60)
        [trade] = [item.trade for item in await database.get_trades(test.id)]
        assert trade.exit_reason == "stop_loss"
        write_holder(strategies)
        resumed = await service.resume("t")
        assert (resumed.status, resumed.fault) == ("running", None)
        # The call that broke is not remembered, those before it are.
        state = await database.get_strategy_state(test.id)
        assert state["strategy_state"]["calls"] == 2
        await go(holding, service, 10)
        state = await database.get_strategy_state(test.id)
        assert state["strategy_state"]["calls"] > 2


@pytest.mark.parametrize("place", ["init", "set"])
async def test_a_strategy_that_breaks_at_the_restart_is_watched(holding, strategies, place):
    async with holding.process() as (service, _):
        test = await service.start(ask(name="t", params={"stop_percent": "0.4"}))
        await go(holding, service, 12)
        assert service.positions(test)
    line = write_holder(strategies, breaks=place)
    async with holding.process() as (service, database):
        await service.recover()
        faulted = await service.find("t")
        assert faulted.status == "faulted"
        assert f"line {line}" in faulted.fault
        await go(holding, service, 24 * 60)
        assert [i.trade.exit_reason for i in await database.get_trades(test.id)] == ["stop_loss"]
        write_holder(strategies)
        assert (await service.resume("t")).status == "running"


async def test_a_broken_test_takes_no_other_down(holding, strategies):
    write_holder(strategies)
    (strategies / "other.py").write_text(HOLDER.replace("Holder", "Other"))
    async with holding.process() as (service, _):
        await service.start(ask(name="a"))
        await service.start(ask(strategy="other", name="b"))
    (strategies / "holder.py").unlink()
    async with holding.process() as (service, _):
        await service.recover()
        assert {t.name: str(t.status) for t in await service.tests()} == {
            "a": "faulted",
            "b": "running",
        }


async def test_a_paused_test_that_breaks_comes_back_paused(holding, strategies):
    async with holding.process() as (service, _):
        await service.start(ask(name="t"))
        await service.pause("t")
    write_holder(strategies, breaks="set")
    async with holding.process() as (service, _):
        await service.recover()
        assert (await service.find("t")).status == "faulted"
        write_holder(strategies)
        assert (await service.resume("t")).status == "paused"
        assert (await service.resume("t")).status == "running"


async def test_several_tests_on_one_symbol_have_books_of_their_own(holding):
    async with holding.process() as (service, database):
        tests = [
            await service.start(ask(params={"stop_percent": str(stop)})) for stop in (0.1, 0.3, 50)
        ]
        await go(holding, service, 24 * 60)
        closed = [len(await database.get_trades(test.id)) for test in tests]
        balances = [(await database.get_portfolio(test.id)).balance for test in tests]
    assert closed == [1, 1, 0]
    assert len(set(balances)) == 3


async def test_while_the_exchange_is_away_nothing_is_faulted(holding):
    async with holding.process() as (service, _):
        await service.start(ask(name="t"))
        await go(holding, service, 12)
    await holding.exchange.set_faults(outage_until_ms=holding.clock.now_ms() + HOUR_MS)
    async with holding.process() as (service, _):
        [left] = await service.recover()
        assert (left.name, str(left.status)) == ("t", "running")
        assert service.runners() == []
        with pytest.raises(ExchangeUnavailable):
            await service.resume("t")
        await holding.exchange.set_faults(outage_until_ms=0)
        assert await service.recover() == []
        assert len(service.runners()) == 1


async def test_what_is_asked_for_under_a_known_name_must_be_the_same(holding):
    async with holding.process() as (service, _):
        test = await service.start(ask(name="t", params={"stop_percent": "5"}))
        service.check_same(test, ask(symbol=None, params={"stop_percent": "5.0"}))
        for changes, text in (
            ({"strategy": "other"}, "has strategy holder, not other"),
            ({"symbol": "ETH/USDT"}, "has symbol BTC/USDT, not ETH/USDT"),
            ({"initial_balance": 5.0}, "has balance 10000, not 5"),
            ({"params": {"stop_percent": "6"}}, "has stop_percent 5.0, not 6.0"),
        ):
            with pytest.raises(InvalidInput, match=text):
                service.check_same(test, ask(**changes))


async def test_positions_of_a_test_that_isnt_running_here_cant_be_closed(holding):
    async with holding.process() as (service, _):
        await service.start(ask(name="t"))
        await go(holding, service, 12)
    async with holding.process() as (service, _):
        with pytest.raises(BotError, match="is not running"):
            await service.stop("t", close_positions=True)
        assert (await service.find("t")).status == "running"
        assert (await service.stop("t", close_positions=False)).status == "stopped"


async def test_a_new_test_begins_with_the_minute_that_is_forming(holding):
    async with holding.process() as (service, database):
        test = await service.start(ask(name="t"))
        begun = holding.clock.now_ms() // MINUTE_MS * MINUTE_MS
        assert test.started_market_time == begun
        await go(holding, service, 2)
        await settle(service.runner(test))
        curve = await database.get_equity_curve(test.id)
        assert curve.time.tolist() == [begun + MINUTE_MS, begun + 2 * MINUTE_MS]
