"""Which model suits which task: what it solved at what cost, and what a cheaper or a stronger one would have done.

A cheaper model's chance at a request counts by two kinds of evidence. *Predicted*: the plan of that request predicted
that the model solves it (rows.Rivals). *Seen*: a shadow's call of a cheaper model at this very request was scored
well; or over the log, on this task, a cheaper model that was eligible was scored at least as well as the one used.
The same for stronger models and requests that failed: those that no model answered, and answers scored below one half.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from capability_router.report.data import ReportData, ShadowCall
from capability_router.report.request_row import RequestRow, Rivals

GOOD = 0.5
"""A score from here on is a success."""
LEAST = 20
"""Scored answers of a model on a task, from which on their mean counts as seen."""
_CLOSE = 0.02  # of two mean scores that count as equal


@dataclass(slots=True)
class TaskFit:
    """One model's requests of one task. Money in picodollars.

    `cheaper_pico`, `cheaper_seen_pico`: spent on requests that a cheaper eligible model was predicted, or seen, to
    solve; `predicted_pico`, `seen_pico`: spent on requests of which anything was predicted, or seen. `failures`: of
    these requests; `stronger`, `stronger_seen`: those that a stronger one was predicted, or seen, to solve.
    """

    requests: int = 0
    answered: int = 0
    scored: int = 0
    score: float = 0.0
    cost_pico: int = 0
    predicted_pico: int = 0
    seen_pico: int = 0
    cheaper_pico: int = 0
    cheaper_seen_pico: int = 0
    failures: int = 0
    stronger: int = 0
    stronger_seen: int = 0

    @property
    def mean_score(self) -> float | None:
        """None = nothing was scored."""
        return self.score / self.scored if self.scored else None


Cell = tuple[str, str]


class _Seen(NamedTuple):
    """What the whole log shows: scored answers by task and model, and shadows' calls by request."""

    scores: Mapping[Cell, tuple[int, float]]
    calls: Mapping[str, ShadowCall]
    call_scores: Mapping[str, float]

    def mean(self, task: str, model: str) -> float | None:
        """None = too few."""
        count, whole = self.scores.get((task, model), (0, 0.0))
        return whole / count if count >= LEAST else None

    def solved_by_shadow(self, row: RequestRow, among: Sequence[str]) -> bool:
        call = self.calls.get(row.request_id)
        return call is not None and call.model in among and self.call_scores.get(row.request_id, 0.0) >= GOOD

    def cheaper(self, row: RequestRow, model: str) -> bool | None:
        """None = nothing was seen."""
        if self.solved_by_shadow(row, row.rivals.cheaper):
            return True
        own = self.mean(row.task, model)
        means = [mean for other in row.rivals.cheaper if (mean := self.mean(row.task, other)) is not None]
        return None if own is None or not means else max(means) >= own - _CLOSE

    def stronger(self, row: RequestRow, model: str) -> bool:
        own = self.mean(row.task, model)
        if self.solved_by_shadow(row, row.rivals.stronger):
            return True
        means = (self.mean(row.task, other) for other in row.rivals.stronger)
        least = max(GOOD, 0.0 if own is None else own + _CLOSE)
        return any(mean is not None and mean >= least for mean in means)


def fits(traffic: ReportData) -> dict[Cell, TaskFit]:
    """By task and model, the dearest first; requests of which nothing was sent are in none."""
    seen = _Seen(_scored(traffic.requests, traffic.scores), traffic.shadow_calls, traffic.shadow_scores)
    found: dict[Cell, TaskFit] = {}
    for row in traffic.requests:
        if (model := row.asked) is not None:
            _count(found.setdefault((row.task, model), TaskFit()), row, model, traffic.scores.get(row.request_id), seen)
    return dict(sorted(found.items(), key=lambda item: (-item[1].cost_pico, item[0])))


def whole(parts: Iterable[TaskFit]) -> TaskFit:
    """All of them as one."""
    made = TaskFit()
    for part in parts:
        for name in TaskFit.__slots__:
            setattr(made, name, getattr(made, name) + getattr(part, name))
    return made


def _scored(rows: Iterable[RequestRow], scores: Mapping[str, float]) -> dict[Cell, tuple[int, float]]:
    found: dict[Cell, tuple[int, float]] = {}
    for row in rows:
        score = scores.get(row.request_id)
        if score is not None and row.model is not None:
            count, summed = found.get((row.task, row.model), (0, 0.0))
            found[row.task, row.model] = count + 1, summed + score
    return found


def _count(fit: TaskFit, row: RequestRow, model: str, score: float | None, seen: _Seen) -> None:
    rivals: Rivals = row.rivals
    fit.requests += 1
    fit.answered += row.model is not None
    fit.cost_pico += row.cost_pico
    if score is not None and row.model is not None:
        fit.scored += 1
        fit.score += score
    if row.model is None or (score is not None and score < GOOD):
        fit.failures += 1
        fit.stronger += bool(rivals.solves)
        fit.stronger_seen += seen.stronger(row, model)
    else:
        fit.predicted_pico += row.cost_pico * (rivals.good_enough is not None)
        fit.cheaper_pico += row.cost_pico * bool(rivals.good_enough)
        found = seen.cheaper(row, model)
        fit.seen_pico += row.cost_pico * (found is not None)
        fit.cheaper_seen_pico += row.cost_pico * bool(found)
