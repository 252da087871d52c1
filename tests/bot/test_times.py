import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from bot.times import parse_duration, parse_period, parse_time
from engine.candles import format_time
from engine.timeframe import DAY_MS

NOW = 1_704_067_200_000


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("2023-05-06", "2023-05-06T00:00:00Z"),
        ("2023-05", "2023-05-01T00:00:00Z"),
        ("2023-05-06T07:08", "2023-05-06T07:08:00Z"),
        ("2023-05-06T07:08:59Z", "2023-05-06T07:08:00Z"),
        ("2023-05-06T09:00+02:00", "2023-05-06T07:00:00Z"),
        ("1d", "2023-12-31T00:00:00Z"),
        ("90d", "2023-10-03T00:00:00Z"),
        ("1y", "2023-01-01T00:00:00Z"),
        ("12h", "2023-12-31T12:00:00Z"),
    ],
)
def test_a_moment_can_be_written_in_several_ways(text, expected):
    assert format_time(parse_time(text, name="start", end=NOW)) == expected


@pytest.mark.parametrize("text", ["", "soon", "2023-13-01", "90", "d", "2023/05/06", "1999-01-01"])
def test_what_is_no_time_is_refused_with_the_name_of_the_option(text):
    with pytest.raises(InvalidInput, match="start"):
        parse_time(text, name="start", end=NOW)


def test_lengths_count_back_from_the_end_that_was_given():
    start, end = parse_period("30d", "2023-06-01", latest=NOW)
    assert end - start == 30 * DAY_MS


def test_lengths_count_back_from_the_latest_candle_without_an_end():
    assert parse_period("30d", None, latest=NOW) == (NOW - 30 * DAY_MS, None)


def test_an_end_before_the_start_is_refused():
    with pytest.raises(InvalidInput, match="is not after start"):
        parse_period("2023-02", "2023-01", latest=NOW)


def test_nothing_given_means_nothing_asked():
    assert parse_period(None, None, latest=NOW) == (None, None)


def test_a_length_has_a_unit():
    assert parse_duration("2w") == 14 * DAY_MS
    assert parse_duration("2") is None


@given(st.text(max_size=30))
def test_any_text_is_a_time_or_one_clear_refusal(text):
    problem = None
    try:
        moment = parse_time(text, name="end", end=NOW)
    except InvalidInput as error:
        problem = str(error)
    assert (problem and "end" in problem) or moment % 60_000 == 0
