"""A model that has fallen silent: calls wait far longer than usual, and no later call was heard.

A call that hangs reports nothing until its time limit, and all calls sent meanwhile hang behind it. So calls are
watched while they are under way. One is *overdue* when it has been silent for twice as long as 95 % of the recent calls
to its model were, for an input of its size, and for at least a second. A stream is silent until its first content,
another call until its reply. Time in which this process itself worked or blocked its event loop is subtracted.

Two overdue calls make a silence (one does if others of the last few have failed), unless a call that began after them
has been heard: then those two are slow, not the model. While it lasts, other models are planned first, as in a
degradation (degradation.py); nothing is forbidden. It is over as soon as one is heard, or
too few are left. A call that has been overdue for as long as failures count says nothing any more. Otherwise a call
without a time limit would keep others away for ever.
"""

from __future__ import annotations

from math import inf
from operator import itemgetter
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from capability_router.health.permit import Permit

LEAST_S = 1.0
"""No call is overdue sooner."""
_TIMES, _ENOUGH = 2.0, 2
Overdue = tuple[float, "Permit"]
"""A call, and since when it is overdue."""


class SilenceDetector:
    """Of one breaker's calls. Pure: no lock, no clock; monotonic seconds.

    `why`: "" = none; `until`: when it ends by itself. `flying`: the calls under way, some of which may have been heard;
    who puts one in sees to it that `next_check_at`, before which there is nothing to find, is not later than it can be
    overdue, and who takes one out that was answered or refused that it is heard. `heard_since`: when the newest call
    was begun that has been heard.
    """

    __slots__ = ("_window_s", "flying", "heard_since", "next_check_at", "until", "why")

    def __init__(self, window_s: float) -> None:
        self._window_s = window_s
        self.flying: dict[Permit, None] = {}
        self.heard_since = -inf
        self.next_check_at = inf
        self.until = 0.0
        self.why = ""

    def __repr__(self) -> str:
        return f"SilenceDetector({self.why!r}, flying={len(self.flying)})"

    def forget(self) -> None:
        """Its calls are another process's."""
        self.flying, self.next_check_at, self.why = {}, inf, ""

    def look(self, now: float, worked: float, failed: int) -> None:
        """Bring `why` up to date; `worked`: seconds that this process has worked, `failed`: how many last calls."""
        self.flying = dict.fromkeys(permit for permit in self.flying if permit.silent)
        self.next_check_at = inf
        overdue: list[Overdue] = []
        for permit in self.flying:
            if permit.taken_at > self.heard_since and permit.tokens:  # of an unknown size nothing is usual
                due = _due(permit, now, worked)
                if now < due:
                    self.next_check_at = min(self.next_check_at, due)
                elif now < due + self._window_s:
                    overdue.append((due, permit))
        self._judge(overdue, max(_ENOUGH - failed, 1), now)

    def _judge(self, overdue: list[Overdue], enough: int, now: float) -> None:
        if len(overdue) < enough:
            self.why, self.until = "", 0.0
            return
        _, oldest = min(overdue, key=itemgetter(0))
        count, waits = len(overdue), f"{now - oldest.taken_at:.1f} s, usually {_usual_s(oldest) or 0.0:.1f} s at most"
        self.why = f"{count} calls silent for up to {waits}" if count > 1 else f"1 call silent for {waits}"
        self.until = sorted(due for due, _ in overdue)[-enough] + self._window_s


def _due(permit: Permit, now: float, worked: float) -> float:
    """When it is overdue; where too little is known to tell it is asked again after a second."""
    usual = _usual_s(permit)
    if usual is None:
        return now + LEAST_S
    return permit.taken_at + max(_TIMES * usual, LEAST_S) + max(worked - permit.worked, 0.0)


def _usual_s(permit: Permit) -> float | None:
    """For how long 95 % of the calls to its model were silent, for an input of its size; None = too few are known."""
    return permit.lane.latency.usual_silence_s(permit.tokens, whole=permit.whole)
