import subprocess
import sys
from pathlib import Path

import pytest

from bot.charts.errors import ChartUnavailable, UnknownFormat
from bot.charts.writer import ChartFiles

PNG = b"\x89PNG\r\n\x1a\n"


def test_results_draw_their_own_pages(build, tmp_path):
    results = build(days=5, trades=2).with_charts(ChartFiles(None))

    results.plot_equity_curve(tmp_path / "equity.html")
    results.plot_trades(tmp_path / "trades.HTML")

    assert "Buy and hold" in (tmp_path / "equity.html").read_text()
    assert "Long" in (tmp_path / "trades.HTML").read_text()


def test_without_a_browser_pages_are_written_and_a_notice_says_how_to_get_one(build, tmp_path):
    written = ChartFiles(None).write_all(build(days=5, trades=2), tmp_path / "new" / "charts")

    assert [path.name for path in written.paths] == ["equity.html", "trades.html", "monthly.html"]
    assert all(path.stat().st_size > 100_000 for path in written.paths)
    (notice,) = written.notices
    assert "apt-get install chromium" in notice


def test_without_a_browser_a_picture_is_refused_with_the_way_to_get_one(build, tmp_path):
    with pytest.raises(ChartUnavailable, match="CHROMIUM_PATH"):
        ChartFiles(None).write_equity(build(days=5), tmp_path / "equity.png")

    assert not (tmp_path / "equity.png").exists()


def test_a_browser_that_is_not_there_is_named(build, tmp_path):
    with pytest.raises(ChartUnavailable, match="no program at /nowhere/chromium"):
        ChartFiles(Path("/nowhere/chromium")).write_trades(build(days=5), tmp_path / "trades.png")


@pytest.mark.parametrize("name", ["equity.svg", "equity"])
def test_another_suffix_is_refused(build, tmp_path, name):
    with pytest.raises(UnknownFormat, match=f"{name}.*html or .png"):
        ChartFiles(None).write_equity(build(days=5), tmp_path / name)


@pytest.mark.browser
def test_every_chart_is_written_as_page_and_picture(build, tmp_path, chromium):
    written = ChartFiles(chromium).write_all(build(days=5, trades=2), tmp_path)

    names = [
        f"{name}.{kind}" for kind in ("html", "png") for name in ("equity", "trades", "monthly")
    ]
    assert [path.name for path in written.paths] == names
    assert written.notices == ()
    assert all(path.read_bytes().startswith(PNG) for path in written.paths[3:])


@pytest.mark.browser
def test_results_draw_their_own_picture(build, tmp_path, chromium):
    build(days=5, trades=2).with_charts(ChartFiles(chromium)).plot_trades(tmp_path / "trades.png")

    assert (tmp_path / "trades.png").read_bytes().startswith(PNG)


def test_importing_the_writer_costs_no_plotly_and_no_kaleido():
    code = "import sys, bot.charts.writer; print({'plotly', 'kaleido'} & set(sys.modules))"

    shown = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert shown.stdout.strip() == "set()"
