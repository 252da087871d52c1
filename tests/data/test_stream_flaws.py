"""Candles of a stream that can't be true are told from sound ones."""

from dataclasses import replace

import pytest

from data.venues.base_stream import find_flaw
from engine.candles import Candle

SOUND = Candle(1_735_741_800_000, 100.0, 110.0, 90.0, 105.0, 0.0)


def test_a_candle_without_volume_is_sound():
    assert find_flaw(SOUND) is None


@pytest.mark.parametrize(
    ("changes", "flaw"),
    [
        ({"close": float("nan")}, "not a number"),
        ({"volume": float("inf")}, "not a number"),
        ({"open": 0.0, "low": 0.0}, "not positive"),
        ({"low": -1.0}, "not positive"),
        ({"volume": -0.5}, "negative"),
        ({"high": 104.0}, "outside"),
        ({"low": 101.0}, "outside"),
    ],
)
def test_a_flaw_is_named(changes, flaw):
    assert flaw in find_flaw(replace(SOUND, **changes))
