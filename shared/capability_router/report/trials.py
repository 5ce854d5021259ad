"""A canary beside the policy that it may replace, and a shadow beside the one that decided, from a decision log."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import chain
from typing import Any

from capability_router.amounts import count, counted, seconds
from capability_router.decision_log.reading import DecisionLog
from capability_router.decision_log.record_validation import score_rank, time_of
from capability_router.drawing.table import Table
from capability_router.stats.interval import LEAST, Difference, MeanEstimate, Value, between, mean, within

Record = Mapping[str, Any]
Figure = Callable[[Record], float | None]
_BOTH = (0.0, 1.0)  # Agresti and Caffo: one success and one failure more in each arm
_EITHER = (-1.0, 1.0)  # Bonett and Price: one pair more that differs, each way
HEAD = ("what", "now", "other", "requests", "difference", "95 % interval", "reads")


@dataclass(frozen=True, slots=True)
class ComparisonLine:
    """One figure of both: `now` of the policy in force, `other` of the one on trial, with what they were taken from."""

    name: str
    now: float
    other: float
    requests: tuple[int, int]
    sessions: tuple[int, int]
    difference: Difference

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe; money in USD, times in seconds, shares 0 to 1."""
        low, high = self.difference.low, self.difference.high
        return {
            "name": self.name, "now": self.now, "other": self.other, "requests": list(self.requests),
            "sessions": list(self.sessions), "difference": self.difference.value,
            "interval": None if low is None else [low, high], "reads": self.reads,
        }  # fmt: skip

    @property
    def reads(self) -> str:
        """What the interval says."""
        if self.difference.low is None:
            return f"too few: {min(self.sessions)} of {LEAST} sessions"
        if not self.difference.clear:
            return "no difference shown"
        return "higher" if self.difference.value > 0 else "lower"


@dataclass(frozen=True, slots=True)
class Comparison:
    """`kind`: canary or shadow. `told`: what is to be known beside the lines, in sentences; `facts`: its numbers."""

    kind: str
    now: str
    other: str
    method: str
    lines: tuple[ComparisonLine, ...]
    told: tuple[str, ...]
    facts: Mapping[str, Any]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        return {
            "kind": self.kind, "now": self.now, "other": self.other, "method": self.method, **self.facts,
            "lines": [line.to_dict() for line in self.lines], "told": list(self.told),
        }  # fmt: skip

    def table(self) -> Table:
        """For a person; differences are those of the other policy to the one in force."""
        return Table(*HEAD, rows=map(_row, self.lines), right=(1, 2, 3, 4), fold=(0, 6), spare=(3,))


def compared(log: DecisionLog) -> list[Comparison]:
    """A comparison for each canary and each shadow in the log, by the names of their policies."""
    scores = _scores(log.feedback)
    evaluated = _scores(row for row in log.feedback if row.get("source") == "evaluator"), _scores(log.shadow_scores)
    arms = [row for row in log.decisions if isinstance(row.get("canary"), bool)]
    beside = [row for row in log.decisions if isinstance(row.get("shadow"), Mapping)]
    made = {row["request_id"]: row for row in log.shadows}
    pairs = dict.fromkeys((_word(row, "policy"), _word(row["shadow"], "policy")) for row in beside)
    found = [_canary(arms, scores)] if arms else []
    for now, other in pairs:
        rows = [r for r in beside if (_word(r, "policy"), _word(r["shadow"], "policy")) == (now, other)]
        found.append(_shadow(rows, made, now, other, evaluated))
    return found


def _scores(rows: Iterable[Record]) -> dict[str, float]:
    """By request; the last one counts, wherever it stands, but an evaluator's never replaces a user's."""
    ordered = sorted(rows, key=lambda row: (score_rank(row), time_of(row)))
    found = ((row.get("request_id"), _number(row.get("score"))) for row in ordered)
    return {str(id): score for id, score in found if score is not None}


# -- a canary: two sets of sessions ---------------------------------------------------------------


