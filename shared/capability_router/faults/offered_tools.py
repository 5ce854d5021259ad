"""The names of the tools that a request offers, to find calls of tools that do not exist.

Names are compared exactly. Prefixes that some models add ("functions.", "default_api.") are not removed, because the
frameworks' agents do not find such a tool either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Offered = frozenset[str] | None
"""The names of all offered tools; None = not all are known, or there are none. Then no call is judged."""

_OF_CALLERS = (None, "function", "custom", "object", "builtin_function")
_DATED = re.compile(
    r"(?:text_editor|computer|bash|web_search|web_fetch|code_execution|memory|tool_search_tool_\w+|advisor)_20\d{6}"
)
"""Anthropic's own tools. Those that the caller runs are called by their `name`; the server's give no tool calls."""


def offered(names: Iterable[str]) -> Offered:
    """The names as a set; None if there are none, or if one is "", the mark of an unknown name."""
    found = frozenset(names)
    return None if not found or "" in found else found


def tool_call_name(tool: Any) -> str:
    """The name by which a tool, given as JSON in any provider's form, is called; "" = unknown.

    Unknown are tools that contain others (MCP servers, namespaces, tool search, lists of declarations), and providers'
    own tools, whose calls may have other names.
    """
    if not isinstance(tool, Mapping):
        return ""
    kind = tool.get("type")
    inner = next((held for key in ("function", "custom") if isinstance(held := tool.get(key), Mapping)), tool)
    known = kind in _OF_CALLERS or (isinstance(kind, str) and _DATED.fullmatch(kind) is not None)
    name = inner.get("name")
    return name if known and isinstance(name, str) else ""


def tool_names_in(tools: Any) -> Offered:
    """The names of tools given as JSON."""
    return offered(map(tool_call_name, tools)) if isinstance(tools, (list, tuple)) else None


def strange(name: str, tools: Offered) -> bool:
    """Whether no offered tool has this name."""
    return tools is not None and name not in tools
