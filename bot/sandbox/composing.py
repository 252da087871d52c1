"""How a request becomes a message or a new version of one; every limit is checked on the way."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from bot.sandbox import errors, rules, rules_components
from bot.sandbox.models import (
    Attachment,
    Message,
    MessageFlag,
    Payload,
    UploadedFile,
    User,
)
from bot.sandbox.rules import Issue
from bot.sandbox.state import State

_UNSAFE = re.compile(r"[^A-Za-z0-9._-]")
_MENTION = re.compile(r"<@([!&]?)(\d+)>")
_SETTABLE_FLAGS = (
    MessageFlag.SUPPRESS_EMBEDS
    | MessageFlag.EPHEMERAL
    | MessageFlag.SUPPRESS_NOTIFICATIONS
    | MessageFlag.COMPONENTS_V2
)


@dataclass(frozen=True, slots=True)
class Upload:
    """A request's body: the JSON and the files, by their number in `files[n]`."""

    payload: Payload
    files: Mapping[int, UploadedFile] = field(default_factory=dict)


def safe_filename(name: str) -> str:
    """Return a file name as Discord stores it: spaces become _, other odd characters go."""
    return _UNSAFE.sub("", name.replace(" ", "_")).strip(".") or "file"


def compose(
    state: State, upload: Upload, *, channel_id: int, author: User, loading: bool = False
) -> Message:
    """Return a new message; raise Discord's answer if it breaks a limit or is empty.

    A `loading` message is the "thinking" of a deferred answer, so it may be empty.
    """
    payload = upload.payload
    attachments = _attachments(state, upload, channel_id=channel_id, existing=())
    _check(upload, files=len(attachments), layout=_wants_layout(payload))
    if not loading and rules.is_empty(payload, files=len(attachments)):
        raise errors.empty_message()
    flags = MessageFlag(_integer(payload.get("flags"))) & _SETTABLE_FLAGS
    content = (payload.get("content") or "").strip()
    pinged, everyone = find_pings(content, payload.get("allowed_mentions"))
    nonce = payload.get("nonce")
    return Message(
        id=state.next_id(),
        channel_id=channel_id,
        author=author,
        created_at=state.clock.now(),
        content=content,
        embeds=tuple(payload.get("embeds") or ()),
        components=_numbered(payload.get("components") or ()),
        attachments=attachments,
        flags=flags | MessageFlag.LOADING if loading else flags,
        nonce=None if nonce is None else str(nonce),
        pinged_ids=pinged,
        pings_everyone=everyone,
    )


def revise(state: State, message: Message, upload: Upload) -> Message:
    """Return a message's next version: keys that the request leaves out keep their value."""
    payload = upload.payload
    attachments = _attachments(
        state, upload, channel_id=message.channel_id, existing=message.attachments
    )
    wants_layout = _wants_layout(payload)
    layout = wants_layout or bool(message.flags & MessageFlag.COMPONENTS_V2)
    _check(upload, files=len(attachments), layout=layout)
    embeds, components = message.embeds, message.components
    flags = message.flags & ~MessageFlag.LOADING
    if wants_layout:
        flags |= MessageFlag.COMPONENTS_V2
    edited = replace(
        message,
        content=_kept(payload, "content", message.content).strip(),
        embeds=tuple(_kept(payload, "embeds", embeds)),
        components=_numbered(_kept(payload, "components", components)),
        attachments=attachments,
        flags=flags,
        edited_at=None if message.loading else state.clock.now(),
    )
    whole = {
        "content": edited.content,
        "embeds": edited.embeds,
        "components": edited.components,
    }
    if rules.is_empty(whole, files=len(attachments)):
        raise errors.empty_message()
    return edited


def find_pings(content: str, allowed: Any) -> tuple[tuple[int, ...], bool]:
    """Return the users and roles that a text notifies, and whether it notifies everybody.

    `allowed` is the request's allowed_mentions; without it every mention counts.
    """
    rules_given = allowed if isinstance(allowed, dict) else None
    parse = None if rules_given is None else set(rules_given.get("parse") or ())
    listed = {
        int(number) for key in ("users", "roles") for number in (rules_given or {}).get(key) or ()
    }
    pinged = []
    for mark, number in _MENTION.findall(content):
        kind = "roles" if mark == "&" else "users"
        if parse is None or kind in parse or int(number) in listed:
            pinged.append(int(number))
    everyone = "@everyone" in content or "@here" in content
    return tuple(dict.fromkeys(pinged)), everyone and (parse is None or "everyone" in parse)


def _check(upload: Upload, *, files: int, layout: bool) -> None:
    sizes = [len(file.data) for file in upload.files.values()]
    if any(size > rules.FILE_BYTES for size in sizes) or sum(sizes) > rules.REQUEST_BYTES:
        raise errors.request_too_large()
    issues = rules.check_message(upload.payload, files=files)
    components = upload.payload.get("components")
    issues += rules_components.check_components(components, layout=layout)
    rules.require_valid(issues)


def _attachments(
    state: State, upload: Upload, *, channel_id: int, existing: tuple[Attachment, ...]
) -> tuple[Attachment, ...]:
    listed = upload.payload.get("attachments")
    rules.require_valid(rules.check_list(listed, ("attachments",), longest=rules.FILES))
    kept = list(existing) if listed is None else []
    by_id = {attachment.id: attachment for attachment in existing}
    descriptions: dict[int, str | None] = {}
    for index, entry in enumerate(listed or ()):
        number = _integer(entry.get("id", -1))
        if number in by_id:
            kept.append(by_id[number])
        elif number in upload.files:
            descriptions[number] = entry.get("description")
        else:
            text = "Attachment data is missing or invalid"
            raise rules.invalid_form(
                [Issue(("attachments", index), "INVALID_MESSAGE_ATTACHMENT", text)]
            )
    for number, file in sorted(upload.files.items()):
        kept.append(_store(state, file, channel_id=channel_id, text=descriptions.get(number)))
    return tuple(kept)


def _store(state: State, file: UploadedFile, *, channel_id: int, text: str | None) -> Attachment:
    return Attachment(
        id=state.next_id(),
        channel_id=channel_id,
        filename=safe_filename(file.filename),
        data=file.data,
        content_type=file.content_type,
        description=text,
    )


def _numbered(components: Any) -> tuple[Payload, ...]:
    """Return the components with the ids that Discord gives to those that have none."""
    counter = iter(range(1, 10_000))

    def number(component: Payload) -> Payload:
        own = {"id": next(counter), **component}
        if isinstance(component.get("components"), list):
            own["components"] = [number(child) for child in component["components"]]
        if isinstance(component.get("accessory"), dict):
            own["accessory"] = number(component["accessory"])
        return own

    return tuple(number(component) for component in components)


def _kept(payload: Payload, key: str, present: Any) -> Any:
    if key not in payload:
        return present
    value = payload[key]
    return type(present)() if value is None else value


def _wants_layout(payload: Payload) -> bool:
    return bool(_integer(payload.get("flags")) & MessageFlag.COMPONENTS_V2)


def _integer(value: Any) -> int:
    try:
        return int(value or 0)
    except (TypeError, ValueError):
        return -1
