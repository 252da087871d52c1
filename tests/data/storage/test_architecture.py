"""All SQL lives in one place."""

import re
from pathlib import Path

IMPORT = re.compile(r"^\s*(import|from) (sqlite3|aiosqlite)\b", re.MULTILINE)
PROJECT = Path(__file__).resolve().parents[3]


def test_only_the_database_knows_sqlite():
    sources = [
        path.relative_to(PROJECT).as_posix()
        for package in ("bot", "data", "engine", "strategies")
        for path in (PROJECT / package).rglob("*.py")
        if IMPORT.search(path.read_text(encoding="utf-8"))
    ]

    assert sources
    assert [one for one in sources if not one.startswith("data/storage/")] == []
