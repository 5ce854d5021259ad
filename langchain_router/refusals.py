"""Refusals that a package leaves out of its chunks: read from the provider's own, put where whole answers have them."""

from __future__ import annotations

from typing import Any

from langchain_core.messages import AIMessageChunk

from capability_router.connections.sdk_streams import sdk_chunk


def with_refusal(piece: Any, pieces: Any) -> Any:
    """The piece that `pieces`, a generator which is suspended there, gave last, with the refusal that it stands for."""
    if not isinstance(piece, AIMessageChunk) or not _bare(piece):
        return piece
    chunk = sdk_chunk(pieces, "choices")
    refusal = _refusal(chunk) if chunk is not None else None
    return piece.model_copy(update={"additional_kwargs": {"refusal": refusal}}) if refusal else piece


def _bare(piece: AIMessageChunk) -> bool:
    return not (piece.content or piece.tool_call_chunks or piece.additional_kwargs or piece.chunk_position)


def _refusal(chunk: dict[Any, Any]) -> str | None:
    choices = chunk["choices"]
    first = choices[0] if isinstance(choices, list) and choices else None
    delta = first.get("delta") if isinstance(first, dict) else None
    told = delta.get("refusal") if isinstance(delta, dict) else None
    return told if isinstance(told, str) else None
