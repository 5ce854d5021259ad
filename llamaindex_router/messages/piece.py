"""A chunk of Chat Completions that brings a piece of the answer and nothing beside it, as nearly all of a stream do.

Of any other chunk some thirty names are asked, for counts, bills, terminal reasons, refusals and errors (usage.py).
That took longer than all else that is done for a chunk. Of one like this a look at three objects tells that it has
none of them.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

from llamaindex_router.messages.fields import keeps
from llamaindex_router.messages.usage import ASKED, REASONS


class _Shape(NamedTuple):
    """Names of which the values are looked at, and those under which there is to be nothing."""

    known: frozenset[str]
    lacking: frozenset[str]


def _shape(asked: frozenset[str], *known: str) -> _Shape:
    return _Shape(frozenset(known), asked.difference(known))


_CHUNK = _shape(ASKED | {"contentBlockDelta"}, "choices", "object", "usage", "service_tier")
_CHOICE = _shape(frozenset({*REASONS, "message"}), "finish_reason", "delta")
_DELTA = _shape(frozenset(), "refusal")


def is_piece(raw: Any) -> bool:
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
    """What a dict or a pydantic model holds; None where there may be something under the names that it is to lack."""
    kind: Any = type(thing)
    if kind is dict:
        return thing if shape.lacking.isdisjoint(thing) else None
    if not keeps(kind, *shape):
        return None
    extra = thing.__pydantic_extra__
    return None if extra and not shape.lacking.isdisjoint(extra) else thing.__dict__
