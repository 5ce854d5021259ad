"""Remembers which model answered which request, so that a later score is booked for it."""

from __future__ import annotations

import math
from collections import OrderedDict
from decimal import Decimal
from numbers import Real
from typing import Any, NamedTuple

from capability_router.concurrency.deferring_lock import DeferringLock
from capability_router.errors import ConfigError
from capability_router.learning.guard import PlanPrediction

KEPT = 10_000
_SHOWN = 80  # characters of a caller's value that an error quotes


class Forgotten(ConfigError):
    """Feedback for a request that this process does not remember."""


class AnsweredRequest(NamedTuple):
    """Which model answered, and what kind of task it was.

    If words are learned from, also its sketch, the answer's tokens and the prediction for each model.
    """

    model: str
    task: str
    sketch: Any = None
    tokens: int | None = None
    foreseen: PlanPrediction | None = None
    tenant: str = ""
    version: str = ""


class Outcomes:
    """The newest 10,000 answered requests; thread-safe."""

    def __init__(self) -> None:
        self._answered: OrderedDict[str, AnsweredRequest] = OrderedDict()
        self._scored: dict[str, float] = {}
        self._sources: dict[str, str] = {}
        self._lock: DeferringLock[tuple[str, AnsweredRequest]] = DeferringLock(self._noted)

    def note(self, request_id: str, answered: AnsweredRequest) -> None:
        """Record the answer of this request. Waits for no lock."""
        self._lock.post((request_id, answered))

    def _noted(self, noted: tuple[str, AnsweredRequest]) -> None:
        request_id, self._answered[request_id] = noted
        if len(self._answered) > KEPT:
            oldest = self._answered.popitem(last=False)[0]
            self._scored.pop(oldest, None)
            self._sources.pop(oldest, None)

    def before(self, request_id: str, score: float) -> float | None:
        """The request's previous score; None = this is the first."""
        with self._lock:
            known = self._scored.get(request_id)
            if request_id in self._answered:
                self._scored[request_id] = score
        return known

    def source(self, request_id: str) -> str:
        """The source of this request's last score; "" = none."""
        return self._sources.get(request_id, "")

    def model_of(self, request_id: str) -> str | None:
        """The model that answered; None = the request is not remembered."""
        answered = self._answered.get(request_id)
        return None if answered is None else answered.model

    def heard(self, request_id: str, score: float, source: str) -> AnsweredRequest | None:
        """Another process got this score. Returns the answer here, None = not remembered. A user's score stays."""
        with self._lock:
            answered = self._answered.get(request_id)
            if answered is not None and self._sources.get(request_id) != "user":
                self._sources[request_id], self._scored[request_id] = source, score
        return answered

    def scored(self, request_id: str, score: float, source: str = "user") -> AnsweredRequest:
        """The answer that got this score; raises ConfigError for a bad score, Forgotten for an unknown id."""
        score_of(score)
        with self._lock:
            answered = self._answered.get(request_id)
            if answered is not None:
                self._sources[request_id] = source
        if answered is None:
            raise Forgotten(
                f"feedback for request {request_id[:_SHOWN]!r}: no such answered request is remembered here (the "
                f"newest {KEPT:,} of this process are); use the request_id of response_metadata['router']. With "
                "`telemetry: {jsonl: PATH}` such scores are written down for `capability-router train`; with `policy: "
                "{state: ...}` and a `store` that lasts, other processes' requests are remembered too"
            )
        return answered


def score_of(given: Any) -> float:
    """A number from 0 to 1 of any kind (also a Decimal, a numpy number, a tensor with one element), True or False.

    Raises ConfigError for anything else, NaN included: it is in no range.
    """
    plain = given.item() if getattr(given, "shape", None) == () and hasattr(given, "item") else given
    try:
        score = float(plain) if isinstance(plain, (Real, Decimal)) else math.nan
    except (ValueError, OverflowError):  # a signalling NaN, a fraction too large for a float
        score = math.nan
    if not 0.0 <= score <= 1.0:
        raise ConfigError(f"feedback score must be a number from 0 to 1, True or False, got {repr(given)[:_SHOWN]}")
    return score
