"""/positions, /trades and /equity of forward tests. Rendering is in bot.ui and bot.charts."""

import asyncio

import discord
from discord import app_commands
from discord.ext import commands

from bot.charts.errors import ChartError
from bot.client import JesseClient
from bot.cogs.forward_completion import complete_any_test, complete_test
from bot.errors import BotError
from bot.permissions import Access, caller_of, needs
from bot.services.forward.overview import ForwardView
from bot.services.forward.rerun import Comparison
from bot.services.forward.service import ALIVE
from bot.times import now_ms
from bot.ui.files import pack
from bot.ui.forward_buttons import close_buttons, trades_message
from bot.ui.forward_positions import positions_embeds
from bot.ui.forward_report import EQUITY_PNG, equity_embed
from bot.ui.replies import respond, settle
from data.errors import DataError
from data.storage.records import ForwardTest
from engine.errors import EngineError
from engine.results import EquityCurve

Interaction = discord.Interaction[JesseClient]
TestName = app_commands.Range[str, 1, 40]


class PositionsCog(commands.Cog):
    """The books of forward tests."""

    def __init__(self, client: JesseClient) -> None:
        self.client = client
        self.actions = client.services.forward

    @needs(Access.READ)
    @app_commands.command(description="Open positions of forward tests")
    @app_commands.describe(test="one test (default: all that run)")
    @app_commands.autocomplete(test=complete_test)
    async def positions(self, interaction: Interaction, test: TestName | None = None) -> None:
        """Show what is open; operators get buttons to close."""
        views = await settle(interaction, self._views(test))
        now = max((view.last_close or 0 for view in views), default=0)
        may_close = self.client.gate.is_operator(caller_of(interaction))
        buttons = close_buttons(views) if may_close else None
        embeds = positions_embeds(views, now or now_ms())
        await respond(interaction, embeds=embeds, view=buttons)

    @needs(Access.READ)
    @app_commands.command(description="Closed trades of a forward test, with CSV")
    @app_commands.describe(test="which test (default: the only one)")
    @app_commands.autocomplete(test=complete_any_test)
    async def trades(self, interaction: Interaction, test: TestName | None = None) -> None:
        """Show the newest trades, with buttons to turn pages."""
        found = await self.actions.desk.find(test)
        embed, buttons = await trades_message(interaction, found, 0)
        await respond(interaction, embeds=[embed], view=buttons)

    @needs(Access.READ)
    @app_commands.command(description="Equity of a forward test beside its backtest")
    @app_commands.describe(test="which test (default: the only one)")
    @app_commands.autocomplete(test=complete_any_test)
    async def equity(self, interaction: Interaction, test: TestName | None = None) -> None:
        """Draw both curves."""
        found = await self.actions.desk.find(test)
        embed, files = await settle(interaction, self._equity(found))
        parcel = await asyncio.to_thread(pack, files, interaction.filesize_limit)
        await respond(interaction, embeds=[embed], files=parcel.attachments())

    async def _views(self, name: str | None) -> list[ForwardView]:
        desk = self.actions.desk
        if name:
            return [await desk.view(await desk.find(name))]
        return [await desk.view(test) for test in await desk.database.list_forward_tests(ALIVE)]

    async def _equity(self, test: ForwardTest) -> tuple[discord.Embed, dict[str, bytes]]:
        view = await self.actions.desk.view(test)
        comparison: Comparison | None = None
        notices = []
        try:
            comparison = await self.client.services.comparer.compare(test)
            curve = comparison.live
        except (BotError, DataError, EngineError) as error:
            notices.append(f"No backtest beside it: {error}")
            curve = await self.actions.desk.database.get_equity_curve(test.id)
        files: dict[str, bytes] = {}
        try:
            figure = await asyncio.to_thread(
                _figure, view, curve, comparison.backtest if comparison else None
            )
            files[EQUITY_PNG] = await self.client.services.pictures.render(figure)
        except ChartError as error:
            notices.append(f"No picture: {error}")
        embed = equity_embed(view, comparison, notices, has_picture=bool(files))
        return embed, files


def _figure(view: ForwardView, curve: EquityCurve, backtest: EquityCurve | None) -> str:
    # Plotly takes long to import, and only charts need it.
    from bot.charts.forward import ForwardChart, forward_equity_figure

    test = view.test
    chart = ForwardChart(
        name=test.name,
        market=f"{test.symbol} · {test.exchange}",
        start=view.config.started_at,
        initial_balance=view.config.initial_balance,
        live=curve,
        backtest=backtest,
        is_simulated=test.exchange == "simulated",
    )
    figure: str = forward_equity_figure(chart).to_json()
    return figure
