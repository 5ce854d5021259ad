"""A model that begins to fail is degraded: other models are preferred, long before the breaker opens.

Each failed call costs its caller a timeout or a second call. So a model is degraded as soon as two of its last few
calls have failed. "Few" is the last eight calls, or as many as are under way: successes from before an outage must not
hide it, and a busy model must not be degraded for two coincident failures. When many calls are under way, a share of
them (15 %) must fail.

A degradation ends when its time is over, or when few of the last calls have failed. Only successes of calls that began
after the last failed one count for that, because calls that ran at the same time may be older than the failure.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import takewhile

_LEAST, _NEAR, _SHARE = 2, 8, 0.15
"""The least failures; the number of last calls, unless more are under way; and the least share of failures."""
_KEPT = 256  # remembered failures: enough for the share of 1,700 calls at once


class Degradation:
    """One breaker's state; pure, without lock or clock.

    `until`: monotonic seconds at which it ends (not above `now` = not degraded); `why`: the reason of the last one.
    Failures older than `window_s` don't count. It lasts `length_s` from the last failure on. `told`: its beginning was
    reported and its end not yet; `silent`: it was because of silent calls (silence.py).
    """

    __slots__ = (
        "_beside", "_ended", "_failed_since", "_failures", "_length_s", "_window_s", "silent", "told",
        "until", "why",
    )  # fmt: skip

    def __init__(self, window_s: float, length_s: float) -> None:
        self._window_s, self._length_s = window_s, length_s
        self._failures: deque[tuple[int, float]] = deque(maxlen=_KEPT)  # number of the call, time
        self.told = self.silent = False
        self.clear()

    def __repr__(self) -> str:
        return f"Degradation({self.why!r}, until={self.until:.3f})"

    def clear(self) -> None:
        """Forget all failures."""
        self._failures.clear()
        self._ended = self._beside = 0
        self._failed_since = self.until = 0.0
        self.why = ""

    def good(self, since: float, now: float) -> None:
        """A call that began at `since` was answered."""
        self._ended += 1
        if self.until and since > self._failed_since and not self._suspects(self._beside, now):
            self.until = 0.0

    def failed(self, since: float, beside: int, now: float) -> None:
        """A call that began at `since` failed, with `beside` calls under way (itself included)."""
        self._ended += 1
        self._failures.append((self._ended, now))
        self._failed_since = max(self._failed_since, since)
        if self._suspects(beside, now):
            self._beside = max(self._beside, beside) if now < self.until else beside
            self.why, self.until = self._told(beside, now), now + self._length_s

    def count(self, now: float, among: int = _NEAR) -> int:
        """How many of the last `among` calls failed within the window."""
        first, since = self._ended - among, now - self._window_s
        lately = takewhile(lambda failure: failure[0] > first, reversed(self._failures))
        return sum(at >= since for _, at in lately)

    def _suspects(self, beside: int, now: float) -> bool:
        """Whether enough of the last calls failed. Then the newest `enough` failures all lie among these calls."""
        among, failures = max(_NEAR, beside), self._failures
        enough = max(_LEAST, math.ceil(min(_SHARE * among, _KEPT)))
        if len(failures) < enough:
            return False
        number, at = failures[-enough]
        return number > self._ended - among and at >= now - self._window_s

    def _told(self, beside: int, now: float) -> str:
        among = max(_NEAR, beside)
        return f"{self.count(now, among)} of the last {min(among, self._ended)} calls failed"
