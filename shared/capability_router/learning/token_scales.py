"""How many tokens a model really counts, compared with the estimate, by the kind of text.

Vocabularies differ, and the difference depends on the text. One factor per model did not help on mixed traffic
(measured); one per model and kind does. The remaining error of the estimate sets the margin below a window. It shrinks
from a fifth to the observed error as answers come in.
"""

from __future__ import annotations

import math
from collections import deque
from collections.abc import Mapping
from typing import NamedTuple

from capability_router.concurrency.latch import Latch

ALPHA, PRIOR_WEIGHT = 0.1, 3.0
MARGIN, LEAST_MARGIN = 0.2, 0.01
_MARGIN_WEIGHT = 10.0  # the first margin counts as this many answers
_LEAST_TOKENS = 64  # in smaller prompts the tokens around messages outweigh the text
_MOST = math.log(3.0)  # no vocabulary differs more: a larger ratio is an error
_KEPT, _MODELS_KEPT = 64, 1_000


class TokenScale(NamedTuple):
    """`factor`: the model's tokens divided by the estimate. `margin`: by which share they may be still more."""

    factor: float = 1.0
    margin: float = MARGIN


UNSEEN = TokenScale()
_NONE: Mapping[str, TokenScale] = {}


class _Seen:
    __slots__ = ("mean", "number", "ratios")

    def __init__(self) -> None:
        self.mean, self.number = 0.0, 0
        self.ratios: deque[float] = deque(maxlen=_KEPT)  # logarithms of counted over estimated tokens

    def learn(self, ratio: float) -> TokenScale:
        self.ratios.append(ratio)
        self.number += 1
        self.mean += max(ALPHA, 1 / (self.number + PRIOR_WEIGHT)) * (ratio - self.mean)
        ranked = sorted(self.ratios)
        p95 = math.expm1(max(ranked[min(int(0.95 * len(ranked)), len(ranked) - 1)] - self.mean, 0.0))
        weight = self.number / (self.number + _MARGIN_WEIGHT)
        return TokenScale(math.exp(self.mean), max(MARGIN + weight * (p95 - MARGIN), LEAST_MARGIN))


class TokenScales:
    """Scales by bucket and model, learned from the usage that answers report. Thread-safe."""

    def __init__(self) -> None:
        self._seen: dict[tuple[str, str], _Seen] = {}
        self._scales: dict[str, dict[str, TokenScale]] = {}
        self._lock = Latch()

    def on(self, bucket: str) -> Mapping[str, TokenScale]:
        """The scales by model for such text; models without answers are missing. Read only."""
        return self._scales.get(bucket, _NONE)

    def learn(self, model: str, bucket: str, estimated: int, actual: int) -> None:
        """A model reported `actual` input tokens; the unscaled estimate was `estimated`."""
        if estimated < _LEAST_TOKENS or actual <= 0:
            return
        ratio = math.log(actual / estimated)
        if abs(ratio) > _MOST or ((model, bucket) not in self._seen and len(self._seen) >= _MODELS_KEPT):
            return
        with self._lock:
            scale = self._seen.setdefault((model, bucket), _Seen()).learn(ratio)
            self._scales[bucket] = {**self._scales.get(bucket, _NONE), model: scale}
