"""Whether the JSON of a message was whole, or LangChain's parsers had to mend it.

They read what breaks off as if it had been closed there, because they also serve streams: half an answer becomes an
object that looks like a whole one.
"""

from __future__ import annotations

from json import JSONDecoder
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.utils.json import parse_json_markdown

from capability_router.json_text import parsed_by

_WHOLE = JSONDecoder(strict=False)


def mended(message: AIMessage) -> bool:
    """Whether its text is JSON to LangChain's parsers that no JSON parser would read; False where it made calls."""
    if message.tool_calls or message.invalid_tool_calls:
        return False
    text = str(message.text)
    return bool(text) and not _reads(text, parser=_whole) and _reads(text)


def _whole(text: str) -> Any:
    """Text behind the object is no harm: the parsers leave it out."""
    return _WHOLE.raw_decode(text)[0]


def _reads(text: str, **options: Any) -> bool:
    try:
        return parsed_by(parse_json_markdown, text, **options) is not None
    except ValueError:
        return False
