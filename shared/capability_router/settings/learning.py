"""What adaptive learns from besides feedback: `evaluate:` and `embedding:`."""

from __future__ import annotations

import math
from typing import Annotated, Any

from pydantic import PlainValidator, model_validator

from capability_router.money.budget.cap import BudgetSpec
from capability_router.routing import EVALUATION_TAG
from capability_router.settings.block import Block, Count, Seconds, Share, Text, Weight
from capability_router.settings.units import number, shown, whole


class Evaluate(Block):
    """Of the answers that an `evaluator` scores: their `share`, how many `at_once` and `waiting`, seconds for each.

    `budget_usd` per `window`: the most that it may spend through the router. `scale`: its own lowest and highest score.
    """

    share: Share = 0.1
    budget_usd: Annotated[float, PlainValidator(number(0))] = 1.0
    window: Text = "day"
    at_once: Count = 4
    waiting: Annotated[int, PlainValidator(whole(0))] = 100
    deadline_s: Seconds = 60.0
    scale: tuple[float, float] | None = None

    @model_validator(mode="after")
    def _sound(self) -> Evaluate:
        if self.scale is not None and not (self.scale[0] < self.scale[1] and all(map(math.isfinite, self.scale))):
            raise ValueError("needs scale: [LOW, HIGH], finite numbers, the lower first")
        self.cap()
        return self

    def cap(self) -> BudgetSpec:
        """The cap on what it asks this router for; raises ConfigError for what is no window."""
        return BudgetSpec(scope=f"tag:{EVALUATION_TAG}", limit_usd=self.budget_usd, window=self.window)


def _embedder(value: Any) -> Any:
    if isinstance(value, str):
        raise ValueError(f"must be an object or a function, given in code (a file names no code), got {shown(value)}")
    return value


class Embedding(Block):
    """What turns texts into vectors for adaptive's learned model; a decision waits `within_ms` for it at most.

    `cached`: texts whose vectors are kept, by digest. `usd_per_mtok`: what it costs, for the decision records.
    """

    embedder: Annotated[Any, PlainValidator(_embedder)] = None
    within_ms: Annotated[float, PlainValidator(number(0, 60_000, above=True))] = 100.0
    cached: Count = 2_000
    usd_per_mtok: Weight | None = None
