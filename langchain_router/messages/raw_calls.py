"""The original tool calls of a stream. langchain-core repairs arguments that break off."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from langchain_core.messages import AIMessage, AIMessageChunk, ToolCallChunk
from langchain_core.messages.tool import invalid_tool_call, tool_call
from langchain_core.utils.json import parse_partial_json

from capability_router.faults.offered_tools import Offered, strange
from capability_router.json_text import breaks_off, parsed_by, tool_arguments


class RawCall(NamedTuple):
    """One call; `arguments` is the text that the model wrote."""

    id: str
    name: str
    arguments: str

    @property
    def wrong(self) -> str:
        """What is wrong with a broken call."""
        return "the arguments are not a JSON object" if self.name else "the call has no name"

    @property
    def broken(self) -> bool:
        """Whether it has no name, or arguments that are not a JSON object. Missing arguments count as `{}`."""
        try:
            tool_arguments(self.arguments)
        except ValueError:
            return True
        return not self.name

    @property
    def hidden(self) -> bool:
        """Whether a broken call may look whole: it breaks off, or langchain-core makes a call of it."""
        try:
            made = isinstance(parsed_by(parse_partial_json, self.arguments), dict)
        except ValueError:
            made = False
        return made or not self.name or breaks_off(self.arguments)


class RawCalls:
    """Joins the pieces of calls as langchain-core does: by their index, unless their ids differ.

    Some servers give all calls the index 0 and distinguish them only by their ids.
    """

    __slots__ = ("_calls",)

    def __init__(self) -> None:
        self._calls: dict[Any, list[str]] = {}  # by index, or that and id: [id, name, pieces of the arguments, ...]

    def __len__(self) -> int:
        return len(self._calls)

    def take(self, pieces: Iterable[ToolCallChunk]) -> None:
        """Take in the pieces of one chunk."""
        for piece in pieces:
            parts = self._calls.setdefault(self._key(piece), ["", ""])
            parts[0] = parts[0] or piece["id"] or ""
            parts[1] += piece["name"] or ""  # as langchain-core puts it together
            parts.append(piece["args"] or "")

    def _key(self, piece: ToolCallChunk) -> Any:
        index, id = piece["index"], piece["id"]
        if index is None:
            return id or len(self._calls)
        begun = self._calls.get(index)
        return index if begun is None or not id or begun[0] in ("", id) else (index, id)

    def only_of_others(self, tools: Offered) -> bool:
        """Whether all calls so far are of tools that were not offered, by their names so far."""
        return tools is not None and all(strange(parts[1], tools) for parts in self._calls.values())

    def whole(self) -> list[RawCall]:
        """The calls so far, in the order in which they began."""
        return [RawCall(parts[0], parts[1], "".join(parts[2:])) for parts in self._calls.values()]

    def broken(self) -> list[RawCall]:
        """The calls that have, so far, no name, or arguments that are not a JSON object."""
        return [call for call in self.whole() if call.broken]


def without_piece_ids(chunk: AIMessageChunk) -> AIMessageChunk:
    """The chunk without ids on pieces that continue a call: langchain-core would take them for another call."""
    for piece in chunk.tool_call_chunks:
        if not piece["name"] and piece["index"] is not None:
            piece["id"] = None
    return chunk


def reread(message: AIMessage) -> AIMessage:
    """The message with each invalid call as a tool call if its arguments are none (`null`).

    langchain-core reads a whole reply so, but takes such a call for invalid when it joins chunks.
    """
    calls, invalid = list(message.tool_calls), []
    for call in message.invalid_tool_calls:
        raw = RawCall(call.get("id") or "", call.get("name") or "", call.get("args") or "")
        if raw.broken:
            invalid.append(call)
        else:
            calls.append(tool_call(name=raw.name, args=tool_arguments(raw.arguments), id=raw.id or None))
    return message.model_copy(update={"tool_calls": calls, "invalid_tool_calls": invalid})


def unrepaired(message: AIMessage, broken: Sequence[RawCall]) -> AIMessage:
    """The message with these calls moved to `invalid_tool_calls`, as models give them without streaming."""
    ids = {call.id for call in broken}
    invalid = [invalid_tool_call(name=c.name, args=c.arguments, id=c.id or None, error=c.wrong) for c in broken]
    sound = [call for call in message.tool_calls if (call["id"] or "") not in ids]
    others = [call for call in message.invalid_tool_calls if (call.get("id") or "") not in ids]
    return message.model_copy(update={"tool_calls": sound, "invalid_tool_calls": [*others, *invalid]})
