"""Detects a message whose JSON breaks off, which LangChain's parsers repair.

They complete JSON that breaks off, because they also parse streams. So an incomplete answer becomes an object that
looks complete.
"""

from __future__ import annotations

from json import JSONDecoder
from typing import Any

from langchain_core.messages import AIMessage
from langchain_core.utils.json import parse_json_markdown

from capability_router.json_text import parsed_by

_WHOLE = JSONDecoder(strict=False)


def parser_repairs(message: AIMessage) -> bool:
    """Whether LangChain's parsers accept its text as JSON and a strict parser does not; False if it has tool calls."""
    if message.tool_calls or message.invalid_tool_calls:
        return False
    text = str(message.text)
    return bool(text) and not _reads(text, parser=_whole) and _reads(text)


def _whole(text: str) -> Any:
    """The JSON value at the beginning of the text. Text after it is ignored, as by LangChain's parsers."""
    return _WHOLE.raw_decode(text)[0]


def _reads(text: str, **options: Any) -> bool:
    try:
        return parsed_by(parse_json_markdown, text, **options) is not None
    except ValueError:
        return False
