from itertools import pairwise

import pytest

from bot.charts.price_tags import Tag, spread, tag_annotations, tag_texts, tags_width


@pytest.mark.parametrize(
    "wanted",
    [
        [10.0, 11.0, 12.0, 300.0],
        [300.0, 299.0, 298.0, 297.0],
        [150.0] * 4,
        [0.0, 400.0, 0.0],
        [7.0],
    ],
)
def test_tags_keep_their_order_and_never_cover_each_other(wanted):
    placed = spread(wanted, gap=38.0, lowest=19.0, highest=371.0)

    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    heights = [placed[index] for index in order]
    assert all(after - before >= 38.0 - 1e-9 for before, after in pairwise(heights))
    assert heights[0] >= 19.0
    assert heights[-1] <= 371.0


def test_tags_with_room_stay_where_their_prices_are():
    assert spread([300.0, 50.0, 150.0], gap=38.0, lowest=19.0, highest=371.0) == [
        300.0,
        50.0,
        150.0,
    ]


def test_a_price_outside_of_the_axis_has_an_arrow():
    tags = [Tag("Stop", 90.0, "red"), Tag("Target", 130.0, "gold"), Tag("Entry", 100.0, "grey")]

    texts = tag_texts(tags, prefix="$", bounds=(95.0, 120.0))

    assert texts == ["Stop ↓ $90.00", "Target ↑ $130.00", "Entry $100.00"]
    assert tags_width(texts) > tags_width(texts[2:])


@pytest.mark.parametrize(
    ("prices", "bounds", "expected"),
    [
        ((2.3456, 2.3339), (2.32, 2.36), ["2.3456", "2.3339"]),
        ((0.123402, 0.123411), (0.12335, 0.12345), ["0.123402", "0.123411"]),
        ((0.00001234, 0.00001251), (0.0000120, 0.0000126), ["0.000012340", "0.000012510"]),
        ((43_210.5, 43_999.0), (43_000.0, 44_000.0), ["43,210.50", "43,999.00"]),
    ],
)
def test_prices_have_the_decimals_that_tell_them_apart(prices, bounds, expected):
    tags = [Tag("A", price, "red") for price in prices]

    assert tag_texts(tags, prefix="$", bounds=bounds) == [f"A ${text}" for text in expected]


def test_tags_stand_beside_the_plot_in_their_colours():
    tags = [Tag("Exit", 110.0, "#00ff00"), Tag("Entry", 100.0, "#ffffff")]

    first, second = tag_annotations(tags, ["Exit <1>", "Entry"], bounds=(90.0, 120.0), height=300)

    assert first["text"] == "<b>Exit &lt;1&gt;</b>"
    assert (first["bgcolor"], second["bgcolor"]) == ("#00ff00", "#ffffff")
    assert first["y"] == pytest.approx(2 / 3)
    assert second["y"] == pytest.approx(1 / 3)
