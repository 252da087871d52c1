"""What becomes of an interaction as its user sees it, and how to wait for that."""

from collections.abc import Callable

from bot.sandbox.errors import DiscordError, InteractionFailed
from bot.sandbox.interaction_models import Interaction, Stage
from bot.sandbox.state import State
from bot.sandbox.views import Modal, SeenMessage, see_message, see_modal

WAIT_S = 10.0


class Answer:
    """The bot's answer to one interaction, growing as it comes in.

    The waits below are in seconds of real time and raise NeverHappened when they run out.
    """

    def __init__(self, state: State, interaction: Interaction) -> None:
        self._state = state
        self._interaction = interaction

    @property
    def interaction_id(self) -> int:
        """The interaction's id."""
        return self._interaction.id

    @property
    def stage(self) -> Stage:
        """How far the interaction is."""
        return self._interaction.stage

    @property
    def acknowledged_after_s(self) -> float | None:
        """The seconds from the user's action to the first answer, by the sandbox's clock."""
        at = self._interaction.acknowledged_at
        return None if at is None else at - self._interaction.created_at

    @property
    def message(self) -> SeenMessage | None:
        """The first answer's message as it is now; None before it, or once it is deleted."""
        message = self._state.messages.get(self._interaction.original_id or 0)
        return None if message is None else see_message(self._state, message)

    @property
    def followups(self) -> list[SeenMessage]:
        """The further messages as they are now."""
        found = (self._state.messages.get(i) for i in self._interaction.followup_ids)
        return [see_message(self._state, message) for message in found if message is not None]

    @property
    def messages(self) -> list[SeenMessage]:
        """The first answer's message and the further ones."""
        first = self.message
        return ([] if first is None else [first]) + self.followups

    @property
    def versions(self) -> list[SeenMessage]:
        """Every version of the first answer's message, oldest first, also once it is deleted."""
        versions = self._state.versions.get(self._interaction.original_id or 0, [])
        return [see_message(self._state, version) for version in versions]

    @property
    def modal(self) -> Modal | None:
        """The modal that the bot opened, if it did."""
        return see_modal(self._interaction)

    @property
    def refusals(self) -> list[DiscordError]:
        """What Discord refused of the bot's answers, in order."""
        return list(self._interaction.refusals)

    async def first_response(self, *, timeout_s: float = WAIT_S) -> SeenMessage | None:
        """Wait for the acknowledgement; return its message, None for a modal.

        A deferral's message is `loading`. Raises InteractionFailed if the bot missed its 3 s.
        """
        await self._wait(lambda: self.stage is not Stage.WAITING, timeout_s, "any answer")
        self._raise_if_failed()
        return self.message

    async def finished(self, *, timeout_s: float = WAIT_S) -> SeenMessage | None:
        """Wait until the bot is no longer thinking; return the first answer's message.

        Raises InteractionFailed if the bot missed its 3 s, or its 15 min after a deferral.
        """
        done = (Stage.ANSWERED, Stage.FAILED)
        await self._wait(lambda: self.stage in done, timeout_s, "an end of the thinking")
        self._raise_if_failed()
        return self.message

    async def wait_for(
        self, predicate: Callable[[SeenMessage], bool], *, timeout_s: float = WAIT_S
    ) -> SeenMessage:
        """Wait until one of the answer's messages satisfies the predicate and return it."""

        def check() -> SeenMessage | None:
            return next((message for message in self.messages if predicate(message)), None)

        return await self._state.log.wait_until(
            check, timeout_s=timeout_s, what=lambda: self._seen("a message that fits")
        )

    async def modal_opened(self, *, timeout_s: float = WAIT_S) -> Modal:
        """Wait for a modal and return it; raise InteractionFailed if the bot missed its 3 s."""

        def check() -> Modal | Stage | None:
            return self.modal or (self.stage if self.stage is Stage.FAILED else None)

        found = await self._state.log.wait_until(
            check, timeout_s=timeout_s, what=lambda: self._seen("a modal")
        )
        if isinstance(found, Modal):
            return found
        raise self._failure()

    async def _wait(self, is_there: Callable[[], bool], timeout_s: float, what: str) -> None:
        await self._state.log.wait_until(
            lambda: is_there() or None, timeout_s=timeout_s, what=lambda: self._seen(what)
        )

    def _raise_if_failed(self) -> None:
        if self.stage is Stage.FAILED:
            raise self._failure()

    def _failure(self) -> InteractionFailed:
        refused = "; ".join(str(refusal) for refusal in self.refusals)
        reason = f"Discord refused: {refused}" if refused else "nothing came from the bot"
        return InteractionFailed(f"The application did not respond ({reason})")

    def _seen(self, what: str) -> str:
        texts = [message.text for message in self.messages]
        refused = [str(refusal) for refusal in self.refusals]
        return f"{what}; stage {self.stage}, messages {texts}, refused {refused}"
