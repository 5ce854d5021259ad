"""A timer of an event loop that notices when it rings late.

If the application blocks its loop, the loop sees a time limit and the answer in the same turn, the limit first. So when
a timer rings much later than it was due, what has arrived meanwhile is read first. Once per attempt the model also gets
the blocked time back, because its request may not have been sent before.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from math import inf

_LATE_S, _LATE_SHARE = 0.05, 0.1  # later than this, and than this share of the time to be waited
_TURNS, _TURN_S, _GRACE_S = 8, 0.001, 0.02  # turns of the loop, and seconds, in which to read what has arrived
_MOST_S = 0.1  # in which the rest must be read, however often something arrives


class Lateness:
    """By how many seconds this process was late for the timers of one attempt; 0 = it was not.

    `hard`: the limit is the caller's deadline. It is kept, so no time is given back.
    """

    __slots__ = ("_hard", "_until", "by_s", "grace_s")

    def __init__(self, hard: bool = False) -> None:
        self._hard = hard
        self.by_s = 0.0
        self._until = 0.0
        self.grace_s = _GRACE_S  # further seconds to wait after a late ring

    def excuses(self, by_s: float, waited_s: float, now: float) -> bool:
        """Whether a limit of `waited_s` that rang `by_s` late may first wait for what has arrived."""
        if by_s <= max(_LATE_S, _LATE_SHARE * waited_s):
            return False
        if not self.by_s:
            self.by_s = by_s
            if not self._hard:
                self.grace_s = max(_GRACE_S, min(by_s, waited_s))
            self._until = now + self.grace_s + _MOST_S
            return True
        self.grace_s = _GRACE_S
        return now < self._until


class LoopTimer:
    """Calls `ring` in this many seconds (negative: it was due already), unless it is cancelled before.

    `since`: the loop's time from which they count; None = now.
    It is cheap to set again for each chunk of a stream: the loop's timer is kept, and put off when it fires early.
    """

    __slots__ = ("_due", "_grace_s", "_handle", "_heard_at", "_lateness", "_ring", "_turns", "_waited_s", "loop")

    def __init__(
        self, seconds: float, ring: Callable[[], None], lateness: Lateness, since: float | None = None
    ) -> None:
        self.loop, self._ring, self._lateness = asyncio.get_running_loop(), ring, lateness
        self._turns, self._heard_at, self._grace_s = 0, 0.0, 0.0
        self._handle: asyncio.TimerHandle | None = None
        self.set(seconds, since)

    def set(self, seconds: float, since: float | None = None) -> None:
        """Ring in so many seconds from then, or from now, instead."""
        self._waited_s = max(seconds, 0.0)
        self._due = due = (self.loop.time() if since is None else since) + seconds
        handle = self._handle
        if handle is not None and handle.when() > due + _TURN_S:  # the same moment, computed anew, differs by less
            handle.cancel()
            handle = None
        if handle is None:
            self._handle = self.loop.call_at(due, self._rings)

    def rest(self) -> None:
        """Stop until it is set again."""
        self._due = inf
        if self._turns:
            self.cancel()
            self._turns, self._handle = 0, None

    def cancel(self) -> None:
        """Stop for good."""
        if self._handle is not None:
            self._handle.cancel()

    def _rings(self) -> None:
        handle, self._handle = self._handle, None
        if not self._turns:
            if handle is not None and self._due > handle.when():
                return self._put_off()
            self._heard_at = now = self.loop.time()
            if not self._lateness.excuses(now - self._due, self._waited_s, now):
                return self._ring()
            self._grace_s = self._lateness.grace_s
        left = self._grace_s - (self.loop.time() - self._heard_at)
        if self._turns >= _TURNS and left <= 0.0:
            return self._ring()
        self._turns += 1
        self._handle = self.loop.call_later(_TURN_S if self._turns <= _TURNS else left, self._rings)
        return None

    def _put_off(self) -> None:
        if self._due < inf:
            self._handle = self.loop.call_at(self._due, self._rings)
