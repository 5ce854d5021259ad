"""How large an attached part is, read from the head of its bytes where they are in the message.

Nothing is fetched or opened: what is behind a URL or a path has no known size. At most a few kB of an
image and 256 kB of a document are decoded, however large it is.
"""

from __future__ import annotations

import base64
import binascii
import re
import struct
from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

_HEAD = 16_384  # decoded bytes of an image or a sound
_PDF_HEAD = 262_144  # decoded bytes of a document
_PDF_PAGE_BYTES = 50_000  # where pages can't be counted; most have less, so there are seldom more pages than that
_SOUND_BYTES_PER_S = 16_000  # MP3 at 128 kbit/s, which few recordings of speech exceed
_SLOWEST_BYTES_PER_S = 1_000  # a WAV file that tells of less is damaged: coded speech takes as much
_PAGE = re.compile(rb"/Type\s{0,4}/Page(?![a-zA-Z])")
_JPEG_SIZES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


class AttachedPart(NamedTuple):
    """One attached part; `kind` is "image", "pdf", "audio" or "video". Pixels, pages, seconds; 0 = unknown.

    `detail`: "low", "high" or "" as the message asks for (OpenAI).
    """

    kind: str
    width: int = 0
    height: int = 0
    pages: int = 0
    seconds: float = 0.0
    detail: str = ""


def attached(kind: str, data: object = None, detail: object = "") -> AttachedPart:
    """What the part is. `data`: its bytes, their base64, or a data URL; anything else tells nothing."""
    asked = detail if detail in ("low", "high") else ""
    if not isinstance(data, (str, bytes)) or not data:
        return AttachedPart(kind, detail=str(asked))
    head, size = _head(data, _PDF_HEAD if kind == "pdf" else _HEAD)
    if kind == "image":
        width, height = _pixels(head)
        return AttachedPart(kind, width, height, detail=str(asked))
    if kind == "pdf":
        return AttachedPart(kind, pages=_pages(head, size))
    return AttachedPart(kind, seconds=_seconds(head, size) if kind == "audio" else 0.0)


_HOLDERS = (
    "image_url", "input_audio", "file", "source", "inline_data", "video_url", "audio_url", "image", "audio", "document",
    "video",
)  # fmt: skip
_DATA = ("data", "base64", "url", "file_data", "bytes", "image_url", "audio")


def attached_block(kind: str, block: Mapping[str, Any]) -> AttachedPart:
    """The part that a content block holds, in any shape of OpenAI, Anthropic, Google, Bedrock and LangChain."""
    for place in _places(block):
        data = next((d for key in _DATA if isinstance(d := place.get(key), (str, bytes)) and d), None)
        if data is not None:
            return attached(kind, data, place.get("detail") or block.get("detail"))
    return attached(kind, detail=block.get("detail"))


def _places(block: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    """The block, what it holds, and what that holds."""
    yield block
    for key in _HOLDERS:
        held = block.get(key)
        if isinstance(held, Mapping):
            yield held
            inner = held.get("source")
            if isinstance(inner, Mapping):
                yield inner


def _head(data: str | bytes, most: int) -> tuple[bytes, int]:
    """The first decoded bytes and how many there are in all; nothing for what is neither bytes nor base64."""
    if isinstance(data, str):
        if data[:5] == "data:":
            mark = data.find(",", 0, 256)
            start = mark + 1 if mark > 0 and ";base64" in data[:mark] else len(data)
        else:
            start = len(data) if "://" in data[:12] else 0
        size, data = (len(data) - start) * 3 // 4, data[start : start + most * 4 // 3 + 4].encode("ascii", "replace")
    elif _raw(data):
        return data[:most], len(data)
    else:
        size, data = len(data) * 3 // 4, data[: most * 4 // 3 + 4]
    try:
        return base64.b64decode(data[: len(data) // 4 * 4], validate=True), size
    except (binascii.Error, ValueError):
        return b"", 0


def _raw(data: bytes) -> bool:
    """Whether these are a file's bytes and not their base64."""
    return (
        data[:4] in (b"\x89PNG", b"GIF8", b"RIFF", b"%PDF") or data[:2] in (b"\xff\xd8", b"ID") or data[:1] == b"\xff"
    )


def _pixels(head: bytes) -> tuple[int, int]:
    try:
        if head[:8] == b"\x89PNG\r\n\x1a\n":
            return struct.unpack(">II", head[16:24])
        if head[:4] == b"GIF8":
            return struct.unpack("<HH", head[6:10])
        if head[:4] == b"RIFF" and head[8:12] == b"WEBP":
            return _webp(head)
        return _jpeg(head) if head[:2] == b"\xff\xd8" else (0, 0)
    except (struct.error, IndexError):  # cut off or no such file
        return 0, 0


def _webp(head: bytes) -> tuple[int, int]:
    form = head[12:16]
    if form == b"VP8 ":
        width, height = struct.unpack("<HH", head[26:30])
        return width & 0x3FFF, height & 0x3FFF
    if form == b"VP8L":
        bits = struct.unpack("<I", head[21:25])[0]
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if form == b"VP8X" and len(head) >= 30:
        return 1 + int.from_bytes(head[24:27], "little"), 1 + int.from_bytes(head[27:30], "little")
    return 0, 0


def _jpeg(head: bytes) -> tuple[int, int]:
    at = 2
    while at + 9 < len(head) and head[at] == 0xFF:
        mark = head[at + 1]
        if mark in _JPEG_SIZES:
            height, width = struct.unpack(">HH", head[at + 5 : at + 9])
            return width, height
        at += 1 if mark == 0xFF else 2 + struct.unpack(">H", head[at + 2 : at + 4])[0]
    return 0, 0


def _pages(head: bytes, size: int) -> int:
    """Pages that are told of in the bytes looked at, scaled to all; else by the document's size."""
    if not size:
        return 0
    found = len(_PAGE.findall(head))
    if found:
        return max(round(found * size / len(head)), 1)
    return max(size // _PDF_PAGE_BYTES, 1)


def _seconds(head: bytes, size: int) -> float:
    if head[:4] == b"RIFF" and head[8:12] == b"WAVE":
        at = head.find(b"fmt ")
        rate = struct.unpack("<I", head[at + 16 : at + 20])[0] if 0 < at <= len(head) - 20 else 0
        return size / rate if rate >= _SLOWEST_BYTES_PER_S else size / _SOUND_BYTES_PER_S
    return size / _SOUND_BYTES_PER_S
