"""What people are told without asking: `DiscordAlerter` puts alerts into the outbox.

Nothing is sent here (`bot.outbox` does that) and nothing rendered (`bot.ui.alerts`). Alerts of
a forward test's trades are stored by its steps, in the transaction of the trade itself.
"""

import asyncio
import hashlib
import logging
import secrets
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import asdict
from typing import Any

from bot.alert_routing import let_next_fault_pass
from bot.services.alert_kinds import BACK as BACK
from bot.services.alert_kinds import CONNECTION as CONNECTION
from bot.services.alert_kinds import FAULT as FAULT
from bot.services.alert_kinds import NOTE as NOTE
from bot.services.alert_kinds import PAUSED as PAUSED
from bot.services.alert_kinds import RECOVERY as RECOVERY
from bot.services.alert_kinds import RESUMED as RESUMED
from bot.services.alert_kinds import STALL as STALL
from bot.services.alert_kinds import START as START
from bot.services.alert_kinds import STOP as STOP
from bot.services.alert_kinds import SUMMARY_DAILY as SUMMARY_DAILY
from bot.services.alert_kinds import SUMMARY_WEEKLY as SUMMARY_WEEKLY
from bot.services.forward.alerts import TEST_CHANNEL
from bot.services.forward.health import BackAgain, Stalled
from bot.services.forward.runner import ForwardRunner
from bot.services.forward.service import WhileAway
from bot.services.summaries import Summary
from data.database import Database
from data.errors import StoreError
from data.storage.records import ForwardTest, ForwardTestStatus, NewMessage, StepRecord
from data.streams.events import ConnectionAlert

log = logging.getLogger(__name__)


