"""The simulated models: their speed, and the course of their calls, with and without faults.

The randomness of a call depends only on the run's seed, the request and the model. So with and without a router, with
and without faults, the same request has the same latency.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from statistics import NormalDist
from typing import NamedTuple

from capability_router.catalog.card import ModelCard
from capability_router.clock import Clock
from capability_router.rehearsal import client_errors
from capability_router.rehearsal.script.fault_schedule import FaultSchedule, ScheduledFault
from capability_router.rehearsal.traffic.shape import RequestShape
from capability_router.rehearsal.traffic.traffic import LoggedSpeed
from capability_router.request import Need
from capability_router.simulator.http.error_reply import HttpErrorReply
from capability_router.simulator.meter import RateMeter
from capability_router.simulator.profile import SimulatedModel
from capability_router.simulator.seeded_random import draw

NEVER = math.inf
CLIENT_S = 600.0
"""The client's own timeout in seconds for a hanging call, as the providers' clients have by default."""
_TTFT_S, _TOKENS_PER_S = 0.6, 60.0
_WAIT_SPREAD, _SPEED_SPREAD = 0.25, 0.15
_FIRST = ("outage", "reset", "hang")
_REFUSED_S, _ANSWERED_S = 0.005, 0.1
_NORMAL = NormalDist()


class SpeedProfile(NamedTuple):
    """A model's speed. `source`: "given", "log", "card", or "assumed" if no source states it."""

    ttft_s: float
    tokens_per_s: float
    source: str


@dataclass(slots=True)
class SimulatedResponse:
    """The course of one call. In seconds from its start: the first text comes at `first_s`, the end at `end_s`.

    `pieces`: how many of a stream's three texts come. Then `error` is raised, or the answer ends. `has_finish_reason`:
    with a terminal reason. `empty`: without text. `malformed`: with invalid tool arguments.
    """

    first_s: float
    end_s: float
    pieces: int = 3
    error: Exception | None = None
    has_finish_reason: bool = True
    empty: bool = False
    malformed: bool = False

    def fails(self, error: Exception, after_s: float) -> SimulatedResponse:
        """The call with only this error instead."""
        return SimulatedResponse(NEVER, after_s, 0, error)


class SimulatedFleet:
    """The models of a registry, as they are simulated in one run."""

    def __init__(
        self,
        cards: Iterable[ModelCard],
        voices: Mapping[str, SpeedProfile],
        script: FaultSchedule,
        clock: Clock,
        seed: int,
    ):
        self._cards = {card.id: card for card in cards}
        self._voices, self._script, self._clock, self._seed = voices, script, clock, seed
        self.meters = {id: _meter(card.limits.get("rpm"), card.limits.get("tpm"), card.name, clock)
                       for id, card in self._cards.items() if card.limits.keys() & {"rpm", "tpm"}}  # fmt: skip
        self._narrow = {(s.number, id): _meter(max(s.line.rpm, 1), None, id, clock)
                        for s in script.spells if s.line.rpm is not None for id in s.models}  # fmt: skip

    def part(self, model: str, shape: RequestShape, request: str, attempt: int) -> SimulatedResponse:
        """The course of a call that starts now."""
        now, call = self._clock.now(), f"{request}/{attempt}/{model}"
        active_faults = self._script.active_faults(model, now, call)
        slower = math.prod(s.line.value for s in active_faults if s.kind == "slow")
        part = self._fair(model, shape, request, slower)
        limit = _refusal(self.meters.get(model), shape)
        if limit is not None:  # it answers so before anything else can go wrong with the call, if it is reached
            part, active_faults = (
                part.fails(client_errors.ProviderError(limit), _ANSWERED_S),
                [s for s in active_faults if s.kind in _FIRST],
            )
        for spell in active_faults:
            struck = self._struck(part, spell, model, shape)
            if struck is not None:
                part = struck
                break
        return _cut_short(part, self._script.next_reset_s(model, now) - now, shape.stream)

    def headers(self, model: str) -> Mapping[str, str]:
        """The rate-limit headers of its answers, if it has limits."""
        meter = self.meters.get(model)
        return meter.headers() if meter else {}

    def _fair(self, model: str, shape: RequestShape, request: str, slower: float) -> SimulatedResponse:
        voice, seed = self._voices[model], self._seed
        wait = voice.ttft_s * math.exp(_WAIT_SPREAD * _normal(seed, "wait", request, model))
        speed = voice.tokens_per_s * math.exp(_SPEED_SPREAD * _normal(seed, "speed", request, model))
        first = slower * wait
        return SimulatedResponse(first, first + slower * self.out(model, shape) / speed)

    def out(self, model: str, shape: RequestShape) -> int:
        """Tokens of a whole answer of this model."""
        most = self._cards[model].max_output_tokens or shape.out
        return min(shape.out, most, shape.max_tokens or shape.out)

    def _struck(
        self, part: SimulatedResponse, spell: ScheduledFault, model: str, shape: RequestShape
    ) -> SimulatedResponse | None:
        """The call under this fault; None = the fault does not affect it."""
        kind = spell.kind
        if kind == "outage":
            return part.fails(client_errors.refused(), _REFUSED_S)
        if kind in client_errors.REPLIES:
            return self._answered(part, spell, model, shape)
        if kind in _SPOILT:
            return _SPOILT[kind](part, shape)
        return None

    def _answered(
        self, part: SimulatedResponse, spell: ScheduledFault, model: str, shape: RequestShape
    ) -> SimulatedResponse | None:
        line = spell.line
        if line.rpm is not None and line.rpm > 0:
            over = _refusal(self._narrow[spell.number, model], shape)
            return None if over is None else part.fails(client_errors.ProviderError(over), _ANSWERED_S)
        if spell.kind == "overflow" and shape.input_tokens <= line.value:
            return None
        name = self._cards[model].name
        reply = client_errors.REPLIES[spell.kind](name, line.status, line.value, shape.input_tokens)
        return part.fails(client_errors.ProviderError(reply), _ANSWERED_S)


