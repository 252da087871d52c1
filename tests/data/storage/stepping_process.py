"""A process that commits steps until it is killed: `stepping_process.py DATABASE [STEP STATEMENT]`.

It prints the number of each step that is stored. With STEP and STATEMENT it kills itself in that
step, as the first SQL statement that begins so is about to run.
"""

import asyncio
import os
import signal
import sys

from data.database import (
    Database,
    EquityMark,
    ForwardEvent,
    NewForwardTest,
    NewMessage,
    StepRecord,
)
from engine.orders import ExitReason, Position, Side, Trade

MINUTE_MS = 60_000


def make_step(test_id, n):
    """Make the step that the fixture `read_step` expects."""
    trade = Trade(
        n, Side.LONG, 1, 1.0, 2, 2.0, 1.0, 1.0, 1.0, 100.0, 0.1, ExitReason.SIGNAL, slippage=0.1
    )
    message = NewMessage(
        dedupe_key=str(n), kind="trade", channel="42", payload={"n": n}, test_id=test_id
    )
    return StepRecord(
        test_id=test_id,
        step=n,
        last_candle_time=n * MINUTE_MS,
        balance=1_000.0 + n,
        equity=2_000.0 + n,
        snapshot={"n": n, "state": list(range(n % 500))},
        positions=(Position(n + 1, Side.LONG, 1, 1.0, 1.0, 1.0, 0.1),),
        trades=(trade,),
        equity_marks=(EquityMark(n * MINUTE_MS, 2_000.0 + n),),
        events=(ForwardEvent(n * MINUTE_MS, "outage", {"n": n}),),
        alerts=(message,),
    )


async def main(path, last_step=None, statement=None):
    async with Database.open(path) as database:
        new = NewForwardTest(
            name="t", strategy="s", params={}, symbol="B", exchange="simulated", config={}
        )
        test_id = (await database.create_forward_test(new)).id
        step = 0

        def on_statement(sql):
            if str(step) == last_step and sql.strip().startswith(statement):
                os.kill(os.getpid(), signal.SIGKILL)

        if statement is not None:
            await database._writer.set_trace_callback(on_statement)
        while True:
            step += 1
            await database.commit_step(make_step(test_id, step))
            print(step, flush=True)


asyncio.run(main(*sys.argv[1:]))