class DiscordAlerter:
    """Writes alerts to be sent in order, once, however often the program dies.

    `wake` is called when there is something to send, `touch` with the id of a test whose figures
    changed; `shout` says something at once where even the database fails.
    """

    def __init__(
        self,
        database: Database,
        *,
        wake: Callable[[], None],
        touch: Callable[[int], None] | None = None,
        shout: Callable[[str], Awaitable[None]] | None = None,
    ) -> None:
        self._database = database
        self._wake = wake
        self._touch = touch or _nothing
        self._shout = shout
        self._away: list[tuple[ForwardTest, WhileAway]] = []
        self._tasks: set[asyncio.Task[None]] = set()

    async def close(self) -> None:
        """Wait until everything noted is in the outbox."""
        if self._tasks:
            await asyncio.wait(set(self._tasks))

    async def send_alert(
        self, text: str, *, title: str = "Notice", is_problem: bool = False
    ) -> None:
        """Tell the channel something."""
        payload = {"title": title, "text": text, "is_problem": is_problem}
        await self._put(NOTE, f"note:{secrets.token_hex(8)}", payload)

    async def on_strategy_start(self, test: ForwardTest, *, timeframes: Sequence[str]) -> None:
        """Tell that a test has started."""
        payload = {
            **_facts(test),
            "params": dict(test.params),
            "timeframes": list(timeframes),
            "initial_balance": test.config["initial_balance"],
            "by": test.created_by,
        }
        await self._put(START, f"forward:{test.id}:start", payload, test)

    async def on_strategy_stop(
        self, test: ForwardTest, *, equity: float, left_open: int, by: int | None = None
    ) -> None:
        """Tell that a test has ended for good; `left_open` positions were left as they are."""
        payload = {
            **_facts(test),
            "equity": equity,
            "initial_balance": test.config["initial_balance"],
            "trades": await self._database.count_trades(test.id),
            "left_open": left_open,
            "by": by,
        }
        await self._put(STOP, f"forward:{test.id}:stop", payload, test)

    async def on_strategy_paused(self, test: ForwardTest, *, by: int | None = None) -> None:
        """Tell that a test opens nothing new, or does so again."""
        kind = PAUSED if test.status is ForwardTestStatus.PAUSED else RESUMED
        key = f"forward:{test.id}:{kind}:{secrets.token_hex(8)}"
        await self._put(kind, key, {**_facts(test), "by": by}, test)

    async def on_daily_summary(self, summary: Summary) -> bool:
        """Tell how a day went; return False when it was told before."""
        return await self._tell_summary(SUMMARY_DAILY, summary)

    async def on_weekly_summary(self, summary: Summary) -> bool:
        """Tell how a week went; return False when it was told before."""
        return await self._tell_summary(SUMMARY_WEEKLY, summary)

    async def on_error(self, test: ForwardTest, reason: str, *, positions: int = 0) -> None:
        """Tell that a test is faulted, and note that this fault was told."""
        mark = hashlib.blake2b(reason.encode(), digest_size=8).hexdigest()
        portfolio = await self._database.get_portfolio(test.id)
        step = portfolio.step if portfolio else 0
        payload = {**_facts(test), "reason": reason, "positions": positions}
        resumed = await self._database.get_setting(_resumed_key(test.id), 0)
        key = f"forward:{test.id}:fault:{resumed}:{step}:{mark}"
        message = _message(FAULT, key, payload, test)
        async with self._database.transaction() as transaction:
            await transaction.append_message(message)
            await transaction.set_setting(_told_key(test), mark)
        self._wake()

    async def on_stall(self, notice: Stalled | BackAgain) -> None:
        """Tell that a test gets no candles, or gets them again."""
        kind = STALL if isinstance(notice, Stalled) else BACK
        payload = {
            **_facts(notice.test),
            "last_open": notice.last_open,
            "silent_s": notice.silent_s,
        }
        key = f"forward:{notice.test.id}:{kind}:{notice.last_open}"
        await self._put(kind, key, payload, notice.test)
        self._touch(notice.test.id)

    async def on_attended(self, failed: Sequence[ForwardTest]) -> None:
        """Tell in one message what happened while the program was away, and of untold faults."""
        await self.close()
        away, self._away = self._away, []
        missed = [
            {"name": test.name, "symbol": test.symbol, **asdict(since)}
            for test, since in away
            if since.candles
        ]
        if missed or failed:
            left = [{"name": test.name, "reason": _why_left(test)} for test in failed]
            payload = {"tests": missed, "left": left}
            await self._put(RECOVERY, f"recovery:{secrets.token_hex(8)}", payload)
        for test in await self._database.list_forward_tests([ForwardTestStatus.FAULTED]):
            await self._tell_untold(test)

    def on_step(self, runner: ForwardRunner, record: StepRecord) -> None:
        """Wake the sender for the alerts that a step stored."""
        if record.alerts:
            self._wake()
            self._touch(record.test_id)

    def on_fault(self, runner: ForwardRunner, reason: str) -> None:
        """Tell that a test can't go on by itself."""
        test, positions = runner.session.test, runner.session.engine.portfolio.positions
        self._touch(test.id)
        self._spawn(self._fault(test, reason, len(positions)))

    def on_recovered(self, runner: ForwardRunner, away: WhileAway) -> None:
        """Remember what a test made up for, until all have done so."""
        self._away.append((runner.session.test, away))
        self._touch(runner.session.test.id)

    def on_connection(self, alert: ConnectionAlert) -> None:
        """Tell that the exchange can't be reached, or can be again."""
        payload = {**asdict(alert), "kind": str(alert.kind), "symbols": list(alert.symbols)}
        key = f"connection:{secrets.token_hex(8)}"
        self._spawn(self._put(CONNECTION, key, payload))

    async def _fault(self, test: ForwardTest, reason: str, positions: int) -> None:
        try:
            await self.on_error(test, reason, positions=positions)
        except StoreError as error:
            log.error("the fault of %s could not be stored: %s", test.name, error)
            if self._shout is not None:
                await self._shout(f"🛑 Forward test {test.name} is faulted: {reason}")

    async def _tell_untold(self, test: ForwardTest) -> None:
        """Tell of a fault that the end of the process kept from being told."""
        reason = test.fault or ""
        mark = hashlib.blake2b(reason.encode(), digest_size=8).hexdigest()
        if await self._database.get_setting(_told_key(test)) != mark:
            positions = await self._database.get_open_positions(test.id)
            await self.on_error(test, reason, positions=len(positions))

    async def _tell_summary(self, kind: str, summary: Summary) -> bool:
        payload = {**summary.to_json(), "time": summary.period.end}
        return await self._put(kind, f"{kind}:{summary.period.end}", payload)

    async def _put(
        self, kind: str, key: str, payload: Mapping[str, Any], test: ForwardTest | None = None
    ) -> bool:
        is_new = await self._database.append_message(_message(kind, key, payload, test))
        if is_new:
            self._wake()
        return is_new

    def _spawn(self, work: Coroutine[Any, Any, object]) -> None:
        task = asyncio.create_task(_logged(work))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)


async def forget_told_fault(database: Database, test: ForwardTest) -> None:
    """Let the next fault of a resumed test be told at once, even if it reads the same."""
    async with database.transaction() as transaction:
        resumed = await transaction.get_setting(_resumed_key(test.id), 0)
        await transaction.set_setting(_resumed_key(test.id), resumed + 1)
        await transaction.delete_setting(_told_key(test))
        await let_next_fault_pass(transaction, test.id)


async def _logged(work: Coroutine[Any, Any, object]) -> None:
    try:
        await work
    except Exception:
        log.exception("an alert could not be stored")


def _message(
    kind: str, key: str, payload: Mapping[str, Any], test: ForwardTest | None
) -> NewMessage:
    return NewMessage(
        dedupe_key=key,
        kind=kind,
        channel=TEST_CHANNEL,
        payload=payload,
        test_id=test.id if test else None,
    )


def _facts(test: ForwardTest) -> dict[str, Any]:
    return {
        "test": test.name,
        "strategy": test.strategy,
        "symbol": test.symbol,
        "exchange": test.exchange,
    }


def _why_left(test: ForwardTest) -> str:
    return test.fault or f"it runs on {test.exchange}: start the bot with EXCHANGE={test.exchange}"


def _told_key(test: ForwardTest) -> str:
    return f"forward:{test.id}:told_fault"


def _resumed_key(test_id: int) -> str:
    """Return where it is kept how often a test was resumed: what faults anew is told anew."""
    return f"forward:{test_id}:resumed"


def _nothing(test_id: int) -> None:
    """Take note of nothing."""
