"""Each model's level: the mean of its scores minus what was predicted of the requests. Newer scores weigh more.

A model that changes (its provider puts another version behind the same name) shows in a run of scores that are
all better or all worse than predicted. Its level is then mostly forgotten, and for a while new scores count for more.
One of several tenants can't show that alone: its run counts as two thirds of an alarm at most, unless most scores are
its own.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, fields
from typing import Any

FADE, FADE_CHANGED = 0.999, 0.98  # per score of the model; the second for CHANGED scores after an alarm
CHANGED, KEPT = 200, 10.0  # after an alarm: scores that count for more; those that earlier knowledge counts as
_SLACK, _ALARM, _LEAST = 0.25, 18.0, 30  # standard deviations: per score, in all; scores before any alarm
STALE = 3e-4  # of variance, per scored request: in 100 a model may change by 0.17, in 1,000 by 0.55
_STILL_STALE = 0.9  # the share that stays after each score: one score does not prove that nothing changed
_ONE_TENANT, _TENANTS = _ALARM * 2 / 3, 1_000  # standard deviations of one tenant's run; tenants whose runs are kept
_SPREAD = 0.2  # variance of a score at first
_LEAST_SPREAD, _RARE = 1e-3, 0.06  # the least; below which surprises are rare, as where 15 of 16 scores are good
_RARE_COUNT = 1.35  # what rare ones count, so that they raise false alarms as seldom as others
_FOLLOWS = 0.01  # of the variance, per score
_FARTHEST = 2.0  # of a mean, from 0: what is predicted of requests can be more than any score


def _always() -> bool:
    return True


def _cusum(run: float, z: float, rare: bool) -> float:
    """A run after a surprise of `z` standard deviations in its direction; 0 = it has ended.

    Where surprises are `rare` they are large, so that one or two of them would be a run of their own: the bad answers
    of a model that is nearly always good. There each counts by the logarithm of how much likelier it makes a change.
    """
    longer = z - _SLACK
    if rare and (z > 1.0 or -1.0 < z < 0.0):
        likelier = _RARE_COUNT * math.log1p(2.0 * _SLACK * z) / (2.0 * _SLACK)
        longer = min(likelier, longer) if z > 0.0 else likelier
    return max(run + longer, 0.0)


@dataclass(slots=True)
class Level:
    """`total` and `count` fade; `above`, `below`: the run of surprises; `changed`: scores that still count for more.

    `seen`: roughly how many requests had been scored when it was last scored (`told`). `runs`: each tenant's own run,
    by its hash, as `above` and `below`; not stored.
    """

    total: float = 0.0
    count: float = 0.0
    variance: float = _SPREAD
    above: float = 0.0
    below: float = 0.0
    changed: int = 0
    alarms: int = 0
    seen: float = 0.0
    runs: dict[str, tuple[float, float]] = field(default_factory=dict, repr=False, compare=False)

    def told(self, scored: int) -> None:
        """It is scored, as the last of this many requests."""
        self.seen = scored - _STILL_STALE * max(scored - self.seen, 0.0)

    def unseen(self, scored: int) -> float:
        """The variance that its quality may have gained by changing since, now that this many requests have been
        scored.
        """
        return STALE * max(scored - self.seen, 0.0)

    @property
    def mean(self) -> float:
        """0 without scores."""
        return self.total / self.count if self.count else 0.0

    def learn(
        self, beyond: float, surprise: float, weight: float = 1.0, whose: str = "",
        leads: Callable[[], bool] = _always,
    ) -> bool:  # fmt: skip
        """`beyond`: a score minus the request's predicted effect. `surprise`: the score minus the whole prediction.

        `whose`: the tenant's hash ("" = nobody's); `leads`: whether most scores are this tenant's. True = an alarm: the
        model seems to have changed.
        """
        alarm = self._alarmed(surprise * weight, whose, leads)
        fade = FADE_CHANGED if self.changed else FADE
        self.changed = max(self.changed - 1, 0)
        self.total, self.count = fade * self.total + weight * beyond, fade * self.count + weight
        self.variance += _FOLLOWS * weight * (surprise * surprise - self.variance)
        return alarm

    def corrected(self, by: float, weight: float, among: int) -> None:
        """One of the `among` scores that are remembered of it is replaced, by one that is so much higher.

        `weight`: of a score of this tenant. Each of the remembered scores moves the mean alike.
        """
        most = _FARTHEST * self.count
        moved = self.total + by * min(weight, self.count / max(among, 1))
        self.total = min(max(moved, -most), most)

    def set(self, mean: float, count: float) -> None:
        """Set from many scores at once."""
        self.total, self.count = mean * count, count

    def _alarmed(self, surprise: float, whose: str, leads: Callable[[], bool]) -> bool:
        z, rare = surprise / math.sqrt(max(self.variance, _LEAST_SPREAD)), self.variance < _RARE
        if whose and max(self._run(whose, z, rare)) > _ONE_TENANT and not leads():
            z = min(max(z, -_SLACK), _SLACK)  # it lengthens the run of all no further
        self.above, self.below = _cusum(self.above, z, rare), _cusum(self.below, -z, rare)
        if self.count < _LEAST or max(self.above, self.below) < _ALARM:
            return False
        self.doubt(KEPT)
        self.alarms += 1
        return True

    def _run(self, whose: str, z: float, rare: bool) -> tuple[float, float]:
        """This tenant's own run, with its newest surprise."""
        above, below = self.runs.pop(whose, (0.0, 0.0))
        run = (_cusum(above, z, rare), _cusum(below, -z, rare))
        if any(run):
            self.runs[whose] = run
            if len(self.runs) > _TENANTS:
                del self.runs[next(iter(self.runs))]
        return run

    def doubt(self, keep: float) -> None:
        """It may be another model now: earlier knowledge counts as `keep` scores at most, and new scores count for
        more.
        """
        kept = min(1.0, keep / max(self.count, 1e-9))
        self.total, self.count = self.total * kept, self.count * kept
        self.above = self.below = 0.0
        self.runs.clear()
        self.changed = CHANGED

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return {name: getattr(self, name) for name in STORED}


STORED = tuple(each.name for each in fields(Level) if each.name != "runs")
"""What `to_dict` has."""
