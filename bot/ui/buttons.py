"""The buttons of jobs and results, and the rows they stand in. Each does one thing, see `press`."""

import asyncio
from typing import Any, ClassVar, Final

import discord
from discord import ButtonStyle
from discord.ui import Button, DynamicItem

from bot.permissions import Access
from bot.services.forward.service import ForwardAsk
from bot.services.jobs import JobView
from bot.ui.components import Interaction, Pressable, row_of, services_of
from bot.ui.files import pack
from bot.ui.forward import begun_embed
from bot.ui.limits import BUTTONS as MOST_BUTTONS
from bot.ui.limits import Markup
from bot.ui.replies import respond, settle
from bot.ui.run_again import RunAgainForm

_RUN: Final = r"jesse:run:(?P<key>[0-9a-f]{16}):"
_JOB: Final = r"jesse:job:(?P<key>[0-9a-f]{8}):"
_CSV_INSTEAD: Final = "Press Trades CSV for the trades as a table."


class CancelJob(Pressable, DynamicItem[Button[Any]], template=_JOB + "cancel"):
    """Cancels a job; its message tells how it ended."""

    access: ClassVar[Access] = Access.OPERATE
    form: ClassVar[str] = "jesse:job:{key}:cancel"
    label: ClassVar[str] = "Cancel"
    style: ClassVar[ButtonStyle] = ButtonStyle.danger

    async def press(self, interaction: Interaction) -> None:
        """Cancel, and confirm to the person who pressed."""
        services = services_of(interaction)
        job = services.jobs.cancel(self.key)
        details = {"job": self.key, "title": job.view.title}
        await services.audit.record(interaction.user, "cancel", details=details)
        await respond(interaction, content=f"🚫 Job `{self.key}` is cancelled.", ephemeral=True)


class TradesCsv(Pressable, DynamicItem[Button[Any]], template=_RUN + "csv"):
    """Sends a run's trades as CSV."""

    access: ClassVar[Access] = Access.READ
    form: ClassVar[str] = "jesse:run:{key}:csv"
    label: ClassVar[str] = "Trades CSV"
    emoji: ClassVar[str | None] = "📄"

    async def press(self, interaction: Interaction) -> None:
        """Send the file to the person who pressed."""
        await _send_files(interaction, self.key, {"trades.csv": f"trades-{self.key}.csv"})


class Charts(Pressable, DynamicItem[Button[Any]], template=_RUN + "html"):
    """Sends a run's charts as pages to zoom and hover in."""

    access: ClassVar[Access] = Access.READ
    form: ClassVar[str] = "jesse:run:{key}:html"
    label: ClassVar[str] = "Interactive charts"
    emoji: ClassVar[str | None] = "📈"

    async def press(self, interaction: Interaction) -> None:
        """Send the pages to the person who pressed."""
        names = {f"{name}.html": f"{name}-{self.key}.html" for name in ("equity", "trades")}
        word = Markup("Download and open them in a browser.")
        await _send_files(interaction, self.key, names, word=word)


class Heatmap(Pressable, DynamicItem[Button[Any]], template=_RUN + "monthly"):
    """Shows a run's returns by month."""

    access: ClassVar[Access] = Access.READ
    form: ClassVar[str] = "jesse:run:{key}:monthly"
    label: ClassVar[str] = "Monthly returns"
    emoji: ClassVar[str | None] = "🗓️"

    async def press(self, interaction: Interaction) -> None:
        """Draw the picture and send it to the person who pressed."""
        services = services_of(interaction)
        drawing = services.research.picture(services.runs, self.key, "monthly")
        picture = await settle(interaction, drawing, ephemeral=True)
        parcel = pack({f"monthly-{self.key}.png": picture}, file_limit(interaction))
        content = "\n".join(parcel.notices) or None
        await respond(interaction, content=content, files=parcel.attachments(), ephemeral=True)


class RunAgain(Pressable, DynamicItem[Button[Any]], template=_RUN + "again"):
    """Opens a form with a run's parameters."""

    access: ClassVar[Access] = Access.OPERATE
    form: ClassVar[str] = "jesse:run:{key}:again"
    label: ClassVar[str] = "Run again…"
    emoji: ClassVar[str | None] = "🔁"
    style: ClassVar[ButtonStyle] = ButtonStyle.primary

    async def press(self, interaction: Interaction) -> None:
        """Open the form."""
        services = services_of(interaction)
        ask = await asyncio.to_thread(services.runs.ask, self.key)
        summary = await asyncio.to_thread(services.runs.summary, self.key)
        info = await services.research.strategy(ask.strategy)
        form = RunAgainForm(self.key, ask, info.params, summary["params"])
        await interaction.response.send_modal(form)
        interaction.extras["answered"] = True


class StartForward(Pressable, DynamicItem[Button[Any]], template=_RUN + "forward"):
    """Starts a forward test with what a run was asked with, its period apart."""

    access: ClassVar[Access] = Access.OPERATE
    form: ClassVar[str] = "jesse:run:{key}:forward"
    label: ClassVar[str] = "Forward test"
    emoji: ClassVar[str | None] = "▶️"
    style: ClassVar[ButtonStyle] = ButtonStyle.success

    async def press(self, interaction: Interaction) -> None:
        """Start the test; its thread follows."""
        services = services_of(interaction)
        ask = await asyncio.to_thread(services.runs.ask, self.key)
        summary = await asyncio.to_thread(services.runs.summary, self.key)
        wanted = ForwardAsk(
            strategy=ask.strategy,
            symbol=summary["symbol"],
            initial_balance=summary["initial_balance"],
            params=summary["params"],
            channel_id=interaction.channel_id,
            created_by=interaction.user.id,
        )
        starting = services.forward.start(wanted, interaction.user)
        test = await settle(interaction, starting, ephemeral=True)
        view = await services.forward.desk.view(test)
        await respond(interaction, embeds=[begun_embed(view)], ephemeral=True)


BUTTONS: Final = (CancelJob, TradesCsv, Charts, Heatmap, RunAgain, StartForward)


def file_limit(interaction: Interaction) -> int:
    """Return how many bytes a file may have here; servers with boosts allow more."""
    return interaction.filesize_limit


def job_buttons(view: JobView) -> discord.ui.View:
    """Return what a running job's message offers."""
    return row_of(CancelJob(view.id))


def run_buttons(run_id: str) -> discord.ui.View:
    """Return what a result offers."""
    return row_of(
        TradesCsv(run_id), Charts(run_id), Heatmap(run_id), RunAgain(run_id), StartForward(run_id)
    )


def cancel_buttons(views: list[JobView]) -> discord.ui.View | None:
    """Return a cancel button for each job that hasn't ended, None where there is none."""
    active = [view for view in views if not view.state.is_final]
    if not active:
        return None
    return row_of(
        *(
            CancelJob(view.id, label=f"Cancel {view.kind} {view.id}")
            for view in active[:MOST_BUTTONS]
        )
    )


async def _send_files(
    interaction: Interaction, run_id: str, names: dict[str, str], *, word: Markup | None = None
) -> None:
    services, limit = services_of(interaction), file_limit(interaction)

    def load() -> Any:
        files = {shown: services.runs.file(run_id, name) for name, shown in names.items()}
        return pack(files, limit, instead=_CSV_INSTEAD)

    parcel = await settle(interaction, asyncio.to_thread(load), ephemeral=True)
    lines = [*([word] if word and parcel.files else []), *parcel.notices]
    await respond(
        interaction,
        content="\n".join(lines) or None,
        files=parcel.attachments(),
        ephemeral=True,
    )
