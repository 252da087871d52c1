"""Rows read from their text hold what decoding would give, and what isn't rows is left to it."""

import json

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from data.venues.base import columns_of_rows
from data.venues.binance import Binance
from data.venues.bybit import Bybit
from data.venues.row_text import RowText, decode_answer

NAMES = ("timestamp", "open", "high", "low", "close", "volume", "volume_delta")


def compact(value):
    return json.dumps(value, separators=(",", ":"))


def same(left, right):
    return all(
        np.array_equal(getattr(left, name), getattr(right, name), equal_nan=True)
        for name in NAMES
        if getattr(right, name) is not None
    )


numbers = (
    st.floats(allow_nan=False, allow_infinity=False).map(repr)
    | st.decimals(0, 10**12, places=8).map(str)
    | st.integers(0, 10**15).map(str)
)
rows_of_12 = st.lists(
    st.tuples(
        st.integers(0, 2**62),
        *[numbers] * 5,
        st.integers(0, 2**62),
        numbers,
        st.integers(0, 10**6),
        *[numbers] * 2,
        st.just("0"),
    ).map(list),
    min_size=1,
    max_size=12,
)


@given(rows_of_12)
def test_columns_are_those_of_the_decoded_rows(rows):
    text = RowText(compact(rows))

    assert text.columns([0, 1, 2, 3, 4, 5, 9]) is not None
    assert same(columns_of_rows(text, taker_buy_field=9), columns_of_rows(rows, taker_buy_field=9))


@given(rows_of_12, st.data())
def test_a_text_that_was_changed_reads_as_its_decoded_form_or_not_at_all(rows, data):
    text = compact(rows)
    place = data.draw(st.integers(0, len(text) - 1))
    letters = st.sampled_from('[]",0123456789.-e nul') | st.just("")
    changed = "[[" + (text[:place] + data.draw(letters) + text[place + 1 :])[2:]

    read = RowText(changed).columns([0, 1, 2, 3, 4, 5, 9])

    if read is not None:
        try:
            decoded = json.loads(changed)
        except ValueError:
            return  # damage in a field that isn't read
        expected = columns_of_rows(decoded)
        assert read[0].tolist() == expected.timestamp.tolist()
        assert np.array_equal(read[4], expected.close, equal_nan=True)


@given(st.text('[]",01.', max_size=30).map(lambda text: f"[[{text}]]"))
@example('[[1,"],[1,2]]')
@example('[[1,""],[1,"]]')
@example('[["],["]]')
@example("[[,],[,]]")
@example("[[]]")
def test_any_brackets_quotes_and_commas_can_be_looked_at(text):
    read = RowText(text).columns([0, 1])

    assert read is None or len(read[0]) == len(read[1])


@pytest.mark.parametrize(
    "text",
    [
        '[[1,"2"],[3]]',
        '[[1,"2"],[3,"4",5]]',
        '[[1,"2",9],[3],["4",5]]',
        '[[1,"2"],3,["4","5"]]',
        '[[1,"2"], [3,"4"]]',
        '[[1,null],[3,"4"]]',
        '[["1.5","2"]]',
        '[[1,"2"],[3,"4"]',
        '[[1,"2"],[3,"4]]',
        '[[1,2"],[3,"4"]]',
        "[[1]]",
        "[[",
    ],
)
def test_what_only_decoding_can_tell_is_left_to_it(text):
    assert RowText(text).columns([0, 1]) is None


@pytest.mark.parametrize(
    "number",
    [
        "+1",
        ".5",
        "-.5",
        "1.",
        "-1.",
        "1.e5",
        "1.E5",
        "01",
        "-01",
        "00",
        "00.5",
        "0x1F",
        "0x0",
        "1_000",
        "inf",
        "-inf",
        "nan",
        "Infinity",
        "-",
        "1e",
    ],
)
def test_a_number_that_json_forbids_is_left_to_decoding(number):
    for rows, fields in (([1, 5, 3], [0, 1]), ([5, 2, 3], [0, 2])):
        text = compact([rows, [7, 8, 9]]).replace("5", number)

        assert RowText(text).columns(fields) is None


@pytest.mark.parametrize(
    "number",
    ["0", "-0", "0.5", "-0.5", "0e5", "0E5", "10", "1e5", "1E+5", "1.5e-5", "100.0", "-12"],
)
def test_a_number_that_json_allows_is_read_from_the_text(number):
    columns = RowText(f'[[1,{number}],[2,"{number}"]]').columns([0, 1])

    assert columns[1].tolist() == [float(number)] * 2


