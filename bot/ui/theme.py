"""Colours of embeds. They say how something ended: that is all a colour says here."""

from typing import Final

GAIN: Final = 0x2E9E6B
LOSS: Final = 0xD64550
NEUTRAL: Final = 0x8A8F98
ACCENT: Final = 0x4C78DB
WAITING: Final = 0xB8BDC7
WARNING: Final = 0xE0A030


def outcome_colour(value: float | None) -> int:
    """Return green for a gain, red for a loss, grey for neither."""
    if not value:
        return NEUTRAL
    return GAIN if value > 0 else LOSS
