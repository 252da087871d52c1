"""The status page. Pure."""

from collections.abc import Sequence
from typing import Final

import discord

from bot.services.scheduled.records import JobView
from bot.services.status import SeriesState, StatusReport
from bot.ui.formats import moment, plural, seconds, size
from bot.ui.limits import Card, Markup, clip, escape
from bot.ui.schedule import last_run
from bot.ui.theme import GAIN, WARNING

_LAGGING_S: Final = 0.5
_LOW_DISK_BYTES: Final = 1_000_000_000
_LISTED_SERIES: Final = 6


def status_embed(
    report: StatusReport,
    *,
    latency_s: float,
    active_jobs: int,
    max_jobs: int,
    schedule: Sequence[JobView] = (),
    forward: Sequence[Markup] = (),
) -> discord.Embed:
    """Return how the program is doing; the colour warns where something needs a look."""
    problems = _problems(report, schedule)
    card = Card("Needs a look" if problems else "All well", colour=WARNING if problems else GAIN)
    card.list([Markup(f"⚠️ {problem}") for problem in problems])
    card.field("Up for", Markup(seconds(report.uptime_s)))
    card.field("Gateway latency", Markup(_milliseconds(latency_s)))
    lag, worst = _milliseconds(report.loop_lag_s), _milliseconds(report.worst_lag_s)
    card.field("Event loop lag", Markup(f"{lag} (worst {worst})"))
    card.field("Exchange", _exchange(report))
    backtests = plural(max_jobs, "backtest")
    card.field("Jobs", Markup(f"{active_jobs:,} active, {backtests} at a time"))
    workers = f"\nworkers and browser ({plural(report.workers, 'process', 'processes')}):"
    workers += f" {size(report.workers_bytes)}"
    extra = workers if report.workers else ""
    card.field("Memory", Markup(f"{size(report.memory_bytes)}{extra}"))
    card.field_list("Forward tests", forward, more="tests")
    card.field("Disk", Markup(f"{size(report.disk_free_bytes)} free"))
    lines = [_series(state) for state in report.series[:_LISTED_SERIES]]
    card.field_list("Last candles", lines or [Markup("none cached yet")], more="series")
    card.field_list("Scheduled work", [_scheduled(job) for job in schedule])
    versions = " · ".join(f"{name} {number}" for name, number in report.versions.items())
    return card.footer(versions).build()


def _problems(report: StatusReport, schedule: Sequence[JobView]) -> list[str]:
    problems = []
    if report.exchange.problem is not None:
        text = escape(clip(report.exchange.problem, 500))
        problems.append(f"{escape(report.exchange.name)}: {text}")
    if report.worst_lag_s > _LAGGING_S:
        problems.append(f"the event loop was held up for {seconds(report.worst_lag_s)}")
    if report.disk_free_bytes < _LOW_DISK_BYTES:
        problems.append(f"only {size(report.disk_free_bytes)} of disk are free")
    for job in schedule:
        if job.last.failures:
            reason = escape(clip(job.last.text or "", 200))
            problems.append(f"scheduled {escape(job.name)} failed: {reason}")
    return problems


def _exchange(report: StatusReport) -> Markup:
    state = report.exchange
    if state.answered_s is None:
        last = state.last_answer
        since = f", last answer {moment(int(1000 * last), 'R')}" if last is not None else ""
        return Markup(f"{escape(state.name)}: no connection{since}")
    return Markup(f"{escape(state.name)} answers in {_milliseconds(state.answered_s)}")


def _series(state: SeriesState) -> Markup:
    key = state.key
    return Markup(f"{escape(key.symbol)} {key.timeframe}: {moment(state.last_close, 'R')}")


def _scheduled(job: JobView) -> Markup:
    when = Markup("paused") if job.next_run is None else moment(job.next_run, "R")
    if job.is_running:
        when = Markup("running")
    return Markup(f"{escape(job.name)}: {when}, last {last_run(job.last, short=True)}")


def _milliseconds(value_s: float) -> str:
    return f"{1000 * value_s:,.0f} ms" if value_s < float("inf") else "not connected"
