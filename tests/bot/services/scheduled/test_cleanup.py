import os

from bot.alerts import DiscordAlerter
from bot.services.scheduled.cleanup import ALERT_DAYS, clean_up, forget_alerts
from bot.services.scheduled.jobs import CLEANUP, make_jobs
from data.database import Database, NewForwardTest, NewMessage

DAY_S = 86_400
NOW = 1_710_000_000_000


def make(path, *, days):
    """Make a file, or a folder with one, that is some days old."""
    if path.suffix or path.name.startswith("jesse"):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("x")
    else:
        path.mkdir(parents=True)
        (path / "results.json").write_text("{}")
    when = NOW / 1000 - days * DAY_S
    os.utime(path, (when, when))
    return path


def test_what_is_too_old_goes_and_the_rest_stays(tmp_path):
    old = [
        make(tmp_path / "runs" / "0123456789abcdef", days=91),
        make(tmp_path / "logs" / "jesse.log.3", days=31),
        make(tmp_path / "backups" / ".jesse-20240101T000000Z.db.77.tmp", days=2),
    ]
    young = [
        make(tmp_path / "runs" / "fedcba9876543210", days=89),
        make(tmp_path / "logs" / "jesse.log.1", days=29),
        make(tmp_path / "backups" / ".jesse-20240102T000000Z.db.78.tmp", days=0),
    ]
    text = clean_up(tmp_path, now=NOW)
    assert [path.exists() for path in old] == [False] * 3
    assert [path.exists() for path in young] == [True] * 3
    assert "1 runs older than 90 days, 1 logs older than 30 days, 1 leftovers" in text


def test_what_is_not_jesse_s_own_is_never_deleted(tmp_path):
    kept = [
        make(tmp_path / "runs" / "my-notes", days=900),
        make(tmp_path / "logs" / "jesse.log", days=900),
        make(tmp_path / "logs" / "other.log", days=900),
        make(tmp_path / "backups" / "jesse-20200101T000000Z.db", days=900),
        make(tmp_path / "jesse.db", days=900),
        make(tmp_path / "candles" / "simulated", days=900),
    ]
    clean_up(tmp_path, now=NOW)
    assert all(path.exists() for path in kept)


def test_a_folder_that_is_not_there_is_clean(tmp_path):
    assert "0 runs" in clean_up(tmp_path / "nowhere", now=NOW)


async def store_alert(database, key, *, test_id=None):
    message = NewMessage(
        dedupe_key=key, kind="trade_close", channel="test", payload={}, test_id=test_id
    )
    return await database.append_message(message)


async def settle_all(database):
    """Send every other alert, mute the rest; return how many."""
    waiting = await database.take_due_messages(100)
    for message in waiting[::2]:
        await database.mark_message_sent(message.id)
    await database.mute_messages([message.id for message in waiting[1::2]], "off")
    return len(waiting)


async def test_alerts_are_forgotten_after_months_and_not_before(settings, market):
    time = [NOW]
    async with Database.open(settings.data_dir / "jesse.db", clock=lambda: time[0]) as database:
        for number in range(4):
            await store_alert(database, f"old {number}")
        count = await settle_all(database)
        await store_alert(database, "waits")
        alerter = DiscordAlerter(database, wake=list)
        jobs = make_jobs(settings, database, market, list, alerter, now=lambda: time[0])
        [clean] = [job for job in jobs if job.name == CLEANUP]

        time[0] += ALERT_DAYS * DAY_S * 1000
        assert "0 alerts" in await clean.work()
        time[0] += 1
        assert f"{count} alerts sent or muted over {ALERT_DAYS} days ago" in await clean.work()

        assert await store_alert(database, "old 0")
        assert not await store_alert(database, "waits")


async def test_a_living_test_s_last_trade_is_never_told_twice_however_old_it_is(settings):
    time = [NOW]
    async with Database.open(settings.data_dir / "jesse.db", clock=lambda: time[0]) as database:
        new = NewForwardTest(
            name="one",
            strategy="eager",
            params={},
            symbol="BTC/USDT",
            exchange="simulated",
            config={},
        )
        test = await database.create_forward_test(new)
        for step in range(3):
            time[0] += 1
            await store_alert(database, f"forward:{test.id}:{step}:0", test_id=test.id)
        await settle_all(database)
        time[0] += 1000 * ALERT_DAYS * DAY_S * 1000

        await forget_alerts(database, now=time[0])

        stored = [
            await store_alert(database, f"forward:{test.id}:{step}:0", test_id=test.id)
            for step in range(3)
        ]
        assert stored == [True, True, False]
