"""One scored request of a log: what was seen of it, and what each model that was asked made of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple, TypeVar

from capability_router.learning.quality.sketch import Sketch

_ALL = 1.0 - 1e-6
MOST_HELD = 500_000
TOO_MANY = "requests beyond the newest 500,000 of a kind of log"
K = TypeVar("K")
T = TypeVar("T")


class ScoredAnswer(NamedTuple):
    """A score from 0 to 1; the answer's tokens and its cost in USD where they are known."""

    score: float
    tokens: int | None = None
    cost_usd: float | None = None


@dataclass(slots=True)
class ScoredRequest:
    """`size`: input tokens, estimated; `worded`: its words were seen; `kind`: what the application calls such requests.

    `group`: rows of one group are compared among themselves. `chances`: with which models were asked, where the log
    says so. `text`: equal for equal texts, empty = unknown.
    """

    id: str
    group: str
    sketch: Sketch
    size: float
    worded: bool
    kind: str = ""
    chances: dict[str, float] = field(default_factory=dict)
    answers: dict[str, ScoredAnswer] = field(default_factory=dict)
    text: bytes = b""

    @property
    def stated(self) -> bool:
        """Whether `chances` has every model that might have been asked."""
        return sum(self.chances.values()) >= _ALL


def hold(held: dict[K, T], id: K, item: T) -> int:
    """Keep an item among the newest 500,000; how many older ones had to go."""
    held[id] = item
    if len(held) <= MOST_HELD:
        return 0
    del held[next(iter(held))]
    return 1
