"""A conversation that one provider began, made fit for another.

Reasoning is signed by the provider that made it, and the records of its own server-side tools mean
nothing elsewhere: another provider rejects both. The text, the tool calls and their results stay.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from langchain_core.messages import AIMessage, BaseMessage

from capability_router.catalog.aliases import canonical

_OWN = {
    "thinking", "redacted_thinking", "reasoning", "reasoning_content", "server_tool_use", "server_tool_call",
    "server_tool_call_chunk", "server_tool_result", "web_search_tool_result", "web_search_call", "file_search_call",
    "code_interpreter_call", "computer_call", "mcp_call", "mcp_list_tools", "image_generation_call", "compaction",
    "code_execution_tool_result", "bash_code_execution_tool_result", "web_fetch_tool_result", "mcp_tool_use",
    "mcp_tool_result", "container_upload", "non_standard",
}  # fmt: skip
"""Blocks of an assistant's turn that only the provider that made them understands."""


def handed_over(messages: Sequence[BaseMessage], provider: str) -> tuple[list[BaseMessage], int]:
    """The messages for this provider, and how many blocks of others were left out; 0 = as they were."""
    dropped = 0
    out: list[BaseMessage] = []
    for message in messages:
        kept = _kept(message, provider)
        if kept is None:
            out.append(message)
            continue
        dropped += len(message.content) - len(kept)
        out.append(message.model_copy(update={"content": kept}))
    return out, dropped


def _kept(message: BaseMessage, provider: str) -> list[Any] | None:
    """The blocks that may stay in an assistant's turn by another provider; None = all of them."""
    if isinstance(message.content, str) or not isinstance(message, AIMessage):
        return None
    author = message.response_metadata.get("model_provider")
    if not isinstance(author, str) or not provider or canonical(author) == canonical(provider):
        return None
    kept = [b for b in message.content if not (isinstance(b, dict) and b.get("type") in _OWN)]
    return kept if len(kept) < len(message.content) else None
