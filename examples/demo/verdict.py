"""Was a request answered right? Judged by the providers' own log, and exactly where only one answer is right."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from capability_router.decision_log.reading import read_log
from capability_router.simulator import LogRow
from capability_router.stats.percentile import percentile
from examples.demo.arm import Arm, Result

_NEAR_S = 2.0


@dataclass(frozen=True)
class Verdict:
    """One request of the workload: `right` when every call behind it was."""

    result: Result
    decisions: Sequence[Mapping[str, Any]]
    right: bool
    why: str = ""


@dataclass(frozen=True)
class Score:
    """One arm in figures. Money in picodollars.

    `booked_pico` is the ledger without what it had to estimate, `billed_pico` the bills of the answers that
    arrived whole, `cut_pico` the bills of answers that broke off, of whose tokens no one told the router.
    """

    name: str
    verdicts: Sequence[Verdict]
    cost_pico: int
    booked_pico: int
    billed_pico: int
    cut_pico: int
    tokens: int
    p50_s: float
    p95_s: float

    @property
    def right(self) -> int:
        """Requests answered right."""
        return sum(v.right for v in self.verdicts)

    @property
    def answered(self) -> int:
        """Requests answered at all."""
        return sum(v.result.error is None for v in self.verdicts)


def score(arm: Arm) -> Score:
    """Judge an arm's run."""
    decisions = read_log(arm.log).decisions
    correct = _correctness(decisions, arm.fleet.log(), arm.unix_at_start)
    by_item: dict[str, list[Mapping[str, Any]]] = {}
    for decision in decisions:
        by_item.setdefault(str(decision["session"]), []).append(decision)
    verdicts = [_verdict(result, by_item.get(result.item.id, []), correct) for result in arm.results]
    total, bills = arm.router.ledger.total(), arm.fleet.bills()
    waited = [r.elapsed_s for r in arm.results if r.error is None]
    return Score(
        arm.name, verdicts, _pico(total.cost_usd), _pico(total.cost_usd - total.estimated_usd),
        sum(b.cost_pico for b in bills if b.complete), sum(b.cost_pico for b in bills if not b.complete),
        total.input_tokens + total.output_tokens, percentile(waited, 0.5) or 0.0, percentile(waited, 0.95) or 0.0,
    )  # fmt: skip


def _pico(amount: Decimal) -> int:
    return int(amount.scaleb(12))


def _verdict(result: Result, decisions: Sequence[Mapping[str, Any]], correct: Mapping[str, bool]) -> Verdict:
    if result.error is not None:
        return Verdict(result, decisions, False, f"{type(result.error).__name__}: {result.error}")
    wrong = [d["model"] for d in decisions if not correct.get(d["request_id"])]
    if wrong:
        return Verdict(result, decisions, False, f"{wrong[0]} did not know")
    right = result.item.right is None or result.item.right(result.answer)
    return Verdict(result, decisions, right, "" if right else f"not the right answer: {str(result.answer)[:80]}")


def _correctness(decisions: Sequence[Mapping[str, Any]], rows: Sequence[LogRow], began: float) -> dict[str, bool]:
    """Whether each decision's answer was right: its provider's row has the same model and tokens and ended nearest."""
    free: dict[tuple[Any, ...], list[LogRow]] = {}
    for row in rows:
        if row.complete:
            key = (f"{row.provider}/{row.model}", row.usage.input_tokens, row.usage.output_tokens)
            free.setdefault(key, []).append(row)
    found: dict[str, bool] = {}
    for decision in decisions:
        nearest = _nearest(free, decision, began)
        if nearest is not None:
            found[decision["request_id"]] = bool(nearest.correct)
    return found


def _nearest(
    free: Mapping[tuple[Any, ...], list[LogRow]], decision: Mapping[str, Any], began: float
) -> LogRow | None:  # fmt: skip
    last = decision["attempts"][-1] if decision["attempts"] else {}
    rows = free.get((decision["model"], last.get("input_tokens"), last.get("output_tokens")), [])
    ended = decision["at"] - began
    rows.sort(key=lambda row: abs(row.ended_s - ended))
    return rows.pop(0) if rows and abs(rows[0].ended_s - ended) < _NEAR_S else None
