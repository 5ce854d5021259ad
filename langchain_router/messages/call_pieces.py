"""Tells the pieces of a stream's tool calls apart, so that LangChain joins those of one call and no others."""

from __future__ import annotations

from itertools import count

from langchain_core.messages import ToolCallChunk
from langchain_core.messages.tool import tool_call_chunk

from capability_router.endpoints.wire import ToolCallDelta


class CallPieces:
    """The pieces as LangChain's chunks. A call without an id has "", because LangChain runs no tool for None.

    LangChain joins pieces by their index. Some servers give parallel calls the same index, so that a call that begins
    where another one stands gets an index of its own.
    """

    def __init__(self) -> None:
        self._open: dict[int, _Call] = {}  # by the server's index
        self._taken: set[int] = set()

    def of(self, piece: ToolCallDelta) -> ToolCallChunk:
        """The chunk of one piece."""
        call = self._open.get(piece.index)
        begins = call is None or call.ends_before(piece)
        if call is None or begins:
            call = self._open[piece.index] = _Call(self._free(piece.index))
        call.id = call.id or piece.id
        name = call.new_in(piece.name)
        id = piece.id or ("" if begins else None)
        return tool_call_chunk(name=name, args=piece.arguments, id=id, index=call.index)

    def _free(self, index: int) -> int:
        free = next(one for one in count(index) if one not in self._taken)
        self._taken.add(free)
        return free


class _Call:
    def __init__(self, index: int) -> None:
        self.index = index
        self.id = self._name = ""

    def ends_before(self, piece: ToolCallDelta) -> bool:
        """Whether the piece begins another call: it has another id, and a name."""
        return bool(piece.id and self.id and piece.id != self.id and piece.name)

    def new_in(self, name: str) -> str | None:
        """What is new of the name: some servers say it again with each piece, and LangChain adds names up."""
        if name == self._name:
            return None
        self._name += name
        return name or None
