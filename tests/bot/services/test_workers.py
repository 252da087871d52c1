"""Worker processes: results, progress, errors, death and cancelling. Real processes."""

import asyncio
import os
import signal
import sys
import time
from pathlib import Path

import pytest

from bot.services.keeping import kept_by
from bot.services.workers import WorkerDied, WorkerPool
from engine.errors import InvalidRun


def add(numbers, report):
    for number in numbers:
        report(number)
    return sum(numbers)


def process_id(_, report):
    return os.getpid()


def fail(text, report):
    raise InvalidRun(text)


def fail_strangely(_, report):
    class Local(Exception):
        pass

    raise Local("can't be pickled")


def leave(code, report):
    sys.exit(code)


def die(_, report):
    os.kill(os.getpid(), signal.SIGKILL)


def wait_forever(path, report):
    report(os.getpid())
    signal.pause()


def wait_for_file(path, report):
    report(os.getpid())
    while not path.exists():
        time.sleep(0.005)


def count_calls(_, report):
    calls = kept_by(report, list)
    calls.append(report)
    return len(calls)


def read_expendability(_, report):
    return int(Path("/proc/self/oom_score_adj").read_text())


def is_alive(process):
    return Path(f"/proc/{process}").exists()


class Clock:
    """Seconds that pass when a test says so, with the timers of an event loop."""

    def __init__(self):
        self.now = 0.0
        self.timers = []

    def call_later(self, seconds, function):
        loop = asyncio.get_running_loop()
        self.timers.append(asyncio.TimerHandle(self.now + seconds, function, (), loop))
        return self.timers[-1]

    def advance(self, seconds):
        self.now += seconds
        due = [timer for timer in self.timers if timer.when() <= self.now]
        self.timers = [timer for timer in self.timers if timer not in due]
        for timer in due:
            if not timer.cancelled():
                timer._run()


@pytest.fixture(autouse=True)
def much_memory(monkeypatch):
    monkeypatch.setattr("bot.services.workers.memory_room", lambda: 8 * 2**30)


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
async def pool():
    async with WorkerPool(1) as workers:
        yield workers


async def test_results_and_progress_come_back_in_order(pool):
    told = []

    assert await pool.run(add, [1, 2, 3], on_progress=told.append) == 6
    assert told == [1, 2, 3]


async def test_a_process_is_used_again(pool):
    first = await pool.run(process_id, None)

    assert await pool.run(process_id, None) == first
    assert first != os.getpid()


async def test_errors_are_raised_here_with_the_worker_s_traceback(pool):
    with pytest.raises(InvalidRun, match="no candles") as caught:
        await pool.run(fail, "no candles")

    assert "in fail" in "".join(caught.value.__notes__)
    with pytest.raises(WorkerDied, match="Local: can't be pickled"):
        await pool.run(fail_strangely, None)
    assert await pool.run(add, [1]) == 1


async def test_a_killed_process_is_told_and_replaced(pool):
    with pytest.raises(WorkerDied, match="probably out of memory"):
        await pool.run(die, None)

    assert await pool.run(add, [2]) == 2


async def test_a_process_that_its_own_work_ended_is_no_matter_of_memory(pool):
    with pytest.raises(WorkerDied, match="exit code 3: the strategy, or a library") as told:
        await pool.run(leave, 3)
    assert "memory" not in str(told.value)


async def test_cancelling_kills_the_process_at_work(pool, tmp_path):
    begun = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(pool.run(wait_forever, tmp_path, on_progress=begun.set_result))
    process = await begun

    running.cancel()
    with pytest.raises(asyncio.CancelledError):
        await running

    assert not is_alive(process)
    assert await pool.run(add, [3]) == 3


async def test_work_waits_its_turn(pool):
    begun = asyncio.get_running_loop().create_future()
    running = asyncio.create_task(pool.run(wait_forever, None, on_progress=begun.set_result))
    await begun
    started = asyncio.Event()
    waiting = asyncio.create_task(pool.run(add, [4], on_start=started.set))
    await asyncio.sleep(0)
    assert not started.is_set()

    running.cancel()

    assert await waiting == 4
    assert started.is_set()


async def test_leaving_the_pool_ends_its_processes():
    async with WorkerPool(2) as pool:
        processes = [await pool.run(process_id, None)]

    assert not any(is_alive(process) for process in processes)


