"""Discord's limits, kept by construction, and text made safe to show. No Discord objects but Embed.

`Markup` is text whose markdown is meant; everything that people, files or exchanges wrote goes
through `escape` (where markdown is rendered) or `plain` (where it isn't: buttons, footers, modals).
"""

import re
from collections.abc import Iterable, Sequence
from typing import Final, NewType, Self

import discord

Markup = NewType("Markup", str)

CONTENT: Final = 2000
TITLE: Final = 256
DESCRIPTION: Final = 4096
FIELDS: Final = 25
FIELD_NAME: Final = 256
FIELD_VALUE: Final = 1024
FOOTER: Final = 2048
EMBEDS_TOTAL: Final = 6000
FILES: Final = 10
FILE_BYTES: Final = 10 * 1024 * 1024
REQUEST_BYTES: Final = 25 * 1024 * 1024
BUTTON_LABEL: Final = 80
BUTTONS: Final = 25
BUTTONS_PER_ROW: Final = 5
CHOICES: Final = 25
CHOICE: Final = 100
MODAL_TITLE: Final = 45
MODAL_INPUTS: Final = 5
INPUT_LABEL: Final = 45
INPUT_DESCRIPTION: Final = 100
INPUT_VALUE: Final = 4000

NOTHING: Final = Markup("–")
_ELLIPSIS: Final = "…"
_SPECIAL: Final = re.compile(r"([\\*_~`|<>\[\]])")
_LINE_START: Final = re.compile(r"(?m)^(\s*)([#+-]|\d+\.)(?=\s|#)")
_UNSEEN: Final = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f\u200b-\u200f\u202a-\u202e\u2066-\u2069\ufeff]"
)


def length(text: str) -> int:
    """Return a text's length as the strictest counter would: in UTF-16 units."""
    return len(text.encode("utf-16-le", "surrogatepass")) // 2


def plain(text: str, limit: int) -> str:
    """Return text on one line for places without markdown; never empty, never over the limit."""
    words = " ".join(_UNSEEN.sub("", _valid(text)).split())
    return clip(words.replace("@", "@\u200b"), limit) or str(NOTHING)


def escape(text: str) -> Markup:
    """Return text that shows as it is: no markdown, no mention, no link that hides its address."""
    text = _UNSEEN.sub("", _valid(text))
    text = _SPECIAL.sub(r"\\\1", text)
    text = _LINE_START.sub(r"\1\\\2", text)
    # A zero-width space keeps the look of a mention and takes its effect.
    return Markup(text.replace("@", "@\u200b").replace("://", ":\u200b//"))


def code(text: str, limit: int = 200) -> Markup:
    """Return short text in code style, on one line."""
    inside = plain(text, limit - 2).replace("`", "ˋ")
    return Markup(f"`{inside}`")


def clip(text: str, limit: int) -> str:
    """Cut text to a limit, with an ellipsis; no escape sequence or character is cut in two."""
    if length(text) <= limit:
        return text
    low, high = 0, min(len(text), limit)
    while low < high:
        middle = (low + high + 1) // 2
        low, high = (middle, high) if length(text[:middle]) < limit else (low, middle - 1)
    kept = text[:low]
    slashes = len(kept) - len(kept.rstrip("\\"))
    return (kept[:-1] if slashes % 2 else kept) + _ELLIPSIS


def join_lines(lines: Sequence[Markup], limit: int, *, more: str = "more") -> Markup:
    """Join as many lines as fit, then say how many are left out."""
    kept: list[str] = []
    used = 0
    for number, line in enumerate(lines):
        line = Markup(clip(line, limit // 2))
        left = len(lines) - number - 1
        rest = f"… and {left + 1:,} {more}"
        reserve = length(rest) + 1 if left else 0
        if used + length(line) + 1 + reserve > limit:
            kept.append(rest)
            break
        kept.append(line)
        used += length(line) + 1
    return Markup("\n".join(kept))


class Card:
    """Builds an embed that Discord accepts, whatever goes in; what doesn't fit is cut or counted.

    `budget` is this embed's share of the 6000 characters that a message's embeds have together.
    """

    def __init__(
        self, title: str, *, colour: int | None = None, budget: int = EMBEDS_TOTAL
    ) -> None:
        heading = clip(escape(" ".join(_valid(title).split())), TITLE) or NOTHING
        self._embed = discord.Embed(title=heading, colour=colour)
        self._left = budget - length(heading)
        self._dropped = 0

    def describe(self, text: Markup) -> Self:
        """Set the text below the title."""
        text = Markup(clip(text, min(DESCRIPTION, self._left)))
        self._embed.description = text
        self._left -= length(text)
        return self

    def list(self, lines: Iterable[Markup], *, more: str = "more") -> Self:
        """Set the text below the title to as many whole lines as fit."""
        return self.describe(join_lines(list(lines), min(DESCRIPTION, self._left), more=more))

    def field(self, name: str, value: Markup | None, *, inline: bool = True) -> Self:
        """Add a field; it is left out where the embed is full."""
        name = clip(escape(" ".join(name.split())), FIELD_NAME) or NOTHING
        text = clip((value or "").strip() or NOTHING, FIELD_VALUE)
        needed = length(name) + length(text)
        if len(self._embed.fields) >= FIELDS or needed > self._left:
            self._dropped += 1
            return self
        self._embed.add_field(name=name, value=text, inline=inline)
        self._left -= needed
        return self

    def field_list(self, name: str, lines: Sequence[Markup], *, more: str = "more") -> Self:
        """Add a field of whole lines over the full width; nothing where there are none."""
        if not lines:
            return self
        return self.field(name, join_lines(lines, FIELD_VALUE, more=more), inline=False)

    def image(self, filename: str) -> Self:
        """Show an attached file inside the embed."""
        self._embed.set_image(url=f"attachment://{filename}")
        return self

    def footer(self, text: str) -> Self:
        """Set the small line at the bottom, where markdown isn't rendered."""
        if self._left > 0:
            text = plain(text, min(FOOTER, self._left))
            self._embed.set_footer(text=text)
            self._left -= length(text)
        return self

    @property
    def dropped(self) -> int:
        """How many fields did not fit."""
        return self._dropped

    def build(self) -> discord.Embed:
        """Return the embed."""
        return self._embed


def _valid(text: str) -> str:
    """Replace lone surrogates, which no JSON encoder on the way would take."""
    return text.encode("utf-8", "replace").decode("utf-8")
