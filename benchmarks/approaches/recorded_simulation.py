"""The real router in virtual time over providers that answer as was recorded; what came of each request is noted."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from benchmarks.approaches.provider import RecordedProvider
from benchmarks.approaches.sheet import RequestLine
from benchmarks.approaches.workload import PosedQuestion
from benchmarks.figures.ground.virtual_fleet import VirtualCall, VirtualProvider
from benchmarks.figures.ground.virtual_time import ArrivingRequest, Journey, Simulation
from capability_router.address import Address
from capability_router.catalog.entry import Entry
from capability_router.execution.effects import Launch
from capability_router.request import Outcome, Request
from capability_router.routing import Routing


class BilledCall(VirtualCall):
    """A call whose provider bills by its own rule."""

    __slots__ = ()

    def close(self) -> None:
        provider, told = self.provider, self.usage()
        assert isinstance(provider, RecordedProvider)
        before = provider.billed
        super().close()
        if told is not None:
            into, out = provider.rates(told[0])
            provider.billed = before + told[0] * into + told[1] * out


class RecordedJourney(Journey):
    """One request; each model's answer has its own length."""

    __slots__ = ()

    def start(self, launch: Launch) -> VirtualCall:
        stage, now = self.sim, self.sim.clock.now()
        assert isinstance(stage, RecordedSimulation)
        provider = stage.providers[launch.candidate.id]
        assert isinstance(provider, RecordedProvider)
        stage.witness.launched(self, launch, now)
        id = self.ask.request.id
        posed = stage.posed[id]
        answer = posed.question.answers[provider.name]
        tokens = (answer.entered + posed.extra, answer.written)
        script = provider.play(now, f"{id} {launch.attempt}", tokens)
        call = BilledCall(provider, script, tokens, now, stream=True)
        self.calls[launch.attempt] = call
        return call

    def _over(self, *, cancelled: bool = False) -> None:
        super()._over(cancelled=cancelled)
        stage = self.sim
        assert isinstance(stage, RecordedSimulation)
        stage.note(self.ask.request, self.run._machine.over.outcome)


class RecordedSimulation(Simulation):
    """`lines`: what came of each request, in the order in which they ended."""

    journey = RecordedJourney

    def __init__(self, providers: Sequence[RecordedProvider], seed: int, **settings: Any) -> None:
        super().__init__(list(providers), seed, **settings)
        self.posed: dict[str, PosedQuestion] = {}
        self.lines: list[RequestLine] = []

    def entry(self, provider: VirtualProvider, _: Any) -> Entry:
        assert isinstance(provider, RecordedProvider)
        name = provider.name
        return Entry(provider.member.card(), None, Address(f"sim:{name}", name, name), gives_reason=True)

    def play(self, requests: Iterable[PosedQuestion]) -> list[RequestLine]:
        """Carry them out, and check that the books are the providers' bills."""
        self.run(self._asked(requests))
        self.witness.at_rest(self.providers.values())
        return self.lines

    def _asked(self, requests: Iterable[PosedQuestion]) -> Iterable[ArrivingRequest]:
        for number, posed in enumerate(requests):
            id = str(number)
            self.posed[id] = posed
            yield ArrivingRequest(
                posed.at, Request((posed.text,), stream=True, id=id, routing=Routing(tags=(posed.kind,))), 0
            )

    def refused(self, ask: ArrivingRequest) -> None:
        posed = self.posed.pop(ask.request.id)
        self.lines.append(RequestLine(posed.at, posed.kind, None, 0.0, 0, 0.0, 0, 0, 0))

    def note(self, request: Request, outcome: Outcome) -> None:
        posed, model = self.posed.pop(request.id), outcome.model
        told = sum(attempt.cost_pico or 0 for attempt in outcome.attempts)
        limited = sum(attempt.fault == "rate_limited" for attempt in outcome.attempts)
        answer = None if model is None else posed.question.answers[model]
        score = 0.0 if answer is None else answer.score
        tokens = 0 if answer is None else answer.entered + posed.extra + answer.written
        calls = len(outcome.attempts)
        self.lines.append(
            RequestLine(posed.at, posed.kind, model, score, told, outcome.elapsed_s, tokens, limited, calls)
        )
