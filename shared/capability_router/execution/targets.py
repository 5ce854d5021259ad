"""Which target next: the plan's candidates, less what has failed, as far as the gate admits them."""

from __future__ import annotations

from collections.abc import Callable, Collection, Iterable, Mapping
from dataclasses import dataclass
from math import inf
from types import MappingProxyType
from typing import NamedTuple, Protocol

from capability_router.concurrency.wakeup import Wakeup
from capability_router.execution.fresh import Fresh
from capability_router.execution.limits import Limits
from capability_router.execution.retry import RetryBudget
from capability_router.execution.wait_queue import Place, WaitQueue
from capability_router.faults.kinds import Fault
from capability_router.health.board import Hold, Permit, Verdict
from capability_router.money.budget.denial import Denial, each_once
from capability_router.plan import Candidate

POLL_S = 0.02  # between looks at a full target that can't say when it will be free
LOOK_S = 0.1  # between looks at one that can: a call may end earlier than calls do on average
SOON_S = 0.001  # a turn is never in the same instant, however early it may come
LONG_WAIT_S = 1.0  # a shorter wait for a sound target beats forcing a broken one
_PATIENCE = 0.25  # of the time that a request has: for so much of it a better model is waited for beside a free one
NO_KEYS: Mapping[str, str] = MappingProxyType({})
_ENDLESS = float("inf")
_NEUTRAL = Verdict(ok=False, neutral=True)


class Gate(Protocol):
    """The health board as far as choosing a target needs it."""

    def admit(self, id: str, now: float, tokens: int = 0) -> Permit | Hold: ...
    def force(self, id: str, now: float) -> Permit | Hold: ...
    def surpass(self, id: str, now: float, tokens: int = 0) -> Permit | Hold: ...
    def settle(self, permit: Permit, verdict: Verdict, now: float) -> None: ...
    def domain(self, id: str) -> tuple[str, str]: ...
    def wait_s(self, id: str, now: float) -> float: ...
    def guesses(self, id: str) -> bool: ...
    def free(self, id: str, now: float) -> float: ...


@dataclass(slots=True)
class Pick:
    """A candidate with its permit."""

    candidate: Candidate
    permit: Permit


@dataclass(slots=True)
class Wait:
    """No target is free now. `look`: when to look again; `turn`: when one may be had at the soonest; None = never."""

    look: float
    turn: float | None


class Again(NamedTuple):
    """A tried candidate that may be tried once more, not before `at`."""

    candidate: Candidate
    at: float


