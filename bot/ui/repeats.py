"""What an alert shows that stands for several: how often it came, since when. Pure."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import discord

from bot.repeats import REPEATS
from bot.ui.formats import moment
from bot.ui.limits import Markup, clip, length
from engine.timeframe import DAY_MS


def with_repeats(embed: discord.Embed, payload: Mapping[str, Any], budget: int) -> discord.Embed:
    """Say in an alert's embed how often it came; it stays within the budget, in characters."""
    found = payload.get(REPEATS)
    if found is None:
        return embed
    count, since, last = found
    style = _style(since, last)
    line = Markup(f"🔁 **×{count:,}** since {moment(since, style)}, the last {moment(last, style)}")
    # What to do, the last paragraph, stays; the reason before it can be cut.
    text, gap, way = (embed.description or "").rpartition("\n\n")
    if not gap:
        text, way = way, ""
    embed.description = f"{gap}{way}\n{line}"
    room = budget - _length(embed)
    embed.description = f"{clip(text, max(room, 1))}{embed.description}".strip()
    return embed


def repeats_text(payload: Mapping[str, Any]) -> str:
    """Return the same for one line of plain text, nothing for an alert that came once."""
    found = payload.get(REPEATS)
    if found is None:
        return ""
    count, since, _ = found
    return f" (×{count:,} since {datetime.fromtimestamp(since / 1000, UTC):%Y-%m-%d %H:%M} UTC)"


def _length(embed: discord.Embed) -> int:
    """Return an embed's length as the strictest counter would."""
    texts = [embed.title, embed.description, embed.footer.text]
    for field in embed.fields:
        texts += [field.name, field.value]
    return sum(length(text or "") for text in texts)


def _style(since: int, last: int) -> Any:
    return "t" if last - since < DAY_MS // 2 else "f"
