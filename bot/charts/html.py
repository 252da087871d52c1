"""Interactive pages of figures: one file each, complete in itself. No network, no browser."""

import html
from typing import Any, Final

from plotly.graph_objects import Figure
from plotly.io import to_html
from plotly.offline import get_plotlyjs

from bot.charts import theme

_CONFIG: Final[dict[str, Any]] = {
    "displaylogo": False,
    "responsive": True,
    "scrollZoom": True,
    # Nobody's results leave their machine by a stray click.
    "modeBarButtonsToRemove": ["sendChartToCloud", "lasso2d", "select2d"],
}

_PAGE: Final = """<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{title}</title>
<style>
html, body {{ margin: 0; height: 100%; background: {paper}; }}
.chart {{ height: {height}; min-width: {min_width}px; min-height: {min_height}px; }}
</style>
<script>{script}</script>
</head>
<body>
<div class="chart">{chart}</div>
</body>
</html>
"""


def page(figure: Figure, title: str) -> str:
    """Return a figure as an HTML page that works alone and without a network (about 5 MB)."""
    own_height = figure.layout.height
    return _PAGE.format(
        title=html.escape(title),
        paper=theme.PAPER,
        height=f"{own_height}px" if own_height else "100vh",
        min_width=theme.WIDTH,
        min_height=own_height or theme.HEIGHT,
        script=get_plotlyjs(),
        chart=to_html(figure, config=_CONFIG, include_plotlyjs=False, full_html=False),
    )
