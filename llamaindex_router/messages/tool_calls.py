"""Reads tool calls in any form that an integration uses: blocks, dicts, objects, selections."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, NamedTuple

from llama_index.core.base.llms.types import ChatMessage, ToolCallBlock
from llama_index.core.llms.llm import ToolSelection
from llama_index.core.llms.utils import parse_partial_json

from capability_router.json_text import breaks_off, parsed_by, tool_arguments
from llamaindex_router.messages.fields import field


class ParsedToolCall(NamedTuple):
    """One call. `arguments`: a mapping, or the model's JSON text."""

    id: str
    name: str
    arguments: Any

    @property
    def malformed(self) -> bool:
        """Whether the arguments are a text that isn't a JSON object."""
        if not isinstance(self.arguments, str):
            return False
        try:
            tool_arguments(self.arguments)
        except ValueError:
            return True
        return False

    @property
    def hidden(self) -> bool:
        """Whether a malformed call may look whole: it breaks off, or LlamaIndex makes arguments of it."""
        return breaks_off(self.arguments) or bool(_repaired(self.arguments))

    def selection(self) -> ToolSelection:
        """The call in the form for agents; incomplete arguments are repaired."""
        return ToolSelection(tool_id=self.id, tool_name=self.name, tool_kwargs=arguments_of(self.arguments))


def arguments_of(arguments: Any) -> dict[str, Any]:
    """The arguments as a mapping; {} when they can't be read."""
    if not isinstance(arguments, str):
        return dict(arguments) if isinstance(arguments, Mapping) else {}
    try:
        return tool_arguments(arguments)
    except ValueError:
        return _repaired(arguments)


def _repaired(arguments: str) -> dict[str, Any]:
    try:
        found = parsed_by(parse_partial_json, arguments)
    except (ValueError, TypeError):
        return {}
    return found if isinstance(found, dict) else {}


def tool_calls_of(message: ChatMessage) -> list[ParsedToolCall]:
    """The calls in a message's blocks, else in its kwargs."""
    blocks = [b for b in message.blocks if isinstance(b, ToolCallBlock)]
    if blocks:
        return [ParsedToolCall(b.tool_call_id or "", b.tool_name, b.tool_kwargs) for b in blocks]
    return list(_from_kwargs(message.additional_kwargs.get("tool_calls")))


def selections(message: ChatMessage, *, required: bool) -> list[ToolSelection]:
    """The calls in the form for agents. Raises ValueError when there is none and one is `required`."""
    found = [call.selection() for call in tool_calls_of(message)]
    if not found and required:
        raise ValueError("Expected at least one tool call, but got 0 tool calls.")
    return found


def _from_kwargs(calls: Any) -> Iterator[ParsedToolCall]:
    for call in calls if isinstance(calls, (list, tuple)) else ():
        if isinstance(call, ToolSelection):
            yield ParsedToolCall(call.tool_id, call.tool_name, call.tool_kwargs)
            continue
        function = field(call, "function") or call
        arguments = field(function, "arguments")
        yield ParsedToolCall(
            str(field(call, "id") or ""),
            str(field(function, "name") or ""),
            _otherwise_named(function) if arguments is None else arguments,
        )


def _otherwise_named(function: Any) -> Any:
    """The arguments under the names of LangChain, Anthropic and Cohere."""
    return next((held for name in ("args", "input", "parameters") if (held := field(function, name))), None)
