"""What people saw of alerts in Discord, against what was to be told. Knows no faults."""

import csv
import io
import re
import sqlite3
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from bot.outbox import MOST_EMBEDS
from bot.sandbox.server import SandboxDiscord
from bot.services.forward.alerts import TEST_CHANNEL, TRADE_CLOSE, TRADE_OPEN
from bot.ui.alerts import DIGEST_CSV

TRADES = (TRADE_OPEN, TRADE_CLOSE)
_MARK = re.compile(r"alert (\d+)$")
_PLAIN_MARK = re.compile(r"\(alert (\d+)\)")


@dataclass
class Told:
    """What was to be told of trades, and what was seen of it."""

    wanted: int = 0
    lost: list[str] = field(default_factory=list)
    doubled: list[str] = field(default_factory=list)
    disordered: list[str] = field(default_factory=list)
    messages: int = 0
    digests: int = 0


def seen_alerts(sandbox: SandboxDiscord) -> dict[bool, list[list[int]]]:
    """Return the alerts that each message tells of, in the channel (False) and elsewhere (True).

    What stood in a thread that was deleted since was seen, too.
    """
    found: dict[bool, list[list[int]]] = {False: [], True: []}
    for number in sorted(sandbox.state.versions):
        message = sandbox.state.versions[number][0]
        if message.author.id == sandbox.state.bot.id and (marks := _marks(message)):
            found[message.channel_id != sandbox.channel_id].append(marks)
    return found


def _marks(message: Any) -> list[int]:
    for file in message.attachments:
        if file.filename == DIGEST_CSV:
            lines = csv.DictReader(io.StringIO(file.data.decode()))
            return [int(line["alert"]) for line in lines]
    footers = [(embed.get("footer") or {}).get("text") or "" for embed in message.embeds]
    marks = [int(mark[1]) for text in footers if (mark := _MARK.search(text))]
    return marks + [int(mark) for mark in _PLAIN_MARK.findall(message.content)]


def compare(rows: list[sqlite3.Row], seen: dict[bool, list[list[int]]], *, is_thread: bool) -> Told:
    """Compare what was to be told with what was seen, in the channel or in threads.

    The channel must have an alert for each that a step stored; threads what was sent to them.
    """
    marks = [mark for each in seen[is_thread] for mark in each]
    counts = Counter(marks)
    told = Told(messages=len(seen[is_thread]))
    told.digests = sum(len(each) > MOST_EMBEDS for each in seen[is_thread])
    copies = {row["dedupe_key"]: row for row in rows if row["channel"] != TEST_CHANNEL}
    for row in rows:
        if row["channel"] != TEST_CHANNEL or row["kind"] not in TRADES:
            continue
        place = f"thread:{row['test_id']}" if is_thread else "channel"
        copy = copies.get(f"{row['dedupe_key']}@{place}")
        if is_thread and (copy is None or copy["sent_at"] is None):
            continue
        told.wanted += 1
        if copy is None or not counts[copy["id"]]:
            told.lost.append(row["dedupe_key"])
    told.doubled = [str(mark) for mark, count in counts.items() if count > 1]
    told.disordered = _disordered(rows, marks)
    return told


def _disordered(rows: list[sqlite3.Row], marks: list[int]) -> list[str]:
    """Return the places where alerts were not seen in the order in which they were stored."""
    place_of = {row["id"]: str(row["channel"]) for row in rows}
    by_place: dict[str, list[int]] = {}
    for mark in dict.fromkeys(marks):
        by_place.setdefault(place_of.get(mark, "nowhere"), []).append(mark)
    return [place for place, found in by_place.items() if found != sorted(found)]
