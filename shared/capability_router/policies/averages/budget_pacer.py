"""How much a request may cost so that caps last their windows: what is left, divided by the requests still to come.

The rate of the last 200 requests is assumed to hold until the window ends.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from capability_router.clock import Clock
from capability_router.concurrency.latch import Latch

_REQUESTS = 200
_FEW = 8  # with fewer requests the rate is unknown


class CapBalance(Protocol):
    """What is left of a cap: picodollars, and the end of its window in Unix seconds. `window`: "day"."""

    @property
    def window(self) -> str: ...
    @property
    def left(self) -> float: ...
    @property
    def ends(self) -> float: ...


class Allowance(NamedTuple):
    """USD that a request may cost, and the window of the cap that limits it."""

    usd: float
    window: str


class BudgetPacer:
    """Shared by all policies of a router; thread-safe. `rests` asks no store.

    Windows end by the wall clock. The rate of requests is measured with the monotonic clock.
    """

    def __init__(self, rests: Callable[[], Sequence[CapBalance]], clock: Clock) -> None:
        self._rests, self._clock = rests, clock
        self._arrived: deque[float] = deque(maxlen=_REQUESTS)
        self._lock = Latch()

    def arrived(self) -> None:
        """Count a request that is carried out."""
        with self._lock:
            self._arrived.append(self._clock.now())

    def allowance(self) -> Allowance | None:
        """The least that any cap allows; None while there are too few requests for a rate."""
        now, unix = self._clock.now(), self._clock.unix()
        with self._lock:
            count, first = len(self._arrived), self._arrived[0] if self._arrived else now
        if count < _FEW:
            return None
        apart = max(now - first, 1.0) / count
        allowed = [
            Allowance(rest.left / 1e12 / max((rest.ends - unix) / apart, 1.0), rest.window) for rest in self._rests()
        ]
        return min(allowed, default=None)
