"""How far one request may go: attempts, clocks, waits, and what counts as a reason to move on."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from capability_router.execution.effects import Timeouts


@dataclass(frozen=True, slots=True)
class Limits:
    """Frozen settings of the machine; what is usual stands in `settings/schema.py`.

    `attempts`: launches in all. `per_target`: further launches on one target. `wait(n)`: seconds
    before the n-th repetition on a target. `max_wait_s`: the longest wait for a full or gated
    target. `deadline_s`: for the whole request, None = none.
    """

    attempts: int
    per_target: int
    wait: Callable[[int], float]
    max_wait_s: float
    deadline_s: float | None
    timeouts: Timeouts
    on_content_filter: str

    def under(self, deadline_s: float | None) -> Limits:
        """These limits with a request's own deadline, if it has one."""
        return self if deadline_s is None else replace(self, deadline_s=deadline_s)
