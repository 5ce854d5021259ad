"""Makes the records of what a router does and gives them to its sinks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import cached_property
from typing import Any, Protocol

from capability_router.money.price import Price
from capability_router.request import Outcome, Reply, Request, Usage
from capability_router.telemetry.digest import digest
from capability_router.telemetry.records import (
    DecisionBasis,
    SerializablePlan,
    decision_record,
    feedback_record,
    health_record,
    shadow_record,
    shadow_score_record,
    sign_record,
)
from capability_router.telemetry.sinks import Sinks


class RefusedPlan(SerializablePlan, Protocol):
    """A plan without a candidate."""

    @property
    def policy(self) -> str: ...
    @property
    def reason(self) -> str: ...
    @property
    def screen(self) -> tuple[str, ...]: ...


class Card(Protocol):
    """The parts of a model card that a record needs."""

    @property
    def id(self) -> str: ...
    @property
    def price(self) -> Price | None: ...


class Traces(Protocol):
    """OpenTelemetry, if it is switched on."""

    def caller(self, request: Request) -> Any:
        """The current trace context, to be passed to `over`."""
        ...

    def over(self, request: Request, plan: Any, outcome: Outcome, reply: Reply, at: float, caller: Any) -> None:
        """Report an ended request; `caller` None = it begins and ends now."""
        ...

    def shadowed(self, request_id: str, outcome: Outcome, at: float) -> None:
        """Report an ended shadow call."""
        ...


class Recorder:
    """Makes the records of one router.

    `router`: its name. `traits`: from a request to its features, words as hashes; None = not recorded. `embedding`:
    from a request id to what its embedding took. `content`: whether messages and answers are recorded. `unix`: the
    clock, in seconds.
    """

    def __init__(
        self, sinks: Sinks, router: str, unix: Callable[[], float], *, cards: Iterable[Card], policy: object,
        seed: int | None, content: bool = False, traits: Callable[[Request], dict[str, Any]] | None = None,
        embedding: Callable[[str], dict[str, Any] | None] | None = None, canary_share: float | None = None,
    ) -> None:  # fmt: skip
        self.sinks, self._router, self._unix = sinks, router, unix
        self.traces: Traces | None = None
        self._content, self._traits, self._embedding = content, traits, embedding
        self._cards, self._policy, self._seed = cards, policy, seed
        self._canary_share = canary_share

    @cached_property
    def _basis(self) -> DecisionBasis:
        """The hashes of models and settings. Made at the first record, because it takes as long as some decisions."""
        cards = list(self._cards)
        return DecisionBasis(digest(cards), digest(self._policy), self._seed, _prices(cards), self._canary_share)

    def decided(
        self,
        request: Request,
        plan: SerializablePlan,
        outcome: Outcome,
        reply: Reply,
        aside: SerializablePlan | None = None,
        caller: Any = None,
    ) -> None:
        """Record an ended request. `caller`: what `traces.caller` returned when it began."""
        if self.traces is not None:
            self.traces.over(request, plan, outcome, reply, self._unix(), caller)
        if not self.sinks:
            return
        record = decision_record(
            request, plan, outcome, at=self._unix(), router=self._router, basis=self._basis, aside=aside
        )
        if self._traits is not None:
            record["traits"] = self._traits(request)
        if self._embedding is not None and (took := self._embedding(request.id)):
            record["embedding"] = took
        if self._content:
            record["content"] = {"messages": list(request.texts), "answer": reply.text}
        self.sinks.write(record)

    def refused(self, request: Request, plan: RefusedPlan) -> None:
        """Record a request that no model can take, so that nothing was sent."""
        if self.sinks or self.traces is not None:
            nobody = Outcome(
                request.id, None, "", (), plan.reason, plan.policy, 0, 0.0, None, Usage(), screen=plan.screen
            )  # fmt: skip
            self.decided(request, plan, nobody, Reply())

    def shadowed(self, request_id: str, outcome: Outcome) -> None:
        """Record an ended shadow call for the request with this id."""
        if self.traces is not None:
            self.traces.shadowed(request_id, outcome, self._unix())
        if self.sinks:
            self.sinks.write(shadow_record(request_id, outcome, at=self._unix(), router=self._router))

    def scored(self, request_id: str, model: str | None, score: float, source: str) -> None:
        """Record a score for an answer of this model; None = the model is not known any more."""
        self.sinks.write(feedback_record(request_id, model, score, at=self._unix(), source=source))

    def signed(self, request_id: str, model: str, kind: str, weight: float) -> None:
        """Record an implicit sign of an answer's quality that a later request brought."""
        if self.sinks:
            self.sinks.write(sign_record(request_id, model, kind, weight, at=self._unix()))

    def shadow_scored(self, request_id: str, shadow_id: str, score: float) -> None:
        """Record a score for a shadow call's answer."""
        self.sinks.write(shadow_score_record(request_id, shadow_id, score, at=self._unix()))

    def turned(self, event: str, model: str, detail: str) -> None:
        """Record a change of a model's health."""
        if self.sinks:
            self.sinks.write(health_record(event, model, detail, at=self._unix(), router=self._router))


def _prices(cards: Iterable[Card]) -> dict[str, Mapping[str, Any]]:
    return {card.id: card.price.stated() for card in cards if card.price is not None and card.price.known}
