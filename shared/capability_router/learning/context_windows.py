"""The true windows of models, learned from the prompts that they rejected as too long.

A window that the provider states is believed until the model accepts more. If none is stated, the size of the prompt is
the only evidence: a prompt of that size will not fit. That size is an estimate, so the bound loosens with time, and is
dropped when a larger prompt is answered.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from capability_router.concurrency.latch import ReentrantLatch

LOOSENS = 0.1  # growth of an unstated bound, per hour
FORGOTTEN_S = 86_400.0


@dataclass(frozen=True, slots=True)
class LearnedWindow:
    """`told`: the whole window, as the provider stated it. Else `bound`: input tokens that were too many, at `at`."""

    told: int | None = None
    bound: int | None = None
    at: float = 0.0

    def limit(self, now: float) -> int | None:
        """Prompts of this many input tokens or more are expected to be too long; None = no bound is left."""
        age = now - self.at
        if self.bound is None or age > FORGOTTEN_S:
            return None
        return int(self.bound * (1 + LOOSENS * max(age, 0.0) / 3_600))


_NOTHING = LearnedWindow()


class ContextWindows:
    """What was learned, by model. Thread-safe; times in the router's seconds, sizes in the models' tokens."""

    def __init__(self) -> None:
        self.known: Mapping[str, LearnedWindow] = {}
        self._lock = ReentrantLatch()  # the garbage collector may end a request in the middle of another's

    def turned_away(self, model: str, tokens: int, told: int | None, now: float) -> None:
        """The model rejected about `tokens` of input as too long, and may have stated its window."""
        with self._lock:
            before = self.known.get(model, _NOTHING)
            if told is not None:
                learned = LearnedWindow(told=told)
            elif before.told is not None and before.told <= tokens:
                return  # the stated window explains it
            else:
                bound = before.limit(now)
                learned = LearnedWindow(before.told, tokens if bound is None else min(bound, tokens), now)
            self.known = {**self.known, model: learned}

    def held(self, model: str, tokens: int) -> None:
        """The model answered a prompt that it counted as `tokens`: smaller learned limits are wrong."""
        if model not in self.known:
            return
        with self._lock:
            before = self.known.get(model, _NOTHING)  # another answer may have unlearned it meanwhile
            told = before.told if before.told is None or before.told >= tokens else None
            bound = before.bound if before.bound is None or before.bound > tokens else None
            rest = {id: learned for id, learned in self.known.items() if id != model}
            self.known = {**rest, **({model: LearnedWindow(told, bound, before.at)} if told or bound else {})}

    def shown(self, model: str, now: float) -> dict[str, int | None]:
        """For a row about the model: `window` as it stated it, `too_long` for a prompt."""
        learned = self.known.get(model, _NOTHING)
        return {"window": learned.told, "too_long": learned.limit(now)}
