"""What the learned model sees of a request: its words, the labels that live requests carry, and its surface."""

from __future__ import annotations

from hashlib import blake2b
from typing import NamedTuple

import numpy as np

from capability_router.learning.quality.embedding import Meaning
from capability_router.learning.quality.surface import surface
from capability_router.learning.quality.words import Array, pairs, signed, words
from capability_router.request import Request

WORDS, LABELS = 2_048, 64
BAG = WORDS + LABELS


class Traits(NamedTuple):
    """`bag`: 2,048 hashed words and pairs, signed and normalised, then 64 labels likewise; `surface`: its 34
    numbers.

    `meaning`: its text's embedding, folded; None if there is none.
    """

    bag: Array
    surface: Array
    meaning: Meaning | None = None


def traits(request: Request) -> Traits:
    """The traits of a request, in time linear in its text and at most that of 8,000 characters."""
    found = words("\n".join(request.texts))
    bag = signed(np.concatenate((found.hashes, pairs(found.hashes))), WORDS)
    return Traits(np.concatenate((bag, labels(request))), surface(request, found))


def labels(request: Request) -> Array:
    """Tenant and purpose, hashed: for live requests what a task's name is for a benchmark."""
    terms = request.routing
    told = [("tenant", terms.tenant), ("task", terms.task), ("chain", terms.chain)]
    told += [("tag", tag) for tag in terms.tags[:_MOST_TAGS]]
    hashes = [_label_hash(kind, value) for kind, value in told if value]
    return signed(np.array(hashes, np.uint64), LABELS) if hashes else _NO_LABELS


def _label_hash(kind: str, value: str) -> int:
    told = f"{kind}\0{value[:_MOST_OF_LABEL]}".encode("utf-8", "replace")
    return int.from_bytes(blake2b(told, digest_size=8).digest(), "little")


_MOST_TAGS, _MOST_OF_LABEL = 16, 100
_NO_LABELS = np.zeros(LABELS)
