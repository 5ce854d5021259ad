"""The names of the tools that an answer may call, if all of them are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from capability_router.faults.offered_tools import Offered, offered, tool_names_in

_OWN = ("built_in_tools", "built_in_tool", "tools", "mcp_servers")
"""Fields in which integrations keep tools that they add to each call."""


def offered_tool_names(llm: Any, tools: Sequence[Any], keywords: Mapping[str, Any]) -> Offered:
    """The names of a call's tools, LlamaIndex's own or JSON in its keywords; None if the LLM adds others."""
    if not (tools or keywords.get("tools")) or _adds(llm) or (tools and keywords.get("tools")):
        return None
    return offered(str(tool.metadata.name or "") for tool in tools) if tools else tool_names_in(keywords["tools"])


def _adds(llm: Any) -> bool:
    added = getattr(llm, "additional_kwargs", None)
    within = isinstance(added, Mapping) and not {"tools", "functions", "extra_body"}.isdisjoint(added)
    return within or any(getattr(llm, name, None) for name in _OWN)
