"""The health of every candidate: the one interface to breakers, gates, limits, bans and latencies.

Planning reads a `condition`. A call takes a permit (`admit`, or `force` when every candidate is held) and settles it
exactly once. The time is passed in and chance comes from a seed, so a run can be repeated.

Threads. One small lock guards everything. Settling never waits for it: the garbage collector may close an abandoned
stream in the middle of another call into the board, in the same thread, and waiting there would never end. So verdicts
are queued, and processed by whichever thread holds the lock or takes it next. Events are sent after the lock is
released, so a listener may call the board.
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
from capability_router.concurrency.process_hooks import ProcessHooks, watch
from capability_router.errors import ConfigError
from capability_router.health.bans import Ban, Bans
from capability_router.health.breaker import OPEN, Breaker, BreakerConfig
from capability_router.health.candidate_health import CandidateHealth, SharedHealth
from capability_router.health.condition import QUIET, CandidateCondition, HealthEvent
from capability_router.health.gates import RateLimitGate
from capability_router.health.permit import NOBODY, Hold, Permit, RequestsAhead, Verdict
from capability_router.health.window import SlidingWindow

__all__ = ["QUIET", "BreakerConfig", "CandidateCondition", "HealthBoard", "HealthEvent", "Hold", "Permit", "Verdict"]

_NOTHING: Mapping[str, Any] = MappingProxyType({})


def _idle() -> float:
    return 0.0


_GONE_WELL = 3
_UNTIMED_GATE_S = 1.0
"""Seconds for which a gate is closed if a provider reports that nothing is left, without a time."""


class _HealthById(dict[str, CandidateHealth]):
    def __missing__(self, id: str) -> CandidateHealth:
        raise ConfigError(f"model {id!r} is not registered with the health board; known: {', '.join(self) or 'none'}")


class HealthBoard(ProcessHooks):
    """The health of all candidates. `now` is monotonic seconds throughout.

    Candidates with equal address keys share a breaker (base_url, model, region), a gate (base_url,
    credential, model) and bans; limits and latency are each candidate's own. Methods that take an id
    raise ConfigError when it isn't registered. `on_event` is called for every change of state, in the thread that
    caused it; what it raises is logged. `learns_limits`: learn how many calls at once a model takes
    (concurrency_limit.py). `worked`: this process's processor seconds.
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
        self._lanes = _HealthById()
        self._kin: dict[str, list[CandidateHealth]] = {}
        self._breakers: dict[tuple[str, str, str], Breaker] = {}
        self._gates: dict[tuple[str, str, str], RateLimitGate] = {}
        self._bans = Bans(self.config, self._random.random)
        self._barred: Mapping[str, Ban] = _NOTHING
        self._barred_until = float("inf")
        self._line: deque[tuple[Permit, Verdict, float]] = deque()
        self._events: deque[HealthEvent] = deque()
        self._latest = 0.0
        self._failed_until = 0.0
        watch(self)

    def after_fork(self) -> None:
        """In the child of a fork: a thread of the parent may have held the lock, and does not exist here."""
        self._lock = Latch()
        for breaker in self._breakers.values():
            breaker.forked()
        for lane in self._lanes.values():
            lane.forked()
        self._bans.forked()

    def __repr__(self) -> str:
        return f"HealthBoard({len(self._lanes)} models)"

    def register(
        self,
        id: str,
        address: Address,
        *,
        limits: Mapping[str, int] = _NOTHING,
        latency: Mapping[str, float] = _NOTHING,
    ) -> None:
        """Register a candidate. Again with the same address: keep what was learned, take the new limits."""
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

    def condition(self, id: str, now: float) -> CandidateCondition:
        """The candidate's condition, as a live view: read it at once."""
        lane = self._lanes[id]
        if now >= lane.calm_until or now >= lane.silence.next_check_at:
            with self._lock:
                if self._line:
                    self._work_off()
                lane.look(now)
            if self._line or self._events:
                self._after()
        return lane.condition

    def conditions(self, ids: Iterable[str], now: float) -> list[CandidateCondition]:
        """The conditions of several candidates, in order. Written out for speed: every request needs all of them."""
        found, lanes = [], self._lanes
        for id in ids:
            lane = lanes[id]
            if now >= lane.calm_until or now >= lane.silence.next_check_at:
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
        """The chance that a call fails, 0 to 1, by the candidate's last calls; only of candidates with failures.

        Three additional successes are counted, so that a few calls do not decide alone.
        """
        if now >= self._failed_until:
            return _NOTHING
        if self._line or self._events:
            self._after()
        found: dict[str, float] = {}
        for id, lane in list(self._lanes.items()):  # to read two counts takes no lock
            window = lane.breaker.window
            if window.failed and window.has_stale_slices(now):
                self._slide(window, now)
            if failed := window.failed:
                found[id] = failed / (window.calls + _GONE_WELL)
        return found

    def _slide(self, window: SlidingWindow, now: float) -> None:
        with self._lock:
            self._work_off()
            window.slide(now)
        self._after()

    def admit(
        self, id: str, now: float, tokens: int = 0, *, probe: bool = False, ahead: RequestsAhead = NOBODY
    ) -> Permit | Hold:  # fmt: skip
        """A permit for one call of about this many tokens, or the hold that forbids it now.

        It leaves to those `ahead`, who wait for this candidate, what they need.
        """
        lane = self._lanes[id]
        with self._lock:
            if self._line:
                self._work_off()
            found = lane.enter(now, tokens, probe=probe, ahead=ahead)
        if self._line or self._events:
            self._after()
        return found

    def force(self, id: str, now: float, tokens: int = 0, *, ahead: RequestsAhead = NOBODY) -> Permit | Hold:
        """A permit for a held candidate, for use when all are held.

        Passes an open breaker and a closed gate; never a disabled credential or model before its trial is due, an
        isolated breaker or a limit. It leaves to those `ahead` what they need.
        """
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            found = lane.push(now, tokens, ahead)
        self._after()
        return found

    def admit_over_learned_limit(
        self, id: str, now: float, tokens: int = 0, *, ahead: RequestsAhead = NOBODY
    ) -> Permit | Hold:
        """A permit past a limit that is only learned, and past an open breaker, if nothing else is left; else the hold.

        It leaves to those `ahead` what they need of the limits that are stated.
        """
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            found = lane.admit_over_learned_limit(now, tokens, ahead)
        self._after()
        return found

    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Give a permit back with the verdict on its call. A second settlement is counted and ignored."""
        self._line.append((permit, verdict, now))
        self._after()

    def note_limits(self, id: str, headers: Mapping[str, str], now: float, sent_at: float = inf) -> None:
        """Learn from a provider's rate-limit headers what is left.

        They came with the answer to a call sent at `sent_at`; infinity: just now. Where nothing is left and they do not
        say until when, the gate is closed for a moment. A limit of 0 is none: what was answered is not forbidden.
        """
        # At first use: most providers send none of these, and the core's import stays small.
        from capability_router.faults.rate_limit_headers import rate_limits

        said = rate_limits(headers)
        requests = None if said.limit_requests == 0 else said.remaining_requests
        tokens = None if said.limit_tokens == 0 else said.remaining_tokens
        if requests is None and tokens is None:
            return
        resets = ((requests, said.reset_requests_s), (tokens, said.reset_tokens_s))
        untimed = any(left == 0 and reset is None for left, reset in resets)
        with self._lock:
            self._work_off()
            said = said._replace(remaining_requests=requests, remaining_tokens=tokens)
            self._lanes[id].left(said, _UNTIMED_GATE_S if untimed else 0.0, now, sent_at)
        self._after()

    def usual_silence_s(self, id: str, tokens: int, *, whole: bool) -> float | None:
        """The 95th percentile of the silence before recent answers to so much input, in seconds; None = too few known.

        Streams at their first content, `whole` replies at their end.
        """
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            found = lane.latency.usual_silence_s(tokens, whole=whole)
        self._after()
        return found

    def probes(self, ids: Iterable[str]) -> None:
        """These candidates are probed: for some seconds after an open time, the first call is left to the probe."""
        with self._lock:
            for id in ids:
                self._lanes[id].check.probed = True

    def reopens_at(self, id: str) -> float | None:
        """When an open breaker or a disabled credential or model admits a call again; None = neither holds it."""
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            times = [ban.until for ban in lane.bans.of(lane.address)]
        self._after()
        if lane.breaker.state == OPEN:
            times.append(lane.breaker.until)
        return max(times, default=None)

    def wait_s(self, id: str, now: float, ahead: int = 0) -> float:
        """Seconds that a call of usual size would wait for this candidate's limits, behind so many others."""
        lane = self._lanes[id]
        with self._lock:
            self._work_off()
            found = lane.check.wait_s(now, ahead)
        self._after()
        return found

    def failure_domain(self, id: str) -> tuple[str, str]:
        """The failure domain: the candidate's base URL (or the SDK's endpoint) and region."""
        address = self._lanes[id].address
        return address.base_url, address.region

    def isolate(self, id: str, now: float | None = None) -> None:
        """Admit no call of the candidate, or of those that share its breaker, until `reset`."""
        with self._lock:
            self._work_off()
            self._lanes[id].isolate(self._latest if now is None else now)
        self._after()

    def reset(self, id: str, now: float | None = None) -> None:
        """Close the breaker, open the gate, enable credential and model, for all who share them.

        How the calls under way end undoes nothing of that, unless a provider names a time to wait.
        """
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

    def _new_lane(
        self, id: str, address: Address, limits: Mapping[str, int], latency: Mapping[str, float]
    ) -> CandidateHealth:
        url, model, credential, region = address
        breaker = self._breakers.get((url, model, region))
        if breaker is None:
            breaker = self._breakers[url, model, region] = Breaker(self.config, self._random.random)
        gate = self._gates.setdefault((url, credential, model), RateLimitGate())
        kin = self._kin.setdefault(url, [])
        shared = SharedHealth(breaker, gate, self._bans, kin, self._tell, self._worked, self._learns_limits)
        lane = CandidateHealth(id, address, limits, latency, shared)
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
        """Settle the queued verdicts. Only under the lock."""
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
        """Settle the queued verdicts, unless another thread does (it then looks again), and send events."""
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
            except IndexError:  # another thread has sent the last one
                return
            if self._on_event is not None:
                try:
                    self._on_event(event)
                except Exception as error:  # noqa: BLE001 - a listener's error must not cost a request its answer
                    name = type(error).__name__
                    logging.getLogger(__name__).warning("health listener raised %s on %s", name, event.kind)
