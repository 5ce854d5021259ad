"""Unpacks bodies that are compressed though nobody asked for it."""

from __future__ import annotations

import zlib
from typing import Any

_PACKED = frozenset({b"br", b"zstd", b"compress", b"x-compress", b"dcb", b"dcz"})


class InflateError(ValueError):
    """The compressed data is damaged."""


class Inflater:
    """Unpacks gzip, zlib and bare deflate as the bytes come. Of gzip there may be several pieces in a row."""

    CODINGS = frozenset({b"gzip", b"x-gzip", b"deflate"})
    """The values of `Content-Encoding` that it is for."""

    def __init__(self, coding: bytes) -> None:
        self._unpacks: Any = zlib.decompressobj(wbits=47)  # gzip or zlib, by the first bytes
        self._bare = coding == b"deflate"  # it may be: some servers leave zlib's frame away
        self._held = b""  # zlib's frame is known by two bytes

    def feed(self, data: bytes) -> bytes:
        """What these bytes give; raises InflateError. What follows the end and is no gzip is left out."""
        data, self._held = self._held + data, b""
        if self._bare and len(data) < 2:
            self._held = data
            return b""
        found = [self._fed_on(data)]
        while self._unpacks.unused_data.startswith(b"\x1f\x8b"):
            rest, self._unpacks = self._unpacks.unused_data, zlib.decompressobj(wbits=31)
            found.append(self._fed_on(rest))
        return b"".join(found)

    def _fed_on(self, data: bytes) -> bytes:
        bare, self._bare = self._bare, False
        try:
            return bytes(self._unpacks.decompress(data))
        except zlib.error:
            if not bare:
                raise InflateError from None
        self._unpacks = zlib.decompressobj(wbits=-15)
        return self._fed_on(data)


def packed(coding: bytes) -> bool:
    """Whether such a body can't be read: compressed in another way. Some servers write a charset there, or nothing."""
    return any(each.strip() in _PACKED | Inflater.CODINGS for each in coding.split(b","))
