"""Recognises a Chat Completions chunk with nothing but a piece of the answer, as nearly all chunks of a stream are.

For other chunks some thirty names are looked up, for counts, bills, terminal reasons, refusals and errors (usage.py),
which took longer than everything else that is done for a chunk. For this kind a look at three objects is enough.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from llamaindex_router.messages.fields import keeps
from llamaindex_router.messages.usage import ASKED, REASONS


class _Shape(NamedTuple):
    """The names whose values are read, and those that must have no value."""

    known: frozenset[str]
    lacking: frozenset[str]


def _shape(asked: frozenset[str], *known: str) -> _Shape:
    return _Shape(frozenset(known), asked.difference(known))


_CHUNK = _shape(ASKED | {"contentBlockDelta"}, "choices", "object", "usage", "service_tier")
_CHOICE = _shape(frozenset({*REASONS, "message"}), "finish_reason", "delta")
_DELTA = _shape(frozenset(), "refusal")


def is_plain_chunk(raw: Any) -> bool:
    """Whether it is such a chunk. It may state a service tier."""
    chunk = _held(raw, _CHUNK)
    if chunk is None or chunk.get("usage") is not None or chunk.get("object") == "response":
        return False
    choices = chunk.get("choices")
    if type(choices) is not list or len(choices) != 1:
        return False
    choice = _held(choices[0], _CHOICE)
    if choice is None or choice.get("finish_reason") is not None:
        return False
    if choice.get("delta") is None:
        return True
    delta = _held(choice["delta"], _DELTA)
    return delta is not None and delta.get("refusal") is None


def _held(thing: Any, shape: _Shape) -> Mapping[str, Any] | None:
    """The content of a dict or pydantic model; None if one of the excluded names may have a value."""
    kind: Any = type(thing)
    if kind is dict:
        return thing if shape.lacking.isdisjoint(thing) else None
    if not keeps(kind, *shape):
        return None
    extra = thing.__pydantic_extra__
    return None if extra and not shape.lacking.isdisjoint(extra) else thing.__dict__
