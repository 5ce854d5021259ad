"""An answer for an evaluator, from its chunks: the caller's own object, and its text."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from langchain_core.messages import AIMessage, AIMessageChunk
from pydantic import BaseModel

from langchain_router.call import ChatCall


def told(call: ChatCall, chunks: Sequence[Any]) -> tuple[Any, str]:
    """The message, or the value it was parsed to; and its text, "" if only the core has it.

    For a v3 stream there is no such object, because its events are only parts.
    """
    if call.mode == "events":
        return None, ""
    first, *others = chunks
    whole = first + others if others and isinstance(first, AIMessageChunk) else chunks[-1]
    parsed = whole.get("parsed") if call.include_raw and isinstance(whole, Mapping) else whole
    return whole, _worded(parsed)


def _worded(value: Any) -> str:
    if isinstance(value, AIMessage):
        calls = [{"name": each["name"], "args": each["args"]} for each in value.tool_calls]
        return str(value.text) or (json.dumps(calls, default=str) if calls else "")
    if isinstance(value, BaseModel):
        return value.model_dump_json()
    return "" if value is None else json.dumps(value, default=str, ensure_ascii=False)
