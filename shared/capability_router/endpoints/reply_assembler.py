"""Put a reply together from its deltas."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from capability_router.endpoints.wire import Delta, ToolCallDelta
from capability_router.faults.offered_tools import Offered, strange
from capability_router.json_text import tool_arguments
from capability_router.money.bill import billed
from capability_router.request import Finish, Reply, Usage


class PartialToolCall:
    """A tool call as received so far; `arguments` is JSON text."""

    __slots__ = ("_pieces", "id", "index", "name")

    def __init__(self, piece: ToolCallDelta) -> None:
        self.index, self.id, self.name = piece.index, piece.id, piece.name
        self._pieces = [piece.arguments]

    def add(self, piece: ToolCallDelta) -> None:
        """Another piece of the same call. The id comes whole; a name may come in parts, or again with each piece."""
        self.id = self.id or piece.id
        if piece.name != self.name:
            self.name += piece.name
        self._pieces.append(piece.arguments)

    @property
    def arguments(self) -> str:
        """The arguments received so far."""
        return "".join(self._pieces)

    @property
    def well_formed(self) -> bool:
        """Whether it has a name and its arguments are a JSON object (or absent)."""
        try:
            tool_arguments(self.arguments)
        except ValueError:
            return False
        return bool(self.name)

    def to_dict(self) -> dict[str, Any]:
        """The call in Chat Completions form."""
        return {"id": self.id, "type": "function", "function": {"name": self.name, "arguments": self.arguments}}


class ReplyAssembler:
    """The reply so far. Feed it every delta once, in order."""

    __slots__ = ("_cost", "_id", "_reasoning", "_refusal", "_text", "calls", "finish", "finish_raw", "model", "usage")

    def __init__(self) -> None:
        self._text: list[str] = []
        self._reasoning: list[str] = []
        self._refusal: list[str] = []
        self._cost: Decimal | None = None
        self._id = ""
        self.calls: list[PartialToolCall] = []
        self.finish: Finish | None = None
        self.finish_raw = ""
        self.usage: Usage | None = None
        self.model = ""

    def add(self, delta: Delta) -> None:
        """One more delta."""
        if delta.text:
            self._text.append(delta.text)
        if delta.reasoning:
            self._reasoning.append(delta.reasoning)
        if delta.refusal:
            self._refusal.append(delta.refusal)
        for piece in delta.tool_calls:
            self._tool_piece(piece)
        self._state(delta)

    def _state(self, delta: Delta) -> None:
        if delta.finish:
            self.finish, self.finish_raw = delta.finish, delta.finish_raw
        if delta.usage:
            self.usage, self._cost = delta.usage, delta.cost
        self.model, self._id = self.model or delta.model, self._id or delta.id

    def _tool_piece(self, piece: ToolCallDelta) -> None:
        for call in reversed(self.calls):
            if call.index == piece.index:
                # Some servers give parallel calls the same index: another id with a name is another call.
                if piece.id and call.id and piece.id != call.id and piece.name:
                    break
                call.add(piece)
                return
        self.calls.append(PartialToolCall(piece))

    def only_calls_of_others(self, tools: Offered) -> bool:
        """Whether everything so far is calls of tools that were not offered."""
        if tools is None or any(map(str.strip, self._text)) or self._reasoning or self._refusal:
            return False
        return bool(self.calls) and all(strange(call.name, tools) for call in self.calls)

    @property
    def text(self) -> str:
        """The text so far."""
        return "".join(self._text)

    @property
    def reasoning(self) -> str:
        """The reasoning so far, as far as the provider shows it."""
        return "".join(self._reasoning)

    def message(self) -> dict[str, Any]:
        """The assistant's message in Chat Completions form."""
        message: dict[str, Any] = {"role": "assistant", "content": self.text or None}
        if self._reasoning:
            message["reasoning_content"] = self.reasoning
        if self._refusal:
            message["refusal"] = "".join(self._refusal)
        if self.calls:
            message["tool_calls"] = [call.to_dict() for call in self.calls]
        return message

    def reply(
        self, headers: Mapping[str, str] | None = None, *, stream: bool = False, tools: Offered = None
    ) -> Reply:  # fmt: skip
        """The reply so far. A refusal without other text has Finish.REFUSAL, with its words as the text.

        `tools`: the names of the offered tools; a call of another one is malformed.
        """
        by_header = billed({}, headers, stream=stream) if headers else None
        refusal = "".join(self._refusal)
        refused = bool(refusal) and not self._text
        # A call cut off in the middle is not malformed: only an ended reply is judged.
        ended = self.calls if self.finish else ()
        unoffered = sum(strange(call.name, tools) for call in ended)
        broken = sum(not call.well_formed or strange(call.name, tools) for call in ended)
        return Reply(
            usage=self.usage,
            finish=Finish.REFUSAL if refused and self.finish is Finish.STOP else self.finish,
            text=refusal if refused else self.text,
            tool_calls=len(self.calls) - broken,
            malformed_tool_calls=broken,
            tool_call_ids=tuple(call.id for call in self.calls if call.id),
            model=self.model,
            cost_usd=self._cost if by_header is None else by_header,
            headers=headers or {},
            carried=bool(self._text or self._reasoning or self._refusal or self.calls),
            unoffered_tool_calls=unoffered,
        )
