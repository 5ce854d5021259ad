"""The figures of a replay: changed choices, cost, latency, predicted quality, refusals, estimated scores."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple

from capability_router.replay.deciders.choice import Decider
from capability_router.replay.estimate import Estimates, estimates
from capability_router.replay.log.latencies import FEW, AttemptStats, Latencies, Mixture
from capability_router.replay.log.replay_log import ReplayLog
from capability_router.replay.replaying import ReplayedRequest, samples

NOBODY = "nobody"
_IDS = 3  # examples of a move


class PairedSums(NamedTuple):
    """Sums of log and replay over the requests for which both are known. Picodollars, or shares and seconds."""

    logged: float
    replayed: float
    requests: int

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return self._asdict()


class ModelSwitch(NamedTuple):
    """Requests that go from one model to another. `cost`, `quality`: None = of none both sides are known."""

    old: str
    new: str
    requests: int
    trials: int
    cost: PairedSums | None
    quality: PairedSums | None
    examples: tuple[str, ...]
    reason: str

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; costs in USD."""
        return {
            "from": self.old, "to": self.new, "requests": self.requests, "trials": self.trials,
            "cost_usd": _usd(self.cost), "quality": None if self.quality is None else self.quality.to_dict(),
            "examples": list(self.examples), "reason": self.reason,
        }  # fmt: skip


class LatencyStats(NamedTuple):
    """Seconds; None = nothing is known."""

    mean: float | None
    p50: float | None
    p95: float | None


class Findings(NamedTuple):
    """`trials`: changes from a model that the log tried out. `latency`: in the log and now, of `timed` requests; of
    these `guessed` take as long as predicted, for the log has no answer of their model. `nobody`: requests that no
    model could take, in the log and now; `refused`: the same by rule. `chosen`: requests by model, likewise. `lacks`:
    the log's models that the decider has not, and how many requests had chosen them. `sources`: where the new choices'
    predicted quality is from.
    """

    policy: str
    requests: int
    since: float
    until: float
    changed: int
    trials: int
    moves: tuple[ModelSwitch, ...]
    cost: PairedSums | None
    quality: PairedSums | None
    latency: tuple[LatencyStats, LatencyStats]
    timed: int
    guessed: int
    refused: dict[str, tuple[int, int]]
    nobody: tuple[int, int]
    unanswered: int
    evidence: dict[str, AttemptStats]
    chosen: dict[str, tuple[int, int]]
    lacks: dict[str, int]
    sources: dict[str, int]
    scores: Estimates
    omissions: tuple[tuple[str, int], ...]
    told: tuple[str, ...]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; money in USD, times in seconds, shares 0 to 1."""
        old, new = self.latency
        return {
            "policy": self.policy, "requests": self.requests, "since": self.since, "until": self.until,
            "changed": self.changed, "trials": self.trials, "cost_usd": _usd(self.cost),
            "quality": None if self.quality is None else self.quality.to_dict(),
            "latency_s": {
                "logged": old._asdict(), "replayed": new._asdict(), "requests": self.timed, "predicted": self.guessed,
            },
            "nobody": {"logged": self.nobody[0], "replayed": self.nobody[1]}, "unanswered_in_log": self.unanswered,
            "refused": {rule: {"logged": a, "replayed": b} for rule, (a, b) in self.refused.items()},
            "models": {
                model: {"logged": a, "replayed": b, **self.evidence[model]._asdict()}
                for model, (a, b) in self.chosen.items()
            },
            "lacks": self.lacks, "predicted_by": self.sources, "scores": self.scores.to_dict(),
            "moves": [move.to_dict() for move in self.moves], "left_out": dict(self.omissions), "told": list(self.told),
        }  # fmt: skip


def found(
    again: Sequence[ReplayedRequest], log: ReplayLog, decider: Decider, latencies: Latencies, told: Iterable[str] = ()
) -> Findings:  # fmt: skip
    """The figures of this replay of at least one request. `told`: further remarks."""
    changed = [each for each in again if each.changed]
    chosen = _chosen(again)
    times, timed, guessed = _times(again, decider, latencies)
    return Findings(
        decider.name, len(again), min(each.logged.began for each in again), max(each.logged.at for each in again),
        len(changed), sum(each.logged.trial for each in changed), tuple(_moves(changed)), _cost(again), _quality(again),
        times, timed, guessed, _refused(again), _nobody(again),
        sum(bool(each.logged.chosen) and not each.logged.model for each in again),
        {model: latencies.of(_in_log(model, decider)) for model in chosen}, chosen, _lacks(again, decider),
        dict(Counter(each.choice.source for each in again if each.choice.model)),
        estimates(samples(again, log.scores, decider)), tuple(log.omissions), tuple(told),
    )  # fmt: skip


def _in_log(model: str, decider: Decider) -> str:
    return decider.logged(model) or model


def old_name(each: ReplayedRequest) -> str:
    """The model that the log chose, by the decider's id, else by the log's."""
    return each.before or each.logged.chosen or NOBODY


def _moves(changed: Iterable[ReplayedRequest]) -> list[ModelSwitch]:
    groups: defaultdict[tuple[str, str], list[ReplayedRequest]] = defaultdict(list)
    for each in changed:
        groups[old_name(each), each.choice.model or NOBODY].append(each)
    ranked = sorted(groups.items(), key=lambda pair: (-len(pair[1]), pair[0]))
    return [_move(*names, members) for names, members in ranked]


def _move(old: str, new: str, members: Sequence[ReplayedRequest]) -> ModelSwitch:
    return ModelSwitch(
        old, new, len(members), sum(each.logged.trial for each in members), _cost(members), _quality(members),
        tuple(each.logged.id for each in members[:_IDS]), members[0].choice.reason,
    )  # fmt: skip


def _cost(again: Iterable[ReplayedRequest]) -> PairedSums | None:
    """The costs. A request that no model takes is left out, because refusing it would look cheap."""
    known = [
        (each.logged.cost_pico, each.cost_pico) for each in again
        if each.logged.cost_pico is not None and each.cost_pico is not None and each.choice.model and each.logged.chosen
    ]  # fmt: skip
    return PairedSums(sum(a for a, _ in known), sum(b for _, b in known), len(known)) if known else None


def _quality(again: Iterable[ReplayedRequest]) -> PairedSums | None:
    """Means."""
    known = [(a.quality_before, a.quality) for a in again if a.quality_before is not None and a.quality is not None]
    number = len(known)
    return PairedSums(sum(a for a, _ in known) / number, sum(b for _, b in known) / number, number) if known else None


def _usd(cost: PairedSums | None) -> dict[str, Any] | None:
    """Picodollars as USD."""
    if cost is None:
        return None
    return {"logged": cost.logged / 1e12, "replayed": cost.replayed / 1e12, "requests": cost.requests}


def _times(
    again: Sequence[ReplayedRequest], decider: Decider, latencies: Latencies
) -> tuple[tuple[LatencyStats, LatencyStats], int, int]:
    """Of answered requests; those that change take as long as the new model's answers in the log, else as predicted."""
    old, new, moved = Mixture(), Mixture(), Counter[str]()
    timed = guessed = 0
    for each in again:
        if not each.logged.model or each.latency_s is None:
            continue
        timed += 1
        old.add(each.logged.elapsed_s)
        model = _in_log(each.choice.model, decider)
        if each.changed and latencies.took(model):
            moved[model] += 1
        else:
            new.add(each.latency_s)
            guessed += each.changed
    for model, requests in moved.items():
        new.spread(latencies.took(model), requests)
    return (_told(old), _told(new)), timed, guessed


