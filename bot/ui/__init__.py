"""Pure renderers of embeds, and views and buttons."""
