"""Metrics: of each ended request, and of the routers' models and budgets at each collection.

A process has one set of instruments, because OpenTelemetry allows each name once. The attribute
`capability_router.router` names the router.
"""

from __future__ import annotations

import logging
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from functools import cache
from typing import Any, Protocol

from opentelemetry import metrics
from opentelemetry.metrics import CallbackOptions, Observation

from capability_router.errors import RouterError
from capability_router.request import AttemptRecord
from capability_router.telemetry.otel import attributes, names
from capability_router.telemetry.otel.finished_request import FinishedRequest

log = logging.getLogger("capability_router")
STATES = {"closed": 0, "half_open": 1, "open": 2, "isolated": 3}
_ROUTER, _CANDIDATE = f"{names.OWN}.router", f"{names.OWN}.candidate"


class CapRows(Protocol):
    """A router's budgets."""

    def rows(self) -> Sequence[Any]: ...


class DropCount(Protocol):
    """A router's count of lost records."""

    @property
    def dropped(self) -> int: ...


class MeasuredRouter(Protocol):
    """The parts of a router whose state is measured."""

    name: str

    @property
    def sinks(self) -> DropCount: ...
    @property
    def budgets(self) -> CapRows: ...
    def health(self) -> list[dict[str, Any]]: ...


class RouterMetrics:
    """The instruments. They write to the application's meter provider, which may be set later.

    If several routers have the same name, the worst value is reported, because a series has one value.
    """

    def __init__(self, version: str) -> None:
        meter = metrics.get_meter(names.SCOPE, version, schema_url=names.SCHEMA_URL)
        self._watched: weakref.WeakKeyDictionary[MeasuredRouter, str] = weakref.WeakKeyDictionary()
        self._duration = meter.create_histogram(
            names.DURATION, "s", "How long a call of a model took.",
            explicit_bucket_boundaries_advisory=names.DURATION_S,
        )  # fmt: skip
        self._first_chunk = meter.create_histogram(
            names.TO_FIRST_CHUNK, "s", "How long a stream's first chunk took.",
            explicit_bucket_boundaries_advisory=names.DURATION_S,
        )  # fmt: skip
        self._tokens = meter.create_histogram(
            names.TOKEN_USAGE, "{token}", "Tokens of a call.", explicit_bucket_boundaries_advisory=names.TOKENS
        )
        self._requests = meter.create_counter(names.REQUESTS, "{request}", "Requests that are over.")
        self._cost = meter.create_counter(names.COST, "{USD}", "What calls cost, as far as it is known.")
        meter.create_observable_gauge(
            names.BREAKER, [self._breakers], "{state}", "0 closed, 1 half open, 2 open, 3 isolated."
        )
        meter.create_observable_gauge(names.BUDGET, [self._budgets], "{USD}", "What a cap leaves, calls under way off.")
        meter.create_observable_counter(
            names.DROPPED, [self._losses], "{record}", "Records that a sink failed to take, or was too slow for."
        )

    def watch(self, router: MeasuredRouter, place: str) -> None:
        """Measure this router's state while it exists. `place`: its address as a model of another router."""
        self._watched[router] = place

    def places(self) -> frozenset[str]:
        """The addresses of the measured routers."""
        return frozenset(list(self._watched.values()))

    def count(self, over: FinishedRequest) -> None:
        """Record one request, or shadow call, with its attempts."""
        if not over.shadow_of:
            told = {f"{names.OWN}.outcome": over.result_status, f"{names.OWN}.policy": over.outcome.policy}
            self._requests.add(1, {_ROUTER: over.router, **told})
        for attempt in over.outcome.attempts:
            if not over.reports_itself(attempt):
                self._call(over, attempt)

    def _call(self, over: FinishedRequest, attempt: AttemptRecord) -> None:
        beside = {_ROUTER: over.router, _CANDIDATE: attempt.model, **attributes.of_call(over, attempt)}
        self._duration.record(attempt.elapsed_s, beside)
        beside = {name: value for name, value in beside.items() if name != names.ERROR}  # for the duration only
        if over.stream and attempt.ttft_s is not None:
            self._first_chunk.record(attempt.ttft_s, beside)
        for kind, tokens in (("input", attempt.usage.input_tokens), ("output", attempt.usage.output_tokens)):
            if tokens:
                self._tokens.record(tokens, {**beside, names.TOKEN_TYPE: kind})
        if attempt.cost_pico:
            self._cost.add(attempt.cost_pico / 1e12, beside)

    def _breakers(self, _: CallbackOptions) -> Iterable[Observation]:
        worst: dict[tuple[str, str], int] = {}
        for router in list(self._watched):
            for row in router.health():
                place = (router.name, row["model"])
                worst[place] = max(STATES[row["state"]], worst.get(place, 0))
        for (name, model), state in worst.items():
            yield Observation(state, {_ROUTER: name, _CANDIDATE: model})

    def _budgets(self, _: CallbackOptions) -> Iterable[Observation]:
        least: dict[tuple[str, str, str], float] = {}
        for router in list(self._watched):
            for row in _rows(router):
                place = (router.name, row["scope"], row["window"])
                least[place] = min(row["left_usd"], least.get(place, row["left_usd"]))
        for (name, scope, window), left in least.items():
            yield Observation(left, {_ROUTER: name, f"{names.OWN}.scope": scope, f"{names.OWN}.window": window})

    def _losses(self, _: CallbackOptions) -> Iterable[Observation]:
        lost: Counter[str] = Counter()
        for router in list(self._watched):
            lost[router.name] += router.sinks.dropped
        for name, count in lost.items():
            yield Observation(count, {_ROUTER: name})


def _rows(router: MeasuredRouter) -> Iterator[Any]:
    try:
        yield from router.budgets.rows()
    except RouterError as error:  # its store can't be reached; the other routers' budgets are still measured
        log.debug("the budgets of %r can't be measured: %s", router.name, error)


@cache
def meters(version: str) -> RouterMetrics:
    """The process's only set of instruments."""
    return RouterMetrics(version)
