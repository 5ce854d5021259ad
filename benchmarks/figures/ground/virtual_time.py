"""A third driver, in virtual time: the real Router, machine, board and books; only providers and time are made up.

Many requests are in flight at once. All that happens stands in one heap of moments; taking the earliest
moves the clock. The core's own `EffectRunner` stands between the machine and the calls, as in the two
drivers for threads and tasks, so what is simulated is no more than who waits for what.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from heapq import heappop, heappush
from itertools import count
from random import Random
from typing import Any

from capability_router.address import Address
from capability_router.catalog.card import ModelCard
from capability_router.catalog.entry import Entry
from capability_router.catalog.registry import Registry
from capability_router.clock import ManualClock
from capability_router.errors import NoEligibleModel
from capability_router.execution.driving.effect_runner import EffectRunner
from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.money.price import Price
from capability_router.request import Request
from capability_router.router import Router

from .virtual_fleet import NEVER, VirtualCall, VirtualProvider
from .witness import Witness

ARRIVAL, CANCEL, ALARM = -2, -1, 0
"""What a moment is about, where it isn't an attempt's number."""


class VirtualCallFailed(Exception):
    """A simulated call failed."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


@dataclass(slots=True)
class ArrivingRequest:
    """A request that will arrive. `out`: tokens of a whole answer to it; `cancel_s`: when its caller goes away."""

    at: float
    request: Request
    out: int
    cancel_s: float | None = None


class Journey:
    """One request on its way, as the endpoint of its own run."""

    __slots__ = ("alarm", "ask", "began", "calls", "given", "run", "show", "sim", "wake")

    def __init__(self, sim: Simulation, ask: ArrivingRequest) -> None:
        self.sim, self.ask = sim, ask
        self.calls: dict[int, VirtualCall] = {}
        self.given: list[str] = []
        self.alarm = self.wake = NEVER  # the earliest noted moment to look again, and the one that is wanted
        self.began = sim.now
        # The run's machine is driven here as Run.__iter__ and Run.__aiter__ drive it. Both are None after the end.
        self.run: Any = sim.router.start(ask.request, self)
        self.show: Any = EffectRunner(self.run._machine, self, sim.clock)
        self.show.begin()

    def start(self, launch: Launch) -> VirtualCall:
        sim = self.sim
        provider, now = sim.providers[launch.candidate.id], sim.now
        sim.witness.launched(self, launch, now)
        tokens = (self.ask.request.input_tokens or 0, self.ask.out)
        call = VirtualCall(provider, provider.answer(now, sim.chance), tokens, now, stream=self.ask.request.stream)
        self.calls[launch.attempt] = call
        return call

    def fault(self, error: BaseException) -> Fault | None:
        return error.fault if isinstance(error, VirtualCallFailed) else None

    def step(self) -> None:
        """After whatever happened: start what was launched, hand on what may be, note when to look again."""
        show = self.show
        if show.launches:
            for index, call in show.started():
                show.sends(index)
                self._foresee(index, call)
        if show.delivering:
            self.given += show.held()
        if not show.running:
            self._leave()
            return
        if len(self.calls) > 1:
            self._drop(lambda index: not show.in_flight(index))
        self._wait(show)

    def _wait(self, show: Any) -> None:
        patience = show.patience_s()
        self.wake = NEVER if patience is None else self.sim.now + patience
        if self.wake < self.alarm:
            self._watch()

    def happen(self, index: int) -> None:
        """An attempt's next moment."""
        call, show = self.calls.get(index), self.show
        if call is None or show is None or not show.in_flight(index):
            if show is not None and self.wake < self.alarm:  # the alarm may have been left to this moment
                self._watch()
        elif call.stream and call.given < call.script.pieces:
            self._piece(show, index, call)
        else:
            self._last(show, index, call)

    def _piece(self, show: Any, index: int, call: VirtualCall) -> None:
        call.given += 1
        text = call.provider.text
        self._foresee(index, call)
        if show.delivering == index:  # a further piece of the answer: nothing is to be decided
            show.goes_on(index, text)
            self.given.append(text)
            self._wait(show)
        else:
            show.took(index, text)
            self.step()

    def _last(self, show: Any, index: int, call: VirtualCall) -> None:
        """It fails, or ends by itself: a whole answer comes with its end."""
        script = call.script
        if not call.stream:
            call.given = script.pieces
        if script.fault is not None:
            self._close(index)
            show.raised(index, VirtualCallFailed(script.fault))
        else:
            call.whole = True
            if not call.stream:
                show.took(index, call.provider.text * script.pieces)
            self._close(index)
            show.ended(index)
        self.step()

    def ring(self, now: float) -> None:
        """The alarm that was set; it may have been moved meanwhile."""
        self.alarm = NEVER
        if self.show is None:
            return
        if now >= self.wake:
            self.show.rang()
            self.step()
        else:
            self._watch()

    def _foresee(self, index: int, call: VirtualCall) -> None:
        due = call.due = call.next_at()
        self.sim.at(due, self, index)

    def _watch(self) -> None:
        """Set the alarm, unless a call has something to give before it: then it is looked at again."""
        wake, show = self.wake, self.show
        for index, call in self.calls.items():
            if call.due < wake and show.in_flight(index):
                return
        self.alarm = wake
        self.sim.at(wake, self, ALARM)

    def cancel(self) -> None:
        if self.show is not None:
            self.show.cancel()
            self._leave(cancelled=True)

    def _close(self, index: int) -> None:
        self.calls.pop(index).close()

    def _drop(self, gone: Callable[[int], bool]) -> None:
        for index in [i for i in self.calls if gone(i)]:
            self._close(index)

    def _leave(self, *, cancelled: bool = False) -> None:
        """The end. Alarms that were set for it may stand in the heap for many seconds more, and hold it till then:
        all that the core made for the request is let go, else the garbage collector looks through hundreds of them."""
        self._over(cancelled=cancelled)
        self.run = self.show = None

    def _over(self, *, cancelled: bool = False) -> None:
        if self.calls:
            self._drop(lambda _: True)
        self.run._on_end(self.run)
        self.sim.witness.ended(self, self.sim.now, cancelled=cancelled)


