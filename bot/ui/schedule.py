"""Scheduled work as embeds: the list, one job, one run. Pure."""

from collections.abc import Sequence
from typing import Final

import discord

from bot.services.scheduled.records import JobView, RunRecord
from bot.ui.formats import moment, plural, seconds
from bot.ui.limits import Card, Markup, clip, code, escape
from bot.ui.theme import ACCENT, GAIN, LOSS, NEUTRAL, WARNING

_TEXT: Final = 300


def schedule_embed(jobs: Sequence[JobView], kept: Sequence[str] = ()) -> discord.Embed:
    """Return all jobs: when each runs next, how its last run went; and symbols kept fresh."""
    fails = any(job.last.failures for job in jobs)
    card = Card("Scheduled work", colour=WARNING if fails else ACCENT)
    for job in jobs:
        lines = [escape(job.description), _next(job), Markup(f"Last: {last_run(job.last)}")]
        card.field(f"{_sign(job)} {job.name}", Markup("\n".join(lines)), inline=False)
    card.field_list("Kept fresh with /fetch keep", [escape(symbol) for symbol in kept])
    return card.footer("Times of the schedule are UTC; those shown here are yours.").build()


def paused_embed(job: JobView) -> discord.Embed:
    """Return what became of a job that was paused or resumed."""
    if job.last.is_paused:
        text = Markup("It runs no more by the clock, also after a restart, until it is resumed.")
        return Card(f"Paused: {job.name}", colour=NEUTRAL).describe(text).build()
    return Card(f"Resumed: {job.name}", colour=ACCENT).describe(_next(job)).build()


def run_embed(name: str, record: RunRecord | None) -> discord.Embed:
    """Return how a run went; None for one that still runs."""
    if record is None:
        text = Markup("It runs and may take a while; `/schedule list` tells how it went.")
        return Card(f"Running: {name}", colour=ACCENT).describe(text).build()
    word, colour = ("Failed", LOSS) if record.failures else ("Done", GAIN)
    return Card(f"{word}: {name}", colour=colour).describe(_text(record)).build()


def last_run(record: RunRecord, *, short: bool = False) -> Markup:
    """Return when a job ran last and what came of it, on one line; in short, only whether."""
    if record.started_at is None or record.text is None:
        return Markup("never yet")
    word = "failed" if record.failures else "done"
    if short:
        return Markup(f"{word} {moment(record.started_at, 'R')}")
    took = "" if record.took_s is None else f" in {seconds(record.took_s)}"
    often = f" ({plural(record.failures, 'failure')} in a row)" if record.failures > 1 else ""
    return Markup(f"{moment(record.started_at, 'R')} {word}{took}{often}: {_text(record)}")


def _next(job: JobView) -> Markup:
    if job.is_running:
        return Markup("Running now")
    when = Markup("paused") if job.next_run is None else moment(job.next_run, "R")
    return Markup(f"Next: {when} ({code(job.cron)})")


def _sign(job: JobView) -> str:
    if job.is_running:
        return "▶️"
    if job.last.is_paused:
        return "⏸️"
    return "⚠️" if job.last.failures else "🕒"


def _text(record: RunRecord) -> Markup:
    return escape(clip(record.text or "", _TEXT))
