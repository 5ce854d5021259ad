"""An attempt in flight. A request has one at a time, or two while it is hedged."""

from __future__ import annotations

from capability_router.execution.effects import Timeouts
from capability_router.faults.kinds import Fault
from capability_router.health.board import Permit
from capability_router.plan import Candidate


class AttemptInFlight:
    """One attempt in flight. Times in seconds of the router's clock.

    `first_at`: when its first content came. `hedged_after`: for a hedge, how long the first attempt had been silent;
    None = it is no hedge.
    """

    __slots__ = ("candidate", "first_at", "hedged_after", "index", "permit", "started", "timeouts")

    def __init__(
        self, index: int, candidate: Candidate, permit: Permit, started: float, timeouts: Timeouts,
        hedged_after: float | None = None,
    ) -> None:  # fmt: skip
        self.index, self.candidate, self.permit = index, candidate, permit
        self.started, self.timeouts, self.hedged_after = started, timeouts, hedged_after
        self.first_at: float | None = None

    def restart(self, at: float, timeouts: Timeouts) -> float:
        """It is sent only now, and these timeouts count from here. Returns how many seconds later that is."""
        late_s, self.started, self.timeouts = at - self.started, at, timeouts
        return late_s

    def ends_at(self, *, streaming: bool) -> float | None:
        """When its timeout comes; None = never."""
        limit = self.timeouts.total
        first = self.timeouts.first_token if streaming and self.first_at is None else None
        if limit is None or (first is not None and first < limit):
            limit = first
        return None if limit is None else self.started + limit

    def clock(self, at: float) -> str:
        """The name of the timeout that has passed at `at`."""
        total = self.timeouts.total
        if total is not None and at >= self.started + total - 1e-6:
            return "whole answer"
        return "first token" if self.first_at is None else "next token"

    def timed_out(self, at: float, late_s: float, *, by_reader: bool) -> Fault:
        """The fault of the timeout that has passed; `late_s` and `by_reader` are those of AlarmRang."""
        return Fault("timeout", self.told(at, late_s), clock=self.clock(at), late_s=late_s, by_reader=by_reader)

    def told(self, at: float, late_s: float = 0.0) -> str:
        """For error texts, "after 2.00 s, the limit of timeouts.total". `late_s`: the delay by this process itself."""
        own = f", {late_s:.2f} s late, for this program was busy" if late_s else ""
        return f"after {at - self.started:.2f} s{own}{self._by(self.clock(at))}"

    def _by(self, clock: str) -> str:
        """The setting that limits this clock; "" = none does."""
        limit, setting = {
            "whole answer": (self.timeouts.total, self.timeouts.total_by),
            "first token": (self.timeouts.first_token, "timeouts.first_token"),
            "next token": (self.timeouts.between_tokens, "timeouts.between_tokens"),
        }[clock]
        if limit is None:
            return ""
        return ", when deadline_s was over" if setting == "deadline_s" else f", the limit of {setting}"
