import pytest

from bot.errors import InvalidInput
from bot.services.grids import combine, count_sets, parse_grid


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("period=10:60:10", ("10", "20", "30", "40", "50", "60")),
        ("period=10:35:10", ("10", "20", "30")),
        ("period=3:5", ("3", "4", "5")),
        ("period=7:7", ("7",)),
        ("period=0.1:0.4:0.1", ("0.1", "0.2", "0.3", "0.4")),
        ("period=-1:1", ("-1", "0", "1")),
        ("period=1e1:2e1:5", ("10", "15", "20")),
        ("period=20", ("20",)),
        ("period = 20 | 50|80 ", ("20", "50", "80")),
        ("period=true|false,", ("true", "false")),
    ],
)
def test_ranges_include_their_last_value_and_lists_are_taken_as_they_are(text, values):
    assert parse_grid(text) == {"period": values}


def test_a_grid_is_combined_with_the_last_parameter_changing_fastest():
    grid = parse_grid("fast=1|2, slow=10:30:10")
    assert count_sets(grid) == 6
    assert combine(grid)[:4] == (
        {"fast": "1", "slow": "10"},
        {"fast": "1", "slow": "20"},
        {"fast": "1", "slow": "30"},
        {"fast": "2", "slow": "10"},
    )


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "no ranges given"),
        ("period", "is not name=values"),
        ("=3", "is not name=values"),
        ("period=", "is not name=values"),
        ("period=1,period=2", "given twice"),
        ("period=a:b", "in numbers"),
        ("period=1:2:3:4", "in numbers"),
        ("period=1:", "in numbers"),
        ("period=1:inf", "in numbers"),
        ("period=nan:2", "in numbers"),
        ("period=1:9:0", "step is above 0"),
        ("period=1:9:-1", "step is above 0"),
        ("period=9:1", "not below the first"),
        ("period=0:1000000:0.001", "more than 10,000 values"),
        ("period=0:10000", "more than 10,000 values"),
        ("period=1|1", "come twice"),
        ("period=1||2", "are empty"),
    ],
)
def test_what_can_not_be_read_is_told(text, message):
    with pytest.raises(InvalidInput, match=message):
        parse_grid(text)


@pytest.mark.parametrize(
    "text", ["1:1e999999:1e-9", "1:2:1e999999", "1e-99999:5", "1e99999:1e99999"]
)
def test_numbers_that_no_parameter_has_are_refused(text):
    with pytest.raises(InvalidInput, match="is not first:last:step in numbers"):
        parse_grid(f"a={text}")
