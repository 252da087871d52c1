"""What a user sees: messages with their files and controls, and modals. Frozen, no JSON needed."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from bot.sandbox.errors import NotOffered
from bot.sandbox.interaction_models import Interaction
from bot.sandbox.models import Message, Payload
from bot.sandbox.payloads_messages import attachment_url, shown_embeds
from bot.sandbox.rules_components import LINK_STYLE, SELECTS, ComponentType, walk
from bot.sandbox.state import State


@dataclass(frozen=True, slots=True)
class SeenFile:
    """A file below a message or inside one of its embeds."""

    filename: str
    content_type: str
    url: str
    data: bytes = field(repr=False)
    description: str | None = None


@dataclass(frozen=True, slots=True)
class SeenMessage:
    """One version of a message as a user sees it.

    `embeds` and `components` are Discord's JSON, with the addresses of files resolved.
    """

    id: int
    channel_id: int
    author: str
    content: str
    embeds: tuple[Payload, ...]
    attachments: tuple[SeenFile, ...]
    components: tuple[Payload, ...] = field(repr=False)
    ephemeral: bool = False
    loading: bool = False
    edited: bool = False
    pinned: bool = False
    thread_id: int | None = None
    reference_id: int | None = None
    pinged_ids: tuple[int, ...] = ()
    pings_everyone: bool = False

    @property
    def text(self) -> str:
        """Every text of the message in reading order, one piece per line."""
        return "\n".join(piece for piece in self._pieces() if piece)

    @property
    def buttons(self) -> list[Payload]:
        """The buttons, link buttons included."""
        return [c for c in walk(self.components) if c.get("type") == ComponentType.BUTTON]

    @property
    def selects(self) -> list[Payload]:
        """The menus."""
        return [c for c in walk(self.components) if c.get("type") in SELECTS]

    @property
    def links(self) -> dict[str, str]:
        """The addresses of the link buttons by label."""
        links = (button for button in self.buttons if button.get("style") == LINK_STYLE)
        return {str(button.get("label")): str(button["url"]) for button in links}

    @property
    def broken_images(self) -> list[str]:
        """The attachment:// names in embeds that no file of the message has."""
        holders = (embed.get(key) for embed in self.embeds for key in ("image", "thumbnail"))
        urls = (str(h.get("url", "")) for h in holders if isinstance(h, dict))
        return [url for url in urls if url.startswith("attachment://")]

    def control(self, name: str) -> Payload:
        """Return the button or menu with this custom_id, label or placeholder.

        Raises NotOffered naming those that exist.
        """
        controls = self.buttons + self.selects
        for key in ("custom_id", "label", "placeholder"):
            for component in controls:
                if component.get(key) == name:
                    return component
        known = [c.get("label") or c.get("placeholder") or c.get("custom_id") for c in controls]
        raise NotOffered(f"no button or menu {name!r} on message {self.id}; it has {known}")

    def _pieces(self) -> Iterator[str]:
        yield self.content
        for embed in self.embeds:
            yield str(embed.get("title") or "")
            yield str(embed.get("description") or "")
            for item in embed.get("fields") or ():
                yield f"{item['name']}: {item['value']}"
            yield str((embed.get("footer") or {}).get("text") or "")
        for component in walk(self.components):
            yield str(component.get("content") or "")


def see_message(state: State, message: Message) -> SeenMessage:
    """Return a message as a user sees it."""
    embeds, _ = shown_embeds(state, message)
    return SeenMessage(
        id=message.id,
        channel_id=message.channel_id,
        author=message.author.name,
        content=message.content,
        embeds=tuple(embeds),
        attachments=tuple(
            SeenFile(a.filename, a.content_type, attachment_url(state, a), a.data, a.description)
            for a in message.attachments
        ),
        components=message.components,
        ephemeral=message.ephemeral,
        loading=message.loading,
        edited=message.edited_at is not None,
        pinned=message.pinned,
        thread_id=message.thread_id,
        reference_id=message.reference_id,
        pinged_ids=message.pinged_ids,
        pings_everyone=message.pings_everyone,
    )


@dataclass(frozen=True, slots=True)
class ModalInput:
    """One field of a modal; `options` are a menu's values by label."""

    custom_id: str
    label: str
    type: int
    required: bool = True
    value: str = ""
    min_length: int = 0
    max_length: int = 4000
    options: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True, slots=True)
class Modal:
    """A form that a bot has opened for a user."""

    interaction_id: int
    custom_id: str
    title: str
    inputs: tuple[ModalInput, ...]
    payload: Payload = field(repr=False)

    def field_named(self, name: str) -> ModalInput:
        """Return the input with this custom_id or label; raise NotOffered if there is none."""
        for item in self.inputs:
            if name in (item.custom_id, item.label):
                return item
        known = [item.label for item in self.inputs]
        raise NotOffered(f"no field {name!r} in the modal {self.title!r}; it has {known}")


def see_modal(interaction: Interaction) -> Modal | None:
    """Return the modal that the bot answered with, if it did."""
    payload = interaction.modal
    if payload is None:
        return None
    inputs = tuple(_inputs(payload["components"]))
    title = str(payload["title"])
    return Modal(interaction.id, str(payload["custom_id"]), title, inputs, payload)


def _inputs(components: list[Payload]) -> Iterator[ModalInput]:
    for component in components:
        if component.get("type") == ComponentType.ROW:
            yield from (_input(child, child) for child in component["components"])
        elif component.get("type") == ComponentType.LABEL:
            yield _input(component["component"], component)


def _input(component: Payload, labelled: Payload) -> ModalInput:
    options: list[Any] = component.get("options") or []
    return ModalInput(
        custom_id=str(component["custom_id"]),
        label=str(labelled.get("label", "")),
        type=int(component["type"]),
        required=bool(component.get("required", True)),
        value=str(component.get("value") or ""),
        min_length=int(component.get("min_length") or 0),
        max_length=int(component.get("max_length") or 4000),
        options=tuple((str(o["label"]), str(o["value"])) for o in options),
    )
