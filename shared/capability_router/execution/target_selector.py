"""Chooses the next target: the plan's candidates in order, without those that failed or that health does not admit."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import NamedTuple, Protocol

from capability_router.concurrency.wakeup import Wakeup
from capability_router.execution.execution_limits import ExecutionLimits
from capability_router.execution.retry import RetryBudget
from capability_router.execution.untried_candidates import UntriedCandidates
from capability_router.execution.wait_queue import QueuePosition, WaitQueue
from capability_router.faults.kinds import Fault
from capability_router.health.board import Hold, Permit, Verdict
from capability_router.health.permit import NOBODY, UNSENT, RequestsAhead
from capability_router.money.budget.denial import Denial, denials_text
from capability_router.plan import Candidate

POLL_S = 0.02  # between checks of a full target with no estimate of when it will be free
LOOK_S = 0.1  # between checks of one with an estimate: a call may end sooner than the average call
SOON_S = 0.001  # the least wait, however soon a target may be free
LONG_WAIT_S = 1.0  # up to this wait for a working target is preferred to calling one whose breaker is open
_PATIENCE = 0.25  # the share of a request's time for which it waits for a better model while a worse one is free
NO_KEYS: Mapping[str, str] = MappingProxyType({})
_ENDLESS = float("inf")


class AdmissionControl(Protocol):
    """The part of the health board that choosing a target needs."""

    def admit(self, id: str, now: float, tokens: int = 0, *, ahead: RequestsAhead = NOBODY) -> Permit | Hold: ...
    def force(self, id: str, now: float, tokens: int = 0, *, ahead: RequestsAhead = NOBODY) -> Permit | Hold: ...
    def admit_over_learned_limit(
        self, id: str, now: float, tokens: int = 0, *, ahead: RequestsAhead = NOBODY
    ) -> Permit | Hold: ...
    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None: ...
    def failure_domain(self, id: str) -> tuple[str, str]: ...


@dataclass(slots=True)
class AdmittedTarget:
    """A candidate with its permit, and the budget from which a token was taken for it."""

    candidate: Candidate
    permit: Permit
    paid: RetryBudget | None = None


@dataclass(slots=True)
class TargetWait:
    """No target is free now. `look`: when to check again; None = none will be free in time, or the queue is full."""

    look: float | None


class RetryCandidate(NamedTuple):
    """A tried candidate that may be retried at `at` or later."""

    candidate: Candidate
    at: float


class TargetSelector:
    """The candidates of one request that may still be tried.

    `keys`: by candidate the environment variable of its API key, for error texts. `second`: how much one second of
    waiting lowers a candidate's score; 0 = unknown. If it is known, a full candidate is waited for while its score,
    lowered by the whole wait since the request began, is above that of the next free one.
    """

    __slots__ = (
        "_again", "_budget", "_continues", "_failed", "_fresh", "_gate", "_held", "_limits", "_ousted", "_patience_s",
        "_place", "_priority", "_queue", "_repeats", "_rest", "_second", "_since", "_tokens", "_tried", "_turned_away",
        "denials", "keys", "wakeup",
    )  # fmt: skip

    def __init__(
        self,
        candidates: Iterable[Candidate],
        gate: AdmissionControl,
        limits: ExecutionLimits,
        budget: RetryBudget,
        tokens: int,
        queue: WaitQueue,
        priority: str = "interactive",
        continues: Collection[str] = (),
        keys: Mapping[str, str] = NO_KEYS,
        second: float = 0.0,
    ) -> None:
        self._second = second
        self._since = inf  # when a target was first sought
        time_s = limits.max_wait_s if limits.deadline_s is None else limits.deadline_s
        patience_s = _PATIENCE * time_s
        self._patience_s = patience_s if patience_s < limits.max_wait_s else limits.max_wait_s
        self.keys = keys
        self._continues = continues
        self._queue, self._priority = queue, priority
        self._place: QueuePosition | None = None
        self.wakeup: Wakeup | None = None  # while the request is in the queue
        self._turned_away = self._tried = self._ousted = False
        self._fresh = UntriedCandidates(candidates)
        self._again: list[RetryCandidate] = []
        self._failed = ""  # the one that failed last
        self._repeats: dict[str, int] = {}
        self._held: dict[str, Hold] = {}
        self._rest: dict[str, float] = {}  # by failed candidate, until when not to call it (by its Retry-After)
        self._gate, self._limits, self._budget, self._tokens = gate, limits, budget, tokens
        self.denials: dict[str, Denial] = {}

    def pick(self, at: float, latest: float = inf) -> AdmittedTarget | TargetWait:
        """The next target: an untried one, else a retry, else the least bad with an open breaker, else a wait.

        A retry passes an open breaker only if no target is free in time.
        `latest`: the time after which it is not waited for.
        """
        if self._held:
            self._held = {}
        if at < self._since:
            self._since = at
        pick = self._admitted(at, latest) or self._repetition(at)
        if pick is None:
            free = self._free_at(at)
            if free is None or free > at + LONG_WAIT_S:
                pick, free = self._least_bad(at), self._free_at(at)
            if pick is None and (free is None or free > latest):
                pick, free = self._forced_repetition(at), self._free_at(at)
            if pick is None:
                return self._stand(at, self._tried_at(at) if free is None else free, latest)
        if self._place is not None and not isinstance(pick, TargetWait):
            self.leave()
        return pick

    def beyond_learned_limit(self, at: float) -> AdmittedTarget | None:
        """A target that is full only by its learned limit: the last resort before the request is refused.

        One whose breaker is open as well comes last. The request keeps its place in the queue, until it leaves.
        """
        full = [c for c in self._fresh if c.id in self._held and self._held[c.id].kind == "full"]
        for candidate in sorted(full, key=lambda c: self._held[c.id].paused):
            ahead = self._queue.before(candidate.id, self._place, self._priority, at)
            permit = self._gate.admit_over_learned_limit(candidate.id, at, self._tokens, ahead=ahead)
            if isinstance(permit, Permit):
                return self._taken(candidate, permit)
        return None

    def leave(self) -> None:
        """Leave the queue, if the request is in it."""
        if self._place is not None:
            self._queue.leave(self._place)
            self._place = self.wakeup = None

    def freed(self, model: str) -> None:
        """A call of this model has ended: wake the first request that waits for it."""
        self._queue.freed(model)

    def _admitted(self, at: float, latest: float) -> AdmittedTarget | TargetWait | None:
        """The first candidate that is admitted. After one half-open trial, others come last, to save attempts."""
        late: list[Candidate] = []
        for candidate in self._fresh:
            if self._held and self._second and (wait := self._worth_waiting(candidate, at, latest)) is not None:
                return wait
            permit = self._admit(candidate.id, at)
            if not isinstance(permit, Permit):
                self._held[candidate.id] = permit
            elif permit.trial and self._tried:
                self._gate.settle(permit, UNSENT, at)
                late.append(candidate)
            else:
                return self._taken(candidate, permit)
        for candidate in late:
            permit = self._admit(candidate.id, at)
            if isinstance(permit, Permit):
                return self._taken(candidate, permit)
            self._held[candidate.id] = permit
        return None

    def _worth_waiting(self, other: Candidate, at: float, latest: float) -> TargetWait | None:
        """A wait for a full candidate whose score, less the wait, is above this one's; None = there is none."""
        since, patient_until = self._since, self._since + self._patience_s
        free = other.score + self._second * other.queue_s
        for candidate in self._fresh:
            hold = self._held.get(candidate.id)
            if hold is None or hold.kind != "full" or hold.until is None or hold.until > patient_until:
                continue
            if candidate.score + self._second * (candidate.queue_s - (hold.until - since)) > free:
                stood, self._turned_away = self._stand(at, hold.until, latest), False
                return None if stood.look is None else stood
        return None

    def _taken(self, candidate: Candidate, permit: Permit) -> AdmittedTarget:
        self._fresh.remove(candidate)
        self._tried = self._tried or permit.trial
        return AdmittedTarget(candidate, permit)

    def _admit(self, id: str, at: float) -> Permit | Hold:
        """A permit, unless what is free belongs to requests ahead of this one in the queue."""
        ahead = self._queue.before(id, self._place, self._priority, at)
        return self._gate.admit(id, at, self._tokens, ahead=ahead)

    def _stand(self, at: float, turn: float | None, latest: float) -> TargetWait:
        """Join or keep the place in the queue, if a target will be free (`turn`) in time and the queue has room.

        Where `turn` is only a guess, it is taken to be soon, so that no request is refused for a guess.
        """
        busy = [id for id, hold in self._held.items() if hold.kind in ("full", "rate_limit")]
        guessed = any(self._held[id].guessed for id in busy)
        if turn is None or (at + SOON_S if guessed else turn) > latest:
            return TargetWait(None)
        full = [id for id in busy if self._held[id].kind == "full"]
        look = turn if not full else min(max(turn, at + self._behind_s(full, at)), at + LOOK_S)
        place = self._place or self._queue.place(self._priority)
        self.wakeup = self._queue.stand(place, busy, look, self._tokens)
        self._turned_away = self.wakeup is None
        self._ousted = self._turned_away and self._place is not None
        if self._turned_away:
            return TargetWait(None)
        self._place = place
        return TargetWait(look)

    def _behind_s(self, full: list[str], at: float) -> float:
        """Seconds for which one that is behind others need not look: it is woken when a call ends before its turn."""
        return POLL_S * min(self._queue.ahead(id, self._place, self._priority, at) for id in full)

    def elsewhere(self, at: float, id: str, budget: RetryBudget) -> AdmittedTarget | None:
        """An untried target in another failure domain that is free now, if the budget has a token for it."""
        failure_domain = self._gate.failure_domain(id)
        for candidate in self._fresh:
            if self._gate.failure_domain(candidate.id) == failure_domain:
                continue
            permit = self._admit(candidate.id, at)
            if not isinstance(permit, Permit):
                continue
            if not permit.trial and budget.spend():
                self._fresh.remove(candidate)
                return AdmittedTarget(candidate, permit, budget)
            self._gate.settle(permit, UNSENT, at)
            if not permit.trial:
                return None
        return None

    def moves(self, candidate: Candidate) -> bool:
        """Whether it is on another server than the one that failed last."""
        return not self._failed or self._gate.failure_domain(self._failed) != self._gate.failure_domain(candidate.id)

    @property
    def others(self) -> bool:
        """Whether an untried candidate is left that is not known to be held."""
        return self._fresh.usable(self._held)

    def seconds_until_free(self, at: float) -> float | None:
        """Seconds until a candidate may be called again; None = now, or unknown."""
        times = dict(self._rest)
        times.update((id, _ENDLESS if hold.until is None else hold.until) for id, hold in self._held.items())
        soonest = min(times.values(), default=_ENDLESS)
        untried = any(c.id not in times for c in self._fresh)
        return soonest - at if at < soonest < _ENDLESS and not untried else None

    def keep_continuing(self) -> None:
        """Keep only the candidates that can continue a text."""
        self._fresh = UntriedCandidates([c for c in self._fresh if c.id in self._continues])
        self._again = [a for a in self._again if a.candidate.id in self._continues]

    def spared(self, candidate: Candidate) -> None:
        """The candidate's attempt was aborted but did not fail: it may be tried again."""
        self._fresh.append(candidate)

    def failed(self, candidate: Candidate, fault: Fault, at: float, *, gave: bool = False) -> None:
        """Drop the candidates that the fault rules out, and note whether this one may be retried.

        `gave`: it gave a part of the answer. Its next call would be a different one, to continue that part, so it may
        be retried after a fault that otherwise rules that out.
        """
        row = fault.row
        self._failed = candidate.id
        never_again = row.blame in ("credential", "model")
        self._rest[candidate.id] = _ENDLESS if never_again else at + (fault.retry_after_s or 0.0)
        if row.other == "larger_window":
            self._fresh = UntriedCandidates(
                [c for c in self._fresh if _may_hold_more(c, candidate, fault, self._tokens)]
            )
            self._again = [a for a in self._again if _may_hold_more(a.candidate, candidate, fault, self._tokens)]
        done = self._repeats.get(candidate.id, 0)
        never = row.same == "never" and not (gave and row.is_retryable)
        if never or done >= self._limits.per_target:
            return
        self._repeats[candidate.id] = done + 1
        self._again.append(RetryCandidate(candidate, at + self._pause(fault, done + 1)))

    def denied(self, pick: AdmittedTarget, why: Denial, at: float) -> None:
        """A budget forbids this target: drop it."""
        self._undone(pick, at)
        self.denials[pick.candidate.id] = why

    def returned(self, pick: AdmittedTarget, at: float) -> None:
        """This target is not launched after all: keep the candidate for later."""
        self._undone(pick, at)
        self._fresh.append(pick.candidate)

    def _undone(self, pick: AdmittedTarget, at: float) -> None:
        """Give back what a pick took."""
        self._gate.settle(pick.permit, UNSENT, at)
        if pick.paid is not None:
            pick.paid.give_back()

    def _pause(self, fault: Fault, repetition: int) -> float:
        if fault.row.same in ("at_once", "never"):
            return 0.0
        return max(self._limits.wait(repetition), fault.retry_after_s or 0.0)

    def _repetition(self, at: float) -> AdmittedTarget | None:
        for again in sorted((a for a in self._again if a.at <= at), key=lambda a: a.at):
            self._again.remove(again)
            permit = self._admit(again.candidate.id, at)
            if isinstance(permit, Permit):
                if self._budget.spend():
                    return AdmittedTarget(again.candidate, permit, self._budget)
                self._gate.settle(permit, UNSENT, at)
                continue
            if permit.kind in ("rate_limit", "full", "breaker"):
                self._again.append(again)
            self._held[again.candidate.id] = permit
        return None

    def _least_bad(self, at: float) -> AdmittedTarget | None:
        """No untried target is admitted: call one that only its breaker holds, the one that closes soonest first.

        One that is full as well is waited for as any full one.
        """
        for candidate in sorted(self._blocked(self._fresh, at), key=lambda c: self._held[c.id].until or 0.0):
            permit = self._force(candidate.id, at)
            if permit is not None:
                self._fresh.remove(candidate)
                return AdmittedTarget(candidate, permit)
        return None

    def _forced_repetition(self, at: float) -> AdmittedTarget | None:
        """The best retry that is due and that only its breaker holds. Without it the request would fail."""
        due = {again.candidate.id: again for again in self._again if again.at <= at}
        blocked = self._blocked([again.candidate for again in due.values()], at)
        for candidate in sorted(blocked, key=lambda c: -c.score):
            permit = self._force(candidate.id, at)
            if permit is None:
                continue
            if self._budget.spend():
                self._again.remove(due[candidate.id])
                return AdmittedTarget(candidate, permit, self._budget)
            self._gate.settle(permit, UNSENT, at)
        return None

    def _blocked(self, candidates: Iterable[Candidate], at: float) -> list[Candidate]:
        """Those that only their breakers hold."""
        held = self._held
        return [c for c in candidates if held[c.id].kind == "breaker" and held[c.id].not_before <= at]

    def _force(self, id: str, at: float) -> Permit | None:
        """A permit in spite of its breaker. If it is full as well, that holds it from now on."""
        ahead = self._queue.before(id, self._place, self._priority, at)
        permit = self._gate.force(id, at, self._tokens, ahead=ahead)
        if isinstance(permit, Permit):
            return permit
        if permit.kind == "full":
            self._held[id] = permit
        return None

    def _free_at(self, at: float) -> float | None:
        """The earliest time at which a full, rate-limited or failed target may be called; None = there is none."""
        times = [h.until or at + POLL_S for h in self._held.values() if h.kind in ("full", "rate_limit")]
        times += [h.not_before for h in self._held.values() if h.not_before]
        times += [again.at for again in self._again if again.candidate.id not in self._held]
        return max(min(times), at + SOON_S) if times else None

    def _tried_at(self, at: float) -> float | None:
        """When to check again, if another request is just probing a target; None = none is probed."""
        return at + LOOK_S if any(hold.kind == "probing" for hold in self._held.values()) else None

    @property
    def held_by(self) -> dict[str, str]:
        """By model what holds it, in the words of `router.health()`."""
        return {model: hold.by for model, hold in self._held.items()}

    def holds_text(self) -> str:
        """Why each held model is not called, for error texts: "a: breaker open for another 12 s; b: full"."""
        told = [f"{model}: {hold.reason}" for model, hold in self._held.items()]
        if self._turned_away:
            told.append(self._turned())
        return "; ".join(told) or "none is left"

    def hold_fixes(self, longer: str) -> list[str]:
        """What to change so that a held target is called, as "raise limits.rpm".

        `longer`: the name of the setting that ended the wait.
        """
        found = [hold.mend for hold in self._held.values() if hold.mend]
        if self._turned_away:
            found.append("raise retry.max_waiting")
        elif any(hold.kind in ("full", "rate_limit", "breaker") for hold in self._held.values()):
            found.append(f"raise {longer}")
        return list(dict.fromkeys(found))

    def _turned(self) -> str:
        count = len(self._queue)
        if self._ousted:
            return f"the queue is full ({count:,} waiting), and an interactive request took its place"
        return f"the queue is full, {count:,} request{' waits' if count == 1 else 's wait'}"

    def degraded(self) -> str:
        """Which models a budget left out, and why, for `reason`; "" = none."""
        return f"the budget leaves out {denials_text(self.denials)}" if self.denials else ""

    def left(self, bound: str) -> str:
        """What was not tried and why; "" = nothing. `bound`: the limit that was reached, as "within 4 attempts"."""
        denied = f" {denials_text(self.denials)}." if self.denials else ""
        fresh = [c.id for c in self._fresh]
        held = "; ".join(f"{id}: {hold.reason}" for id, hold in self._held.items() if id in fresh)
        again = "; ".join(f"{id}: {hold.reason}" for id, hold in self._held.items() if id not in fresh)
        more = ", ".join(id for id in fresh if id not in self._held)
        parts = (
            f"Not tried: {held}." if held else "", f"Not tried again: {again}." if again else "",
            f"{self._turned()}." if self._turned_away else "",
            f"Not reached {bound}: {more}." if more else "", denied.strip(),
        )  # fmt: skip
        return " ".join(part for part in parts if part)


def _may_hold_more(other: Candidate, failed: Candidate, fault: Fault, tokens: int) -> bool:
    """Whether the other candidate's window is unknown, or larger than the one that was too small."""
    too_small = fault.window or failed.window
    if other.window is None:
        return True
    return other.window > (too_small if too_small is not None else tokens)
