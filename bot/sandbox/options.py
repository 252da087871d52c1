"""How what a user types becomes an interaction's data, refused where Discord would refuse it."""

from collections.abc import Iterator, Mapping
from typing import Any

from bot.sandbox.errors import InvalidInput, NotOffered
from bot.sandbox.models import Attachment, Channel, Command, Payload, UploadedFile
from bot.sandbox.payloads import channel_payload, member_payload, role_payload, user_payload
from bot.sandbox.payloads_messages import attachment_payload
from bot.sandbox.rules_commands import NESTING, STRING_LENGTH, OptionType
from bot.sandbox.state import State

_RESOLVED_KEYS = {
    OptionType.USER: "users",
    OptionType.CHANNEL: "channels",
    OptionType.ROLE: "roles",
    OptionType.ATTACHMENT: "attachments",
}


class OptionReader:
    """Reads the options of one invocation; `state` and `channel` give names their meaning."""

    def __init__(self, state: State, channel: Channel) -> None:
        self._state = state
        self._channel = channel
        self._resolved: dict[str, Payload] = {}

    def data(
        self,
        command: Command,
        path: list[str],
        given: Mapping[str, Any],
        *,
        focused: tuple[str, str] | None = None,
    ) -> Payload:
        """Return the interaction's data for a command, its sub-command path and its options.

        `focused` is the option being typed and its text so far; then nothing is required.
        Raises NotOffered for an unknown sub-command, InvalidInput for a value not allowed.
        """
        options = self._nested(command.definition, path, given, focused=focused)
        data: Payload = {
            "id": str(command.id),
            "name": command.name,
            "type": int(command.definition.get("type", 1)),
            "options": options,
        }
        if command.guild_id is not None:
            data["guild_id"] = str(command.guild_id)
        if self._resolved:
            data["resolved"] = self._resolved
        return data

    def _nested(
        self,
        holder: Mapping[str, Any],
        path: list[str],
        given: Mapping[str, Any],
        *,
        focused: tuple[str, str] | None,
    ) -> list[Payload]:
        options: list[Payload] = holder.get("options") or []
        below = {o["name"]: o for o in options if o["type"] in NESTING}
        if not below:
            if path:
                raise NotOffered(f"/{holder['name']} has no sub-command {path[0]!r}")
            return self._values(options, given, focused=focused)
        if not path or path[0] not in below:
            raise NotOffered(f"/{holder['name']} needs one of {sorted(below)}, not {path[:1]}")
        chosen = below[path[0]]
        inner = self._nested(chosen, path[1:], given, focused=focused)
        return [{"name": chosen["name"], "type": chosen["type"], "options": inner}]

    def _values(
        self,
        options: list[Payload],
        given: Mapping[str, Any],
        *,
        focused: tuple[str, str] | None,
    ) -> list[Payload]:
        known = {option["name"]: option for option in options}
        asked = set(given) if focused is None else {*given, focused[0]}
        unknown = asked - set(known)
        if unknown:
            raise InvalidInput(f"no option {sorted(unknown)}; the command has {sorted(known)}")
        found = []
        for name, option in known.items():
            if focused is not None and name == focused[0]:
                if not option.get("autocomplete"):
                    raise NotOffered(f"option {name!r} suggests nothing while typing")
                typed = {"name": name, "type": option["type"], "value": focused[1]}
                found.append({**typed, "focused": True})
            elif given.get(name) is not None:
                value = self._value(option, given[name])
                found.append({"name": name, "type": option["type"], "value": value})
            elif option.get("required") and focused is None:
                raise InvalidInput(f"option {name!r} is required")
        return found

    def _value(self, option: Payload, value: Any) -> Any:
        if option.get("choices"):
            return _choice(option, value)
        kind = option["type"]
        if kind == OptionType.STRING:
            return _text(option, value)
        if kind in (OptionType.INTEGER, OptionType.NUMBER):
            return _number(option, value)
        if kind == OptionType.BOOLEAN:
            if not isinstance(value, bool):
                raise InvalidInput(f"option {option['name']!r} takes true or false, not {value!r}")
            return value
        return self._resolve(option, value)

    def _resolve(self, option: Payload, value: Any) -> str:
        kind = option["type"]
        if kind == OptionType.MENTIONABLE:
            is_role = any(value in (r.name, r.id) for r in self._state.roles.values())
            kind = OptionType.ROLE if is_role else OptionType.USER
        key = _RESOLVED_KEYS[kind]
        number, payload = self._found(option, OptionType(kind), value)
        self._resolved.setdefault(key, {})[str(number)] = payload
        guild_id = self._channel.guild_id
        if key == "users" and guild_id is not None and (guild_id, number) in self._state.members:
            member = member_payload(self._state, guild_id, number)
            rights = self._state.permissions_in(self._channel, number)
            with_rights = {**member, "permissions": str(rights)}
            self._resolved.setdefault("members", {})[str(number)] = with_rights
        return str(number)

    def _found(self, option: Payload, kind: OptionType, value: Any) -> tuple[int, Payload]:
        if kind is OptionType.ATTACHMENT and isinstance(value, UploadedFile):
            return self._uploaded(value)
        for number, name, payload in self._candidates(kind):
            if value in (number, name):
                return number, payload
        raise InvalidInput(f"option {option['name']!r} can't find {value!r}")

    def _candidates(self, kind: OptionType) -> Iterator[tuple[int, str, Payload]]:
        state, guild_id = self._state, self._channel.guild_id
        if kind is OptionType.USER:
            yield from ((user.id, user.name, user_payload(user)) for user in state.users.values())
        elif kind is OptionType.ROLE:
            roles = (role for role in state.roles.values() if role.guild_id == guild_id)
            yield from ((role.id, role.name, role_payload(role)) for role in roles)
        elif kind is OptionType.CHANNEL:
            for channel in state.guild_channels(guild_id or 0):
                rights = str(state.permissions_in(channel, state.bot.id))
                payload = {**channel_payload(state, channel), "permissions": rights}
                yield channel.id, channel.name, payload

    def _uploaded(self, file: UploadedFile) -> tuple[int, Payload]:
        state = self._state
        number = state.next_id()
        stored = Attachment(number, self._channel.id, file.filename, file.data, file.content_type)
        state.uploads[number] = stored
        return number, attachment_payload(state, stored)


def _choice(option: Payload, value: Any) -> Any:
    for choice in option["choices"]:
        if value in (choice["name"], choice["value"]):
            return choice["value"]
    names = [choice["name"] for choice in option["choices"]]
    raise InvalidInput(f"option {option['name']!r} takes one of {names}, not {value!r}")


def _text(option: Payload, value: Any) -> str:
    least = option.get("min_length") or 0
    most = option.get("max_length") or STRING_LENGTH
    if not isinstance(value, str) or not least <= len(value) <= most:
        raise InvalidInput(
            f"option {option['name']!r} takes a text of {least} to {most} characters, not {value!r}"
        )
    return value


def _number(option: Payload, value: Any) -> int | float:
    whole = option["type"] == OptionType.INTEGER
    fits = isinstance(value, int) if whole else isinstance(value, int | float)
    if not fits or isinstance(value, bool):
        kind = "a whole number" if whole else "a number"
        raise InvalidInput(f"option {option['name']!r} takes {kind}, not {value!r}")
    least = option.get("min_value", -(2**53))
    most = option.get("max_value", 2**53)
    if not least <= value <= most:
        raise InvalidInput(f"option {option['name']!r} takes {least} to {most}, not {value!r}")
    return int(value) if whole else float(value)
