import re

from bot.charts.equity import equity_figure
from bot.charts.html import page
from bot.charts.monthly import monthly_returns_figure
from bot.charts.theme import PAGE
from bot.charts.trades import trades_figure

TEN_MEBIBYTES = 10 * 1024 * 1024


def own_part(text: str) -> str:
    """The page without Plotly's script."""
    return re.sub(r"<script>.*?</script>", "", text, count=1, flags=re.DOTALL)


def test_a_page_is_complete_in_itself(build):
    text = page(equity_figure(build(), PAGE), "ma_crossover BTC/USDT equity")

    assert "plotly.js v" in text
    assert "Plotly.newPlot(" in text
    assert "<title>ma_crossover BTC/USDT equity</title>" in text


def test_a_page_loads_nothing_from_anywhere(build):
    part = own_part(page(trades_figure(build(), PAGE), "trades"))

    assert not re.search(r"""(src|href)\s*=\s*["']""", part)
    assert not re.search(r"https?://", part)


def test_a_page_of_five_thousand_trades_can_be_sent(build):
    text = page(trades_figure(build(days=1461, trades=5000), PAGE), "trades")

    assert len(text.encode()) < TEN_MEBIBYTES


def test_names_are_never_read_as_markup_or_script(build):
    results = build(strategy="</script><b>x")

    part = own_part(page(equity_figure(results, PAGE), f"{results.strategy} equity"))

    assert "</script><b>x" not in part
    assert "&lt;/script&gt;&lt;b&gt;x equity" in part


def test_a_page_can_be_zoomed_and_offers_no_upload(build):
    text = page(trades_figure(build(), PAGE), "trades")

    assert '"scrollZoom": true' in own_part(text)
    assert '"sendChartToCloud"' in own_part(text)
    assert "plot.ly" not in own_part(text)


def test_a_chart_with_a_height_of_its_own_keeps_it(build):
    figure = monthly_returns_figure(build(), PAGE)

    assert f"height: {figure.layout.height}px" in page(figure, "monthly")
