"""What a log has of a request: all of it if its text is there, else labels and a few numbers.

The text is read once and not kept. What a log without text lacks is set to the average. So the model learned from it
goes by tenant, task, tags, size and needs, and by no word.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple

import numpy as np

from capability_router.learning.logs.embedding_batch import BATCH
from capability_router.learning.logs.scored_request import ScoredRequest
from capability_router.learning.logs.values import name_of, names_of
from capability_router.learning.quality.sketch import Sketch, sketch
from capability_router.learning.quality.surface import NAMES, SIZE
from capability_router.learning.quality.traits import WORDS, Traits, labels, traits
from capability_router.request import Need, Request
from capability_router.routing import Routing
from capability_router.tokens.estimate import estimate_tokens

_CHARACTERS_PER_TOKEN = 4.0
_MEDIA = ("image_inputs", "pdf_inputs", "audio_inputs", "video_inputs")
_DEPTH, _MOST_TEXTS = 12, 2_000


class LoggedFeatures(NamedTuple):
    """`size`: input tokens, estimated; `worded`: the words were there; `text`: equal for equal texts, empty = none."""

    sketch: Sketch
    size: float
    worded: bool
    text: bytes = b""


def terms_of(told: Mapping[str, Any]) -> Routing:
    """Who asks and for what, from the fields `tenant`, `task`, `chain`, `tags`."""
    tenant, task, chain = (name_of(told.get(name)) for name in ("tenant", "task", "chain"))
    return Routing(tenant, task, names_of(told.get("tags")), chain)


def with_text(
    texts: Sequence[str], terms: Routing, *, tools: str = "", schema: bool = False, turns: int = 1
) -> LoggedFeatures:
    """A request whose text the log holds."""
    needs = Need.STRUCTURED_OUTPUT if schema else Need.NONE
    request = Request(tuple(texts), needs=needs, tools=tools, turns=max(turns, 1), routing=terms)
    text, batch = "\n".join(texts), BATCH.get()
    seen = traits(request) if batch is None else traits(request)._replace(meaning=batch.take(text))
    key = blake2b(text.encode("utf-8", "replace"), digest_size=8).digest() if text.strip() else b""
    return LoggedFeatures(sketch(seen), float(estimate_tokens(text)), True, key)


def without_text(terms: Routing, tokens: float, needs: Sequence[str]) -> LoggedFeatures:
    """A request of which the log holds no text."""
    surface = np.full(SIZE, np.nan)
    surface[_AT["characters"]] = math.log(_CHARACTERS_PER_TOKEN * tokens + 1.0)
    surface[_AT["schema"]] = float(any(need in needs for need in ("structured_output", "json_mode")))
    surface[_AT["media"]] = float(sum(need in needs for need in _MEDIA))
    bag = np.concatenate((np.zeros(WORDS), labels(Request((), routing=terms))))
    return LoggedFeatures(sketch(Traits(bag, surface)), tokens, False)


def completed(rows: Sequence[ScoredRequest]) -> None:
    """A number that the log lacks becomes the mean of those that it has."""
    missing = [row for row in rows if not row.worded]
    if not missing:
        return
    table = np.array([row.sketch.surface for row in rows])
    told = ~np.isnan(table)
    means = np.where(told, table, 0.0).sum(0) / np.maximum(told.sum(0), 1)
    for row in missing:
        surface = row.sketch.surface
        row.sketch = row.sketch._replace(surface=np.where(np.isnan(surface), means, surface).astype(np.float32))


def texts_of(value: object, depth: int = _DEPTH) -> list[str]:
    """The texts of a prompt or of messages, in whatever form they were written: texts, dicts, LangChain's dumps."""
    if isinstance(value, str):
        return [value] if value else []
    if depth <= 0:
        return []
    if isinstance(value, Mapping):
        kwargs = value.get("kwargs")
        inner: Mapping[Any, Any] = kwargs if isinstance(kwargs, Mapping) else value
        return next((texts_of(inner[name], depth - 1) for name in _TEXTUAL if inner.get(name)), [])
    found: list[str] = []
    for item in value if isinstance(value, list) else ():
        found += texts_of(item, depth - 1)
        if len(found) >= _MOST_TEXTS:
            break
    return found


_AT = {name: at for at, name in enumerate(NAMES)}
_TEXTUAL = ("messages", "prompt", "prompts", "content", "text", "input")
