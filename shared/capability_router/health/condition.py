"""The condition of one candidate, for planning."""

from __future__ import annotations

from collections.abc import Callable
from typing import Literal, NamedTuple

from capability_router.health.latency import PeakEwma

EventKind = Literal[
    "breaker_opened", "breaker_half_open", "breaker_closed", "credential_disabled", "model_disabled",
    "credential_enabled", "model_enabled", "rate_limited", "rate_limit_over", "degraded", "recovered",
    "isolated", "reset",
]  # fmt: skip
QUIET: tuple[EventKind, ...] = ("rate_limit_over", "degraded", "recovered")
"""Kinds that need no action."""


class CandidateCondition:
    """A live view: one object per candidate, brought up to date in place. Read, never keep or change.

    `held`: "" = usable now, else why not, as a text; `until`: when to check again (monotonic seconds,
    infinity = when it is reset). `waits`: only a limit holds it, for `queue_s`. `queue_s`: predicted wait for a
    slot. An answer of n tokens to an input of i is predicted to take `wait_s + i * s_per_input + n * s_per_token`;
    `ttft_s`: streams' wait for the first token. Seconds; None = unknown. `pressure_s(now)`: the recent peak of waits
    times the calls that would share it.
    """

    __slots__ = (
        "_peak", "held", "in_flight", "queue_s", "s_per_input", "s_per_token", "ttft_s", "until", "wait_s", "waits",
    )  # fmt: skip

    def __init__(
        self, wait_s: float | None = None, s_per_token: float | None = None, peak: PeakEwma | None = None
    ) -> None:
        self._peak = peak or PeakEwma()
        self.held = ""
        self.until = 0.0
        self.in_flight = 0
        self.queue_s = 0.0
        self.wait_s = wait_s
        self.s_per_input = 0.0
        self.s_per_token = s_per_token
        self.ttft_s: float | None = None
        self.waits = False

    def pressure_s(self, now: float) -> float:
        """Seconds. A busy model with unknown latency counts as taking a second."""
        busy = 1.0 if self.in_flight else 0.0
        return (self._peak.value(now) or busy) * (self.in_flight + 1)

    def __repr__(self) -> str:
        return f"CandidateCondition(held={self.held!r}, in_flight={self.in_flight}, queue_s={self.queue_s:g})"


class HealthEvent(NamedTuple):
    """A change of a model's health. `model`: the candidate whose call caused it.

    The end of a degradation or of a closed gate is noticed by the next request or `router.health()`.
    """

    kind: EventKind
    model: str
    detail: str
    at: float


HealthListener = Callable[[HealthEvent], None]
