"""Checksums inside a Parquet file, in front of its footer, where no reader of Parquet looks.

Parquet's own checksums cover pages only, and damage in a footer can end the whole process inside
the Parquet library. Sealed bytes are checked before the library sees them.
"""

import struct
import zlib
from typing import Final

from data.errors import StoreError

# How much of a file's end surely holds the footer of a month and its seal.
TAIL_BYTES: Final = 1 << 16

_MAGIC: Final = b"JSEALCRC"
_CHECKSUMS: Final = struct.Struct("<II")  # of what stands before the seal, of the footer
_SEAL_BYTES: Final = len(_MAGIC) + _CHECKSUMS.size
_FOOTER_LENGTH: Final = struct.Struct("<I4s")  # Parquet's last 8 bytes


def seal(parquet: bytes) -> bytes:
    """Return a Parquet file's bytes with checksums in front of the footer."""
    place = _footer_place(parquet)
    body, footer = parquet[:place], parquet[place:]
    return body + _MAGIC + _CHECKSUMS.pack(zlib.crc32(body), zlib.crc32(footer)) + footer


def check_seal(content: bytes) -> bool:
    """Tell whether a file is sealed.

    Raises:
        StoreError: it is, and its bytes are not those that were sealed.
    """
    place = _footer_place(content)
    checksums = _checksums_before(content, place)
    if checksums is None:
        return False
    found = zlib.crc32(memoryview(content)[: place - _SEAL_BYTES]), zlib.crc32(content[place:])
    if found != checksums:
        raise StoreError("its checksum doesn't fit its content")
    return True


def extract_footer(tail: bytes) -> bytes | None:
    """Return the sound footer in the end of a sealed file as a file of its own, or None."""
    place = _footer_place(tail)
    checksums = _checksums_before(tail, place)
    if checksums is None or zlib.crc32(tail[place:]) != checksums[1]:
        return None
    return b"PAR1" + tail[place:]


def _footer_place(content: bytes) -> int:
    if len(content) < _FOOTER_LENGTH.size:
        return 0
    length, _ = _FOOTER_LENGTH.unpack(content[-_FOOTER_LENGTH.size :])
    return max(0, len(content) - _FOOTER_LENGTH.size - int(length))


def _checksums_before(content: bytes, place: int) -> tuple[int, int] | None:
    sealed = content[max(0, place - _SEAL_BYTES) : place]
    if len(sealed) < _SEAL_BYTES or not sealed.startswith(_MAGIC):
        return None
    before, footer = _CHECKSUMS.unpack(sealed[len(_MAGIC) :])
    return before, footer
