"""The strings in nested values, as parts of messages and keywords of calls are: whoever gets them can read these."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Iterator, Mapping
from typing import Any

_UNREAD = frozenset({"type", "id", "tool_use_id", "tool_call_id", "call_id", "toolUseId"})
_BYTES = re.compile(r"(?:data:[^,\s]{0,100};base64,|[A-Za-z0-9+/=_-]{256})")  # so long without a space: no text is
_MIMES = ("mime_type", "media_type", "mimeType", "document_mimetype")
_DATA = ("data", "base64", "file_data", "bytes")


def strings(value: object) -> Iterator[str]:
    """In order, those of attached text files too. What stands for bytes is left out: an image is no text."""
    waiting, known = [value], dict[int, object]()
    while waiting:
        each = waiting.pop()
        if isinstance(each, str):
            if each and not _BYTES.match(each):
                yield each
        elif id(each) not in known:
            parts = _parts(each)
            known |= {id(each): each, id(parts): parts}  # kept, so that no id is given away again
            waiting.extend(reversed(parts))


def _parts(value: Any) -> list[object]:
    if isinstance(value, Mapping):
        return [*(part for name, part in value.items() if name not in _UNREAD), *_file(value)]
    if isinstance(value, (list, tuple, set, frozenset)):
        return list(value)
    made = getattr(value, "model_json_schema" if isinstance(value, type) else "model_dump", None)
    told = made() if callable(made) else None
    return [told] if isinstance(told, Mapping) else []


def _file(part: Mapping[Any, Any]) -> Iterator[str]:
    """The text of a text file that is attached here."""
    if any(str(part.get(name)).startswith("text/") for name in _MIMES):
        for name in _DATA:
            yield from _decoded(part.get(name))


def _decoded(data: object) -> Iterator[str]:
    if isinstance(data, (str, bytes)):
        coded = data.encode() if isinstance(data, str) else data
        try:
            yield base64.b64decode(coded.partition(b";base64,")[2] or coded, validate=True).decode(errors="replace")
        except (binascii.Error, ValueError):
            return  # it is no base64: as a text it is looked at as it is
