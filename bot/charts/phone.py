"""What pictures that are read on a phone have in common: sizes, layout, corner texts.

Sizes are those of `bot.charts.theme`: a phone shows the 800 pixels as 400, so that letters are
twice as large here as on other charts. Parts of figures, no figure.
"""

from typing import Any, Final

from bot.charts import theme

HEIGHT: Final = 500
HEADER: Final = 62
BOTTOM: Final = 48
FONT_SIZE: Final = 25
# On tags and badges.
DARK: Final = "#1e1f22"


def base_layout(*, left: int, right: int) -> dict[str, Any]:
    """Return a layout without axes; the margins beside the plot are in pixels."""
    return {
        "template": "none",
        "height": HEIGHT,
        "paper_bgcolor": theme.PAPER,
        "plot_bgcolor": theme.PLOT,
        "font": {"family": theme.FONT, "size": FONT_SIZE, "color": theme.TEXT},
        "margin": {"l": left, "r": right, "t": HEADER, "b": BOTTOM, "autoexpand": False},
        "showlegend": False,
    }


def left_text(text: str, *, y: float, left: int) -> dict[str, Any]:
    """Return a text at the left edge, `y` pixels below the upper one; `left` is the margin."""
    return _text(text, y) | {"x": 0, "xanchor": "left", "xshift": theme.MARGIN - left}


def right_text(text: str, *, y: float, right: int) -> dict[str, Any]:
    """Return a text at the right edge, `y` pixels below the upper one; `right` is the margin."""
    return _text(text, y) | {"x": 1, "xanchor": "right", "xshift": right - theme.MARGIN}


def simulated_badge(*, right: int) -> dict[str, Any]:
    """Return the word that prices are made up, in the lower right corner."""
    badge = {"bgcolor": theme.AMBER, "borderpad": 3, "font": {"size": 20, "color": DARK}}
    return right_text("simulated", y=HEIGHT - BOTTOM / 2, right=right) | badge


def _text(text: str, y: float) -> dict[str, Any]:
    return {
        "text": text,
        "showarrow": False,
        "xref": "paper",
        "yref": "paper",
        "y": 1,
        "yanchor": "middle",
        "yshift": HEADER - y,
        "font": {"size": FONT_SIZE, "color": theme.MUTED},
    }
