"""Which requests are the same one, asked again: a test set that is run nightly, a frequent question.

The answers to one request say little of another one. So repetitions are held out together, and a fit counts their mean
as one row. What is predicted of a request that is asked again is then corrected by its own scores. Texts are compared
by their digests, where these are known, else by their sketches. A sketch can't tell numbers apart, so a text with a
number is then never taken as the same.
"""

from __future__ import annotations

from collections.abc import Sequence
from hashlib import blake2b
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.quality.sketch import Sketch
from capability_router.learning.quality.surface import NAMES
from capability_router.learning.quality.traits import WORDS

_UNTOLD = [NAMES.index(name) for name in ("media", "numbers")]
_ALONE = b""
_FEW = 0.01  # of the rows
_PREDICTED = 4.0  # scores; what is predicted of a request counts as this many of its own
Groups = NDArray[np.intp]
Values = NDArray[np.float64]


class EarlierScores(NamedTuple):
    """What models scored on a request before: sums and counts of scores, per model."""

    sums: Values
    counts: Values

    def corrected(self, predicted: Values) -> Values:
        """What is predicted of the models on this request, drawn towards the means of their scores on it."""
        return np.asarray((_PREDICTED * predicted + self.sums) / (_PREDICTED + self.counts))


def text_key(of: Sketch) -> bytes:
    """Equal for equal texts. Empty if the sketch does not show what the text is: it has no words, a number or an image.

    An embedding tells apart texts whose words are the same.
    """
    places = of.places[of.places < WORDS]
    if not len(places) or (of.surface[_UNTOLD] > 0.0).any():
        return _ALONE
    return _digest(places.tobytes() + (b"" if of.meaning is None else of.meaning.tobytes()))


def request_key(of: Sketch, text: bytes = b"") -> bytes:
    """Equal for equal requests: text, tenant, task, chain, tags, tools, turns. Empty as above.

    `text`: its digest, empty = unknown.
    """
    text = text or text_key(of)
    return _digest(text + of.places.tobytes() + of.surface.tobytes()) if text else _ALONE


def _digest(seen: bytes) -> bytes:
    return blake2b(seen, digest_size=16).digest()


def grouped(keys: Sequence[bytes]) -> Groups:
    """Per row the number of its group, in the order in which groups first appear; an empty key is its own group."""
    known: dict[bytes | int, int] = {}
    return np.array([known.setdefault(key or -at, len(known)) for at, key in enumerate(keys, 1)], np.intp)


def grouped_if_many(keys: Sequence[bytes]) -> Groups:
    """The same, but each row is its own group if few are repetitions: these sway no fit, and may be other requests."""
    groups = grouped(keys)
    return groups if len(groups) - len(set(groups.tolist())) > _FEW * len(groups) else np.arange(len(groups))


def leaders(ids: Sequence[str], groups: Groups) -> list[str]:
    """Per row the smallest id in its group: the same whatever the order of the rows."""
    first: dict[int, str] = {}
    for id, group in zip(ids, groups.tolist(), strict=True):
        first[group] = min(first.get(group, id), id)
    return [first[group] for group in groups.tolist()]
