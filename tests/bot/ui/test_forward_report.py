"""The parity report as an embed: causes are named, corrected candles counted."""

import numpy as np
import pytest

from bot.services.forward.parity import Cause, ParityReport, TradePair
from bot.services.forward.ports import unstored
from bot.services.forward.rerun import Comparison
from bot.services.forward.session import ForwardConfig
from bot.ui.forward_report import report_embed
from bot.ui.theme import NEUTRAL
from data.storage.records import NewForwardTest
from engine.orders import ExitReason, Side, Trade
from engine.results import EquityCurve

START = 1_704_067_200_000
HOUR_MS = 3_600_000


def make_pair(cause):
    trade = Trade(
        1, Side.LONG, START, 100.0, START + HOUR_MS, 101.0, 1.0, 100.0, 1.0, 1.0, 0.1,
        ExitReason.SIGNAL,
    )  # fmt: skip
    return TradePair(trade, trade, cause, 0.0, 1.5)


@pytest.fixture
def embed_of():
    new = NewForwardTest(
        name="t",
        strategy="own",
        params={},
        symbol="BTC/USDT",
        exchange="binance",
        config=ForwardConfig(START - HOUR_MS, START).to_json(),
    )
    curve = EquityCurve(np.array([START], dtype=np.int64), np.array([10_000.0]))

    def made(*causes, revised=()):
        pairs = tuple(make_pair(cause) for cause in causes)
        report = ParityReport(START, START + HOUR_MS, pairs, revised)
        return report_embed(Comparison(unstored(new), report, curve, curve)).to_dict()

    return made


def fields(embed):
    return {field["name"]: field["value"] for field in embed["fields"]}


def test_corrected_candles_are_counted_and_named_as_the_cause(embed_of):
    found = fields(embed_of(Cause.REVISED, Cause.NONE, revised=(START, START + 60_000)))

    assert found["Revised candles"] == "2"
    assert found["Why they differ"] == "1 × revised candle"
    assert "revised candle" in found["Largest differences"]


def test_without_a_correction_nothing_is_said_of_any(embed_of):
    found = fields(embed_of(Cause.NONE))

    assert "Revised candles" not in found
    assert found["Exactly equal"] == "1"


def test_where_all_is_still_open_nothing_is_said_to_match(embed_of):
    embed = embed_of(Cause.OPEN)

    assert embed["title"] == "t: no closed trades yet, on either side"
    assert embed["color"] == NEUTRAL
