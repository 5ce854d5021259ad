"""The tool calls of a stream as its model wrote them: langchain-core repairs what breaks off in their arguments."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, ToolCallChunk
from langchain_core.messages.tool import invalid_tool_call

from capability_router.faults.offered import Offered, strange
from capability_router.json_text import parsed


class RawCall(NamedTuple):
    """One call; `arguments` is the text that the model wrote."""

    id: str
    name: str
    arguments: str

    @property
    def wrong(self) -> str:
        """What is wrong with one that is broken."""
        return "the arguments are not a JSON object" if self.name else "the call has no name"

    @property
    def broken(self) -> bool:
        """Whether it has no name, or arguments that are no JSON object. None at all are one without entries."""
        text = self.arguments.strip()
        try:
            return not self.name or (bool(text) and not isinstance(parsed(text), dict))
        except ValueError:
            return True


class RawCalls:
    """Collects the pieces of calls, by their index."""

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[Any, list[str]] = {}  # by index: [id, name, pieces of the arguments, ...]

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, pieces: Iterable[ToolCallChunk]) -> None:
        """Take in the pieces of one chunk."""
        for piece in pieces:
            key = piece["index"] if piece["index"] is not None else piece["id"] or len(self._calls)
            parts = self._calls.setdefault(key, ["", ""])
            parts[0] = parts[0] or piece["id"] or ""
            parts[1] += piece["name"] or ""  # as langchain-core puts it together
            parts.append(piece["args"] or "")

    def only_of_others(self, tools: Offered) -> bool:
        """Whether all calls so far are, by what their names are now, of tools that were not offered."""
        return tools is not None and all(strange(parts[1], tools) for parts in self._calls.values())

    def whole(self) -> list[RawCall]:
        """The calls so far, in the order of their beginnings."""
        return [RawCall(parts[0], parts[1], "".join(parts[2:])) for parts in self._calls.values()]

    def broken(self) -> list[RawCall]:
        """Those among them that have no name, or arguments that are no JSON object, as they are now."""
        return [call for call in self.whole() if call.broken]


def unrepaired(message: AIMessage, broken: Sequence[RawCall]) -> AIMessage:
    """The message with these calls among those that are invalid, as models that don't stream hand them over."""
    ids = {call.id for call in broken}
    invalid = [invalid_tool_call(name=c.name, args=c.arguments, id=c.id or None, error=c.wrong) for c in broken]
    sound = [call for call in message.tool_calls if (call["id"] or "") not in ids]
    others = [call for call in message.invalid_tool_calls if (call.get("id") or "") not in ids]
    return message.model_copy(update={"tool_calls": sound, "invalid_tool_calls": [*others, *invalid]})
