"""An answer for an evaluator, from its chunks: the caller's own object, and its text."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any

from llama_index.core.base.llms.types import ChatResponse, CompletionResponse
from llama_index.core.bridge.pydantic import BaseModel

from llamaindex_router.messages.tool_calls import arguments_of, tool_calls_of


def told(chunks: Sequence[Any]) -> tuple[Any, str]:
    """The last chunk, which contains all before it, and its text; "" if the core has the text."""
    last = chunks[-1]
    if isinstance(last, CompletionResponse) or (isinstance(last, ChatResponse) and last.message.content):
        return last, ""
    if isinstance(last, ChatResponse):
        calls = [{"name": call.name, "args": arguments_of(call.arguments)} for call in tool_calls_of(last.message)]
        return last, json.dumps(calls, default=str) if calls else ""
    objects = last if isinstance(last, list) else [last]
    texts = [each.model_dump_json() for each in objects if isinstance(each, BaseModel)]
    return last, texts[0] if len(texts) == 1 else f"[{','.join(texts)}]"
