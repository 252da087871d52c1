"""Parameters as people type them."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from bot.errors import InvalidInput
from bot.services.params import parse_params

NAME = st.from_regex(r"[a-z_]{1,8}", fullmatch=True)
VALUE = st.from_regex(r"[A-Za-z0-9.+-]{1,8}", fullmatch=True)


@pytest.mark.parametrize(
    ("text", "found"),
    [
        (None, {}),
        ("  ", {}),
        ("a=1", {"a": "1"}),
        ("a=1 b=2.5", {"a": "1", "b": "2.5"}),
        ("a=1,b=x", {"a": "1", "b": "x"}),
        ("a=1\nb=2\n", {"a": "1", "b": "2"}),
        ("a = 1, b  =2", {"a": "1", "b": "2"}),
        ("a=b=c", {"a": "b=c"}),
    ],
)
def test_forms_that_are_understood(text, found):
    assert parse_params(text) == found


@pytest.mark.parametrize("text", ["a", "a=", "=1", "a=1 b", "a=1 a=2", "="])
def test_forms_that_are_not(text):
    with pytest.raises(InvalidInput):
        parse_params(text)


@given(st.dictionaries(NAME, VALUE, max_size=20), st.sampled_from([" ", ", ", "\n", ",  "]))
def test_what_is_written_is_read(params, separator):
    text = separator.join(f"{name}={value}" for name, value in params.items())

    assert parse_params(text) == params


@given(st.text(max_size=80))
def test_any_text_is_read_or_refused(text):
    with contextlib.suppress(InvalidInput):
        assert all(parse_params(text).values())