def _hang(part: SimulatedResponse, shape: RequestShape) -> SimulatedResponse:
    return part.fails(client_errors.timed_out(), CLIENT_S)


def _stall(part: SimulatedResponse, shape: RequestShape) -> SimulatedResponse:
    if not shape.stream:
        return _hang(part, shape)
    return SimulatedResponse(part.first_s, part.first_s + CLIENT_S, 1, client_errors.timed_out())


def _broken(part: SimulatedResponse, shape: RequestShape, error: Exception) -> SimulatedResponse:
    """The call with an error in the middle of its stream or its duration."""
    return SimulatedResponse(part.first_s, (part.first_s + part.end_s) / 2, 1 if shape.stream else 0, error)


def _truncated(part: SimulatedResponse, shape: RequestShape) -> SimulatedResponse:
    if not shape.stream:
        return _broken(part, shape, client_errors.reset())
    return SimulatedResponse(part.first_s, (part.first_s + part.end_s) / 2, 1, None, has_finish_reason=False)


def _empty(part: SimulatedResponse, shape: RequestShape) -> SimulatedResponse:
    return SimulatedResponse(part.first_s, part.first_s, 0, None, empty=True)


def _malformed(part: SimulatedResponse, shape: RequestShape) -> SimulatedResponse | None:
    return (
        SimulatedResponse(part.first_s, part.end_s, part.pieces, malformed=True)
        if Need.TOOL_CALLING in shape.needs
        else None
    )


_SPOILT: Mapping[str, Callable[[SimulatedResponse, RequestShape], SimulatedResponse | None]] = {
    "reset": lambda part, _: part.fails(client_errors.reset(), _ANSWERED_S),
    "html": lambda part, _: part.fails(client_errors.page(), _ANSWERED_S),
    "hang": _hang, "stall": _stall, "truncate": _truncated, "empty": _empty, "malformed": _malformed,
    "cut": lambda part, shape: _broken(part, shape, client_errors.reset()),
    "stream-error": lambda part, shape: _broken(part, shape, client_errors.APIError()),
}  # fmt: skip


def _cut_short(part: SimulatedResponse, left_s: float, stream: bool) -> SimulatedResponse:
    """An outage that begins while the call is under way resets its connection."""
    if left_s >= part.end_s:
        return part
    spoken = max(part.end_s - part.first_s, 1e-9)
    seen = 0 if not stream or left_s < part.first_s else 1 + int((part.pieces - 1) * (left_s - part.first_s) / spoken)
    return SimulatedResponse(part.first_s, left_s, min(seen, part.pieces), client_errors.reset())


def speed_profiles(
    cards: Iterable[ModelCard], given: Mapping[str, SpeedProfile], paces: Mapping[str, LoggedSpeed]
) -> dict[str, SpeedProfile]:  # fmt: skip
    """Each model's speed: as given, else from the log, else from its card, else assumed."""
    return {card.id: given.get(card.id) or _voice(card, paces.get(card.id)) for card in cards}


def _voice(card: ModelCard, seen: LoggedSpeed | None) -> SpeedProfile:
    if seen is not None and seen.ttft_s is not None:
        speed = seen.tokens_per_s or card.latency.get("tokens_per_s") or _TOKENS_PER_S
        return SpeedProfile(seen.ttft_s, speed, "log")
    stated = bool(card.latency)
    wait, speed = card.latency.get("ttft_s", _TTFT_S), card.latency.get("tokens_per_s") or _TOKENS_PER_S
    return SpeedProfile(wait, speed, "card" if stated else "assumed")


def _meter(rpm: int | None, tpm: int | None, name: str, clock: Clock) -> RateMeter:
    return RateMeter(SimulatedModel(name, rpm=rpm, tpm=tpm), clock)


def _refusal(meter: RateMeter | None, shape: RequestShape) -> HttpErrorReply | None:
    """Count the request against a rate limit; the 429 reply if it exceeds the limit."""
    try:
        if meter is not None:
            meter.admit(shape.input_tokens)
    except HttpErrorReply as refusal:
        return refusal
    return None


def _normal(*parts: object) -> float:
    return _NORMAL.inv_cdf(min(max(draw(*parts), 1e-9), 1 - 1e-9))
