"""The faults of a run with their times and models: which of them affect a call that starts now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from capability_router.errors import ConfigError
from capability_router.rehearsal.script.fault_line import FaultLine
from capability_router.rehearsal.script.targets import FaultTargets
from capability_router.simulator.seeded_random import draw


class ScheduledFault(NamedTuple):
    """A fault in a run: for the `models` (ids), from `from_s` until before `until_s`, in seconds of the run."""

    line: FaultLine
    number: int
    models: tuple[str, ...]
    from_s: float
    until_s: float

    @property
    def kind(self) -> str:
        """See KINDS."""
        return self.line.kind

    @property
    def whole(self) -> bool:
        """Whether it strikes each call."""
        return self.line.share >= 1.0 and self.line.rpm is None

    def holds(self, now: float) -> bool:
        """Whether the fault is active at this time."""
        return self.from_s <= now < self.until_s

    def strikes(self, seed: int, call: str) -> bool:
        """Whether the fault affects this call, by its `share`; `call` identifies the call in every run."""
        return self.line.share >= 1.0 or draw(seed, "fault", self.number, call) < self.line.share


class FaultSchedule:
    """The faults of a run."""

    def __init__(self, spells: Sequence[ScheduledFault], seed: int) -> None:
        self.spells, self._seed = tuple(spells), seed

    def active_faults(self, model: str, now: float, call: str) -> list[ScheduledFault]:
        """Those that strike this call, in their order."""
        return [s for s in self.about(model) if s.holds(now) and s.strikes(self._seed, call)]

    def about(self, model: str) -> list[ScheduledFault]:
        """Those that are about this model."""
        return [s for s in self.spells if model in s.models]

    def next_reset_s(self, model: str, since: float) -> float:
        """When the connections of calls that were begun are next reset: an outage begins. Infinity = never."""
        edges = [s.from_s for s in self.about(model) if s.kind == "outage" and s.whole and s.from_s > since]
        return min(edges, default=float("inf"))

    def away(self, model: str, since: float, until: float) -> list[ScheduledFault]:
        """Those that were about this model at any time between."""
        return [s for s in self.about(model) if s.from_s <= until and since < s.until_s]


def scheduled_faults(lines: Sequence[FaultLine], aims: FaultTargets, seconds: float) -> list[ScheduledFault]:
    """The faults in a run of so many seconds; ConfigError for targets that match no model."""
    return [_placed(line, number, aims, seconds) for number, line in enumerate(lines, 1)]


def _placed(line: FaultLine, number: int, aims: FaultTargets, seconds: float) -> ScheduledFault:
    start = line.start.seconds(seconds)
    if start >= seconds:
        raise ConfigError(
            f"faults: {line.text!r} begins at {start:g} s, and the run ends at {seconds:g} s; give it more --seconds"
        )
    until = float("inf") if line.length is None else start + line.length.seconds(seconds)
    return ScheduledFault(line, number, aims.meant(line.target), start, min(until, seconds))
