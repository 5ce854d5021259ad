"""When others should go first, long before anything is forbidden.

Theory of operation. Each doomed call costs its caller a time limit, or a second call, so a model is doubted as soon as
a second of its last few calls has failed. Few: the last eight, or as many as are under way, so that what went well
before an outage hides nothing, and a busy model that fails now and then is not doubted for two that fell together. Of
many calls a share has to fail.

A doubt is over after its time, or once few of the last calls have failed. For that only good calls count that were
begun after the last one that failed: what was under way with it tells of the same time.
"""

from __future__ import annotations

import math
from collections import deque
from itertools import takewhile

_LEAST, _NEAR, _SHARE = 2, 8, 0.15
"""So many failures, and this share, among so many calls, or among as many as are under way."""
_KEPT = 256  # failures that are remembered: enough for the share of 1,700 calls at once


class Doubt:
    """Pure: no lock, no clock. `until`: monotonic seconds, not above `now` = none. `why`: of the last doubt.

    Failures older than `window_s` don't count. A doubt lasts `length_s` from the last failure on. `told`: whether it
    was told that there is one, and not yet that it is over; `silent`: it was for calls that are silent (silence.py).
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
        return f"Doubt({self.why!r}, until={self.until:.3f})"

    def clear(self) -> None:
        """Forget everything."""
        self._failures.clear()
        self._ended = self._beside = 0
        self._failed_since = self.until = 0.0
        self.why = ""

    def good(self, since: float, now: float) -> None:
        """A call answered that was begun at `since`."""
        self._ended += 1
        if self.until and since > self._failed_since and not self._suspects(self._beside, now):
            self.until = 0.0

    def failed(self, since: float, beside: int, now: float) -> None:
        """A call failed that was begun at `since`, when so many, itself included, were under way."""
        self._ended += 1
        self._failures.append((self._ended, now))
        self._failed_since = max(self._failed_since, since)
        if self._suspects(beside, now):
            self._beside = max(self._beside, beside) if now < self.until else beside
            self.why, self.until = self._told(beside, now), now + self._length_s

    def count(self, now: float, among: int = _NEAR) -> int:
        """How many of the last calls, so many, have failed, and not long ago."""
        first, since = self._ended - among, now - self._window_s
        lately = takewhile(lambda failure: failure[0] > first, reversed(self._failures))
        return sum(at >= since for _, at in lately)

    def _suspects(self, beside: int, now: float) -> bool:
        """Whether enough of the last calls failed: then the last so many failures are all among these."""
        among, failures = max(_NEAR, beside), self._failures
        enough = max(_LEAST, math.ceil(min(_SHARE * among, _KEPT)))
        if len(failures) < enough:
            return False
        number, at = failures[-enough]
        return number > self._ended - among and at >= now - self._window_s

    def _told(self, beside: int, now: float) -> str:
        among = max(_NEAR, beside)
        return f"{self.count(now, among)} of the last {min(among, self._ended)} calls failed"