class Simulation:
    """A router over a fleet. `run` carries out the requests of `asks` and returns when nothing is left to happen."""

    journey = Journey

    def __init__(
        self, providers: list[VirtualProvider], seed: int, *, limits: Mapping[str, int] | None = None, **settings: Any
    ) -> None:  # fmt: skip
        random.seed(seed)  # tenacity's jitter draws from the module
        self.chance = Random(seed)
        self.providers = {provider.name: provider for provider in providers}
        self.clock, self.now = ManualClock(), 0.0
        entries = [self.entry(provider, limits or {}) for provider in providers]
        settings.setdefault("retry", {"wait": {"exponential": {"multiplier": 0.25, "max": 4}}})
        self.router = Router(Registry(entries), clock=self.clock, **settings)
        self.witness = Witness(self.router)
        self._heap: list[tuple[float, int, Any, int]] = []
        self._number = count()

    def at(self, when: float, journey: Any, index: int) -> None:
        """Note a moment; what never happens is not noted."""
        if when != NEVER:
            heappush(self._heap, (when, next(self._number), journey, index))

    def call(self, when: float, what: Callable[[], object]) -> None:
        """Do this at that moment."""
        self.at(when, what, ARRIVAL)

    def run(self, asks: Any) -> Witness:
        """Until the last request has ended."""
        coming = iter(asks)
        self._next(coming)
        heap, clock = self._heap, self.clock
        while heap:
            now, _, what, index = heappop(heap)
            self.now = clock._now = now  # as `advance`, but to the very moment
            if index > 0:
                what.happen(index)
            elif index == ALARM:
                what.ring(now)
            elif index == CANCEL:
                what.cancel()
            elif isinstance(what, ArrivingRequest):
                self._next(coming)
                self._arrive(what)
            else:
                what()
        return self.witness

    def entry(self, provider: VirtualProvider, limits: Mapping[str, int]) -> Entry:
        """What the router is told of a provider."""
        return _entry(provider, limits)

    def refused(self, ask: ArrivingRequest) -> None:
        """No model is eligible for it."""

    def _next(self, coming: Any) -> None:
        ask = next(coming, None)
        if ask is not None:
            self.at(ask.at, ask, ARRIVAL)

    def _arrive(self, ask: ArrivingRequest) -> None:
        self.witness.asked += 1
        try:
            journey = self.journey(self, ask)
        except NoEligibleModel:
            self.witness.refused += 1
            self.refused(ask)
            return
        if ask.cancel_s is not None:
            self.at(ask.at + ask.cancel_s, journey, CANCEL)
        journey.step()


def _entry(provider: VirtualProvider, limits: Mapping[str, int]) -> Entry:
    into, out = provider.price
    price = Price(input_mtok=into / 1e6, output_mtok=out / 1e6)
    card = ModelCard(
        id=provider.name, provider="sim", model=provider.name, price=price, limits=dict(limits), tool_calling=True,
        context_window=128_000, quality={"default": 0.8}, latency={"ttft_s": 0.4, "tokens_per_s": 90},
    )  # fmt: skip
    return Entry(card, None, Address(f"sim:{provider.name}", provider.name, provider.name), gives_reason=True)
