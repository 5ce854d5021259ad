"""The strings in nested values, such as parts of messages and keywords of calls: all that a provider could read
there.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

_UNREAD = frozenset({"type", "id", "tool_use_id", "tool_call_id", "call_id", "toolUseId"})
_BYTES = re.compile(r"(?:data:[^,\s]{0,100};base64,|[A-Za-z0-9+/=_-]{256})")  # no text is this long without a space
_MIMES = ("mime_type", "media_type", "mimeType", "document_mimetype")
_DATA = ("data", "base64", "file_data", "bytes")
_KINDS = r"text/|application/(?:[\w.-]+\+)?(?:json|xml|yaml|x-yaml|x-ndjson|sql|javascript|toml|rtf)\b"
_TEXT, _TEXT_URL = re.compile(_KINDS, re.IGNORECASE), re.compile(f"data:(?:{_KINDS})", re.IGNORECASE)
_STANDARD = bytes.maketrans(b"-_", b"+/")  # from the URL alphabet of base64


def strings(value: object) -> Iterator[str]:
    """In order, including attached text files. Encoded bytes are left out: an image is no text."""
    waiting, known = [value], dict[int, object]()
    while waiting:
        each = waiting.pop()
        if isinstance(each, (str, bytes, bytearray)):
            yield from _text(each)
        elif id(each) not in known:
            parts = _parts(each)
            known |= {id(each): each, id(parts): parts}  # kept alive, so that no id is reused
            waiting.extend(reversed(parts))


def _text(given: str | bytes | bytearray) -> Iterator[str]:
    try:
        text = given if isinstance(given, str) else given.decode()
    except UnicodeDecodeError:
        return
    if not _BYTES.match(text):
        yield from (text,) if text else ()
    elif _TEXT_URL.match(text):
        yield from _decoded(text)


def _parts(value: Any) -> list[object]:
    if isinstance(value, Mapping):
        return [*(part for name, part in value.items() if name not in _UNREAD), *_file(value)]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    made = getattr(value, "model_json_schema" if isinstance(value, type) else "model_dump", None)
    told = made() if callable(made) else None
    return [told] if isinstance(told, Mapping) else []


def _file(part: Mapping[Any, Any]) -> Iterator[str]:
    """The text of a text file that is attached here; not of a data URL, which `_text` decodes."""
    if any(_TEXT.match(str(part.get(name))) for name in _MIMES):
        for name in _DATA:
            if isinstance(data := part.get(name), (str, bytes)) and not _TEXT_URL.match(str(data[:100])):
                yield from _decoded(data)


def _decoded(data: str | bytes) -> Iterator[str]:
    """Decoded as leniently as a provider may do it: with line breaks, the URL alphabet, and missing padding."""
    coded = data.encode() if isinstance(data, str) else data
    coded = (coded.partition(b";base64,")[2] or coded).translate(_STANDARD, b"\r\n").rstrip(b"=")
    try:
        yield base64.b64decode(coded + b"=" * (-len(coded) % 4), validate=True).decode(errors="replace")
    except (binascii.Error, ValueError):
        return  # not base64; as plain text it is among the strings already
