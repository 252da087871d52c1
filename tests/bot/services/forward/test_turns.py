import asyncio

from bot.services.forward.turns import Turns


async def watch(turns, count):
    """Let so many work at once; return how many worked at each look of the loop, and in order."""
    worked, order, looks = 0, [], []

    async def work(number):
        nonlocal worked
        await turns.take()
        worked += 1
        order.append(number)

    works = [asyncio.create_task(work(number)) for number in range(count)]
    while not all(each.done() for each in works):
        before = worked
        await asyncio.sleep(0)
        looks.append(worked - before)
    return looks, order


async def test_of_many_only_a_few_work_between_two_looks_of_the_loop():
    looks, order = await watch(Turns(at_once=3), 20)
    assert max(looks) == 3
    assert order == list(range(20))


async def test_one_alone_does_not_wait():
    turns = Turns(at_once=1)
    for _ in range(3):
        work = turns.take()
        try:
            work.send(None)
        except StopIteration:
            await asyncio.sleep(0)
        else:
            raise AssertionError("it waited")


async def test_who_is_stopped_while_waiting_takes_no_turn():
    turns, worked = Turns(at_once=1), []

    async def work(number):
        await turns.take()
        worked.append(number)

    works = [asyncio.create_task(work(number)) for number in range(5)]
    await asyncio.sleep(0)
    for stopped in works[1:4]:
        stopped.cancel()
    await asyncio.gather(*works, return_exceptions=True)
    assert worked == [0, 4]


async def test_turns_go_on_after_a_rest():
    turns = Turns(at_once=2)
    first, _ = await watch(turns, 5)
    await asyncio.sleep(0)
    again, order = await watch(turns, 5)
    assert max(first) == max(again) == 2
    assert order == list(range(5))
