"""Strategy parameters as people type them. What they mean is the strategy's to say."""

import re
from typing import Final

from bot.errors import InvalidInput

_EXAMPLE: Final = "write them as fast_period=20 slow_period=50"
_AROUND_SIGN: Final = re.compile(r"[ \t]*=[ \t]*")


def parse_params(text: str | None) -> dict[str, str]:
    """Return parameters typed as `name=value`, apart by spaces, commas or lines.

    Raises:
        InvalidInput: a part isn't name=value, or a name comes twice.
    """
    found: dict[str, str] = {}
    for part in _AROUND_SIGN.sub("=", (text or "").replace(",", " ")).split():
        name, sign, value = part.partition("=")
        if not sign or not name or not value:
            raise InvalidInput(f"params: {part!r} is not name=value: {_EXAMPLE}")
        if name in found:
            raise InvalidInput(f"params: {name} is given twice: keep one")
        found[name] = value
    return found
