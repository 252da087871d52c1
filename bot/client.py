"""The Discord client: commands, buttons and what they may use. Knows no market and no SQL."""

import asyncio
import logging
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, cast

import discord
from discord.ext import commands

from bot.audit import Audit
from bot.permissions import Gate
from bot.services.strategies import StrategyLibrary
from bot.tree import JesseTree, KeyValues
from bot.ui.replies import answer_privately

if TYPE_CHECKING:
    from bot.cogs.job_messages import JobMessages
    from bot.forward_actions import ForwardActions
    from bot.scheduler import Scheduler
    from bot.services.check_jobs import CheckService
    from bot.services.forward.rerun import Comparer
    from bot.services.job_log import StoredJobs
    from bot.services.jobs import JobService
    from bot.services.research import Pictures, ResearchService
    from bot.services.runs import RunStore
    from bot.services.scheduled.refresh import KeptSymbols
    from bot.services.status import StatusService

log = logging.getLogger(__name__)

EDIT_INTERVAL_S: Final = 1.5
_ORPHAN_S: Final = 0.5


@dataclass(frozen=True, slots=True)
class Services:
    """What commands and buttons may use."""

    library: StrategyLibrary
    research: "ResearchService"
    checks: "CheckService"
    jobs: "JobService"
    stored_jobs: "StoredJobs"
    runs: "RunStore"
    status: "StatusService"
    audit: Audit
    values: KeyValues
    max_jobs: int
    forward: "ForwardActions"
    comparer: "Comparer"
    pictures: "Pictures"
    scheduler: "Scheduler"
    kept: "KeptSymbols"


@dataclass(frozen=True, slots=True)
class ClientOptions:
    """How the client behaves in time; `clock` gives seconds since 1970."""

    clock: Callable[[], float] = time.time
    edit_interval_s: float = EDIT_INTERVAL_S
    guild_ready_timeout_s: float = 2.0


class JesseClient(commands.Bot):
    """Speaks with Discord; made anew for each process, never for each connection."""

    def __init__(
        self,
        services: Services,
        gate: Gate,
        *,
        redact: Callable[[str], str] = str,
        options: ClientOptions | None = None,
    ) -> None:
        self.options = options or ClientOptions()
        # Otherwise each start warns that voice is missing, which nobody wants here.
        discord.VoiceClient.warn_nacl = discord.VoiceClient.warn_dave = False
        super().__init__(
            command_prefix=commands.when_mentioned,
            help_command=None,
            intents=discord.Intents(guilds=True),
            allowed_mentions=discord.AllowedMentions.none(),
            tree_cls=JesseTree,
            guild_ready_timeout=self.options.guild_ready_timeout_s,
        )
        self.services = services
        self.gate = gate
        self.redact = redact
        self.command_ids: dict[str, int] = {}
        self.tree.gate, self.tree.audit, self.tree.redact = gate, services.audit, redact
        self.job_messages = self._make_job_messages()

    @property
    def tree(self) -> JesseTree:
        """The command tree."""
        return cast(JesseTree, super().tree)

    async def log_in(self, token: str) -> None:
        """Log in; may be called again after a failure. Raises what Discord's library raises."""
        try:
            await self.login(token)
        except BaseException:
            # The library opens a session with each login, and would leave this one open.
            await self.http.close()
            self.http.connector = discord.utils.MISSING
            raise

    async def setup_hook(self) -> None:
        """Add commands and buttons; tell Discord of the commands if they changed."""
        from bot.cogs import add_cogs
        from bot.ui.buttons import BUTTONS
        from bot.ui.forward_buttons import FORWARD_BUTTONS

        # Where Discord failed after this, the next login comes here again.
        if not self.cogs:
            await add_cogs(self)
            self.add_dynamic_items(*BUTTONS, *FORWARD_BUTTONS)
        home = discord.Object(self.gate.guild_id)
        self.command_ids = await self.tree.sync_if_changed(self.services.values, home)

    async def on_ready(self) -> None:
        """Log that a session began; comes again after every new session."""
        log.info("connected to Discord", extra={"guilds": len(self.guilds)})

    async def on_interaction(self, interaction: discord.Interaction[Any]) -> None:
        """Answer a form that an earlier process opened: discord.py would leave it unanswered."""
        if interaction.type is not discord.InteractionType.modal_submit:
            return
        await asyncio.sleep(_ORPHAN_S)
        if not interaction.extras.get("taken") and not interaction.response.is_done():
            text = "⚠️ This form was opened before I was restarted: press the button again."
            await answer_privately(interaction, text)

    async def on_error(self, event_method: str, /, *args: Any, **kwargs: Any) -> None:
        """Log what an event handler raised."""
        log.error("the handler of event %s failed", event_method, exc_info=sys.exception())

    async def close(self) -> None:
        """Stop following jobs, then leave Discord."""
        await self.job_messages.close()
        await super().close()

    async def alert(self, text: str) -> None:
        """Say something in the first channel; raises what Discord raises."""
        await self.get_partial_messageable(self.gate.channel_ids[0]).send(text)

    def mention(self, command: str) -> str:
        """Return a command as a link to click, or its plain name before commands are known."""
        command_id = self.command_ids.get(command.split()[0])
        return f"</{command}:{command_id}>" if command_id else f"`/{command}`"

    def _make_job_messages(self) -> "JobMessages":
        from bot.cogs.job_messages import JobMessages

        return JobMessages(self)
