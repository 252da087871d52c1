"""Messages made of batches: what is attached, and what an alert adds from the database."""

import pytest

from bot.alert_writer import AlertWriter
from bot.transport import Batch, Unsendable
from data.database import Database
from data.storage.records import NewForwardTest, OutboxMessage
from engine.orders import ExitReason, Side, Trade

TIME = 1_704_067_200_000
CLOSE = {
    "test": "one", "strategy": "eager", "symbol": "BTC/USDT", "exchange": "binance", "time": TIME,
    "equity": 10_050.0, "recovered": False, "side": "long", "entry_time": TIME - 60_000,
    "entry_price": 100.0, "size": 1.0, "size_usd": 100.0, "exit_time": TIME, "exit_price": 101.0,
    "pnl": 1.0, "pnl_percent": 1.0, "fees": 0.1, "exit_reason": "signal",
}  # fmt: skip


class Pictures:
    """Has pictures of some alerts."""

    def __init__(self, *ids):
        self.ids = ids
        self.asked = 0

    async def draw(self, messages):
        self.asked += 1
        return {message.id: b"png" for message in messages if message.id in self.ids}


@pytest.fixture
async def database(tmp_path):
    async with Database.open(tmp_path / "jesse.db") as opened:
        yield opened


@pytest.fixture
async def test_id(database):
    new = NewForwardTest(
        name="one", strategy="eager", params={}, symbol="BTC/USDT", exchange="simulated",
        config={"initial_balance": 10_000.0},
    )  # fmt: skip
    test = await database.create_forward_test(new)
    for number in range(1, 5):
        trade = Trade(
            number, Side.LONG, TIME, 100.0, TIME + number, 101.0, 1.0, 100.0, number - 2.0, 1.0,
            0.1, ExitReason.SIGNAL,
        )  # fmt: skip
        await database.save_trade(test.id, trade)
    return test.id


def batch_of(test_id, *numbers, is_digest=False):
    messages = tuple(
        OutboxMessage(
            id=number, dedupe_key=f"k{number}@channel", kind="trade_close", test_id=test_id,
            channel="channel", payload={**CLOSE, "id": number}, created_at=TIME, attempts=0,
            next_attempt_at=0, sent_at=None, abandoned_at=None, last_error=None,
        )
        for number in numbers
    )  # fmt: skip
    return Batch("channel", messages, is_digest)


def shown(content):
    urls = [embed.image.url for embed in content["embeds"]]
    return urls, [file.filename for file in content.get("files", ())]


async def test_each_embed_shows_its_own_file(database, test_id):
    writer = AlertWriter(database, Pictures(1, 3))

    urls, names = shown(await writer.write(batch_of(test_id, 1, 2, 3), plainly=False))

    assert urls == ["attachment://alert-1.png", None, "attachment://alert-3.png"]
    assert names == ["alert-1.png", "alert-3.png"]


@pytest.mark.parametrize("plainly", [True, False])
async def test_plain_words_and_digests_have_no_pictures(database, test_id, plainly):
    pictures = Pictures(1, 2)
    writer = AlertWriter(database, pictures)
    batch = batch_of(test_id, 1, 2, is_digest=not plainly)

    content = await writer.write(batch, plainly=plainly)

    assert pictures.asked == 0
    assert [file.filename for file in content.get("files", ())] == (
        [] if plainly else ["alerts.csv"]
    )


async def test_pictures_can_be_left_out(database, test_id):
    pictures = Pictures(1)
    writer = AlertWriter(database, pictures)

    content = await writer.write(batch_of(test_id, 1), plainly=False, with_pictures=False)

    assert shown(content) == ([None], [])
    assert pictures.asked == 0
    alone = await AlertWriter(database).write(batch_of(test_id, 1), plainly=False)
    assert shown(alone) == ([None], [])


async def test_a_close_says_how_the_test_stood_at_that_trade(database, test_id):
    content = await AlertWriter(database).write(batch_of(test_id, 1, 3, 9), plainly=False)

    so_far = [embed.fields[-1].value for embed in content["embeds"]]
    assert so_far[0].startswith("1 trade, 0 % won\nnet −$1.00\n")
    assert so_far[1].startswith("3 trades, 33 % won\nnet $0.00\n")
    assert so_far[2] == "equity $10,050.00"


async def test_what_can_not_be_rendered_is_said(database, test_id):
    batch = batch_of(test_id, 1)
    del batch.messages[0].payload["pnl"]

    with pytest.raises(Unsendable, match="pnl"):
        await AlertWriter(database).write(batch, plainly=False)
