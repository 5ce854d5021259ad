"""A sketch as a line of a log holds it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np

from capability_router.learning.quality.arrays import UnreadableState, array, finite, packed
from capability_router.learning.quality.embedding import MEANING
from capability_router.learning.quality.sketch import Sketch, sketch
from capability_router.learning.quality.surface import SIZE
from capability_router.learning.quality.traits import BAG, traits
from capability_router.request import Request


def hashed(request: Request) -> dict[str, Any]:
    """What is seen of a request, JSON-safe: its words as hashes, which can't be read but can be compared."""
    return written(sketch(traits(request)))


def written(seen: Sketch) -> dict[str, Any]:
    """A sketch, JSON-safe."""
    meaning = {} if seen.meaning is None else {"meaning": packed(seen.meaning, "i1")}
    return {
        "places": packed(seen.places, "u2"), "values": packed(seen.values, "i1"),
        "surface": packed(seen.surface, "f4"), **meaning,
    }  # fmt: skip


def sketched(told: object) -> Sketch | None:
    """What `hashed` or `written` gave; None for what is no such thing."""
    if not isinstance(told, Mapping):
        return None
    try:
        places, values = array(told.get("places"), None), array(told.get("values"), None)
        surface = finite(told.get("surface"), SIZE)
        meaning = array(told["meaning"], MEANING).astype(np.int8) if "meaning" in told else None
    except UnreadableState:
        return None
    if len(places) != len(values) or places.dtype != np.uint16 or values.dtype != np.int8 or (places >= BAG).any():
        return None
    return Sketch(places, values, surface, meaning)
