import pytest

from bot.charts import theme


def texts(layout: dict) -> list[str]:
    return [annotation["text"] for annotation in layout["annotations"]]


def layout_of(results, medium=theme.PICTURE) -> dict:
    return theme.base_layout(results, theme.Frame(80), medium)


def test_the_header_names_strategy_market_period_and_outcome(build):
    results = build(days=30, trades=5)

    header = " | ".join(texts(layout_of(results)))

    assert "ma_crossover · BTC/USDT · binance" in header
    assert "2022-01-01 – 2022-01-31 UTC" in header
    assert "5 trades" in header
    assert f"drawdown −{results.metrics.max_drawdown_pct:.1f}%" in header


def test_one_trade_is_not_many(build):
    assert any(text.endswith("1 trade") for text in texts(layout_of(build(trades=1))))


def test_simulated_prices_are_labelled_as_such(build):
    assert "simulated prices" in texts(layout_of(build(exchange="simulated")))
    assert "simulated prices" not in texts(layout_of(build(exchange="binance")))


def test_the_label_leaves_room_for_the_buttons_of_a_page(build):
    results = build(exchange="simulated")

    on_picture, on_page = (layout_of(results, m) for m in (theme.PICTURE, theme.PAGE))

    shift = on_picture["annotations"][-1]["xshift"] - on_page["annotations"][-1]["xshift"]
    assert shift == theme.PAGE.toolbar


def test_a_long_strategy_name_is_cut_but_the_market_stays(build):
    title = texts(layout_of(build(strategy="x" * 90, symbol="1000PEPE/USDT:USDT")))[0]

    assert "…" in title
    assert "1000PEPE/USDT:USDT · binance" in title
    assert len(title) < 70


def test_names_are_never_read_as_markup(build):
    title = texts(layout_of(build(strategy="a<b>&c")))[0]

    assert "a&lt;b&gt;&amp;c" in title


def test_a_legend_of_few_names_takes_one_row():
    names = ["Equity", "Buy and hold"]

    assert "entrywidth" not in theme.legend(names, 700)
    assert theme.legend_height(theme.legend(names, 700), names) == 24


def test_a_legend_of_many_names_takes_columns_of_equal_width():
    names = [f"Stop loss {number}" for number in range(10)]

    legend = theme.legend(names, 700)

    columns = round(1 / legend["entrywidth"])
    assert 1 < columns < 10
    assert theme.legend_height(legend, names) == 24 * -(-10 // columns)


@pytest.mark.parametrize(
    ("bounds", "label"),
    [
        ((9_000, 12_000), "$12,000"),
        ((0.5, 0.9), "$0.90"),
        ((0, 5e8), "$999.9M"),
        ((-20, 5), "−$20"),
    ],
)
def test_the_axis_leaves_room_for_its_longest_label(bounds, label):
    assert theme.widest_label(*bounds, prefix="$") == label
