"""The limits of one request: attempts, timeouts, waits, and whether a filtered answer leads to a fallback."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import inf

from capability_router.execution.effects import Timeouts
from capability_router.execution.outer_limits import NOBODY, around
from capability_router.faults.kinds import Fault
from capability_router.frozen_value import fast_frozen


@fast_frozen
@dataclass(frozen=True, slots=True)
class ExecutionLimits:
    """Settings of the state machine; the defaults are in `settings/resilience.py`.

    `attempts`: launches in all. `per_target`: retries on one target. `wait(n)`: seconds before the n-th retry on a
    target. `max_wait_s`: all waits for a target together. `deadline_s`: for the whole request,
    None = none. `elsewhere`: this request is an attempt of another router, which has other models; so it does not wait
    for a target.
    """

    attempts: int
    per_target: int
    wait: Callable[[int], float]
    max_wait_s: float
    deadline_s: float | None
    timeouts: Timeouts
    on_content_filter: str
    elsewhere: bool = False

    def timeouts_within(self, left_s: float) -> Timeouts:
        """The timeouts of an attempt that is sent so many seconds before the deadline."""
        clocks = self.timeouts
        if left_s == inf or (clocks.total is not None and clocks.total <= left_s):
            return clocks
        return Timeouts(clocks.connect, clocks.first_token, clocks.between_tokens, left_s, "deadline_s")

    def keeps(self, fault: Fault) -> bool:
        """Whether the fault is a content filter's answer that the settings return to the caller."""
        return fault.row.other == "unless_returned" and self.on_content_filter != "fallback"

    def under(self, deadline_s: float | None) -> ExecutionLimits:
        """These limits with the request's own deadline, if any, and within the attempt of an outer router, if any."""
        outer = around()
        if deadline_s is None and outer is NOBODY:  # the usual case
            return self
        deadline_s, elsewhere = (
            outer.earlier_deadline(self.deadline_s if deadline_s is None else deadline_s),
            outer.elsewhere,
        )
        if deadline_s == self.deadline_s and not elsewhere:
            return self
        return ExecutionLimits(
            self.attempts, self.per_target, self.wait, 0.0 if elsewhere else self.max_wait_s, deadline_s, self.timeouts,
            self.on_content_filter, elsewhere,
        )  # fmt: skip
