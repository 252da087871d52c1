"""Discord's limits on the definitions of slash commands as pure checks; see rules.py."""

import re
import unicodedata
from collections import Counter
from enum import IntEnum
from typing import Any

from bot.sandbox.models import Payload
from bot.sandbox.rules import Issue, as_integer, check_list, check_text

COMMANDS = 100
OPTIONS = 25
CHOICES = 25
COMMAND_LENGTH = 8000
STRING_LENGTH = 6000
_NAME = re.compile(r"[-_'\w]{1,32}\Z")
_OTHER_NAME_TYPES = frozenset({2, 3})


class OptionType(IntEnum):
    """The kinds of option, by Discord's numbers."""

    SUB_COMMAND = 1
    SUB_COMMAND_GROUP = 2
    STRING = 3
    INTEGER = 4
    BOOLEAN = 5
    USER = 6
    CHANNEL = 7
    ROLE = 8
    MENTIONABLE = 9
    NUMBER = 10
    ATTACHMENT = 11


NESTING = frozenset({OptionType.SUB_COMMAND, OptionType.SUB_COMMAND_GROUP})
_NUMERIC = frozenset({OptionType.INTEGER, OptionType.NUMBER})
_CHOOSABLE = frozenset({OptionType.STRING, *_NUMERIC})


def is_valid_name(name: Any) -> bool:
    """Whether Discord takes this as a slash command's or option's name: lower-case, 1 to 32."""
    return isinstance(name, str) and bool(_NAME.match(name)) and name == name.lower()


def command_length(command: Payload) -> int:
    """Return the characters of a definition that count towards the limit of 8000."""
    own = sum(len(str(command.get(key) or "")) for key in ("name", "description"))
    choices = command.get("choices") or []
    own += sum(len(str(c.get("name", ""))) + len(str(c.get("value", ""))) for c in choices)
    return own + sum(command_length(option) for option in command.get("options") or [])


def check_commands(commands: Any) -> list[Issue]:
    """Check a whole scope of commands as sent by a bulk overwrite."""
    if not isinstance(commands, list) or not all(isinstance(item, dict) for item in commands):
        return [Issue((), "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")]
    issues = []
    if sum(1 for item in commands if _command_kind(item) == 1) > COMMANDS:
        text = f"Maximum number of application commands reached ({COMMANDS})."
        issues.append(Issue((), "APPLICATION_COMMANDS_MAX", text))
    used = Counter((_command_kind(item), str(item.get("name"))) for item in commands)
    for index, command in enumerate(commands):
        issues += [issue.under(index) for issue in check_command(command)]
        if used[_command_kind(command), str(command.get("name"))] > 1:
            text = "Application command names must be unique"
            issues.append(Issue((index,), "APPLICATION_COMMANDS_DUPLICATE_NAME", text))
    return issues


def check_command(command: Payload) -> list[Issue]:
    """Check one command's name, description, options and total length."""
    if _command_kind(command) in _OTHER_NAME_TYPES:
        return check_text(command.get("name"), ("name",), longest=32, shortest=1)
    issues = _check_name_and_description(command)
    issues += _check_permissions(command.get("default_member_permissions"))
    issues += _check_options(command.get("options"), depth=0)
    if not issues and command_length(command) > COMMAND_LENGTH:
        text = f"Command exceeds maximum size ({COMMAND_LENGTH})"
        issues.append(Issue((), "APPLICATION_COMMAND_TOO_LARGE", text))
    return issues


def _command_kind(command: Payload) -> int | None:
    return as_integer(command.get("type", 1))


def _bound(value: Any) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _check_name_and_description(item: Payload) -> list[Issue]:
    issues = check_text(item.get("name"), ("name",), longest=32, shortest=1)
    if not issues and not is_valid_name(item["name"]):
        issues = [Issue(("name",), "APPLICATION_COMMAND_INVALID_NAME", "Command name is invalid")]
    description = item.get("description")
    if isinstance(description, str):
        description = "".join(c for c in description if unicodedata.category(c) != "Cc").strip()
    return issues + check_text(description, ("description",), longest=100, shortest=1)


def _check_permissions(value: Any) -> list[Issue]:
    if value is None or (isinstance(value, str | int) and str(value).isdecimal()):
        return []
    path = ("default_member_permissions",)
    return [Issue(path, "BITFIELD_TYPE_INVALID", f"Invalid permissions {value}.")]


