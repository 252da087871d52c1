"""The life of an interaction: opened by a user, acknowledged once within 3 s, alive for 15 min.

This is the one place that knows these deadlines. HTTP is in routes_interactions.py, what a user
sees of it in driver.py.
"""

from collections.abc import Callable
from dataclasses import replace

from bot.sandbox import errors, rules, rules_commands, rules_components
from bot.sandbox.composing import Upload, compose, revise
from bot.sandbox.errors import DiscordError
from bot.sandbox.events import Change, ChangeKind
from bot.sandbox.interaction_models import (
    Callback,
    Interaction,
    InteractionKind,
    Stage,
    find_focused,
)
from bot.sandbox.models import Channel, Message, Payload
from bot.sandbox.payloads_interactions import callback_payload, interaction_payload, metadata
from bot.sandbox.state import State

ACKNOWLEDGE_WITHIN_S = 3.0
TOKEN_LIFETIME_S = 15 * 60.0

REPLY_TYPE = 19
COMMAND_ANSWER_TYPE = 20


class InteractionDesk:
    """All interactions; opens them, takes the bot's answers and lets them expire.

    `dispatch` sends a gateway event to the bot.
    """

    def __init__(self, state: State, dispatch: Callable[[str, Payload], None]) -> None:
        self._state = state
        self._dispatch = dispatch
        self._by_id: dict[int, Interaction] = {}
        self._by_token: dict[str, Interaction] = {}
        self._timers: list[Callable[[], None]] = []

    def get(self, interaction_id: int) -> Interaction:
        """Return an interaction; raise Discord's 10062 if there is none."""
        if interaction_id not in self._by_id:
            raise errors.unknown("interaction")
        return self._by_id[interaction_id]

    def open(
        self,
        kind: InteractionKind,
        data: Payload,
        *,
        user_id: int,
        channel: Channel,
        source: Message | None = None,
    ) -> Interaction:
        """Start an interaction, send it to the bot and set its deadline."""
        now = self._state.clock.now()
        number = self._state.next_id()
        interaction = Interaction(
            id=number,
            token=f"interaction-token-{number}",
            kind=kind,
            user_id=user_id,
            channel_id=channel.id,
            guild_id=channel.guild_id,
            created_at=now,
            data=data,
            source_id=None if source is None else source.id,
        )
        self._by_id[number] = self._by_token[interaction.token] = interaction
        self._publish(interaction)
        self._expire_at(now + ACKNOWLEDGE_WITHIN_S, interaction, while_in=Stage.WAITING)
        self._dispatch("INTERACTION_CREATE", interaction_payload(self._state, interaction))
        return interaction

    def close(self) -> None:
        """Drop every timer."""
        for cancel in self._timers:
            cancel()
        self._timers.clear()

    def acknowledge(self, interaction_id: int, token: str, upload: Upload) -> Payload:
        """Take the bot's first answer and return Discord's description of it."""
        interaction = self.get(interaction_id)
        try:
            return self._acknowledge(interaction, token, upload)
        except DiscordError as error:
            self._note_refusal(interaction, error)
            raise

    def original(self, token: str) -> Message:
        """Return the message that answers the interaction (or that it updates)."""
        interaction = self._living(token)
        if interaction.original_id is None:
            raise errors.unknown("Message")
        return self._state.message(interaction.original_id)

    def message(self, token: str, message_id: int) -> Message:
        """Return a message that belongs to the interaction."""
        interaction = self._living(token)
        if message_id not in (interaction.original_id, *interaction.followup_ids):
            raise errors.unknown("Message")
        return self._state.message(message_id)

    def edit(self, token: str, message: Message, upload: Upload) -> Message:
        """Edit a message of the interaction; this fills a deferred answer."""
        interaction = self._living(token)
        try:
            edited = self._state.replace_message(revise(self._state, message, upload))
        except DiscordError as error:
            self._note_refusal(interaction, error)
            raise
        self._fill(interaction, edited.id)
        return edited

    def delete(self, token: str, message: Message) -> None:
        """Delete a message of the interaction; a deferred answer ends with it."""
        interaction = self._living(token)
        self._state.remove_message(message)
        self._fill(interaction, message.id)

    def follow_up(self, token: str, upload: Upload) -> Message:
        """Add a message; the first one after a deferral fills it and keeps its visibility."""
        interaction = self._living(token)
        if interaction.stage is Stage.DEFERRED and interaction.original_id is not None:
            original = self._state.messages.get(interaction.original_id)
            if original is not None:
                return self.edit(token, original, upload)
        try:
            message = self._own_message(interaction, upload)
        except DiscordError as error:
            self._note_refusal(interaction, error)
            raise
        interaction.followup_ids.append(message.id)
        reference = interaction.original_id
        return self._add(replace(message, type=REPLY_TYPE, reference_id=reference))

    def _acknowledge(self, interaction: Interaction, token: str, upload: Upload) -> Payload:
        if token != interaction.token:
            raise errors.unknown("interaction")
        if interaction.acknowledged_at is not None:
            raise errors.already_acknowledged()
        elapsed = self._state.clock.now() - interaction.created_at
        if interaction.stage is Stage.FAILED or elapsed >= ACKNOWLEDGE_WITHIN_S:
            raise errors.unknown("interaction")
        callback = _callback(interaction, upload.payload)
        data = Upload(upload.payload.get("data") or {}, upload.files)
        try:
            stage = self._carry_out(interaction, callback, data)
        except DiscordError as error:
            raise _under_data(error) from None
        interaction.callback = callback
        interaction.acknowledged_at = self._state.clock.now()
        interaction.stage = stage
        if stage is Stage.DEFERRED:
            end = interaction.created_at + TOKEN_LIFETIME_S
            self._expire_at(end, interaction, while_in=Stage.DEFERRED)
        self._publish(interaction)
        if callback is Callback.MODAL:
            self._publish(interaction, kind=ChangeKind.MODAL_OPENED)
        return callback_payload(self._state, interaction)

    def _carry_out(self, interaction: Interaction, callback: Callback, data: Upload) -> Stage:
        if callback in (Callback.REPLY, Callback.DEFERRED_REPLY):
            loading = callback is Callback.DEFERRED_REPLY
            message = self._own_message(interaction, data, loading=loading)
            is_command = interaction.kind is InteractionKind.COMMAND
            number = COMMAND_ANSWER_TYPE if is_command else REPLY_TYPE
            answer = replace(message, type=number, reference_id=interaction.source_id)
            interaction.original_id = self._add(answer).id
            return Stage.DEFERRED if loading else Stage.ANSWERED
        if callback is Callback.AUTOCOMPLETE:
            self._suggest(interaction, data.payload)
        elif callback is Callback.MODAL:
            rules.require_valid(rules_components.check_modal(data.payload))
            interaction.modal = data.payload
        elif interaction.source_id is not None:
            source = self._state.message(interaction.source_id)
            if callback is Callback.UPDATE_MESSAGE:
                self._state.replace_message(revise(self._state, source, data))
            interaction.original_id = source.id
        return Stage.ANSWERED

    def _suggest(self, interaction: Interaction, data: Payload) -> None:
        focused = find_focused(interaction.data.get("options") or [])
        numeric = focused is not None and focused["type"] in (4, 10)
        choices = data.get("choices")
        rules.require_valid(rules_commands.check_autocompletion(choices, numeric=numeric))
        interaction.choices = list(choices or [])

    def _own_message(
        self, interaction: Interaction, upload: Upload, *, loading: bool = False
    ) -> Message:
        state = self._state
        message = compose(
            state, upload, channel_id=interaction.channel_id, author=state.bot, loading=loading
        )
        return replace(
            message,
            application_id=state.application_id,
            webhook_id=state.application_id,
            interaction_metadata=metadata(state, interaction),
            visible_to=interaction.user_id if message.ephemeral else None,
        )

    def _add(self, message: Message) -> Message:
        return self._state.add_message(message)

    def _living(self, token: str) -> Interaction:
        interaction = self._by_token.get(token)
        now = self._state.clock.now()
        if interaction is None or now - interaction.created_at >= TOKEN_LIFETIME_S:
            raise errors.invalid_webhook_token()
        if interaction.acknowledged_at is None:
            raise errors.unknown("Webhook")
        return interaction

    def _fill(self, interaction: Interaction, message_id: int) -> None:
        if interaction.stage is Stage.DEFERRED and message_id == interaction.original_id:
            interaction.stage = Stage.ANSWERED
            self._publish(interaction)

    def _expire_at(self, when: float, interaction: Interaction, *, while_in: Stage) -> None:
        def expire() -> None:
            if interaction.stage is while_in:
                interaction.stage = Stage.FAILED
                self._publish(interaction)

        self._timers.append(self._state.clock.call_at(when, expire))

    def _note_refusal(self, interaction: Interaction, error: DiscordError) -> None:
        interaction.refusals.append(error)
        self._publish(interaction)

    def _publish(
        self, interaction: Interaction, *, kind: ChangeKind = ChangeKind.INTERACTION
    ) -> None:
        self._state.log.publish(
            Change(
                kind,
                channel_id=interaction.channel_id,
                guild_id=interaction.guild_id,
                user_id=interaction.user_id,
                interaction_id=interaction.id,
                visible_to=interaction.user_id,
                detail=interaction.stage,
            )
        )


def _callback(interaction: Interaction, payload: Payload) -> Callback:
    allowed = {
        InteractionKind.COMMAND: {Callback.REPLY, Callback.DEFERRED_REPLY, Callback.MODAL},
        InteractionKind.COMPONENT: set(Callback) - {Callback.AUTOCOMPLETE},
        InteractionKind.AUTOCOMPLETE: {Callback.AUTOCOMPLETE},
        InteractionKind.MODAL_SUBMIT: {Callback.REPLY, Callback.DEFERRED_REPLY},
    }[interaction.kind]
    if interaction.kind is InteractionKind.MODAL_SUBMIT and interaction.source_id is not None:
        allowed = allowed | {Callback.DEFERRED_UPDATE, Callback.UPDATE_MESSAGE}
    number = payload.get("type")
    if number not in allowed:
        text = f"Value must be one of {tuple(sorted(int(item) for item in allowed))}."
        raise rules.invalid_form([rules.Issue(("type",), "BASE_TYPE_CHOICES", text)])
    return Callback(number)


def _under_data(error: DiscordError) -> DiscordError:
    if error.errors is None:
        return error
    tree = {"data": error.errors}
    return DiscordError(error.status, error.code, error.message, errors=tree)
