"""Discord's limits on messages as pure checks: a payload in, a list of issues out.

Components and modals are in rules_components.py, command definitions in rules_commands.py. No
state is looked at here and nothing is raised except by `require_valid`.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from bot.sandbox.errors import DiscordError
from bot.sandbox.models import MessageFlag, Payload

CONTENT_LENGTH = 2000
EMBEDS = 10
EMBED_TOTAL_LENGTH = 6000
EMBED_FIELDS = 25
FILES = 10
FILE_BYTES = 10 * 1024 * 1024
REQUEST_BYTES = 25 * 1024 * 1024
NONCE_LENGTH = 25
_URL = re.compile(r"(https?://[^\s]+\.?[^\s]*|attachment://[^\s]+)\Z")


@dataclass(frozen=True, slots=True)
class Issue:
    """One fault of a payload: where, Discord's symbolic code and Discord's sentence."""

    path: tuple[str | int, ...]
    code: str
    message: str

    def under(self, *prefix: str | int) -> "Issue":
        """Return the same issue with a longer path."""
        return Issue((*prefix, *self.path), self.code, self.message)


def error_tree(issues: Sequence[Issue]) -> dict[str, Any]:
    """Return the nested `errors` object of a 50035 answer."""
    tree: dict[str, Any] = {}
    for issue in issues:
        node = tree
        for step in issue.path:
            node = node.setdefault(str(step), {})
        node.setdefault("_errors", []).append({"code": issue.code, "message": issue.message})
    return tree


def invalid_form(issues: Sequence[Issue]) -> DiscordError:
    """Return the 50035 answer that lists `issues`."""
    return DiscordError(400, 50035, "Invalid Form Body", errors=error_tree(issues))


def require_valid(issues: Sequence[Issue]) -> None:
    """Raise Discord's 50035 if there is any issue."""
    if issues:
        raise invalid_form(issues)


def as_integer(value: Any) -> int | None:
    """Return a whole number as it is and None for all else, so that it can be compared safely."""
    return value if isinstance(value, int) and not isinstance(value, bool) else None


def check_text(
    value: Any, path: tuple[str | int, ...], *, longest: int, shortest: int = 0
) -> list[Issue]:
    """Check a text's type and length in characters; `shortest` above 0 makes it required."""
    if value is None or value == "":
        if shortest > 0:
            return [Issue(path, "BASE_TYPE_REQUIRED", "This field is required")]
        return []
    if not isinstance(value, str):
        return [Issue(path, "STRING_TYPE_CONVERT", f'Could not interpret "{value}" as string.')]
    if shortest > 0 and not shortest <= len(value) <= longest:
        text = f"Must be between {shortest} and {longest} in length."
        return [Issue(path, "BASE_TYPE_BAD_LENGTH", text)]
    if len(value) > longest:
        text = f"Must be {longest} or fewer in length."
        return [Issue(path, "BASE_TYPE_MAX_LENGTH", text)]
    return []


def check_list(
    value: Any, path: tuple[str | int, ...], *, longest: int, shortest: int = 0
) -> list[Issue]:
    """Check that a value is a list of objects of an allowed length; None passes as empty."""
    if value is None and shortest == 0:
        return []
    if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
        return [Issue(path, "LIST_TYPE_CONVERT", "Only iterables may be used in a ListType")]
    if len(value) > longest or len(value) < shortest:
        if shortest:
            text = f"Must be between {shortest} and {longest} in length."
            return [Issue(path, "BASE_TYPE_BAD_LENGTH", text)]
        text = f"Must be {longest} or fewer in length."
        return [Issue(path, "BASE_TYPE_MAX_LENGTH", text)]
    return []


def check_url(value: Any, path: tuple[str | int, ...]) -> list[Issue]:
    """Check that a value is an http(s) address or an `attachment://` name; None passes."""
    if value is None or value == "":
        return []
    if isinstance(value, str) and _URL.match(value):
        return []
    return [Issue(path, "URL_TYPE_INVALID_URL", "Not a well formed URL.")]


