"""What a rehearsal is expected to show: 'success>=99.5%,p95<=3s', judged for an exit code."""

from __future__ import annotations

import math
import operator
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from capability_router.errors import ConfigError
from capability_router.nearest import nearest
from capability_router.rehearsal.episode import Episode
from capability_router.rehearsal.summary import RunSummary
from capability_router.stats.percentile import percentile

_TERM = re.compile(
    r"\s*(?P<name>[\w-]+)\s*(?P<sign>>=|<=|==|=|>|<)\s*(?P<dollar>\$?)(?P<number>[\d.]+)\s*(?P<unit>\S*)\s*"
)
_SIGNS: Mapping[str, Callable[[float, float], bool]] = {
    ">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt, "=": operator.eq, "==": operator.eq,
}  # fmt: skip
_UNITS = {"share": {"%": 0.01, "": 1.0}, "time": {"s": 1.0, "ms": 0.001, "m": 60.0}, "count": {"": 1.0},
          "money": {"": 1.0, "usd": 1.0, "$": 1.0}}  # fmt: skip
Seen = Callable[[RunSummary, Sequence[Episode]], float | None]


class Metric(NamedTuple):
    """`sort`: of _UNITS. `seen`: its value; None = nothing to measure it by. `words`: what it is."""

    sort: str
    seen: Seen
    words: str


def _latency(found: RunSummary, share: float) -> float | None:
    """Infinite where there were requests, and none was answered."""
    return found.latency_s(share) if found.latencies or not found.whole.requests else math.inf


def _during(found: RunSummary) -> float | None:
    return percentile(found.slow, 0.95) if found.slow or not found.during.requests else math.inf


def _longest(times: Sequence[float | None], missing: bool) -> float | None:
    known = [t for t in times if t is not None]
    return math.inf if missing else max(known, default=None)


METRICS: Mapping[str, Metric] = {
    "success": Metric("share", lambda s, _: s.whole.success, "requests with a whole answer"),
    "success-during": Metric("share", lambda s, _: s.during.success, "the same, in the faults' time"),
    "success-outside": Metric("share", lambda s, _: s.outside.success, "the same, outside of it"),
    "p50": Metric("time", lambda s, _: _latency(s, 0.5), "latency that half of the answers stay within"),
    "p95": Metric("time", lambda s, _: _latency(s, 0.95), "that 95 % stay within"),
    "p99": Metric("time", lambda s, _: _latency(s, 0.99), "that 99 % stay within"),
    "p95-during": Metric("time", lambda s, _: _during(s), "that 95 % stay within, in the faults' time"),
    "longest": Metric("time", lambda s, _: s.longest_s, "the longest request, answered or not"),
    "lost": Metric("count", lambda s, _: s.whole.requests - s.whole.answered, "requests without a whole answer"),
    "fallbacks": Metric(
        "share", lambda s, _: s.fallbacks / s.whole.requests if s.whole.requests else None,
        "requests that another model answered than was tried first",
    ),
    "failed-calls": Metric("count", lambda s, _: s.failed_calls, "calls that failed"),
    "cost": Metric("money", lambda s, _: s.cost_pico / 1e12, "USD in all"),
    "left": Metric(
        "time", lambda _, all: _longest([e.left_s for e in all], any(e.failed and e.left_s is None for e in all)),
        "until a failing model was left alone, the slowest",
    ),
    "back": Metric(
        "time", lambda _, all: _longest([e.back_s for e in all], any(e.over and e.away for e in all)),
        "until a model answered again after its fault, the slowest",
    ),
}  # fmt: skip
"""What can be expected."""


class Expectation(NamedTuple):
    """One expectation as it was written."""

    text: str
    name: str
    sign: str
    bound: float


class ExpectationResult(NamedTuple):
    """An expectation and what was seen; None = there was nothing to see, which is no failure."""

    text: str
    seen: float | None
    sort: str
    met: bool

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe."""
        known = self.seen is not None and math.isfinite(self.seen)
        return {"expected": self.text, "seen": round(self.seen or 0.0, 6) if known else None, "met": self.met}


def parse_terms(written: str) -> list[Expectation]:
    """'success>=99.5%,p95<=3s' -> its terms; ConfigError names what is no metric, sign or unit."""
    return [_term(part) for part in written.split(",") if part.strip()]


def _term(part: str) -> Expectation:
    found = _TERM.fullmatch(part)
    if found is None:
        raise ConfigError(
            f"expect: cannot read {part.strip()!r}; write a metric, a sign and a bound, such as success>=99.5% or "
            f"p95<=3s; metrics: {', '.join(METRICS)}"
        )
    name = found["name"].lower().replace("_", "-")
    if name not in METRICS:
        raise ConfigError(f"expect: unknown metric {found['name']!r}{nearest(name, METRICS)}")
    units = _UNITS[METRICS[name].sort]
    unit = found["unit"].lower() or ("$" if found["dollar"] else "")
    if unit not in units or (found["dollar"] and METRICS[name].sort != "money"):
        kinds = " or ".join(filter(None, units)) or "no unit"
        raise ConfigError(f"expect: {part.strip()!r}: {name} is written with {kinds}")
    try:
        bound = float(found["number"]) * units[unit]
    except ValueError:
        raise ConfigError(f"expect: {part.strip()!r}: {found['number']!r} is no number") from None
    if METRICS[name].sort == "share" and bound > 1:
        raise ConfigError(f"expect: {part.strip()!r}: a share is at most 100% (write 99.5% or 0.995)")
    return Expectation(part.strip(), name, found["sign"], bound)


def judged(terms: Sequence[Expectation], summary: RunSummary, seen: Sequence[Episode]) -> list[ExpectationResult]:
    """Each expectation against what was seen."""
    return [_judged(term, METRICS[term.name].seen(summary, seen)) for term in terms]


def _judged(term: Expectation, value: float | None) -> ExpectationResult:
    met = value is None or _SIGNS[term.sign](round(value, 9), round(term.bound, 9))
    return ExpectationResult(term.text, value, METRICS[term.name].sort, met)
