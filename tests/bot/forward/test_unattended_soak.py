"""The soak of a day that nobody watches, for an hour; at full length it is `make soak`."""

import pytest

from tests.soak.unattended import differences, spend_in_peace, spend_under_fire

HOURS = 1.0


@pytest.mark.slow
async def test_nothing_is_lost_or_told_twice_whatever_goes_wrong(tmp_path):
    for name in ("peace", "fire"):
        (tmp_path / name).mkdir()
    peace = await spend_in_peace(tmp_path / "peace", hours=HOURS)
    fire = await spend_under_fire(tmp_path / "fire", hours=HOURS, seed=5, minute_s=0.05)

    assert differences(peace, fire.books) == []
    assert {books.status for books in fire.books.values()} == {"running"}
    assert fire.faults_told == 0
    assert fire.deaths == []
    assert fire.starts >= 3
    assert sum(fire.blows.values()) >= 12
    for told in (fire.channel, fire.threads):
        assert told.wanted > 10
        assert (told.lost, told.doubled, told.disordered) == ([], [], [])
