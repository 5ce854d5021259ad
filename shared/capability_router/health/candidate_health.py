"""One candidate: the breaker, gate and bans it shares with others, and what is its own.

A lane is *calm* when nothing holds it and no request waits for it; then planning and admission need no further checks.
Time alone does not end calm, because with time gates open, buckets fill and breakers recover. Only a call or an
operator ends it; if a shared part changes, every lane of that base URL is checked again. There are two exceptions.
Calls become silent with time: `silence.next_check_at` says when to check. And a degraded lane is calm only as long as
its reported remaining time is still about right.
"""

from __future__ import annotations

import math
import sys
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, NamedTuple

from capability_router.address import Address
from capability_router.health.admission_check import AdmissionCheck, seconds
from capability_router.health.bans import Bans, BanSubject
from capability_router.health.breaker import CLOSED, HALF_OPEN, ISOLATED, OPEN, Breaker
from capability_router.health.concurrency_limit import ConcurrencyLimit
from capability_router.health.condition import CandidateCondition, EventKind, HealthEvent, HealthListener
from capability_router.health.degradation import Degradation
from capability_router.health.gates import ASKED, RateLimitGate
from capability_router.health.latency import Latency
from capability_router.health.limiter import Limiter
from capability_router.health.permit import NOBODY, Hold, Permit, RequestsAhead, Verdict
from capability_router.health.silence_detector import LEAST_S

if TYPE_CHECKING:
    from capability_router.faults.rate_limit_headers import RateLimits

_STATE_EVENTS: dict[str, EventKind] = {
    OPEN: "breaker_opened", HALF_OPEN: "breaker_half_open", CLOSED: "breaker_closed", ISOLATED: "isolated",
}  # fmt: skip
_DISABLED: dict[BanSubject, EventKind] = {"credential": "credential_disabled", "model": "model_disabled"}
_ENABLED: dict[BanSubject, EventKind] = {"credential": "credential_enabled", "model": "model_enabled"}
_BUSY = 0.25
"""If this process worked for more than this share of a wait, the wait may be its own fault."""
_UNTIL_HEARD = "other models are preferred until one is heard"
_TOLD_S = 0.1
"""The remaining time of a degradation is reported in tenths of a second, so it stays the same for this long."""


class SharedHealth(NamedTuple):
    """What a lane shares with others. `kin`: every lane of the same base URL, itself included.

    `worked`: processor seconds and loop lag of this process. `learns_limits`: learn how many calls a model takes.
    """

    breaker: Breaker
    gate: RateLimitGate
    bans: Bans
    kin: list[CandidateHealth]
    tell: HealthListener
    worked: Callable[[], float]
    learns_limits: bool = True


