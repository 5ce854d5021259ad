"""Tools that run at a provider (web search, code interpreter): which provider has them, and a call without them.

They are bound as dicts in the provider's own form, which no other provider accepts. A call to another provider is made
without them, and the plan and the trace say so.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from capability_router.catalog.aliases import lacking
from capability_router.request import ProviderTool

_OPENAI = ("openai", "azure")
_ANTHROPIC = ("anthropic", "bedrock")
_OPENAI_TYPES = frozenset({
    "file_search", "web_search", "computer", "computer_use_preview", "code_interpreter", "mcp", "image_generation",
    "tool_search", "apply_patch", "namespace", "local_shell", "shell",
})  # fmt: skip
_OPENAI_DATED = re.compile(r"web_search(?:_preview)?(?:_\d{4}_\d\d_\d\d)?")
_ANTHROPIC_DATED = re.compile(
    r"(?:text_editor|computer|bash|web_search|web_fetch|code_execution|memory|tool_search_tool_\w+|advisor)_20\d{6}"
    r"|mcp_toolset"
)
_GOOGLE_KEYS = frozenset({
    "google_search", "google_search_retrieval", "google_maps", "code_execution", "url_context", "file_search",
    "computer_use", "enterprise_web_search",
})  # fmt: skip
_ABOUT_TOOLS = ("tool_choice", "parallel_tool_calls", "strict")


def provider_tool(tool: Any) -> ProviderTool | None:
    """The provider-specific tool; None for a tool that any provider accepts."""
    if not isinstance(tool, Mapping):
        return None
    kind = tool.get("type")
    if not isinstance(kind, str):
        own = next((key for key in tool if key in _GOOGLE_KEYS), None) if "name" not in tool else None
        return ProviderTool(own, ("google",)) if own else None
    if _ANTHROPIC_DATED.fullmatch(kind):
        return ProviderTool(kind, _ANTHROPIC)
    return ProviderTool(kind, _OPENAI) if kind in _OPENAI_TYPES or _OPENAI_DATED.fullmatch(kind) else None


def provider_tools(tools: Any) -> tuple[ProviderTool, ...]:
    """The tools of a call that only some providers have."""
    if not isinstance(tools, (list, tuple)):
        return ()
    return tuple(own for tool in tools if (own := provider_tool(tool)) is not None)


def portable(
    tools: Sequence[Any], options: Mapping[str, Any], provider: str
) -> tuple[list[Any], dict[str, Any], tuple[str, ...]]:
    """The tools and their options for this provider, and the names of the removed tools.

    A tool choice that names a removed tool is removed too, and so are all options about tools if none is left.
    """
    left_out = lacking(provider, provider_tools(tools))
    if not left_out:
        return list(tools), dict(options), ()
    kept = [tool for tool in tools if (own := provider_tool(tool)) is None or own.name not in left_out]
    gone = _ABOUT_TOOLS if not kept else ("tool_choice",) if _chooses(options.get("tool_choice"), left_out) else ()
    return kept, {name: value for name, value in options.items() if name not in gone}, left_out


def _chooses(choice: Any, names: Iterable[str]) -> bool:
    """Whether a tool choice, in whichever provider's form, is one of these tools."""
    named = {choice.get("type"), choice.get("name")} if isinstance(choice, Mapping) else {choice}
    # Anthropic's tools are chosen by a name without the date: web_search_20250305 as web_search.
    return any(name in named or re.sub(r"_20\d{6}$", "", name) in named for name in names)
