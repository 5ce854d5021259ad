"""Whether one candidate may be called now, and what forbids it: an operator, a ban, a breaker, a gate or a limit."""

from __future__ import annotations

from capability_router.address import Address
from capability_router.health.bans import Bans
from capability_router.health.breaker import HALF_OPEN, ISOLATED, OPEN, Breaker
from capability_router.health.concurrency_limit import ConcurrencyLimit
from capability_router.health.gates import RateLimitGate
from capability_router.health.latency import Latency
from capability_router.health.limiter import Limiter
from capability_router.health.permit import NOBODY, Hold, RequestsAhead

_PROBE_S = 5.0
"""Seconds after an open time for which the first call is reserved for the probe."""
_TRIAL_LOOK_S = 1.0
"""Seconds after which a model on trial is checked again at the latest."""
_LEAST_WAIT_S = 0.001
"""The least time until a full model is checked again, however short its calls are."""


class AdmissionCheck:
    """Reads a candidate's parts and changes none. Without a lock: the board locks. Times are monotonic seconds."""

    __slots__ = ("address", "bans", "breaker", "gate", "id", "latency", "learned_limit", "limiter", "probed")

    def __init__(
        self,
        id: str,
        address: Address,
        breaker: Breaker,
        gate: RateLimitGate,
        bans: Bans,
        limiter: Limiter,
        latency: Latency,
        learned_limit: ConcurrencyLimit | None,
    ) -> None:
        self.id, self.address, self.breaker, self.gate, self.bans = id, address, breaker, gate, bans
        self.limiter, self.latency, self.learned_limit = limiter, latency, learned_limit
        self.probed = False
        """Whether active probes call it: for some seconds after an open time, the first call is left to them."""

    def hold(self, now: float, tokens: int, *, probe: bool = False, ahead: RequestsAhead = NOBODY) -> Hold | None:
        """The hold that forbids a call of this many tokens now, or None."""
        return self.stopped(now, probe) or self.paused(now, probe) or self.full(now, tokens, ahead)

    def wait_s(self, now: float, calls_ahead: int = 0) -> float:
        """Seconds that a call of usual size would wait for its limits behind so many others."""
        ahead = self.limiter.usual(calls_ahead) if calls_ahead else NOBODY
        queue = self.limiter.queue_s(now, self.latency.service_s(), ahead)
        return max(queue, self.gate.allowed_in_s(1.0, now, ahead)) if self.gate.counts else queue

    def stopped(self, now: float, probe: bool = False) -> Hold | None:
        if self.breaker.state == ISOLATED:
            return Hold(self.breaker.why, None, "isolated", f"call router.reset({self.id!r})")
        return self._banned(now, probe) if self.bans.found else None

    def _banned(self, now: float, probe: bool) -> Hold | None:
        if not self.bans.of(self.address):
            return None
        mend = f"fix the key or name of {self.id} and call router.reset({self.id!r})"
        ban = self.bans.off(self.address, now)
        if ban is not None:
            return Hold(ban.held(now), ban.until, "disabled", mend)
        ban = self.bans.on_trial(self.address, now)
        if ban is not None:
            return Hold(ban.held(now), min(now + _TRIAL_LOOK_S, ban.tried_until), "probing", mend)
        grace = [] if probe or not self.probed else [ban.until + _PROBE_S for ban in self.bans.of(self.address)]
        if grace and now < max(grace):
            return Hold("waiting for its probe, which decides whether it is used again", max(grace), "probing", mend)
        return None

    def paused(self, now: float, probe: bool = False) -> Hold | None:
        """The hold of breaker or gate, whichever lasts longer."""
        broken, gated = self.breaker.held_until(now), self.gate.until
        if self.probed and not probe and self.breaker.state == OPEN:
            grace = self.breaker.until + _PROBE_S
            broken = grace if now < grace else broken
        if gated > now and gated >= broken:
            return Hold(f"{self.gate.why} for another {seconds(gated - now)}", gated, "rate_limit")
        if not broken:
            return None
        half_open = self.breaker.state == HALF_OPEN
        told = "half-open, its probes are under way" if half_open else f"open for another {seconds(broken - now)}"
        return Hold(f"breaker {told}", broken, "breaker", not_before=gated if gated > now else 0.0)

    def full(self, now: float, tokens: int, ahead: RequestsAhead) -> Hold | None:
        full = self.no_slot(now, tokens, ahead)
        return full or self.no_budget(now, tokens, ahead) or self.used_up(now, tokens, ahead)

    def no_slot(self, now: float, tokens: int = 0, ahead: RequestsAhead = NOBODY) -> Hold | None:
        if not self.limiter.full_behind(ahead.calls):
            return None
        wait = self.limiter.queue_s(now, self.latency.service_s(), ahead)
        count, limiter = self.limiter.in_flight, self.limiter
        flying = "1 call" if count == 1 else f"{count} calls"
        until = now + max(wait, _LEAST_WAIT_S)
        if ahead.calls:
            until = max(until, now + self._budget_s(now, tokens, ahead), now + self._rest_s(now, tokens, ahead))
            return Hold(ahead.told, until, "full", "raise limits.concurrency", guessed=self.latency.unknown)
        if self.learned_limit is not None and count < limiter.stated:
            told = f"full: {flying} in flight, limit {limiter.most}, learned from {self.learned_limit.why}"
            mend = "switch learned limits off (health: {learns_limits: false})"
            return Hold(told, until, "full", mend, learned=True)  # a guess may lead beyond it: it is one itself
        told = f"full: {flying} in flight, limit {limiter.stated}"
        return Hold(told, until, "full", "raise limits.concurrency", guessed=self.latency.unknown)

    def no_budget(self, now: float, tokens: int, ahead: RequestsAhead = NOBODY) -> Hold | None:
        wait = self._budget_s(now, tokens, ahead)
        if not wait:
            return None
        told = ahead.told or f"full: limits.rpm or limits.tpm reached for another {seconds(wait)}"
        return Hold(told, now + wait, "full", "raise limits.rpm or limits.tpm")

    def used_up(self, now: float, tokens: float, ahead: RequestsAhead = NOBODY) -> Hold | None:
        wait = self._rest_s(now, tokens, ahead)
        if not wait:
            return None
        told = ahead.told or f"full: its provider reports nothing left for another {seconds(wait)}"
        return Hold(told, now + wait, "full", f"ask the provider of {self.id} for higher limits")

    def _budget_s(self, now: float, tokens: float, ahead: RequestsAhead) -> float:
        return self.limiter.budget_wait_s(tokens, now, ahead) if self.limiter.metered else 0.0

    def _rest_s(self, now: float, tokens: float, ahead: RequestsAhead) -> float:
        return self.gate.allowed_in_s(max(tokens, 1.0), now, ahead) if self.gate.counts else 0.0


def seconds(seconds: float) -> str:
    """A span of time for people."""
    return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
