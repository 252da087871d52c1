"""Pictures of alerts: drawn once, within their time, and never in an alert's way."""

import asyncio
import logging

import pytest

from bot.alert_pictures import AlertPictures
from bot.charts.errors import ChartUnavailable, NothingToDraw, RenderFailed
from data.storage.records import OutboxMessage

CLOSE = "trade_close"


def message(number, place="channel", kind=CLOSE):
    return OutboxMessage(
        id=number,
        dedupe_key=f"forward:1:{number}@{place}",
        kind=kind,
        test_id=1,
        channel=place,
        payload={"id": number},
        created_at=0,
        attempts=0,
        next_attempt_at=0,
        sent_at=None,
        abandoned_at=None,
        last_error=None,
    )


class Renderer:
    """Draws what it is given; `errors` come first, `gate` holds all up."""

    def __init__(self):
        self.drawn = []
        self.errors = []
        self.gate = asyncio.Event()
        self.gate.set()

    async def render(self, figure):
        self.drawn.append(figure)
        await self.gate.wait()
        if self.errors:
            raise self.errors.pop(0)
        return f"png of {figure}".encode()


class Clock:
    """Seconds that pass when a test says so."""

    def __init__(self):
        self.now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def renderer():
    return Renderer()


@pytest.fixture
def clock():
    return Clock()


async def sketch(found):
    return f"trade {found.payload['id']}"


@pytest.fixture
def pictures(renderer, clock):
    return AlertPictures(renderer, {CLOSE: sketch}, limit_s=30.0, clock=clock)


def warnings(caplog):
    return [r.getMessage() for r in caplog.records if r.levelno >= logging.WARNING]


async def test_every_alert_of_a_kind_with_pictures_gets_one(pictures):
    found = await pictures.draw([message(1), message(2, kind="trade_open"), message(3)])

    assert found == {1: b"png of trade 1", 3: b"png of trade 3"}


async def test_channel_and_thread_share_a_picture_and_so_does_a_retry(pictures, renderer):
    first = await pictures.draw([message(1)])
    again = await pictures.draw([message(1)])
    thread = await pictures.draw([message(1, place="thread:1")])

    assert first == again == thread
    assert renderer.drawn == ["trade 1"]


async def test_only_the_last_pictures_are_kept(pictures, renderer):
    for number in range(40):
        await pictures.draw([message(number)])
    await pictures.draw([message(39)])
    assert len(renderer.drawn) == 40
    await pictures.draw([message(0)])
    assert len(renderer.drawn) == 41


async def test_what_is_not_drawn_in_time_is_left_out_and_there_for_the_next(renderer, caplog):
    pictures = AlertPictures(renderer, {CLOSE: sketch}, limit_s=0.05)
    renderer.gate.clear()
    assert await pictures.draw([message(1), message(2)]) == {}
    # A browser that hangs is not given more to do, and costs the next alert no time.
    assert await pictures.draw([message(3)]) == {}
    assert renderer.drawn == ["trade 2"]
    renderer.gate.set()
    await asyncio.gather(*pictures._drawing.values())
    assert await pictures.draw([message(2)]) == {2: b"png of trade 2"}
    assert warnings(caplog) == [
        "an alert goes out without its picture: not drawn within 0.05 seconds"
    ]


async def test_when_time_runs_out_in_a_batch_the_newest_have_theirs(renderer, clock):
    async def slow(found):
        clock.now += 3.0
        return f"trade {found.payload['id']}"

    pictures = AlertPictures(renderer, {CLOSE: slow}, limit_s=8.0, clock=clock)

    found = await pictures.draw([message(number) for number in range(1, 11)])

    assert list(found) == [10, 9, 8]


async def test_without_a_browser_it_is_logged_once_and_not_tried_again_for_a_while(
    pictures, renderer, clock, caplog
):
    renderer.errors = [ChartUnavailable("no browser")] * 2
    for number in range(5):
        assert await pictures.draw([message(number)]) == {}
    assert len(renderer.drawn) == 1
    clock.now += 601
    await pictures.draw([message(7)])
    assert len(renderer.drawn) == 2
    assert warnings(caplog) == ["an alert goes out without its picture: no browser"]


@pytest.mark.parametrize(
    "error", [RenderFailed("it broke"), NothingToDraw("it broke"), ZeroDivisionError("it broke")]
)
async def test_one_that_fails_does_not_keep_the_others_from_theirs(
    pictures, renderer, error, caplog
):
    caplog.set_level(logging.INFO)
    renderer.errors = [error]

    found = await pictures.draw([message(1), message(2)])

    assert list(found) == [1]
    told = [record.getMessage() for record in caplog.records]
    assert any("without its picture" in line for line in told)
    assert told[-1] == "alerts have their pictures again"


async def test_what_is_being_drawn_at_the_end_is_given_up(renderer):
    pictures = AlertPictures(renderer, {CLOSE: sketch}, limit_s=0.05)
    renderer.gate.clear()
    await pictures.draw([message(1)])

    await pictures.close()

    assert not [task for task in asyncio.all_tasks() if task.get_name().startswith("picture")]
