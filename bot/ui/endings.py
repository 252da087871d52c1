"""What a job's message becomes when the job has ended. Pure: a view in, an ending out."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import discord

from bot.services.check_jobs import CheckOutcome
from bot.services.jobs import JobView
from bot.services.requests import BacktestOutcome, FetchOutcome, JobState
from bot.ui.buttons import run_buttons
from bot.ui.check import check_embed
from bot.ui.files import pack
from bot.ui.jobs import failed_embed, stopped_embed
from bot.ui.limits import FILE_BYTES
from bot.ui.results import EQUITY_PNG, TRADES_PNG, backtest_embeds, fetch_embed

_PICTURES: Final = {"equity": EQUITY_PNG, "trades": TRADES_PNG}


@dataclass(frozen=True, slots=True)
class Ending:
    """The last form of a job's message; `run_id` has buttons where there is a result."""

    embeds: tuple[discord.Embed, ...]
    files: Mapping[str, bytes] = field(default_factory=dict)
    run_id: str | None = None

    def view(self) -> discord.ui.View | None:
        """Return the buttons anew."""
        return run_buttons(self.run_id) if self.run_id else None

    def without_files(self) -> "Ending":
        """Return the same with no files, for where they can't be sent."""
        embeds = tuple(embed.copy().set_image(url=None) for embed in self.embeds)
        return Ending(embeds[:1], {}, self.run_id)


def ending_of(view: JobView, redact: Callable[[str], str] = str) -> Ending:
    """Return how a job that has ended is shown."""
    if view.state is JobState.FAILED:
        return Ending((failed_embed(view, redact),))
    if view.state is not JobState.DONE:
        return Ending((stopped_embed(view),))
    if isinstance(view.result, FetchOutcome):
        return Ending((fetch_embed(view.result),))
    if isinstance(view.result, CheckOutcome):
        return Ending((check_embed(view.result),))
    assert isinstance(view.result, BacktestOutcome)
    files = {_PICTURES[name]: data for name, data in view.result.pictures.items()}
    fitting = pack(files, FILE_BYTES).files
    ending = Ending(tuple(backtest_embeds(view.result)), files, view.result.report.results.run_id)
    return ending if fitting.keys() == files.keys() else ending.without_files()
