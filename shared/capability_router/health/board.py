"""How every candidate fares: the one door to breakers, gates, limits, bans and latencies.

Planning asks for a `condition`; whoever makes calls asks for a permit (`admit`, or `force` when every
candidate is held) and settles it exactly once. Everything is told the time and draws chance from a
seed, so a run can be repeated.

Threads. One small lock guards all. Settling never waits for it: an abandoned stream may be closed by
the garbage collector in the middle of another call into the board, in the same thread, where waiting
would be for ever. A verdict is put in line, and whoever holds the lock, or gets it, works it off.
Events are told after the lock is released, so a listener may ask the board.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Callable, Iterable, Mapping
from math import inf
from types import MappingProxyType
from typing import Any

from capability_router.address import Address
from capability_router.clock import seeded
from capability_router.concurrency.latch import Latch
from capability_router.concurrency.lifetime import Lasting, watch
from capability_router.errors import ConfigError
from capability_router.health.bans import Ban, Bans
from capability_router.health.breaker import OPEN, Breaker, BreakerConfig
from capability_router.health.condition import QUIET, Condition, HealthEvent
from capability_router.health.gates import Gate
from capability_router.health.lane import Lane, Shared
from capability_router.health.permit import Hold, Permit, Verdict
from capability_router.health.window import Window

__all__ = ["QUIET", "Board", "BreakerConfig", "Condition", "HealthEvent", "Hold", "Permit", "Verdict"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _idle() -> float:
    return 0.0


_GONE_WELL = 3
_UNTIMED_GATE_S = 1.0
"""How long a provider's "nothing left" holds when it doesn't say until when."""


class _Lanes(dict[str, Lane]):
    def __missing__(self, id: str) -> Lane:
        raise ConfigError(f"model {id!r} is not registered with the health board; known: {', '.join(self) or 'none'}")


class Board(Lasting):
    """The health of all candidates. `now` is monotonic seconds throughout.

    Candidates with equal address keys share a breaker (base_url, model, region), a gate (base_url,
    credential, model) and bans; limits and latency are each candidate's own. Methods that take an id
    raise ConfigError when it isn't registered. `on_event` is called for every change of state, in the
    thread that brought it about; what it raises is logged, never passed on. `learns_limits`: how many
    calls at once a model bears is learned (concurrency_limit.py). `worked`: this process's processor seconds.
    """

    def __init__(
        self,
        config: BreakerConfig | None = None,
        *,
        seed: int | None = None,
        learns_limits: bool = True,
        on_event: Callable[[HealthEvent], None] | None = None,
        worked: Callable[[], float] = _idle,
    ) -> None:
        self.config = config or BreakerConfig()
        self.settled_twice = 0
        self._on_event = on_event
        self._worked, self._learns_limits = worked, learns_limits
        self._random = seeded(seed)
        self._lock = Latch()
        self._lanes = _Lanes()
        self._kin: dict[str, list[Lane]] = {}
        self._breakers: dict[tuple[str, str, str], Breaker] = {}
        self._gates: dict[tuple[str, str, str], Gate] = {}
        self._bans = Bans(self.config, self._random.random)
        self._barred: Mapping[str, Ban] = _NOTHING
        self._barred_until = float("inf")
        self._line: deque[tuple[Permit, Verdict, float]] = deque()
        self._events: deque[HealthEvent] = deque()
        self._latest = 0.0
        self._failed_until = 0.0
        watch(self)

    def after_fork(self) -> None:
        """A thread of the parent's may have had the lock; there is nobody here who would give it back."""
        self._lock = Latch()
        for breaker in self._breakers.values():
            breaker.forked()
        for lane in self._lanes.values():
            lane.forked()
        self._bans.forked()

    def __repr__(self) -> str:
        return f"Board({len(self._lanes)} models)"

    def register(
        self,
        id: str,
        address: Address,
        *,
        limits: Mapping[str, int] = _NOTHING,
        latency: Mapping[str, float] = _NOTHING,
    ) -> None:
        """Make a candidate known. Again with the same address: keeps what was learned, takes the new limits."""
        with self._lock:
            self._work_off()
            lane = self._lanes.get(id)
            if lane is not None and lane.address == address:
                lane.relimit(limits)
            else:
                if lane is not None:
                    lane.kin.remove(lane)
                self._lanes[id] = self._new_lane(id, address, limits, latency)
            self._barred_until = 0.0
        self._after()

    def condition(self, id: str, now: float) -> Condition:
        """How the candidate stands, as a live view: read it at once."""
        lane = self._lanes[id]
        if now >= lane.calm_until or now >= lane.silence.look_at:
            with self._lock:
                if self._line:
                    self._work_off()
                lane.look(now)
            if self._line or self._events:
                self._after()
        return lane.condition

    def conditions(self, ids: Iterable[str], now: float) -> list[Condition]:
        """The same of several, in their order; written out, because each request asks for all of them."""
        found, lanes = [], self._lanes
        for id in ids:
            lane = lanes[id]
            if now >= lane.calm_until or now >= lane.silence.look_at:
                self.condition(id, now)
            found.append(lane.condition)
        return found

    def barred(self, now: float) -> Mapping[str, Ban]:
        """The candidates whose credential or model is disabled, until one call may try it again."""
        if now >= self._barred_until:
            with self._lock:
                self._work_off()
                self._count_barred(now)
            self._after()
        return self._barred

    def failing(self, now: float) -> Mapping[str, float]:
        """The share of a candidate's last calls that failed, 0 to 1, as a chance; only of those that had failures.

        A few calls say little: it is as if three more had gone well.
        """
        if now >= self._failed_until:
            return _NOTHING
        if self._line or self._events:
            self._after()
        found: dict[str, float] = {}
        for id, lane in list(self._lanes.items()):  # to read two counts takes no lock
            window = lane.breaker.window
            if window.failed:
                if window.lags(now):
                    self._slide(window, now)
                if window.failed:
                    found[id] = window.failed / (window.calls + _GONE_WELL)
        return found

    def _slide(self, window: Window, now: float) -> None:
        with self._lock:
            self._work_off()
            window.slide(now)
        self._after()

    def admit(self, id: str, now: float, tokens: int = 0, *, probe: bool = False) -> Permit | Hold:
        """A permit for one call of about this many tokens, or why not now. A probe's own goes before traffic."""
        lane = self._lanes[id]
        with self._lock:
            if self._line:
                self._work_off()
            found = lane.enter(now, tokens, probe=probe)
        if self._line or self._events:
            self._after()
        return found

    def force(self, id: str, now: float) -> Permit | Hold:
        """A permit though the candidate is held: for when all are.

        Passes an open breaker, a closed gate and a spent limit per minute; never a disabled credential
        or model before its trial is due, an isolated breaker or the concurrency limit.
        """
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            found = lane.push(now)
        self._after()
        return found

    def surpass(self, id: str, now: float, tokens: int = 0) -> Permit | Hold:
        """A permit past a limit of calls at once that is only learned, for when there is nothing else; else why not."""
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            found = lane.surpass(now, tokens)
        self._after()
        return found

    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Give a permit back and say how the call ended. A second time is counted and ignored."""
        self._line.append((permit, verdict, now))
        self._after()

    def note_limits(self, id: str, headers: Mapping[str, str], now: float, sent_at: float = inf) -> None:
        """Learn from a provider's rate-limit headers what is left, and close the gate when nothing is.

        They came with the answer to a call sent at `sent_at`; infinity: just now.
        """
        # At first use: most providers send none of these, and the core's import stays small.
        from capability_router.faults.limits import rate_limits

        said = rate_limits(headers)
        waits = [
            _UNTIMED_GATE_S if reset is None else reset
            for left, reset in (
                (said.remaining_requests, said.reset_requests_s),
                (said.remaining_tokens, said.reset_tokens_s),
            )
            if left is not None and left <= 0
        ]
        if said.remaining_requests is not None or said.remaining_tokens is not None:
            with self._lock:
                self._work_off()
                self._lanes[id].left(said, max(waits, default=0.0), now, sent_at)
            self._after()

    def usual_silence_s(self, id: str, tokens: int, *, whole: bool) -> float | None:
        """95 % of the candidate's recent answers to so many tokens of input were heard of sooner; None = too few known.

        Streams at their first content, `whole` replies at their end.
        """
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            found = lane.latency.usual_silence_s(tokens, whole=whole)
        self._after()
        return found

    def probes(self, ids: Iterable[str]) -> None:
        """These are probed: traffic leaves the first call after an open time to the probe, for some seconds."""
        with self._lock:
            for id in ids:
                self._lanes[id].probed = True

    def reopens_at(self, id: str) -> float | None:
        """When an open breaker lets a call through, or a disabled credential or model; None = none is closed."""
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            times = [ban.until for ban in lane.bans.of(lane.address)]
        self._after()
        if lane.breaker.state == OPEN:
            times.append(lane.breaker.until)
        return max(times, default=None)

    def free(self, id: str, now: float) -> float:
        """How many calls of usual size the candidate's limits would let begin now."""
        lane = self._lanes[id]
        if not lane.metered and not self._line:  # then it only reads
            return lane.free(now)
        with self._lock:
            self._work_off()
            found = lane.free(now)
        self._after()
        return found

    def wait_s(self, id: str, now: float) -> float:
        """Seconds that a call of usual size would wait for this candidate's limits."""
        return self.condition(id, now).queue_s

    def guesses(self, id: str) -> bool:
        """Whether nothing is known of how long this candidate's calls last, so that a wait for a place is a guess."""
        return self._lanes[id].latency.unknown

    def domain(self, id: str) -> tuple[str, str]:
        """What fails together: the candidate's base URL (or the SDK's endpoint) and region."""
        address = self._lanes[id].address
        return address.base_url, address.region

    def isolate(self, id: str, now: float | None = None) -> None:
        """Keep all calls from the candidate (and those that share its breaker) until `reset`."""
        with self._lock:
            self._work_off()
            self._lanes[id].isolate(self._latest if now is None else now)
        self._after()

    def reset(self, id: str, now: float | None = None) -> None:
        """Close the breaker, open the gate, enable credential and model, for all who share them."""
        with self._lock:
            self._work_off()
            self._lanes[id].reset(self._latest if now is None else now)
        self._after()

    def snapshot(self, now: float) -> list[dict[str, Any]]:
        """A JSON-safe row per candidate, in the order of registration."""
        with self._lock:
            self._work_off()
            rows = [lane.row(now) for lane in self._lanes.values()]
        self._after()
        return rows

    def _new_lane(self, id: str, address: Address, limits: Mapping[str, int], latency: Mapping[str, float]) -> Lane:
        url, model, credential, region = address
        breaker = self._breakers.get((url, model, region))
        if breaker is None:
            breaker = self._breakers[url, model, region] = Breaker(self.config, self._random.random)
        gate = self._gates.setdefault((url, credential, model), Gate())
        kin = self._kin.setdefault(url, [])
        shared = Shared(breaker, gate, self._bans, kin, self._tell, self._worked, self._learns_limits)
        lane = Lane(id, address, limits, latency, shared)
        kin.append(lane)
        return lane

    def _tell(self, event: HealthEvent) -> None:
        self._barred_until = 0.0
        self._events.append(event)

    def _count_barred(self, now: float) -> None:
        bans = {lane.id: ban for lane in self._lanes.values() if (ban := self._bans.off(lane.address, now))}
        self._barred = MappingProxyType(bans) if bans else _NOTHING
        self._barred_until = min((ban.until for ban in bans.values()), default=float("inf"))

    def _work_off(self) -> None:
        """Settle what stands in line. Only under the lock."""
        while self._line:
            permit, verdict, now = self._line.popleft()
            if permit.settled:
                self.settled_twice += 1
            else:
                permit.settled = True
                if now > self._latest:
                    self._latest = now
                permit.lane.settle(permit, verdict, now)
                if permit.lane.breaker.window.failed:
                    self._failed_until = max(self._failed_until, now + self.config.window_s)

    def _after(self) -> None:
        """Work off the line, unless somebody is at it (who then looks again), and tell of events."""
        while self._line and self._lock.take():
            try:
                self._work_off()
            finally:
                self._lock.release()
        if self._events and not self._lock.locked():
            self._publish()

    def _publish(self) -> None:
        while self._events:
            try:
                event = self._events.popleft()
            except IndexError:  # another thread told the last one
                return
            if self._on_event is not None:
                try:
                    self._on_event(event)
                except Exception as error:  # noqa: BLE001 - a listener's error must not cost a request its answer
                    name = type(error).__name__
                    logging.getLogger(__name__).warning("health listener raised %s on %s", name, event.kind)
