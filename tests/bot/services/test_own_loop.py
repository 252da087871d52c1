"""Coroutines in a thread of their own: results, errors, cancelling."""

import asyncio
import threading

import pytest

from bot.services.own_loop import on_this_loop, run_apart


async def test_work_runs_in_another_thread_and_gives_its_result():
    async def work():
        await asyncio.sleep(0)
        return threading.current_thread()

    assert await run_apart(work) is not threading.current_thread()


async def test_errors_come_through():
    async def work():
        raise ValueError("no")

    with pytest.raises(ValueError, match="no"):
        await run_apart(work)


async def test_cancelling_cancels_there_and_waits_for_it_to_let_go():
    begun, freed = asyncio.Event(), threading.Event()
    tell = on_this_loop(lambda _: begun.set())

    async def work():
        try:
            tell(None)
            await asyncio.Event().wait()
        finally:
            freed.set()

    running = asyncio.create_task(run_apart(work))
    await begun.wait()
    running.cancel()

    with pytest.raises(asyncio.CancelledError):
        await running
    assert freed.is_set()


async def test_calls_from_there_arrive_on_this_loop():
    seen: list[threading.Thread] = []
    done = asyncio.Event()

    def take(value):
        seen.append(threading.current_thread())
        done.set()

    call = on_this_loop(take)

    async def work():
        call(1)

    await run_apart(work)
    await done.wait()
    assert seen == [threading.current_thread()]
