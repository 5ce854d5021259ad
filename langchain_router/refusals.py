"""Restores refusals that a package drops from its chunks: it reads them from the provider's own chunks."""

from __future__ import annotations

import sys
from types import FrameType
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.messages import AIMessageChunk

from capability_router.sdks.streams import sdk_chunk


def with_refusal(piece: Any, pieces: Any) -> Any:
    """The last piece of the suspended generator `pieces`, with the refusal in the provider's chunk."""
    if not isinstance(piece, AIMessageChunk) or not _bare(piece):
        return piece
    chunk = sdk_chunk(pieces, "choices")
    refusal = _refusal(chunk) if chunk is not None else None
    return piece.model_copy(update={"additional_kwargs": {"refusal": refusal}}) if refusal else piece


class RefusalRestorer(BaseCallbackHandler):
    """Restores refusals where the attempt does not see the chunks: in answers gathered from a stream and v3 events.

    It is called for each chunk while the package reads it, before chunks are merged.
    """

    run_inline = True

    def on_llm_new_token(self, token: Any, *, chunk: Any = None, **_: Any) -> None:
        """A chunk has been made."""
        message = getattr(chunk, "message", None)
        if not isinstance(message, AIMessageChunk) or not _bare(message):
            return
        told = _read_from(sys._getframe(1))
        refusal = _refusal(told) if told is not None else None
        if refusal:
            message.additional_kwargs["refusal"] = refusal


_DEPTH = 32  # the most frames to search; langchain-core's dispatch is some five deep


def _read_from(frame: FrameType | None) -> dict[Any, Any] | None:
    """The provider's chunk in the nearest frame that reads a stream."""
    for _ in range(_DEPTH):
        if frame is None:
            return None
        if frame.f_code.co_name in ("_stream", "_astream"):
            chunk = frame.f_locals.get("chunk")
            if isinstance(chunk, dict) and "choices" in chunk:
                return chunk
        frame = frame.f_back
    return None


def _bare(piece: AIMessageChunk) -> bool:
    return not (piece.content or piece.tool_call_chunks or piece.additional_kwargs or piece.chunk_position)


def _refusal(chunk: dict[Any, Any]) -> str | None:
    choices = chunk["choices"]
    first = choices[0] if isinstance(choices, list) and choices else None
    delta = first.get("delta") if isinstance(first, dict) else None
    told = delta.get("refusal") if isinstance(delta, dict) else None
    return told if isinstance(told, str) else None
