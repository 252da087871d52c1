"""/forward: paper trading on live prices. What it does is in bot.forward_actions and services."""

import discord
from discord import app_commands
from discord.ext import commands

from bot.client import JesseClient
from bot.cogs.completion import complete_params, complete_strategy, complete_symbol
from bot.cogs.forward_completion import complete_any_test, complete_test
from bot.permissions import Access, needs
from bot.services.forward.service import ALIVE, ForwardAsk
from bot.services.params import parse_params
from bot.ui.files import pack
from bot.ui.forward import begun_embed, done_embed, list_embed, status_embed, stop_preview
from bot.ui.forward_buttons import stop_buttons
from bot.ui.forward_report import report_csv, report_embed
from bot.ui.limits import Markup
from bot.ui.replies import respond, settle
from data.storage.records import ForwardTestStatus

Interaction = discord.Interaction[JesseClient]
ShortText = app_commands.Range[str, 1, 100]
TestName = app_commands.Range[str, 1, 40]


class ForwardCog(commands.Cog):
    """Forward tests."""

    forward = needs(Access.READ)(
        app_commands.Group(name="forward", description="Paper trading on live prices")
    )

    def __init__(self, client: JesseClient) -> None:
        self.client = client
        self.actions = client.services.forward
        self.comparer = client.services.comparer

    @needs(Access.OPERATE)
    @forward.command(description="Trade a strategy on live prices with paper money")
    @app_commands.describe(
        strategy="which strategy to trade",
        symbol="such as BTC/USDT (default: the configured one)",
        balance="initial balance in USD",
        params="such as fast_period=20 slow_period=50; the rest keeps its defaults",
        name="what to call it: small letters, digits, - and _ (default: after the strategy)",
    )
    @app_commands.autocomplete(
        strategy=complete_strategy, symbol=complete_symbol, params=complete_params
    )
    async def start(
        self,
        interaction: Interaction,
        strategy: ShortText,
        symbol: ShortText | None = None,
        balance: app_commands.Range[float, 1, 1_000_000_000_000] | None = None,
        params: app_commands.Range[str, 1, 4000] | None = None,
        name: TestName | None = None,
    ) -> None:
        """Start a test; its thread follows."""
        ask = ForwardAsk(
            strategy=strategy.strip(),
            symbol=symbol,
            initial_balance=balance,
            params=parse_params(params),
            name=name.strip() if name else None,
            channel_id=interaction.channel_id,
            created_by=interaction.user.id,
        )
        starting = self.actions.start(ask, interaction.user)
        test = await settle(interaction, starting, ephemeral=True)
        view = await self.actions.desk.view(test)
        await respond(interaction, embeds=[begun_embed(view)], ephemeral=True)

    @needs(Access.OPERATE)
    @forward.command(description="End a forward test for good; asks first")
    @app_commands.describe(
        test="which test", close_positions="close what is open at the market (default: yes)"
    )
    @app_commands.autocomplete(test=complete_test)
    async def stop(
        self,
        interaction: Interaction,
        test: TestName | None = None,
        close_positions: bool = True,
    ) -> None:
        """Show what stopping would do, and ask."""
        found = await self.actions.desk.find(test)
        view = await self.actions.desk.view(found)
        if found.status is ForwardTestStatus.STOPPED:
            text = Markup("It is stopped already.")
            await respond(interaction, embeds=[done_embed(text, view)], ephemeral=True)
            return
        embed = stop_preview(view, close_positions=close_positions)
        buttons = stop_buttons(found, close_positions=close_positions)
        await respond(interaction, embeds=[embed], view=buttons, ephemeral=True)

    @needs(Access.OPERATE)
    @forward.command(description="Open nothing new; what is open stays watched")
    @app_commands.describe(test="which test")
    @app_commands.autocomplete(test=complete_test)
    async def pause(self, interaction: Interaction, test: TestName | None = None) -> None:
        """Pause a test."""
        pausing = self.actions.pause(test, interaction.user)
        view = await settle(interaction, pausing, ephemeral=True)
        text = Markup("It opens nothing new, also after a restart; `/forward resume` goes on.")
        await respond(interaction, embeds=[done_embed(text, view)], ephemeral=True)

    @needs(Access.OPERATE)
    @forward.command(description="Go on with a paused or faulted forward test")
    @app_commands.describe(test="which test")
    @app_commands.autocomplete(test=complete_test)
    async def resume(self, interaction: Interaction, test: TestName | None = None) -> None:
        """Resume a test."""
        resuming = self.actions.resume(test, interaction.user)
        view = await settle(interaction, resuming, ephemeral=True)
        embed = done_embed(Markup("It trades again."), view)
        await respond(interaction, embeds=[embed], ephemeral=True)

    @needs(Access.READ)
    @forward.command(description="How a forward test stands now")
    @app_commands.describe(test="which test (default: the only one)")
    @app_commands.autocomplete(test=complete_any_test)
    async def status(self, interaction: Interaction, test: TestName | None = None) -> None:
        """Show a test."""
        view = await self.actions.desk.view(await self.actions.desk.find(test))
        await respond(interaction, embeds=[status_embed(view)])

    @needs(Access.READ)
    @forward.command(name="list", description="All forward tests and how they stand")
    async def list_tests(self, interaction: Interaction) -> None:
        """Show all tests that are alive."""
        desk = self.actions.desk
        tests = await desk.database.list_forward_tests()
        views = [await desk.view(test) for test in tests if test.status in ALIVE]
        embed = list_embed(views, stopped=len(tests) - len(views))
        await respond(interaction, embeds=[embed])

    @needs(Access.READ)
    @forward.command(description="Compare a forward test with a backtest of the same period")
    @app_commands.describe(test="which test (default: the only one)")
    @app_commands.autocomplete(test=complete_any_test)
    async def report(self, interaction: Interaction, test: TestName | None = None) -> None:
        """Compare trade by trade."""
        found = await self.actions.desk.find(test)
        comparison = await settle(interaction, self.comparer.compare(found))
        name = f"parity-{found.name}.csv"
        parcel = pack({name: report_csv(comparison.report)}, interaction.filesize_limit)
        await respond(interaction, embeds=[report_embed(comparison)], files=parcel.attachments())
