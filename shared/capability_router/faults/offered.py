"""The names under which the tools of a request are called, and which calls are of none of them.

Names are compared as they stand. What some models put before them ("functions.", "default_api.") no framework takes
away: its agents don't find such a tool either.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

Offered = frozenset[str] | None
"""The names of all tools; None = not all can be known, or there are none. No call is judged by it then."""

_OF_CALLERS = (None, "function", "custom", "object", "builtin_function")
_DATED = re.compile(
    r"(?:text_editor|computer|bash|web_search|web_fetch|code_execution|memory|tool_search_tool_\w+|advisor)_20\d{6}"
)
"""Anthropic's own tools: those that the caller runs are called by their `name`, the others' calls are no tool calls."""


def offered(names: Iterable[str]) -> Offered:
    """The names as a set; "" among them stands for a tool of which nobody knows how it is called."""
    found = frozenset(names)
    return None if not found or "" in found else found


def called_as(tool: Any) -> str:
    """The name by which a tool, given as JSON in any provider's form, is called; "" = that can't be known.

    That is so of tools that bring others with them (MCP servers, namespaces, a search for tools, lists of
    declarations), and of providers' own, whose calls may have names of theirs.
    """
    if not isinstance(tool, Mapping):
        return ""
    kind = tool.get("type")
    inner = next((held for key in ("function", "custom") if isinstance(held := tool.get(key), Mapping)), tool)
    known = kind in _OF_CALLERS or (isinstance(kind, str) and _DATED.fullmatch(kind) is not None)
    name = inner.get("name")
    return name if known and isinstance(name, str) else ""


def offered_in(tools: Any) -> Offered:
    """The names of tools given as JSON."""
    return offered(map(called_as, tools)) if isinstance(tools, (list, tuple)) else None


def strange(name: str, tools: Offered) -> bool:
    """Whether a call of that name is of no tool that was offered."""
    return tools is not None and name not in tools