def check_message(payload: Payload, *, files: int = 0) -> list[Issue]:
    """Check a message's text, embeds, nonce, flags and number of files.

    Components are checked by `rules_components.check_components`; emptiness by `is_empty`.
    """
    issues = check_text(payload.get("content"), ("content",), longest=CONTENT_LENGTH)
    issues += check_embeds(payload.get("embeds"))
    issues += _check_nonce(payload.get("nonce"))
    if files > FILES:
        text = f"Must be {FILES} or fewer in length."
        issues.append(Issue(("attachments",), "BASE_TYPE_MAX_LENGTH", text))
    if _flags(payload) & MessageFlag.COMPONENTS_V2:
        issues += [
            Issue(
                (key,),
                "MESSAGE_CANNOT_USE_LEGACY_FIELDS_WITH_COMPONENTS_V2",
                f"The '{key}' field cannot be used when using MessageFlags.IS_COMPONENTS_V2",
            )
            for key in ("content", "embeds", "poll", "stickers")
            if payload.get(key)
        ]
    return issues


def is_empty(payload: Payload, *, files: int) -> bool:
    """Whether a message would show nothing at all (Discord's 50006)."""
    content = payload.get("content")
    has_text = isinstance(content, str) and content.strip() != ""
    others = ("embeds", "components", "sticker_ids", "poll")
    return not has_text and files == 0 and not any(payload.get(key) for key in others)


def check_embeds(embeds: Any) -> list[Issue]:
    """Check a message's embeds one by one and their size together."""
    issues = check_list(embeds, ("embeds",), longest=EMBEDS)
    if issues or not embeds:
        return issues
    for index, embed in enumerate(embeds):
        issues += [issue.under("embeds", index) for issue in _check_embed(embed)]
    # An error of the whole list would hide those of its items, so it comes only without them.
    if not issues and sum(map(embed_length, embeds)) > EMBED_TOTAL_LENGTH:
        text = f"Embed size exceeds maximum size of {EMBED_TOTAL_LENGTH}"
        issues.append(Issue(("embeds",), "MAX_EMBED_SIZE_EXCEEDED", text))
    return issues


def embed_length(embed: Payload) -> int:
    """Return the number of characters that count towards the limit of 6000."""
    return sum(len(text) for text in _embed_texts(embed))


def _embed_texts(embed: Payload) -> Iterator[str]:
    candidates = [embed.get("title"), embed.get("description")]
    for key, part in (("footer", "text"), ("author", "name")):
        holder = embed.get(key)
        candidates.append(holder.get(part) if isinstance(holder, dict) else None)
    fields = embed.get("fields")
    for item in fields if isinstance(fields, list) else []:
        if isinstance(item, dict):
            candidates += [item.get("name"), item.get("value")]
    yield from (text for text in candidates if isinstance(text, str))


def _check_embed(embed: Payload) -> list[Issue]:
    issues = check_text(embed.get("title"), ("title",), longest=256)
    issues += check_text(embed.get("description"), ("description",), longest=4096)
    issues += check_url(embed.get("url"), ("url",))
    issues += _check_colour(embed.get("color"))
    for key, part, longest in (("footer", "text", 2048), ("author", "name", 256)):
        holder = embed.get(key)
        if isinstance(holder, dict):
            issues += check_text(holder.get(part), (key, part), longest=longest, shortest=1)
            issues += check_url(holder.get("icon_url"), (key, "icon_url"))
    for key in ("image", "thumbnail"):
        holder = embed.get(key)
        if isinstance(holder, dict):
            issues += check_url(holder.get("url"), (key, "url"))
    return issues + _check_fields(embed.get("fields"))


def _check_fields(fields: Any) -> list[Issue]:
    issues = check_list(fields, ("fields",), longest=EMBED_FIELDS)
    if issues or not fields:
        return issues
    for index, item in enumerate(fields):
        for key, longest in (("name", 256), ("value", 1024)):
            # Discord trims texts first, so a blank value counts as missing.
            text = item.get(key)
            text = text.strip() if isinstance(text, str) else text
            issues += check_text(text, ("fields", index, key), longest=longest, shortest=1)
    return issues


def _check_colour(colour: Any) -> list[Issue]:
    if colour is None:
        return []
    if not isinstance(colour, int) or isinstance(colour, bool):
        return [Issue(("color",), "NUMBER_TYPE_COERCE", f'Value "{colour}" is not int.')]
    if not 0 <= colour <= 0xFFFFFF:
        text = "int value should be less than or equal to 16777215."
        return [Issue(("color",), "NUMBER_TYPE_MAX", text)]
    return []


def _check_nonce(nonce: Any) -> list[Issue]:
    if nonce is None or isinstance(nonce, int):
        return []
    return check_text(nonce, ("nonce",), longest=NONCE_LENGTH)


def _flags(payload: Payload) -> int:
    return as_integer(payload.get("flags")) or 0
