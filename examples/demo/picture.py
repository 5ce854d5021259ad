"""A picture made on the spot: a PNG of 32 x 32 pixels, four coloured squares."""

from __future__ import annotations

import struct
import zlib
from base64 import b64encode

_SIDE = 32
_COLOURS = ((42, 120, 214), (15, 148, 104), (184, 117, 0), (122, 79, 208))


def as_data_url() -> str:
    """The picture as a data: URL."""
    return "data:image/png;base64," + b64encode(_png()).decode()


def _png() -> bytes:
    size = struct.pack(">IIBBBBB", _SIDE, _SIDE, 8, 2, 0, 0, 0)
    pixels = zlib.compress(b"".join(map(_row, range(_SIDE))))
    return b"\x89PNG\r\n\x1a\n" + _chunk(b"IHDR", size) + _chunk(b"IDAT", pixels) + _chunk(b"IEND", b"")


def _row(y: int) -> bytes:
    """One line of pixels behind its filter byte."""
    half = _SIDE // 2
    left, right = _COLOURS[2 * (y // half) : 2 * (y // half) + 2]
    return b"\0" + bytes(left) * half + bytes(right) * half


def _chunk(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))
