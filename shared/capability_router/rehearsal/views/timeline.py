"""Each model over the time of a run, in columns: answers, failed calls, how it stood, and which faults held."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

from capability_router.rehearsal.result import HealthSample, RunRecord
from capability_router.rehearsal.script.fault_schedule import ScheduledFault

_GRAVEST = ("off", "open", "limited", "half", "doubted", "full", "")


@dataclass(slots=True)
class TimelineLane:
    """One model. Of each column: calls that answered in it, and those that failed, by fault; how it stood; faulty."""

    model: str
    answered: list[int]
    failed: list[Counter[str]]
    states: list[str]
    faulty: list[bool] = field(default_factory=list)

    @property
    def calls(self) -> tuple[int, int]:
        """Answered, failed."""
        return sum(self.answered), sum(faults.total() for faults in self.failed)


@dataclass(frozen=True, slots=True)
class Timeline:
    """All models, and in each column how many requests were left without an answer. `seconds` of a column."""

    lanes: Sequence[TimelineLane]
    lost: Sequence[int]
    seconds: float

    @property
    def most(self) -> int:
        """The highest number of a column."""
        counts = [max(lane.answered + [f.total() for f in lane.failed], default=0) for lane in self.lanes]
        return max([*counts, *self.lost, 1])


def timeline(run: RunRecord, spells: Sequence[ScheduledFault], models: Sequence[str], columns: int) -> Timeline:
    """The run in so many columns, by when calls began and requests arrived. What is later is in the last one."""
    width = run.seconds / columns
    lanes = {
        model: TimelineLane(model, [0] * columns, [Counter() for _ in range(columns)], [""] * columns)
        for model in models
    }

    def column(at: float) -> int:
        return min(max(int(at / width), 0), columns - 1)

    lost = [0] * columns
    for row in run.rows:
        for tried in row.tries:
            lane = lanes[tried.model]
            if tried.fault:
                lane.failed[column(tried.start_s)][tried.fault] += 1
            else:
                lane.answered[column(tried.start_s)] += 1
        lost[column(row.at)] += not row.model
    for model, lane in lanes.items():
        _stood(lane, [look for look in run.looks if look.model == model], width)
        lane.faulty = [any(_overlaps(s, model, i * width, (i + 1) * width) for s in spells) for i in range(columns)]
    return Timeline(list(lanes.values()), lost, width)


def _stood(lane: TimelineLane, looks: Sequence[HealthSample], width: float) -> None:
    """The gravest state in each column; without a look of its own, as before."""
    found: dict[int, str] = {}
    for look in looks:
        at = min(int(look.at / width), len(lane.states) - 1)
        found[at] = min(found.get(at, ""), look.state, key=_GRAVEST.index)
    last = ""
    for i in range(len(lane.states)):
        last = found.get(i, last)
        lane.states[i] = last


def _overlaps(spell: ScheduledFault, model: str, since: float, until: float) -> bool:
    return model in spell.models and spell.from_s < until and since < spell.until_s
