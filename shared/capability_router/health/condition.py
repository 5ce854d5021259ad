"""How one candidate stands, for planning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

EventKind = Literal[
    "breaker_opened", "breaker_half_open", "breaker_closed", "credential_disabled", "model_disabled",
    "gate_closed", "isolated", "reset",
]  # fmt: skip


class Condition:
    """A live view: one object per candidate, brought up to date in place. Read, never keep or change.

    `held`: "" = usable now, else why not, for a person; `until`: when to look again (monotonic seconds,
    infinity = when someone resets it). `queue_s`: predicted wait for a slot. `ttft_s`, `s_per_token`:
    seconds; None = unknown.
    """

    __slots__ = ("held", "in_flight", "queue_s", "s_per_token", "ttft_s", "until")

    def __init__(self, ttft_s: float | None = None, s_per_token: float | None = None) -> None:
        self.held = ""
        self.until = 0.0
        self.in_flight = 0
        self.queue_s = 0.0
        self.ttft_s = ttft_s
        self.s_per_token = s_per_token

    def __repr__(self) -> str:
        return f"Condition(held={self.held!r}, in_flight={self.in_flight}, queue_s={self.queue_s:g})"


class HealthEvent(NamedTuple):
    """A change worth telling: what, to which model (the candidate whose call brought it about), when."""

    kind: EventKind
    model: str
    detail: str
    at: float


Tell = Callable[[HealthEvent], None]
