"""Files that fit: a file over the limit is zipped, and left out where that isn't enough. Pure."""

import io
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import PurePath
from typing import Final

import discord

from bot.ui.limits import Markup
from bot.ui.results import too_large_text

# Discord wraps a file in a form; that counts, too.
_FORM_BYTES: Final = 4096


@dataclass(frozen=True, slots=True)
class Parcel:
    """Files to attach, by name, and what to say about those that were too large."""

    files: Mapping[str, bytes]
    notices: tuple[Markup, ...] = ()

    def attachments(self) -> list[discord.File]:
        """Return the files anew; Discord's library reads each only once."""
        return [discord.File(io.BytesIO(data), name) for name, data in self.files.items()]


def pack(files: Mapping[str, bytes], limit: int, *, instead: str = "") -> Parcel:
    """Return files that each fit into `limit` bytes: as they are, zipped, or left out with a word.

    `instead` says where to look when a file is too large even zipped. Compresses: call it in a
    thread.
    """
    room = limit - _FORM_BYTES
    fitting: dict[str, bytes] = {}
    notices: list[Markup] = []
    for name, data in files.items():
        if len(data) <= room:
            fitting[name] = data
            continue
        zipped = _zip(name, data)
        if len(zipped) <= room:
            fitting[f"{PurePath(name).stem}.zip"] = zipped
            word = "here it is zipped."
        else:
            word = f"it can't be sent, even zipped. {instead}".strip()
        notices.append(too_large_text(name, len(data), limit, instead=word))
    return Parcel(fitting, tuple(notices))


def _zip(name: str, data: bytes) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr(name, data)
    return out.getvalue()