def _told(times: Mixture) -> LatencyStats:
    return LatencyStats(times.mean(), times.quantile(0.5), times.quantile(0.95))


def _refused(again: Iterable[ReplayedRequest]) -> dict[str, tuple[int, int]]:
    """By rule, requests for which no model was eligible; a request counts for each of its rules once."""
    old, new = Counter[str](), Counter[str]()
    for each in again:
        old.update({r.rule for r in each.logged.refusals} if not each.logged.chosen else ())
        new.update({r.rule for r in each.choice.refusals} if not each.choice.model else ())
    return {rule: (old[rule], new[rule]) for rule, _ in (old + new).most_common()}


def _nobody(again: Iterable[ReplayedRequest]) -> tuple[int, int]:
    pairs = [(not each.logged.chosen, not each.choice.model) for each in again]
    return sum(a for a, _ in pairs), sum(b for _, b in pairs)


def _chosen(again: Iterable[ReplayedRequest]) -> dict[str, tuple[int, int]]:
    """By model, how many requests had it first, in the log and now; the most now comes first."""
    old = Counter(old_name(each) for each in again if each.logged.chosen)
    new = Counter(each.choice.model for each in again if each.choice.model)
    names = sorted(old.keys() | new.keys(), key=lambda model: (-new[model], -old[model], model))
    return {model: (old[model], new[model]) for model in names}


def _lacks(again: Iterable[ReplayedRequest], decider: Decider) -> dict[str, int]:
    """The log's models that the decider has not, with how many requests had chosen each."""
    counts = Counter[str]()
    for each in again:
        for candidate in each.logged.candidates:
            if not decider.own(candidate.id):
                counts[candidate.id] += candidate.id == each.logged.chosen
    return dict(counts.most_common())


def too_few_answers(evidence: AttemptStats) -> bool:
    """Whether a model gave too few answers in the log to rely on their times."""
    return evidence.answers < FEW