@pytest.mark.parametrize(
    ("rows", "fields"),
    [
        ([[1, "x,y", "3", "4"], [2, "x,y", "5", "6"]], [0, 3]),
        ([[1, "x,,y", "3", "4"], [2, "x,,y", "5", "6"]], [0, 2]),
        ([[1, ",", "3", "4"]], [0, 3]),
        ([[1, '","', "3", "4"]], [0, 3]),
        ([[1, ",", {"a": 2}, "3", "4"]], [0, 4]),
        ([[1, "a\\", "3", "4"]], [0, 2]),
        ([[1, {"a": 2, "b": 3}, 4, 5]], [0, 3]),
        ([[1, {"a": "2", "b": "3"}, 4, 5]], [0, 3]),
    ],
)
def test_commas_inside_of_a_field_never_move_the_others(rows, fields):
    columns = RowText(compact(rows)).columns(fields)

    expected = [[row[field] for row in rows] for field in fields]
    assert columns is None or [column.tolist() for column in columns] == [
        expected[0],
        list(map(float, expected[1])),
    ]


def test_a_price_that_is_null_is_not_a_number_and_a_missing_time_is_refused():
    row = [1, "1", "1", "1", "1", "1", 1, "1", 1, "1", "1", "0"]

    columns = Binance().parse_candles(RowText(compact([row, [2, None, *row[2:]]])))

    assert columns.timestamp.tolist() == [1, 2]
    assert np.isnan(columns.open).tolist() == [False, True]
    with pytest.raises(ValueError, match="missing"):
        Binance().parse_candles(RowText(compact([row, [None, *row[1:]]])))
    with pytest.raises(ValueError, match="Expecting"):
        Binance().parse_candles(RowText("[[1,2"))


def test_rows_are_left_as_text_only_where_the_exchange_has_them():
    rows = '[[1,"2"]]'

    assert decode_answer(rows, (), json.loads) == RowText(rows)
    assert decode_answer(rows, None, json.loads) == [[1, "2"]]
    assert decode_answer("[]", (), json.loads) == []
    assert decode_answer('{"a":[[1]]}', (), json.loads) == {"a": [[1]]}


def test_rows_within_an_envelope_are_found_by_their_name():
    rows = [["1670608860000", "17055", "17073", "17027", "17055.5", "268611", "15.74"]] * 2
    envelope = {"retCode": 0, "result": {"symbol": "X", "list": rows}, "retExtInfo": {}, "time": 1}

    answer = decode_answer(compact(envelope), ("result", "list"), json.loads)

    assert answer["result"].pop("list") == RowText(compact(rows))
    assert answer == envelope | {"result": {"symbol": "X"}}


@pytest.mark.parametrize("more", ['"list":[[5]]', '"note":"]]"', '"note":[[[6]]]'])
def test_what_follows_the_rows_in_an_envelope_is_no_part_of_them(more):
    text = f'{{"result":{{"list":[[1,"2"]]}},{more}}}'

    answer = decode_answer(text, ("result", "list"), json.loads)

    assert answer == json.loads(text) | {"result": {"list": RowText('[[1,"2"]]')}}


@pytest.mark.parametrize(
    "text",
    [
        '{"list":[[1,"2"]],"result":{}}',
        '{"result":{"list":[[1,[2]],[3]]}}',
        '{"result":{"list":[]}}',
        '{"result":{"list":null},"time":1}',
        '{"retCode":10001,"result":{}}',
        '{"result":[{"list":[[1]]}]}',
    ],
)
def test_an_envelope_of_another_shape_is_decoded_whole(text):
    assert decode_answer(text, ("result", "list"), json.loads) == json.loads(text)


def test_bybit_rows_in_text_are_turned_round():
    rows = [
        ["1670608860000", "17055", "17073", "17027", "17055.5", "268611", "15.74"],
        ["1670608800000", "17071", "17073", "17027", "17055.5", "268611", "15.74"],
    ]

    columns = Bybit().parse_candles({"result": {"list": RowText(compact(rows))}})

    assert columns.timestamp.tolist() == [1670608800000, 1670608860000]
    assert columns.open.tolist() == [17071.0, 17055.0]
