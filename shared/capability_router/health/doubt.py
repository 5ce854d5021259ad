"""When others should go first, long before anything is forbidden.

Theory of operation. Each doomed call costs its caller a time limit, or a second call, so a model is doubted as soon as a
second of its last few calls has failed. Few: the last eight, or as many as are under way, so that what went well
before an outage hides nothing, and a busy model that fails now and then is not doubted for two that fell together. Of
many calls a share has to fail.

A doubt is over after its time. A good call ends it sooner, if it was begun since: what was under way already tells of
the time before. A doubt that comes back with the first calls after it lasts twice as long, lest a model that fails
half of the time have two more calls wasted on it every few seconds.
"""

from __future__ import annotations

from collections import deque

_LEAST, _NEAR, _SHARE = 2, 8, 0.15
"""So many failures, and this share, among so many calls, or among as many as are under way."""
_DOUBLINGS = 3
_KEPT = 256  # failures that are remembered: enough for the share of 1,700 calls at once


class Doubt:
    """Pure: no lock, no clock. `until`: monotonic seconds, not above `now` = none. `why`: of the last doubt.

    Failures older than `window_s` don't count. A doubt lasts `length_s`, and never more than `most_s`.
    """

    __slots__ = (
        "_began",
        "_ended",
        "_failures",
        "_latest",
        "_length_s",
        "_most_s",
        "_times",
        "_window_s",
        "until",
        "why",
    )

    def __init__(self, window_s: float, length_s: float, most_s: float) -> None:
        self._window_s, self._length_s, self._most_s = window_s, length_s, most_s
        self._failures: deque[tuple[int, float]] = deque(maxlen=_KEPT)  # number of the call, time
        self.clear()

    def __repr__(self) -> str:
        return f"Doubt({self.why!r}, until={self.until:.3f})"

    def clear(self) -> None:
        """Forget everything."""
        self._failures.clear()
        self._ended = self._latest = self._times = 0
        self._began = self.until = 0.0
        self.why = ""

    def good(self, since: float, now: float) -> None:
        """A call answered that was begun at `since`."""
        self._ended += 1
        if self.until and since > self._began and not self._suspicion(1, now):
            self.until = 0.0

    def failed(self, beside: int, now: float) -> None:
        """A call failed when so many, itself included, were under way."""
        self._ended += 1
        self._failures.append((self._ended, now))
        if why := self._suspicion(beside, now):
            if now >= self.until:
                self._times = self._times + 1 if self._returns(beside, now) else 0
                self._began = now
            self._latest, self.why = self._ended, why
            length = self._length_s * 2.0 ** min(self._times, _DOUBLINGS)
            self.until = now + min(length, self._most_s)

    def _suspicion(self, beside: int, now: float) -> str:
        """Why others should go first; "" = nothing speaks for it."""
        among = max(_NEAR, beside)
        first, since = self._ended - among, now - self._window_s
        count = sum(number > first and at >= since for number, at in self._failures)
        enough = max(_LEAST, min(_SHARE * among, _KEPT))
        return f"{count} of the last {min(among, self._ended)} calls failed" if count >= enough else ""

    def _returns(self, beside: int, now: float) -> bool:
        """Whether the last doubt was over for a few calls only."""
        few = self._ended - self._latest <= max(_NEAR, beside)
        return bool(self.until) and few and now - self.until <= self._window_s
