"""What a router does about failures: `health:`, `retry:`, `timeouts:` and `hedge:`."""

from __future__ import annotations

from typing import Annotated

from pydantic import PlainValidator, model_validator

from capability_router.execution.effects import Timeouts
from capability_router.health.breaker import BreakerConfig
from capability_router.settings.backoff import Backoff, backoff
from capability_router.settings.block import Block, Count, Flag, Seconds, Share
from capability_router.settings.units import number, whole

_BOARDS = ("learns_limits", "probe", "reports")  # of the health block, what the breaker doesn't read


class HealthBlock(Block):
    """When a model's breaker opens and for how long; whether its concurrency limit is learned.

    `disabled_s`, `max_disabled_s`: how long a refused credential or model is left alone before one call tries it.
    `probe`: whether a request of one token finds out if it may close (models with an `endpoint` only). `reports`:
    whether health is written to a persistent store every two seconds, for `capability-router status`.
    """

    consecutive: Count = 5
    failure_rate: Annotated[float, PlainValidator(number(0, 1, above=True))] = 0.5
    min_calls: Count = 10
    window_s: Seconds = 30.0
    slow_rate: Annotated[float, PlainValidator(number(0, 1, above=True))] = 0.8
    slow_after_s: Seconds | None = None
    open_s: Seconds = 5.0
    max_open_s: Seconds = 300.0
    half_open_permits: Count = 2
    disabled_s: Seconds = 60.0
    max_disabled_s: Seconds = 3600.0
    learns_limits: Flag = True
    probe: Flag = False
    reports: Flag = True

    @model_validator(mode="after")
    def _ordered(self) -> HealthBlock:
        for least, most in (("open_s", "max_open_s"), ("disabled_s", "max_disabled_s")):
            low, high = getattr(self, least), getattr(self, most)
            if high < low:
                raise ValueError(f"has {most} {high:g} below {least} {low:g}; raise {most}")
        return self

    def config(self) -> BreakerConfig:
        """As the breaker reads it."""
        return BreakerConfig(**{name: value for name, value in dict(self).items() if name not in _BOARDS})


class Retry(Block):
    """`attempts` launches in all; `per_target` repetitions on one target; waits in seconds.

    At most `max_waiting` requests wait for a free model at once. Repetitions may be `budget_ratio` of the
    requests, beyond a start of `budget_floor`.
    """

    attempts: Annotated[int, PlainValidator(whole(1, 20))] = 4
    per_target: Annotated[int, PlainValidator(whole(0, 10))] = 1
    budget_ratio: Share = 0.2
    budget_floor: Annotated[int, PlainValidator(whole(0))] = 3
    wait: Annotated[Backoff, PlainValidator(backoff)] = backoff({"random_exponential": {"multiplier": 0.5, "max": 8}})
    max_wait_s: Annotated[float, PlainValidator(number(0))] = 30.0
    max_waiting: Annotated[int, PlainValidator(whole(0))] = 1_000


class TimeoutsBlock(Block):
    """The four clocks of one attempt, in seconds; absent = not limited."""

    connect: Seconds | None = None
    first_token: Seconds | None = None
    between_tokens: Seconds | None = None
    total: Seconds | None = None

    def config(self) -> Timeouts:
        """As the machine reads them."""
        return Timeouts(**dict(self))


class Hedge(Block):
    """A second attempt elsewhere. `after_s` absent = after that model's own p95; `extra` = share of more calls.

    A block that is written is on, unless it says `on: false`.
    """

    on: Flag = True
    after_s: Seconds | None = None
    extra: Share = 0.05