def _canary(rows: Sequence[Record], scores: Mapping[str, float]) -> Comparison:
    arms = [[row for row in rows if row["canary"] is taken] for taken in (False, True)]
    own, other = ({_session(row) for row in arm} for arm in arms)
    sizes, sessions = [len(arm) for arm in arms], [len(own), len(other)]
    both, shares = len(own & other), _shares(rows)
    thumbs = {scores[row["request_id"]] for row in rows if row["request_id"] in scores} <= set(_BOTH)
    figures: list[tuple[str, Figure, tuple[float, ...]]] = [
        ("cost, USD", _cost, ()), ("latency of answers, s", _latency, ()), ("answered", _answered, _BOTH),
        ("score", lambda row: scores.get(row["request_id"]), _BOTH if thumbs else ()),  # a share, where it is 0 or 1
    ]  # fmt: skip
    lines = [_apart(name, arms, figure, pseudo) for name, figure, pseudo in figures]
    share = f"{counted(sizes[1], 'request')} of {counted(sum(sizes), 'request')} went to the canary"
    return Comparison(
        "canary", _names(arms[0]), _names(arms[1]), "Welch's t over sessions", tuple(filter(None, lines)),
        (f"{share}: {counted(sessions[1], 'session')} of {count(len(own | other))}.", *_changed(both, shares)),
        {"requests": sizes, "sessions": sessions, "in_both": both, "shares": shares},
    )  # fmt: skip


def _changed(both: int, shares: Sequence[float]) -> list[str]:
    """What makes the arms other than two random sets of sessions of the same time."""
    told = []
    if both:
        mixed = f"{counted(both, 'session')} had requests in both arms, because the canary's share or seed changed"
        told.append(f"{mixed}. The intervals take the arms for independent.")
    if len(shares) > 1:
        listed = ", ".join(f"{share:g}" for share in shares)
        told.append(
            f"The canary's share changed ({listed}), so the arms are of different times, too: what changed with time "
            "is in the differences. Compare a log with one share."
        )
    return told


def _shares(rows: Iterable[Record]) -> list[float]:
    found = (_number((row.get("basis") or {}).get("canary_share")) for row in rows)
    return sorted({share for share in found if share is not None})


def _apart(
    name: str, arms: Sequence[Sequence[Record]], figure: Figure, pseudo: tuple[float, ...]
) -> ComparisonLine | None:
    plain, widened = ([mean(_values(arm, figure), extra) for arm in arms] for extra in ((), pseudo))
    if plain[0] is None or plain[1] is None or widened[0] is None or widened[1] is None:
        return None
    found = between(widened[0], widened[1])._replace(value=plain[1].value - plain[0].value)
    return _line(name, plain[0], plain[1], found)


# -- a shadow: two figures of each request --------------------------------------------------------


Scores = Mapping[str, float]
"""Of answers, by request."""


def _shadow(
    rows: Sequence[Record], made: Mapping[str, Record], now: str, other: str, evaluated: tuple[Scores, Scores]
) -> Comparison:  # fmt: skip
    decided = [row for row in rows if row["shadow"].get("chosen") is not None]
    agreed = mean(((_session(r), float(not r["shadow"].get("differs"))) for r in decided), _BOTH)
    called = [row for row in decided if row["request_id"] in made]
    lines = [_paired(f"predicted {name}", decided, _planned(key), _shadowed(key)) for name, key in _PREDICTED]
    lines += [_paired(f"{name}, called", called, *_called(of, made), pseudo) for name, of, pseudo in _CALLED]
    own, others = (_score(scores) for scores in evaluated)
    told = [(a, b) for row in called if (a := own(row)) is not None and (b := others(row)) is not None]
    thumbs, both = set(chain.from_iterable(told)) <= set(_BOTH), len(told)
    lines.append(_paired("score, called", called, own, others, _EITHER if thumbs else ()))
    share, facts = _agreement(decided, agreed)
    failed = Counter(str(row["shadow"].get("error")) for row in rows if row["shadow"].get("chosen") is None)
    sentences = [share, f"The shadow was called for {counted(len(called), 'request')} where they differed."]
    sentences += [f"An evaluator scored both answers of {count(both)} of them."] * bool(both)
    if failed:
        without = counted(sum(failed.values()), "request")
        sentences.append(f"The shadow had no decision for {without}: {_listed(failed)}.")
    return Comparison(
        "shadow", now, other, "Student's t of paired differences over sessions", tuple(filter(None, lines)),
        tuple(sentences),
        {**facts, "requests": len(rows), "called": len(called), "scored": both, "failed": dict(failed)},
    )  # fmt: skip


_PREDICTED = (("cost, USD", "cost_usd"), ("quality", "quality"), ("latency, s", "latency_s"))


