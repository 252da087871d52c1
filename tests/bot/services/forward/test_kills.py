import pytest

from tests.soak.kills import trade_in_peace, trade_under_fire

HOURS = 8


@pytest.mark.slow
async def test_a_test_that_is_killed_again_and_again_loses_and_repeats_nothing(tmp_path):
    for name in ("peace", "fire"):
        (tmp_path / name).mkdir()
    peace = await trade_in_peace(tmp_path / "peace", hours=HOURS)
    fire = await trade_under_fire(tmp_path / "fire", kills=20, hours=HOURS, seed=1)
    assert fire.trades == peace.trades
    assert fire.curve == peace.curve
    assert fire.positions == peace.positions
    assert fire.state == peace.state
    assert fire.balance == peace.balance
    assert fire.alerts == peace.alerts
    assert len(fire.keys) == len(set(fire.keys))
    assert len(fire.trades) > 15
    assert fire.recovered > 0