def _check_options(options: Any, *, depth: int) -> list[Issue]:
    issues = check_list(options, ("options",), longest=OPTIONS)
    if issues or not options:
        return issues
    for index, option in enumerate(options):
        issues += [i.under("options", index) for i in _check_option(option, depth=depth)]
    used = Counter(str(option.get("name")) for option in options)
    if not issues and any(count > 1 for count in used.values()):
        text = "Option names must be unique"
        issues.append(Issue(("options",), "APPLICATION_COMMAND_OPTIONS_NAME_DUPLICATE", text))
    nested = [as_integer(option.get("type")) in NESTING for option in options]
    if not issues and any(nested) and not all(nested):
        text = "Sub-command and sub-command group option types are mutually exclusive to all others"
        issues.append(Issue(("options",), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text))
    required = [bool(option.get("required")) for option in options]
    for index in range(1, len(required)):
        if required[index] and not required[index - 1]:
            text = "Required options must be placed before non-required options"
            code = "APPLICATION_COMMAND_OPTIONS_REQUIRED_INVALID"
            issues.append(Issue(("options", index), code, text))
    return issues


def _check_option(option: Payload, *, depth: int) -> list[Issue]:
    issues = _check_name_and_description(option)
    kind = as_integer(option.get("type"))
    if kind not in set(OptionType):
        text = f"Value must be one of {tuple(int(known) for known in OptionType)}."
        return [*issues, Issue(("type",), "BASE_TYPE_CHOICES", text)]
    if kind in NESTING:
        # A group may stand at the top only, a sub-command at the top or in a group.
        if depth >= (1 if kind == OptionType.SUB_COMMAND_GROUP else 2):
            text = "This type of option can't stand here"
            issues.append(Issue(("type",), "APPLICATION_COMMAND_OPTIONS_TYPE_INVALID", text))
        below = 1 if kind == OptionType.SUB_COMMAND_GROUP else 2
        return issues + _check_options(option.get("options"), depth=below)
    return issues + _check_choices(option) + _check_bounds(option)


def _check_choices(option: Payload) -> list[Issue]:
    choices = option.get("choices")
    issues = check_list(choices, ("choices",), longest=CHOICES)
    if issues or not choices:
        return issues
    if option["type"] not in _CHOOSABLE or option.get("autocomplete"):
        text = "Choices are not allowed for this option"
        return [Issue(("choices",), "APPLICATION_COMMAND_OPTIONS_CHOICES_INVALID", text)]
    for index, choice in enumerate(choices):
        found = check_choice(choice, numeric=option["type"] in _NUMERIC)
        issues += [issue.under("choices", index) for issue in found]
    used = Counter(str(choice.get("name")) for choice in choices)
    if not issues and any(count > 1 for count in used.values()):
        text = "Choice names must be unique"
        issues.append(
            Issue(("choices",), "APPLICATION_COMMAND_OPTIONS_CHOICE_NAME_DUPLICATE", text)
        )
    return issues


def check_choice(choice: Payload, *, numeric: bool) -> list[Issue]:
    """Check one choice of an option or of an autocompletion."""
    issues = check_text(choice.get("name"), ("name",), longest=100, shortest=1)
    value = choice.get("value")
    if not numeric:
        return issues + check_text(value, ("value",), longest=100, shortest=1)
    if not isinstance(value, int | float) or isinstance(value, bool):
        issues.append(Issue(("value",), "NUMBER_TYPE_COERCE", f'Value "{value}" is not a number.'))
    elif abs(value) > 2**53:
        text = "Value must be between -2^53 and 2^53."
        issues.append(Issue(("value",), "NUMBER_TYPE_MAX", text))
    return issues


def check_autocompletion(choices: Any, *, numeric: bool) -> list[Issue]:
    """Check the choices that a bot suggests while the user types."""
    issues = check_list(choices, ("choices",), longest=CHOICES)
    if issues or not choices:
        return issues
    for index, choice in enumerate(choices):
        found = check_choice(choice, numeric=numeric)
        issues += [issue.under("choices", index) for issue in found]
    return issues


def _check_bounds(option: Payload) -> list[Issue]:
    issues = []
    kind = option["type"]
    pairs = (("min_value", "max_value", _NUMERIC), ("min_length", "max_length", {3}))
    for low, high, kinds in pairs:
        least, most = _bound(option.get(low)), _bound(option.get(high))
        if kind not in kinds and (least is not None or most is not None):
            text = "Bounds are not allowed for this option"
            issues.append(Issue((low,), "APPLICATION_COMMAND_OPTIONS_BOUNDS_INVALID", text))
        elif least is not None and most is not None and least > most:
            text = f"{low} must not be greater than {high}"
            issues.append(Issue((low,), "APPLICATION_COMMAND_OPTIONS_BOUNDS_INVALID", text))
    longest = option.get("max_length")
    if isinstance(longest, int) and not 1 <= longest <= STRING_LENGTH:
        text = f"int value should be between 1 and {STRING_LENGTH}."
        issues.append(Issue(("max_length",), "NUMBER_TYPE_MAX", text))
    return issues