def _called(figure: Figure, made: Mapping[str, Record]) -> tuple[Figure, Figure]:
    """A figure of the request, and the same of the call that its shadow made."""
    return figure, lambda row: figure(made[row["request_id"]])


def _score(scores: Scores) -> Figure:
    return lambda row: scores.get(row["request_id"])


def _agreement(rows: Sequence[Record], found: MeanEstimate | None) -> tuple[str, dict[str, Any]]:
    if found is None:
        return "The shadow decided nothing.", {"agreement": None, "agreement_interval": None}
    same = sum(not row["shadow"].get("differs") for row in rows) / len(rows)
    span = within(found)
    low, high = max(span.low or 0.0, 0.0), min(span.high or 0.0, 1.0)
    few = span.low is None
    sure = f"too few for an interval: {found.sessions} of {LEAST} sessions" if few else f"{low:.1%} to {high:.1%}"
    sentence = f"Both chose the same model for {same:.1%} of {counted(len(rows), 'request')} ({sure})."
    return sentence, {"agreement": same, "agreement_interval": None if few else [low, high]}


def _paired(
    name: str, rows: Sequence[Record], now: Figure, other: Figure, pseudo: tuple[float, ...] = ()
) -> ComparisonLine | None:
    both = [(row, a, b) for row in rows if (a := now(row)) is not None and (b := other(row)) is not None]
    before, after = (mean((_session(row), pair[i]) for row, *pair in both) for i in (0, 1))
    apart = mean(((_session(row), b - a) for row, a, b in both), pseudo)
    if before is None or after is None or apart is None:
        return None
    return _line(name, before, after, within(apart)._replace(value=after.value - before.value))


def _planned(key: str) -> Figure:
    """A figure of the model that the router's own policy put first."""

    def figure(row: Record) -> float | None:
        first: Record = next(iter((row.get("plan") or {}).get("candidates") or ()), {})
        return _number(first.get(key))

    return figure


def _shadowed(key: str) -> Figure:
    return lambda row: _number(row["shadow"].get(key))


# -- figures of a record --------------------------------------------------------------------------


def _cost(row: Record) -> float | None:
    pico = _number(row.get("cost_pico"))
    return None if pico is None else pico / 1e12


def _latency(row: Record) -> float | None:
    return None if row.get("model") is None else _number(row.get("elapsed_s"))


def _answered(row: Record) -> float:
    return float(row.get("model") is not None)


_CALLED: tuple[tuple[str, Figure, tuple[float, ...]], ...] = (
    ("cost, USD", _cost, ()), ("latency, s", _latency, ()), ("answered", _answered, _EITHER),
)  # fmt: skip


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, (int, float)) and not isinstance(value, bool) else None


def _values(rows: Iterable[Record], figure: Figure) -> list[Value]:
    return [(_session(row), value) for row in rows if (value := figure(row)) is not None]


def _session(row: Record) -> str:
    """A request without a session is one of its own."""
    session = _word(row, "session")
    return f"session {session}" if session else f"request {row['request_id']}"


def _word(row: Record, name: str) -> str:
    return str(row.get(name) or "")


def _names(rows: Iterable[Record]) -> str:
    return ", ".join(dict.fromkeys(_word(row, "policy") for row in rows)) or "nobody"


# -- words ----------------------------------------------------------------------------------------


def _line(name: str, now: MeanEstimate, other: MeanEstimate, found: Difference) -> ComparisonLine:
    return ComparisonLine(
        name, now.value, other.value, (now.requests, other.requests), (now.sessions, other.sessions), found
    )


def _row(line: ComparisonLine) -> tuple[str, ...]:
    spelt = _spelling(line.name)
    low, high = line.difference.low, line.difference.high
    span = "–" if low is None or high is None else f"{spelt(low)} to {spelt(high)}"
    sizes = " / ".join(map(count, dict.fromkeys(line.requests)))
    return line.name, spelt(line.now), spelt(line.other), sizes, spelt(line.difference.value), span, line.reads


def _spelling(name: str) -> Callable[[float], str]:
    if "cost" in name:
        return lambda usd: f"{usd:.4g}"
    if "latency" in name:
        return lambda s: f"-{seconds(-s)}" if s < 0 else seconds(s)
    return lambda share: f"{share:.3f}"


def _listed(failed: Counter[str]) -> str:
    return ", ".join(f"{n} × {error}" for error, n in failed.most_common())