class CandidateHealth:
    """One candidate's health. Without a lock: the board locks. Times are monotonic seconds."""

    __slots__ = (
        "_late_at", "address", "bans", "breaker", "calls", "calm_until", "check", "condition", "ended", "gate", "id",
        "kin", "latency", "learned_limit", "limiter", "metered", "silence", "tell", "worked",
    )  # fmt: skip

    def __init__(
        self, id: str, address: Address, limits: Mapping[str, int], latency: Mapping[str, float], shared: SharedHealth
    ) -> None:
        self.id, self.address = id, address
        self.breaker, self.gate, self.bans, self.kin, self.tell, self.worked, learns_limits = shared
        self.silence = self.breaker.silence
        self.calls = 0
        self.ended = {"answered": 0, "failed": 0, "refused": 0, "disabled": 0, "neutral": 0}
        self.limiter = Limiter(limits)
        self.learned_limit = ConcurrencyLimit() if learns_limits else None
        self.metered = self.limiter.metered
        self.latency = Latency(latency)
        self.check = AdmissionCheck(
            id, address, self.breaker, self.gate, self.bans, self.limiter, self.latency, self.learned_limit
        )
        self.condition = CandidateCondition(peak=self.latency.peak)
        self._timed()
        self.calm_until = 0.0
        self._late_at: float | None = None  # when this process was last late for a time limit

    def relimit(self, limits: Mapping[str, int]) -> None:
        """Take new limits; what is in flight stays so."""
        self.limiter.relimit(limits)
        if self.learned_limit is not None:
            self.limiter.set_learned_limit(self.learned_limit.limit)
        self.metered = self.limiter.metered
        self.calm_until = 0.0

    def look(self, now: float) -> None:
        """Bring `condition` up to date, and find out whether all is calm."""
        if (now >= self.silence.next_check_at or self.silence.why) and self.breaker.state == CLOSED:
            self.breaker.listen(now, self.worked())
            if now < self.calm_until and not self.silence.why:  # it was calm, and nobody is silent
                return
        self._notice(now)
        hold, seen = self.check.hold(now, 1), self.condition
        seen.held = hold.reason if hold else ""
        seen.waits = hold is not None and hold.kind == "full"
        seen.until = (math.inf if hold.until is None else hold.until) if hold else 0.0
        seen.queue_s = self.check.wait_s(now)
        if hold is None:
            seen.held, seen.until = self._degraded(now)
        quiet = hold is None and not seen.queue_s and not self.silence.why  # silence ends with the first content
        quiet = quiet and self.breaker.state == CLOSED and not self.bans.of(self.address)
        self.calm_until = 0.0 if not quiet else min(seen.until, now + _TOLD_S) if seen.held else math.inf

    def _degraded(self, now: float) -> tuple[str, float]:
        """Why other models are preferred, and until when; ("", 0.0) = they are not."""
        degradation, silence = self.breaker.degradation, self.silence
        if degradation.until > now:
            left = seconds(degradation.until - now)
            return f"{degradation.why}; other models are preferred for another {left}", degradation.until
        return (f"{silence.why}; {_UNTIL_HEARD}", silence.until) if silence.why else ("", 0.0)

    def enter(self, now: float, tokens: int, *, probe: bool = False, ahead: RequestsAhead = NOBODY) -> Permit | Hold:
        """A permit for one call, or the hold that forbids it."""
        hold = None
        if now >= self.calm_until or ahead.calls:
            hold = self.check.hold(now, tokens, probe=probe, ahead=ahead)
        elif self.metered or self.gate.counts:
            hold = self.check.no_budget(now, tokens) or self.check.used_up(now, tokens)
        return self._grant(now, tokens) if hold is None else hold

    def push(self, now: float, tokens: int, ahead: RequestsAhead = NOBODY) -> Permit | Hold:
        """A permit past breaker and gate; a probe's if the breaker has one left."""
        check = self.check
        paused, hold = check.paused(now), check.stopped(now)
        if hold is not None:
            return hold
        hold = check.full(now, tokens, ahead)
        if hold is None:
            return self._grant(now, tokens, forced=paused is not None)
        return hold if paused is None else replace(hold, reason=f"{paused.reason} and {hold.reason}", paused=True)

    def admit_over_learned_limit(self, now: float, tokens: int, ahead: RequestsAhead = NOBODY) -> Permit | Hold:
        """A permit past an open breaker, and past a learned limit.

        The limit is one of concurrent calls, or from the provider's rate-limit headers.
        """
        check = self.check
        paused = check.paused(now)
        hold = check.stopped(now) or (paused if self.gate.until > now else None) or check.no_budget(now, tokens, ahead)
        if hold is None and self.limiter.in_flight + ahead.calls >= self.limiter.stated:
            hold = check.no_slot(now, tokens, ahead)
        return self._grant(now, tokens, forced=paused is not None) if hold is None else hold

    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Take the permit back and learn from how the call ended."""
        breaker = self.breaker
        before = breaker.state
        how = self._judge(permit, verdict, now)
        self.ended[how] += 1
        if how in ("neutral", "refused", "disabled"):
            breaker.neutral(permit.epoch, probe=permit.half_open)
        if self.bans.found:
            for ban in list(self.bans.ended(self.address, verdict, permit.taken_at)):
                self._wake(_ENABLED[ban.what], f"answered after {ban.reason}", now)
        if self.learned_limit is not None and how != "neutral":
            self._borne(self.learned_limit, permit, verdict, how, now)
        self.silence.flying.pop(permit, None)
        if permit.silent and how not in ("neutral", "failed"):
            permit.heard()
        self._left(permit, verdict, how, now)
        self._loaded()
        self._timed()
        self._notice(now)
        if breaker.state != before:
            self._turned(before, now)

    def forked(self) -> None:
        """In the child of a fork: the calls under way are its parent's."""
        self.limiter.in_flight = 0
        self.gate.forked()
        self._loaded()

    def _left(self, permit: Permit, verdict: Verdict, how: str, now: float) -> None:
        """Give back its slot, and what it took of the limits if it was never sent."""
        self.gate.end(permit.tokens)
        if not verdict.sent:
            self.gate.give(permit.tokens, now)
        if self.metered:
            self.limiter.leave(permit.tokens, verdict.used(refused=how == "refused"), now, sent=verdict.sent)
        else:
            self.limiter.in_flight -= self.limiter.in_flight > 0  # a forked child may end what its parent began

    def _timed(self) -> None:
        seen, latency = self.condition, self.latency
        seen.ttft_s, seen.s_per_input = latency.ttft.value, latency.per_input
        seen.wait_s, seen.s_per_token = latency.line()

    def _borne(self, learned_limit: ConcurrencyLimit, permit: Permit, verdict: Verdict, how: str, now: float) -> None:
        before = learned_limit.limit
        if verdict.overloaded:
            learned_limit.refused(self.limiter.in_flight, permit.taken_at, now)
        elif how == "answered":
            waited = self._waited(permit, verdict, now)
            learned_limit.answered(self.limiter.in_flight, waited, permit.taken_at, now, permit.tokens)
        if learned_limit.limit != before:
            self.limiter.set_learned_limit(learned_limit.limit)

    def _waited(self, permit: Permit, verdict: Verdict, now: float) -> float | None:
        """The wait for the first token; None if this process was busy meanwhile, so that it may have been late itself.

        None also for a call that was admitted past an open breaker or a closed gate.
        """
        waited = verdict.ttft_s
        if waited is None or permit.forced or self.worked() - permit.worked > _BUSY * (now - permit.taken_at):
            return None
        return waited

    def left(self, said: RateLimits, wait_s: float, now: float, sent_at: float) -> None:
        """The provider's own count of what is left; `wait_s` > 0 closes the gate."""
        self.limiter.left(said.remaining_requests, said.remaining_tokens, now)
        if said.remaining_requests is not None and said.reset_requests_s is not None:
            self.gate.counts = True
            self.gate.requests.told(said.remaining_requests, said.limit_requests, said.reset_requests_s, now, sent_at)
        if said.remaining_tokens is not None and said.reset_tokens_s is not None:
            self.gate.counts = True
            self.gate.tokens.told(said.remaining_tokens, said.limit_tokens, said.reset_tokens_s, now, sent_at)
        self.calm_until = 0.0
        self._counted(now)
        if wait_s > 0:
            self._notice(now)
            self.gate.close(now, wait_s)
            self._notice(now)

    def isolate(self, now: float) -> None:
        """Admit no call through this breaker until `reset`."""
        before = self.breaker.state
        self.breaker.isolate()
        self._notice(now)
        self._turned(before, now)

    def reset(self, now: float) -> None:
        """Breaker closed, gate open, credential and model allowed. What is in flight stays so."""
        self.breaker.reset()
        self.silence.heard_since = now
        self.gate.forget(now)
        if self.learned_limit is not None:
            self.learned_limit = self.check.learned_limit = ConcurrencyLimit(now)
            self.limiter.set_learned_limit(self.learned_limit.limit)
        self.bans.allow(self.address, now)
        self._notice(now)
        self._wake("reset", "reset by an operator", now)

    def row(self, now: float) -> dict[str, Any]:
        """A JSON-safe row for people and dashboards."""
        self.look(now)
        self.breaker.window.slide(now)
        seen, bans, failed = self.condition, self.bans.of(self.address), self.breaker.window.share_failed()
        ended = sum(self.ended.values()) - self.ended["neutral"]
        hold = self.check.hold(now, 1)
        return {
            "model": self.id, "state": self.breaker.state, "held": seen.held,
            "held_for_s": _finite(seen.until - now) if seen.held else 0.0,
            "held_by": hold.by if hold else "degraded" if seen.held else "",
            "in_flight": seen.in_flight, "queue_s": seen.queue_s, "ttft_s": seen.ttft_s,
            "ttft_p95_s": self.latency.ttft_p95_s(), "s_per_token": seen.s_per_token, "took_s": self.latency.took.value,
            "success_share": self.ended["answered"] / ended if ended else None,
            "recent_share": None if failed is None else 1.0 - failed, "recent_calls": self.breaker.window.calls,
            "concurrency_limit": None if self.limiter.most == sys.maxsize else self.limiter.most,
            "disabled_why": "; ".join(ban.reason for ban in bans), "calls": self.calls, **self.ended,
        }  # fmt: skip

    def _grant(self, now: float, tokens: int, *, forced: bool = False) -> Permit:
        breaker, before = self.breaker, self.breaker.state
        probe = before != CLOSED and not breaker.held_until(now) and breaker.enter(now)
        self.limiter.enter(tokens, now)
        self.gate.take(tokens, now)
        if self.gate.counts:
            self._counted(now)
        trial = bool(self.bans.found) and self.bans.begin_trial(self.address, now)
        self.calls += 1
        self._loaded()
        if breaker.state != before:
            self._turned(before, now)
        permit = Permit(self, breaker.epoch, probe, tokens, now, forced, trial, self.worked())
        self.silence.flying[permit] = None
        if now + LEAST_S < self.silence.next_check_at:
            self.silence.next_check_at = now + LEAST_S
        return permit

    def _judge(self, permit: Permit, verdict: Verdict, now: float) -> str:
        """Count the call for breaker, gate or ban, by its blame; returns how it ended, in the words of `ended`."""
        if verdict.neutral or (verdict.late and self._excused(permit, now)):
            return "neutral"
        if verdict.ok or verdict.blame not in ("breaker", "gate", "credential", "model"):
            self._answered(permit, verdict, now)
            return "answered"
        if verdict.blame == "breaker":
            self._failed(permit, verdict, now)
            return "failed"
        if verdict.blame == "gate":
            self._notice(now)
            self.gate.refused(now, permit.taken_at, verdict.retry_after_s)
            return "refused"
        self._ban("credential" if verdict.blame == "credential" else "model", permit, verdict, now)
        return "disabled"

    def _excused(self, permit: Permit, now: float) -> bool:
        """Whether a timeout for which this process was late does not count.

        It does not if it is the first such one, or if the call began before the last such one: then one delay has cut
        off several calls.
        """
        before, self._late_at = self._late_at, now
        return before is None or permit.taken_at < before

    def _answered(self, permit: Permit, verdict: Verdict, now: float) -> None:
        """Count an answer for health. Rejections of the request and poor answers count too, but not for latency."""
        breaker, latency, ttft, elapsed = self.breaker, self.latency, verdict.ttft_s, verdict.elapsed_s
        if verdict.ok:
            latency.answered(ttft, elapsed, verdict.output_tokens, verdict.read(permit.tokens))
        wait = latency.waited_s(ttft, elapsed, verdict.output_tokens)
        slow = breaker.slow_after_s is not None and breaker.is_slow(wait)
        breaker.good(permit.epoch, now, slow=slow, probe=permit.half_open, since=permit.taken_at)
        if self.gate.until:
            self.gate.passed(permit.taken_at)
        if verdict.ok and wait is not None and 0.0 <= wait < math.inf:
            latency.peak.add(wait, now)

    def _failed(self, permit: Permit, verdict: Verdict, now: float) -> None:
        self._notice(now)
        self._look_beside()
        slow = verdict.slow or self.breaker.is_slow(verdict.elapsed_s if verdict.ttft_s is None else verdict.ttft_s)
        since, beside = permit.taken_at, self.limiter.in_flight
        self.breaker.failed(permit.epoch, now, slow=slow, probe=permit.half_open, since=since, beside=beside)
        if verdict.retry_after_s:
            self.gate.close(now, verdict.retry_after_s, ASKED)
        if verdict.slow and verdict.ttft_s is None and verdict.elapsed_s is not None:
            self.latency.timed_out(verdict.elapsed_s, permit.tokens, whole=verdict.whole)

    def _look_beside(self) -> None:
        """Have the lanes that share this breaker check it again, because a degradation may have begun."""
        for lane in self.kin:
            if lane.breaker is self.breaker:
                lane.calm_until = 0.0

    def _counted(self, now: float) -> None:
        """Have the lanes that share the gate check it again, once nothing is left."""
        if self.gate.allowed_in_s(1.0, now):
            for lane in self.kin:
                if lane.gate is self.gate:
                    lane.calm_until = 0.0

    def _ban(self, what: BanSubject, permit: Permit, verdict: Verdict, now: float) -> None:
        ban = self.bans.refused(what, self.address, verdict, permit.taken_at, now)
        if ban is not None:  # others share what is off now, and may not share what was
            self._wake(_DISABLED[what], ban.held(now), now)

    def _notice(self, now: float) -> None:
        """Report once that a degradation or a closed gate has begun, or has ended."""
        degradation, gate = self.breaker.degradation, self.gate
        if not (degradation.until or degradation.told or gate.until or gate.told or self.silence.why):  # the usual case
            return
        failing = degradation.until > now
        if degradation.told != (failing or self.silence.why != ""):
            degradation.told = not degradation.told
            self._wake(*self._turned_degradation(degradation, failing, now), now)
        if degradation.told:
            degradation.silent = not failing
        if gate.told != (gate.until > now):
            gate.told = not gate.told
            told = f"{gate.why} for {seconds(gate.until - now)}"
            self._passes(gate.told, gate.until, "rate_limited", "rate_limit_over", told, now)

    def _turned_degradation(self, degradation: Degradation, failing: bool, now: float) -> tuple[EventKind, str]:
        if failing:
            return "degraded", f"{degradation.why}; other models are preferred for {seconds(degradation.until - now)}"
        if degradation.told:
            return "degraded", f"{self.silence.why}; {_UNTIL_HEARD}"
        if degradation.silent:
            return "recovered", "its calls are heard, or over"
        return "recovered", "its time is over" if degradation.until else "ended before its time"

    def _passes(self, begun: bool, until: float, kind: EventKind, ended: EventKind, why: str, now: float) -> None:
        if begun:
            self._wake(kind, why, now)
        else:  # `until` is 0 if it ended early
            self._wake(ended, "its time is over" if until else "ended before its time", now)

    def _loaded(self) -> None:
        limiter = self.limiter
        in_flight = self.condition.in_flight = limiter.in_flight
        if in_flight >= limiter.most or (self.metered and limiter.tight):
            self.calm_until = 0.0

    def _turned(self, before: str, now: float) -> None:
        state = self.breaker.state
        if state != before:
            self._wake(_STATE_EVENTS[state], self.breaker.why, now)

    def _wake(self, kind: EventKind, detail: str, now: float) -> None:
        """Report a change, and have every lane that may share it look again."""
        for lane in self.kin:
            lane.calm_until = 0.0
        self.tell(HealthEvent(kind, self.id, detail, now))


def _finite(seconds: float) -> float | None:
    """None for ever."""
    return seconds if math.isfinite(seconds) else None