async def test_a_process_that_died_while_idle_is_replaced_unseen(pool):
    first = await pool.run(process_id, None)
    [idle] = list(pool._idle)
    os.kill(first, signal.SIGKILL)
    await asyncio.to_thread(idle.process.join)

    assert await pool.run(process_id, None) != first


async def test_a_process_that_has_grown_large_is_not_used_again(pool, monkeypatch):
    monkeypatch.setattr("bot.services.workers._LARGE_BYTES", 1)
    first = await pool.run(process_id, None)

    assert not is_alive(first)
    assert await pool.run(process_id, None) != first


async def test_memory_that_ends_takes_a_worker_before_the_bot(pool):
    own = int(await asyncio.to_thread(Path("/proc/self/oom_score_adj").read_text))

    assert await pool.run(read_expendability, None) == 800 > own


async def test_what_a_worker_keeps_lasts_as_long_as_its_process(pool):
    assert [await pool.run(count_calls, None) for _ in range(3)] == [1, 2, 3]

    with pytest.raises(WorkerDied):
        await pool.run(die, None)
    assert await pool.run(count_calls, None) == 1


def test_nothing_is_kept_outside_of_a_worker():
    assert kept_by(lambda value: None, list) is None


async def test_shared_memory_does_not_make_a_worker_large(pool, monkeypatch):
    usage = type("Usage", (), {"rss": 900 * 2**20, "shared": 700 * 2**20})
    process = type("Process", (), {"memory_info": lambda self: usage})
    monkeypatch.setattr("bot.services.workers.psutil.Process", lambda _: process())
    first = await pool.run(process_id, None)

    assert await pool.run(process_id, None) == first


async def test_a_process_without_work_is_ended_and_the_next_work_starts_another(clock):
    async with WorkerPool(1, idle_s=300.0, call_later=clock.call_later) as pool:
        first = await pool.run(process_id, None)
        clock.advance(299.0)
        assert await pool.run(process_id, None) == first
        clock.advance(299.0)
        assert is_alive(first)
        clock.advance(1.0)
        await asyncio.gather(*pool._endings)
        assert not is_alive(first)

        assert await pool.run(process_id, None) != first


async def test_a_process_at_work_is_not_idle_however_long_it_takes(clock):
    async with WorkerPool(1, idle_s=300.0, call_later=clock.call_later) as pool:
        process = await pool.run(process_id, None)
        begun = asyncio.get_running_loop().create_future()
        running = asyncio.create_task(pool.run(wait_forever, None, on_progress=begun.set_result))
        assert await begun == process

        clock.advance(3_000.0)

        assert is_alive(process)
        assert not pool._endings
        running.cancel()
        await asyncio.wait({running})


async def test_of_two_processes_the_one_that_is_not_needed_goes(clock):
    async with WorkerPool(2, idle_s=300.0, call_later=clock.call_later) as pool:
        loop = asyncio.get_running_loop()
        begun = [loop.create_future(), loop.create_future()]
        work = [
            pool.run(wait_for_file, Path(f"go-{n}"), on_progress=begun[n].set_result)
            for n in range(2)
        ]
        tasks = [asyncio.create_task(each) for each in work]
        processes = await asyncio.gather(*begun)
        for number, task in enumerate(tasks):
            await asyncio.to_thread(Path(f"go-{number}").touch)
            await task
        for _ in range(4):
            clock.advance(100.0)
            assert await pool.run(process_id, None) == processes[1]
        await asyncio.gather(*pool._endings)

        assert [is_alive(process) for process in processes] == [False, True]


async def test_where_memory_is_short_a_process_is_not_kept_for_the_next_work():
    rooms = [399 * 2**20, 400 * 2**20]
    async with WorkerPool(1, room=lambda: rooms.pop(0)) as pool:
        first = await pool.run(process_id, None)
        assert not is_alive(first)
        second = await pool.run(process_id, None)
        assert is_alive(second)


async def test_leaving_the_pool_stops_its_timers_and_waits_for_what_is_ending(clock):
    async with WorkerPool(1, idle_s=300.0, call_later=clock.call_later) as pool:
        first = await pool.run(process_id, None)
        clock.advance(300.0)
    assert not is_alive(first)

    async with WorkerPool(1, call_later=clock.call_later) as pool:
        await pool.run(process_id, None)
    assert all(timer.cancelled() for timer in clock.timers)
