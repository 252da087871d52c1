"""Columns of numbers as text: every row reads as one number at a time would."""

import json

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from data.simulator.number_text import NumberColumn, rows_json
from data.simulator.render import decimal_text

LARGEST = 2**63 - 1


@st.composite
def tables(draw):
    count = draw(st.integers(1, 40))
    numbers = st.integers(0, 10 ** draw(st.integers(0, 18))) | st.integers(0, LARGEST)
    return [
        NumberColumn(
            np.array(draw(st.lists(numbers, min_size=count, max_size=count)), np.int64),
            draw(st.integers(0, 18)),
            draw(st.booleans()),
        )
        for _ in range(draw(st.integers(1, 5)))
    ]


def one_at_a_time(columns, *, last):
    rows = []
    for number in range(len(columns[0].units)):
        texts = [decimal_text(int(column.units[number]), column.decimals) for column in columns]
        shown = [
            f'"{text}"' if column.is_quoted else text
            for column, text in zip(columns, texts, strict=True)
        ]
        rows.append(f"[{','.join(shown)},{last}]")
    return f"[{','.join(rows)}]"


@settings(max_examples=200, deadline=None)
@given(tables())
def test_rows_read_as_one_number_at_a_time_would(columns):
    assert rows_json(columns, last='"0"') == one_at_a_time(columns, last='"0"')


def test_small_numbers_keep_their_decimals():
    columns = [NumberColumn(np.array([0, 5, 123456789]), 8)]

    assert json.loads(rows_json(columns, last="1")) == [
        ["0.00000000", 1],
        ["0.00000005", 1],
        ["1.23456789", 1],
    ]


def test_no_rows_are_an_empty_array():
    assert rows_json([NumberColumn(np.array([], np.int64))], last="0") == "[]"
