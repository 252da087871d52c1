"""Prices as coloured tags beside a plot, none over another. Parts of figures, no figure."""

import html
import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from bot.charts import theme
from bot.charts.phone import DARK

_SIZE: Final = 24
_GAP: Final = 38


@dataclass(frozen=True, slots=True)
class Tag:
    """A price with a name."""

    name: str
    price: float
    colour: str


def tag_texts(tags: Sequence[Tag], *, prefix: str, bounds: tuple[float, float]) -> list[str]:
    """Return what tags say, with decimals that tell apart what the axis (`bounds`) does.

    An arrow tells that a price lies outside of it.
    """
    bottom, top = bounds
    decimals = max(2, 2 - math.floor(math.log10(top - bottom)))
    return [
        f"{tag.name} {_arrow(tag.price, bottom, top)}{prefix}{tag.price:,.{decimals}f}"
        for tag in tags
    ]


def tags_width(texts: Sequence[str]) -> int:
    """Return the pixels that tags need beside a plot."""
    return 22 + round(max(theme.text_width(text, _SIZE) for text in texts))


def tag_annotations(
    tags: Sequence[Tag], texts: Sequence[str], *, bounds: tuple[float, float], height: int
) -> list[dict[str, Any]]:
    """Return tags as annotations right of a plot of some height (pixels), near their prices."""
    bottom, top = bounds
    wanted = [height * (tag.price - bottom) / (top - bottom) for tag in tags]
    placed = spread(wanted, gap=_GAP, lowest=_GAP / 2, highest=height - _GAP / 2)
    return [
        {
            "text": f"<b>{html.escape(text)}</b>",
            "showarrow": False,
            "xref": "paper",
            "yref": "paper",
            "x": 1,
            "y": y / height,
            "xanchor": "left",
            "yanchor": "middle",
            "xshift": 6,
            "bgcolor": tag.colour,
            "borderpad": 3,
            "font": {"size": _SIZE, "color": DARK},
        }
        for tag, text, y in zip(tags, texts, placed, strict=True)
    ]


def spread(wanted: Sequence[float], *, gap: float, lowest: float, highest: float) -> list[float]:
    """Return places as near as possible to those wanted, at least a gap apart, in the same order.

    Where there is no room for all, the lowest ones go below `lowest`.
    """
    order = sorted(range(len(wanted)), key=lambda index: wanted[index])
    placed = [0.0] * len(wanted)
    below = lowest - gap
    for index in order:
        below = placed[index] = max(wanted[index], below + gap)
    above = highest + gap
    for index in reversed(order):
        above = placed[index] = min(placed[index], above - gap)
    return placed


def _arrow(price: float, bottom: float, top: float) -> str:
    return "↓ " if price < bottom else "↑ " if price > top else ""
