import os

from bot.services.scheduled.cleanup import clean_up

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
