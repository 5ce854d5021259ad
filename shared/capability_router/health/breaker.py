"""The circuit breaker: when to stop calling a model that fails, and how to find out that it works again.

Theory of operation. A model that is down makes every request pay for a failed attempt. So failures
are counted, and past a limit the breaker *opens*: no call is made for a while. After that it lets a few
calls through as probes (*half-open*); the first probe to report decides for all: a good one closes
the breaker, a failed one opens it again. "The first" and not "all", because a language model's call
can last minutes and the traffic of one model is thin: waiting for a second opinion would keep a
recovered model idle.

The open time is `open_s`; it doubles only from the third failed probe in a row on, so that a short
outage ends quickly and a long one costs few probes. It is never above `max_open_s`. Half of it is
random, so that many processes don't probe at the same moment.

Every change of state begins a new *epoch*. A permit carries the epoch in which it was given, and a
report from an earlier epoch is ignored: it is about a time that has passed.

    state      admits            good call        failed call            neutral        leaves for
    closed     every call        run of failures  counted; too many ->   -              open
                                 ends; counted    open
    open       no call           (forced) ->      (forced) nothing       -              half_open, at the
                                 closed                                                 first call after `until`
    half_open  `half_open_       -> closed        probe: -> open,        permit given   closed, open
               permits` probes                    forced: nothing        back
    isolated   no call           nothing          nothing                -              closed, by `reset` only

Before it opens, a model is *degraded* (degradation.py): from the second failure among a few calls on, other models
are planned first for half an open time. The same holds while calls under way have been silent for far longer than
usual (silence.py). Nothing is forbidden meanwhile, so a request with no other model still gets this one.

A good call that was slow counts as slow when closed; a slow probe counts as failed. A *forced* call
is one made although the breaker forbids it, because every other model was held as well; it holds no
probe's permit. Probes that never report lose their permits after `max_open_s`: a new round begins.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from capability_router.errors import ConfigError
from capability_router.health.degradation import Degradation
from capability_router.health.silence_detector import SilenceDetector
from capability_router.health.window import SlidingWindow

CLOSED, OPEN, HALF_OPEN, ISOLATED = "closed", "open", "half_open", "isolated"
_DEGRADED = 0.5
"""The share of the open time for which other models are preferred."""
_PATIENT_PROBES = 2
"""Failed probes in a row that do not lengthen the open time yet."""


@dataclass(frozen=True, slots=True)
class BreakerConfig:
    """When the breaker opens and for how long. Times in seconds, rates 0 to 1.

    Opens on `consecutive` failures in a row, or on a share of `failure_rate` failures among at least
    `min_calls` in `window_s`, or on a share of `slow_rate` calls slower than `slow_after_s` (to the
    first token; None = never slow). `disabled_s`: for how long a rejected credential or model is not used, doubled with
    each further rejection up to `max_disabled_s`. Raises ConfigError for impossible values.
    """

    consecutive: int = 5
    failure_rate: float = 0.5
    min_calls: int = 10
    window_s: float = 30.0
    slow_rate: float = 0.8
    slow_after_s: float | None = None
    open_s: float = 5.0
    max_open_s: float = 300.0
    half_open_permits: int = 2
    disabled_s: float = 60.0
    max_disabled_s: float = 3600.0

    def __post_init__(self) -> None:
        for name in ("consecutive", "min_calls", "half_open_permits"):
            _check(name, getattr(self, name), 1, math.inf, "a whole number, 1 or more")
        for name in ("failure_rate", "slow_rate"):
            _check(name, getattr(self, name), 1e-9, 1, "above 0 and at most 1")
        for name in ("window_s", "open_s", "max_open_s", "slow_after_s", "disabled_s", "max_disabled_s"):
            if name != "slow_after_s" or self.slow_after_s is not None:
                _check(name, getattr(self, name), 1e-9, 1e9, "a finite number of seconds above 0")


def _check(name: str, value: float, least: float, most: float, words: str) -> None:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    whole = most != math.inf or isinstance(value, int)
    if not (number and whole and least <= value <= most):
        raise ConfigError(f"health.{name} must be {words}, got {value!r}")


class Breaker:
    """One failure domain's breaker. Pure: no lock, no clock; `now` is monotonic seconds.

    `draw` gives a random number from 0 to 1 whenever an open time is set. `slow_after_s`: as configured; None = no wait
    is slow.
    """

    __slots__ = (
        "_config", "_draw", "degradation", "epoch", "failed_probes", "in_a_row", "probing", "silence", "slow_after_s",
        "state", "until", "why", "window",
    )  # fmt: skip

    def __init__(self, config: BreakerConfig, draw: Callable[[], float]) -> None:
        self._config, self._draw = config, draw
        self.slow_after_s = config.slow_after_s
        self.window = SlidingWindow(config.window_s)
        self.degradation = Degradation(config.window_s, _DEGRADED * config.open_s)
        self.silence = SilenceDetector(config.window_s)
        self.epoch = 0
        self.failed_probes = 0
        self._turn(CLOSED)

    def __repr__(self) -> str:
        return f"Breaker({self.state}, epoch={self.epoch}, probing={self.probing})"

    def held_until(self, now: float) -> float:
        """0.0 if a call may pass now, else when to look again (infinity if isolated). Changes nothing."""
        if self.state == CLOSED:
            return 0.0
        if self.state == OPEN:
            return self.until if now < self.until else 0.0
        if self.state == ISOLATED:
            return math.inf
        free = self.probing < self._config.half_open_permits or now >= self.until
        return 0.0 if free else min(now + 1.0, self.until)

    def enter(self, now: float) -> bool:
        """Admit a call that `held_until` allows; returns whether it is a probe."""
        if self.state == CLOSED:
            return False
        if now >= self.until:
            self._turn(HALF_OPEN, now + self._config.max_open_s)
        self.probing += 1
        return True

    def is_slow(self, wait_s: float | None) -> bool:
        """Whether a wait of this many seconds counts as slow; an unknown one does not."""
        limit = self.slow_after_s
        return limit is not None and wait_s is not None and wait_s >= limit

    def good(self, epoch: int, now: float, *, slow: bool = False, probe: bool = False, since: float = math.inf) -> None:
        """A call that began at `since` (infinity: just now) was answered."""
        if epoch != self.epoch or self.state == ISOLATED:
            return
        if self.state == CLOSED:
            self.in_a_row = 0
            self.window.add(now, failed=False, slow=slow)
            self.degradation.good(since, now)
            if slow:
                self._judge(now)
        elif not slow:
            self._close()
        elif probe:
            self._probe_failed(now, "a probe was slow")

    def failed(
        self, epoch: int, now: float, *, slow: bool = False, probe: bool = False, since: float = 0.0, beside: int = 1
    ) -> None:
        """A call that began at `since` failed by this domain's fault, as one of `beside` calls under way."""
        if epoch != self.epoch or self.state == ISOLATED:
            return
        if self.state == CLOSED:
            self.in_a_row += 1
            self.window.add(now, failed=True, slow=slow)
            self.degradation.failed(since, beside, now)
            self._judge(now)
        elif probe:
            self._probe_failed(now, "a probe failed")

    def neutral(self, epoch: int, *, probe: bool = False) -> None:
        """A call ended without a result for health; a probe's permit is given back."""
        if probe and epoch == self.epoch and self.probing:
            self.probing -= 1

    def listen(self, now: float, worked: float) -> None:
        """Check whether calls under way have been silent for too long. `worked`: processor seconds of this process."""
        self.silence.look(now, worked, self.degradation.count(now))

    def forked(self) -> None:
        """In the child of a fork: the calls under way, probes among them, are its parent's."""
        self.silence.forget()
        self.probing = 0

    def isolate(self) -> None:
        """Let nothing through until `reset`."""
        self._turn(ISOLATED, math.inf)
        self.why = "isolated by an operator"

    def reset(self) -> None:
        """Start anew, in a new epoch."""
        self._close()

    def _judge(self, now: float) -> None:
        config, seen = self._config, self.window
        if self.in_a_row >= config.consecutive:
            self._open(now, f"{self.in_a_row} failures in a row")
        elif seen.calls < config.min_calls:
            return
        elif seen.failed >= config.failure_rate * seen.calls:
            self._open(now, f"{seen.failed} of {seen.calls} calls failed")
        elif seen.slow >= config.slow_rate * seen.calls:
            self._open(now, f"{seen.slow} of {seen.calls} calls were slow")

    def _probe_failed(self, now: float, why: str) -> None:
        self.failed_probes += 1
        self._open(now, f"{why}, {self.failed_probes} in a row")

    def _open(self, now: float, why: str) -> None:
        config = self._config
        doublings = min(max(self.failed_probes - _PATIENT_PROBES, 0), 64)
        full = min(config.open_s * 2.0**doublings, config.max_open_s)
        length = full * (0.5 + 0.5 * self._draw())
        self._turn(OPEN, now + length)
        self.why = f"{why}; open for {length:.1f} s"

    def _close(self) -> None:
        self.window.clear()
        self.failed_probes = 0
        self._turn(CLOSED)

    def _turn(self, state: str, until: float = 0.0) -> None:
        self.state, self.until = state, until
        self.epoch += 1
        self.probing = self.in_a_row = 0
        self.degradation.clear()
        self.silence.why = ""
        self.why = ""
