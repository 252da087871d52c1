import subprocess
import sys

import pytest

from bot.charts.chromium import find_chromium
from tests.conftest import PROJECT_ROOT


@pytest.mark.slow
@pytest.mark.browser
def test_a_first_look_shows_a_result_and_saves_it(tmp_path):
    if find_chromium() is None:
        pytest.skip("no browser is at hand to draw the pictures with")
    done = subprocess.run(
        [sys.executable, "-m", "bot", "demo", "--once"],
        cwd=PROJECT_ROOT,
        env={"PATH": "/usr/bin:/bin", "HOME": str(tmp_path), "DATA_DIR": str(tmp_path / "var")},
        capture_output=True,
        text=True,
        check=False,
        timeout=240,
    )
    assert done.returncode == 0, done.stderr
    assert "ma_crossover on BTC/USDT (simulated)" in done.stdout
    names = {path.name for path in (tmp_path / "var" / "demo").iterdir()}
    pictures, pages = {"equity.png", "trades.png"}, {"equity.html", "trades.html"}
    assert names == pictures | pages | {"channel.txt", "summary.txt"}
    for name in pictures:
        assert (tmp_path / "var" / "demo" / name).read_bytes().startswith(b"\x89PNG")
        assert f"saved: {tmp_path / 'var' / 'demo' / name}" in done.stdout