class Targets:
    """The candidates of one request and what is left of them. `keys`: the environment variables of their API keys.

    `second`: by how much a second of waiting lowers a candidate's score. Where that is known, a full model is waited
    for as long as it is worth more than the next that is free, the seconds since the request began counted in.
    """

    __slots__ = (
        "_again", "_budget", "_continues", "_fresh", "_gate", "_held", "_limits", "_ousted", "_patience_s", "_place",
        "_priority", "_queue", "_repeats", "_rest", "_second", "_since", "_tokens", "_tried", "_turned_away",
        "denials", "keys", "wakeup",
    )  # fmt: skip

    def __init__(
        self, candidates: Iterable[Candidate], gate: Gate, limits: Limits, budget: RetryBudget, tokens: int,
        queue: WaitQueue, priority: str = "interactive", continues: Collection[str] = (),
        keys: Mapping[str, str] = NO_KEYS, second: float = 0.0,
    ) -> None:  # fmt: skip
        self._second = second
        self._since = inf  # when it was first looked for a target
        time_s = limits.max_wait_s if limits.deadline_s is None else limits.deadline_s
        patience_s = _PATIENCE * time_s
        self._patience_s = patience_s if patience_s < limits.max_wait_s else limits.max_wait_s
        self.keys = keys
        self._continues = continues
        self._queue, self._priority = queue, priority
        self._place: Place | None = None
        self.wakeup: Wakeup | None = None  # while it stands in the queue
        self._turned_away = self._tried = self._ousted = False
        self._fresh = Fresh(candidates)
        self._again: list[Again] = []
        self._repeats: dict[str, int] = {}
        self._held: dict[str, Hold] = {}
        self._rest: dict[str, float] = {}  # until when those that failed asked, or are, to be left alone
        self._gate, self._limits, self._budget, self._tokens = gate, limits, budget, tokens
        self.denials: dict[str, Denial] = {}

    def pick(self, at: float) -> Pick | Wait:
        """The next target: fresh and admitted, else a repetition, else the least bad by force, else a wait."""
        if self._held:
            self._held = {}
        if at < self._since:
            self._since = at
        pick = self._admitted(at) or self._repetition(at)
        if pick is None:
            free = self._free_at(at)
            pick = self._least_bad(at) if free is None or free > at + LONG_WAIT_S else None
            if pick is None:
                return self._stand(at, self._tried_at(at) if free is None else free)
        if self._place is not None and not isinstance(pick, Wait):
            self.leave()
        return pick

    def over(self, at: float) -> Pick | None:
        """A target that is full by what was learned of it alone: the last resort before a refusal."""
        for candidate in [c for c in self._fresh if c.id in self._held and self._held[c.id].kind == "full"]:
            permit = self._gate.surpass(candidate.id, at, self._tokens)
            if isinstance(permit, Permit):
                self.leave()
                return self._taken(candidate, permit)
        return None

    def leave(self) -> None:
        """Stand in the queue no more."""
        if self._place is not None:
            self._queue.leave(self._place)
            self._place = self.wakeup = None

    def freed(self, model: str) -> None:
        """A call of this model has ended: who stands in the queue for it may have its place."""
        self._queue.freed(model)

    def _admitted(self, at: float) -> Pick | Wait | None:
        """The first that is let through. After one trial others come last: they would use the request's attempts up."""
        late: list[Candidate] = []
        for candidate in self._fresh:
            if self._held and self._second and (wait := self._worth_waiting(candidate, at)) is not None:
                return wait
            permit = self._admit(candidate.id, at)
            if not isinstance(permit, Permit):
                self._held[candidate.id] = permit
            elif permit.trial and self._tried:
                self._gate.settle(permit, _NEUTRAL, at)
                late.append(candidate)
            else:
                return self._taken(candidate, permit)
        for candidate in late:
            permit = self._admit(candidate.id, at)
            if isinstance(permit, Permit):
                return self._taken(candidate, permit)
            self._held[candidate.id] = permit
        return None

    def _worth_waiting(self, other: Candidate, at: float) -> Wait | None:
        """For a full candidate that is worth more than this one, though it will be had later; None = for nobody."""
        since, latest = self._since, self._since + self._patience_s
        free = other.score + self._second * other.queue_s
        for candidate in self._fresh:
            hold = self._held.get(candidate.id)
            if hold is None or hold.kind != "full" or hold.until is None or hold.until > latest:
                continue
            if candidate.score + self._second * (candidate.queue_s - (hold.until - since)) > free:
                stood, self._turned_away = self._stand(at, hold.until), False
                return None if stood.turn is None else stood
        return None

    def _taken(self, candidate: Candidate, permit: Permit) -> Pick:
        self._fresh.remove(candidate)
        self._tried = self._tried or permit.trial
        return Pick(candidate, permit)

    def _admit(self, id: str, at: float) -> Permit | Hold:
        """A permit, unless there is room only for those who stand before this request."""
        ahead = self._queue.ahead(id, self._place, self._priority, at)
        if not ahead or ahead < self._gate.free(id, at):
            return self._gate.admit(id, at, self._tokens)
        turn = at + max(self._gate.wait_s(id, at), POLL_S) * (ahead + 1)
        told = f"full: {ahead} request{'s wait' if ahead > 1 else ' waits'} before this one"
        return Hold(told, turn, "full", guessed=self._gate.guesses(id))

    def _stand(self, at: float, turn: float | None) -> Wait:
        """Stand in the queue, if a target will be free and there is room. Nobody is refused for a guess of when."""
        if turn is None:
            return Wait(at, None)
        self._ousted = self._place is not None and not self._queue.keeps(self._place)
        place = None if self._ousted else self._place or self._queue.place(self._priority)
        if place is None:
            self._turned_away = True
            return Wait(at, None)
        busy = [id for id, hold in self._held.items() if hold.kind in ("full", "rate_limit")]
        full = any(self._held[id].kind == "full" for id in busy)
        look = min(turn, at + LOOK_S) if full else turn
        if any(self._held[id].guessed for id in busy):
            turn = min(turn, at + SOON_S)
        self._place = place
        self.wakeup = self._queue.stand(place, busy, look)
        return Wait(look, turn)

    def elsewhere(self, at: float, id: str, may: Callable[[], bool]) -> Pick | None:
        """A fresh target that can be had at once and does not fail with this one; `may` is asked last."""
        domain = self._gate.domain(id)
        for candidate in self._fresh:
            if self._gate.domain(candidate.id) == domain:
                continue
            permit = self._gate.admit(candidate.id, at, self._tokens)
            if not isinstance(permit, Permit):
                continue
            if not permit.trial and may():
                self._fresh.remove(candidate)
                return Pick(candidate, permit)
            self._gate.settle(permit, _NEUTRAL, at)
            if not permit.trial:
                return None
        return None

    @property
    def others(self) -> bool:
        """Whether there is one that was not tried, and that nothing was seen to hold."""
        return self._fresh.usable(self._held)

    def free_in(self, at: float) -> float | None:
        """Seconds until one may be had, by what they asked for and what holds them; None = now, or nobody knows."""
        times = dict(self._rest)
        times.update((id, _ENDLESS if hold.until is None else hold.until) for id, hold in self._held.items())
        soonest = min(times.values(), default=_ENDLESS)
        untried = any(c.id not in times for c in self._fresh)
        return soonest - at if at < soonest < _ENDLESS and not untried else None

    def keep_continuing(self) -> None:
        """From now on only those that can go on with a given beginning."""
        self._fresh = Fresh([c for c in self._fresh if c.id in self._continues])
        self._again = [a for a in self._again if a.candidate.id in self._continues]

    def spared(self, candidate: Candidate) -> None:
        """It was aborted, not found wanting: it may yet be needed."""
        self._fresh.append(candidate)

    def failed(self, candidate: Candidate, fault: Fault, at: float, *, gave: bool = False) -> None:
        """Drop what the fault rules out and note whether the target may be tried again.

        `gave`: it gave a part of the answer, so that what it would be asked next is another question.
        """
        row = fault.row
        never_again = row.blame in ("credential", "model")
        self._rest[candidate.id] = _ENDLESS if never_again else at + (fault.retry_after_s or 0.0)
        if row.other == "larger_window":
            self._fresh = Fresh([c for c in self._fresh if _may_hold_more(c, candidate, fault, self._tokens)])
        done = self._repeats.get(candidate.id, 0)
        never = row.same == "never" and not (gave and row.is_retryable)
        if never or done >= self._limits.per_target:
            return
        self._repeats[candidate.id] = done + 1
        self._again.append(Again(candidate, at + self._pause(fault, done + 1)))

    def denied(self, permit: Permit, candidate: Candidate, why: Denial, at: float) -> None:
        """A budget forbids this target: give its permit back and leave it out."""
        self._gate.settle(permit, _NEUTRAL, at)
        self.denials[candidate.id] = why

    def returned(self, pick: Pick, at: float) -> None:
        """A target that is not launched after all: give its permit back, and keep it for later."""
        self._gate.settle(pick.permit, _NEUTRAL, at)
        self._fresh.append(pick.candidate)

    def _pause(self, fault: Fault, repetition: int) -> float:
        if fault.row.same in ("at_once", "never"):
            return 0.0
        return max(self._limits.wait(repetition), fault.retry_after_s or 0.0)

    def _repetition(self, at: float) -> Pick | None:
        for again in sorted((a for a in self._again if a.at <= at), key=lambda a: a.at):
            self._again.remove(again)
            permit = self._admit(again.candidate.id, at)
            if isinstance(permit, Permit):
                if self._budget.spend():
                    return Pick(again.candidate, permit)
                self._gate.settle(permit, _NEUTRAL, at)
                continue
            if permit.kind == "rate_limit" and permit.until is not None:
                self._again.append(Again(again.candidate, permit.until))
            elif permit.kind == "full":
                self._again.append(Again(again.candidate, at + LOOK_S))
            self._held[again.candidate.id] = permit
        return None

    def _least_bad(self, at: float) -> Pick | None:
        """Every fresh target is held; one whose breaker alone holds it is tried rather than none."""
        blocked = [c for c in self._fresh if self._held[c.id].kind == "breaker"]
        for candidate in sorted(blocked, key=lambda c: self._held[c.id].until or 0.0):
            permit = self._gate.force(candidate.id, at)
            if isinstance(permit, Permit):
                self._fresh.remove(candidate)
                return Pick(candidate, permit)
        return None

    def _free_at(self, at: float) -> float | None:
        """When a full, gated or resting target may next be had; None = none of these is left."""
        times = [h.until or at + POLL_S for h in self._held.values() if h.kind in ("full", "rate_limit")]
        times += [again.at for again in self._again if again.candidate.id not in self._held]
        return max(min(times), at + SOON_S) if times else None

    def _tried_at(self, at: float) -> float | None:
        """When to look again at a target that another request's call is trying; None = none is tried."""
        return at + LOOK_S if any(hold.kind == "probing" for hold in self._held.values()) else None

    @property
    def held_by(self) -> dict[str, str]:
        """By model what holds it, as `router.health()` says it."""
        return {model: hold.by for model, hold in self._held.items()}

    def told_held(self) -> str:
        """'a: breaker open for another 12 s; b: full', for error texts."""
        told = [f"{model}: {hold.reason}" for model, hold in self._held.items()]
        if self._turned_away:
            told.append(self._turned())
        return "; ".join(told) or "none is left"

    def mends(self, longer: str) -> list[str]:
        """What would let a held target be called, "raise limits.rpm". `longer`: the setting that ended the wait."""
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
        """'the budget leaves out a: ...': why the first choice was not taken; '' = no budget had a say."""
        return f"the budget leaves out {each_once(self.denials)}" if self.denials else ""

    def left(self, bound: str) -> str:
        """What was not tried, and why; '' = all were. `bound`: what ended the request, 'within 4 attempts'."""
        denied = f" {each_once(self.denials)}." if self.denials else ""
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
    """Whether a window is unknown, or known to be larger than the one that was too small."""
    too_small = fault.window or failed.window
    if other.window is None:
        return True
    return other.window > (too_small if too_small is not None else tokens)
