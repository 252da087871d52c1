"""Jobs as embeds: the live progress, the list, and ends without a result. Pure."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import discord

from bot.services.jobs import JobView
from bot.services.requests import JobKind, JobState
from bot.ui.failures import explain, unexpected
from bot.ui.formats import bar, moment, plural, seconds
from bot.ui.limits import Card, Markup, clip, code, escape
from bot.ui.theme import ACCENT, LOSS, NEUTRAL, WAITING, WARNING

NAMES: Final[Mapping[JobKind, str]] = {
    JobKind.BACKTEST: "Backtest",
    JobKind.FETCH: "Fetch",
    JobKind.CHECK: "Check",
}
STATE_SIGNS: Final[Mapping[JobState, str]] = {
    JobState.QUEUED: "⏳",
    JobState.RUNNING: "▶️",
    JobState.DONE: "✅",
    JobState.FAILED: "❌",
    JobState.CANCELLED: "🚫",
    JobState.INTERRUPTED: "⚡",
}
_LISTED: Final = 15
_LEAST_STEPS: Final = 10


def title_of(view: JobView) -> str:
    """Return what a job is called."""
    return f"{NAMES[view.kind]}: {view.title}"


def progress_embed(view: JobView) -> discord.Embed:
    """Return how far a job is: its place in the queue, or stage, bar and remaining time."""
    if view.state is JobState.QUEUED:
        card = Card(title_of(view), colour=WAITING)
        return card.describe(queue_text(view.position)).footer(f"job {view.id}").build()
    progress = view.progress
    lines = [Markup(f"**{escape(progress.stage)}**")]
    # A stage of two or three steps has no share worth a bar.
    if progress.total >= _LEAST_STEPS:
        lines.append(bar(progress.fraction))
        lines.append(Markup(_counts(view)))
    card = Card(title_of(view), colour=ACCENT)
    return card.list(lines).footer(f"job {view.id}").build()


def queue_text(position: int) -> Markup:
    """Return where a job stands in the queue."""
    if position <= 1:
        return Markup("⏳ Next in the queue: it starts when a running job ends.")
    return Markup(f"⏳ Number {position} in the queue.")


def stopped_embed(view: JobView) -> discord.Embed:
    """Return the end of a job that was cancelled or interrupted."""
    word = "cancelled" if view.state is JobState.CANCELLED else "interrupted"
    card = Card(title_of(view), colour=NEUTRAL)
    return card.describe(Markup(f"🚫 It was {word}. Nothing is half done.")).build()


def failed_embed(view: JobView, redact: Any = str) -> discord.Embed:
    """Return the end of a job that failed; an unexpected error is named by the job's id."""
    assert view.error is not None
    text = explain(view.error, redact)
    card = Card(f"{title_of(view)} failed", colour=LOSS if text is None else WARNING)
    card.describe(text if text is not None else unexpected(view.id))
    return card.footer(f"job {view.id}").build()


def moved_embed(view: JobView, link: str) -> discord.Embed:
    """Return what a progress message says once its result came as a message of its own."""
    card = Card(title_of(view), colour=NEUTRAL)
    return card.describe(Markup(f"It has ended: [see the result]({link}).")).build()


def interrupted_embed(kind: str, request: Mapping[str, Any]) -> discord.Embed:
    """Return what the author of a job is told that a restart interrupted."""
    card = Card(f"{kind.capitalize()} interrupted", colour=WARNING)
    again = command_text(kind, request)
    return card.describe(
        Markup(f"I was restarted while it ran. To run it again:\n{code(again, 1000)}")
    ).build()


def command_text(kind: str, request: Mapping[str, Any]) -> str:
    """Return a request as a command to type."""
    names = {"initial_balance": "balance"}
    values = dict(request)
    params = values.pop("params", None) or {}
    if params:
        values["params"] = " ".join(f"{key}={value}" for key, value in params.items())
    given = [f"{names.get(key, key)}:{value}" for key, value in values.items() if value is not None]
    return f"/{kind} {' '.join(given)}".strip()


def job_list(views: Sequence[JobView]) -> discord.Embed:
    """Return running and recent jobs, those that run first."""
    active = [view for view in views if not view.state.is_final]
    ended = [view for view in views if view.state.is_final]
    card = Card("Jobs", colour=ACCENT if active else NEUTRAL)
    lines = [job_line(view) for view in active] or [Markup("Nothing is running.")]
    card.list(lines, more="jobs")
    card.field_list("Recent", [job_line(view) for view in ended[:_LISTED]], more="jobs")
    return card.build()


def job_line(view: JobView) -> Markup:
    """Return a job on one line."""
    who = f"<@{view.owner.user_id}>"
    head = f"{STATE_SIGNS[view.state]} `{view.id}` {escape(clip(title_of(view), 100))} · {who}"
    if view.state is JobState.QUEUED:
        return Markup(f"{head} · number {view.position} in the queue")
    if view.state is JobState.RUNNING:
        share = f" {view.progress.fraction:.0%}" if view.progress.total else ""
        return Markup(f"{head} · {escape(view.progress.stage)}{share}")
    when = moment(int((view.ended_at or view.created_at) * 1000), "R")
    return Markup(f"{head} · {view.state} {when}")


def _counts(view: JobView) -> str:
    progress = view.progress
    done = min(progress.done, progress.total)
    parts = [f"{done:,} of {plural(progress.total, 'candle')}"]
    if progress.remaining_s is not None and progress.remaining_s >= 1:
        parts.append(f"about {seconds(progress.remaining_s)} left")
    return " · ".join(parts)
