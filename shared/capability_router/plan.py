"""A plan: the candidates in the order in which they will be tried, and why each other model was refused.

A plan is a value. The same registry, request, health, learner state and seed give the same bytes,
so a recorded decision can be replayed and compared.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from typing import Any, NamedTuple

from capability_router.drawing.table import Table, data_frame, folded, printable
from capability_router.eligibility import Refusal
from capability_router.errors import NoEligibleModel
from capability_router.frozen_value import fast_frozen

SCHEMA_VERSION = 1


class _Fields(NamedTuple):
    id: str
    provider: str
    model: str
    score: float
    quality: float | None
    cost_pico: int | None
    latency_s: float | None
    queue_s: float
    terms: Sequence[tuple[str, float]]
    held: str
    window: int | None
    fallback_pico: int = 0
    input_tokens: int = 0
    scale: float = 1.0
    answers: int = 1


class Candidate(_Fields):
    """One model that may be tried. Costs in picodollars, times in seconds, quality 0 to 1.

    `fallback_pico`: the part of `cost_pico` that pays for other models, in case this one fails as often as lately.
    `terms`: the summands of `score`, found when they are read. `held`: why it can't be used just now ("" = it can);
    held candidates rank last and are tried only when the others have failed. `input_tokens`: an estimate in this
    model's own tokens, with the learned factor `scale` in it. `answers`: how many answers it gives at once.
    """

    __slots__ = ()

    @property
    def terms(self) -> tuple[tuple[str, float], ...]:
        """The summands by name; a real tuple, also where a decision has left them to whoever reads them."""
        return tuple(super().terms)

    def _asdict(self) -> dict[str, Any]:
        """The fields by name, as of any named tuple."""
        return {**super()._asdict(), "terms": self.terms}

    @property
    def cost_usd(self) -> float | None:
        """Expected cost in USD, including other models in case this one fails; None = unknown."""
        return None if self.cost_pico is None else self.cost_pico / 1e12

    @property
    def queue(self) -> float:
        """Expected seconds in the queue: `queue_s`, under the name that policies use."""
        return self.queue_s

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, rounded so that equal decisions give equal bytes."""
        return {
            "id": self.id, "provider": self.provider, "model": self.model, "score": round(self.score, 6),
            "quality": _round(self.quality), "cost_usd": _round(self.cost_usd, 9),
            "fallback_usd": round(self.fallback_pico / 1e12, 9),
            "latency_s": _round(self.latency_s), "queue_s": round(self.queue_s, 6),
            "terms": {name: round(value, 6) for name, value in self.terms}, "held": self.held,
        }  # fmt: skip


@fast_frozen
@dataclass(frozen=True, slots=True)
class Plan:
    """A decision before anything is sent. `candidates` are ranked, best first.

    Candidates, `notes` and `settings` may be built lazily, when they are read.

    `input_tokens`: before any correction for a model. `output_tokens`: of one answer. `bucket`: the kind of text, if
    token counts are to be learned from it. `canary`: whether the canary decided; None = there is none, or the request
    is pinned. `screen`: the labels that a screen found. `hardness`: how hard the request looks, -0.15 to 0.15.
    `chances`: where chance decides, each model's of being first. `second`: by how much a second of waiting lowers a
    score; 0 = no full model is waited for while another is free.
    """

    request_id: str
    policy: str
    candidates: Sequence[Candidate]
    refusals: tuple[Refusal, ...]
    reason: str
    input_tokens: int
    output_tokens: int
    task: str
    needs: tuple[str, ...]
    notes: Sequence[str] = ()
    settings: Sequence[tuple[str, float]] = ()
    propensity: float = 1.0
    bucket: str = ""
    canary: bool | None = None
    screen: tuple[str, ...] = ()
    hardness: float = 0.0
    chances: tuple[tuple[str, float], ...] = ()
    second: float = 0.0

    @property
    def chosen(self) -> Candidate:
        """The first candidate; raises NoEligibleModel when there is none."""
        if not self.candidates:
            raise NoEligibleModel(self.refusals)
        return self.candidates[0]

    def to_dict(self) -> dict[str, Any]:
        """JSON-safe, complete, stable in order."""
        return {
            "schema_version": SCHEMA_VERSION, "request_id": self.request_id, "policy": self.policy,
            "chosen": self.candidates[0].id if self.candidates else None, "reason": self.reason,
            "input_tokens": self.input_tokens, "output_tokens": self.output_tokens, "task": self.task,
            "hardness": round(self.hardness, 6), "bucket": self.bucket,
            "needs": list(self.needs), "settings": dict(self.settings), "propensity": self.propensity,
            "candidates": [c.to_dict() for c in self.candidates],
            "refusals": [r._asdict() for r in self.refusals], "notes": list(self.notes),
            **({} if self.canary is None else {"canary": self.canary}),
            **({"chances": dict(self.chances)} if self.chances else {}),
        }  # fmt: skip

    def to_json(self) -> str:
        """JSON in one line; equal plans give equal text."""
        return json.dumps(self.to_dict(), sort_keys=True, separators=(",", ":"))

    def to_pandas(self) -> Any:
        """The candidates as a DataFrame, best first: `rank`, the fields of `to_dict`, a column per term of the score.

        Raises ImportError without pandas. If no model is eligible, there are columns and no rows.
        """
        return data_frame([_flat(rank, each.to_dict()) for rank, each in enumerate(self.candidates, 1)], _COLUMNS)

    def _repr_html_(self) -> str:
        """What `render` shows, for notebooks."""
        head, size = _head(self)
        ranking = _ranking(self.candidates, terms=True)._repr_html_() if self.candidates else ""
        named = Table("not eligible", "rule", "why", rows=self.refusals)
        refused = named._repr_html_() if self.refusals else ""
        notes = "".join(f"<div>note: {escape(printable(note))}</div>" for note in self.notes)
        told = f"<div><b>{escape(printable(head))}</b></div><div>{escape(printable(size))}</div>"
        return f"<div>{told}{ranking}{refused}{notes}</div>"

    def render(self, width: int | None = None, *, terms: bool = True) -> str:
        """The ranking as a text table, then why each other model was refused; at most `width` characters a line.

        `terms`: add the terms of each score but the first as remarks.
        """
        ranking = ["", *_ranking(self.candidates, terms).lines(width)] if self.candidates else []
        above, below = ([line for text in told for line in folded(text, width)] for told in (_head(self), _tail(self)))
        return "\n".join([*above, *ranking, *below])


def _round(value: float | None, digits: int = 6) -> float | None:
    return None if value is None else round(value, digits)


_COLUMNS = (
    "rank", "id", "provider", "model", "score", "quality", "cost_usd", "fallback_usd", "latency_s", "queue_s", "held",
)  # fmt: skip


def _flat(rank: int, candidate: Mapping[str, Any]) -> dict[str, Any]:
    """One row: terms of the score become columns of their own."""
    plain = {name: value for name, value in candidate.items() if name != "terms"}
    return {"rank": rank, **plain, **{f"term_{name}": value for name, value in candidate["terms"].items()}}


def _head(plan: Plan) -> tuple[str, str]:
    needs = f", needs {', '.join(plan.needs)}" if plan.needs else ""
    size = f"{plan.input_tokens:,} input tokens, about {plan.output_tokens:,} out{needs}"
    chosen = f"{plan.candidates[0].id}  ({plan.policy}: {plan.reason})" if plan.candidates else plan.reason
    return chosen, f"{size}, task {plan.task}"


def _ranking(candidates: Sequence[Candidate], terms: bool) -> Table:
    head = ("", "model", "score", "quality", "cost", "latency", "queue", "remark")
    return Table(*head, rows=(_row(i, c, terms) for i, c in enumerate(candidates, 1)), fold=(1, 7), spare=(6, 2))


def _row(rank: int, c: Candidate, terms: bool) -> tuple[str, ...]:
    return (
        str(rank), c.id, _figure(c.score), "?" if c.quality is None else f"{c.quality:.3f}",
        "?" if c.cost_usd is None else f"${c.cost_usd:.6f}",
        "?" if c.latency_s is None else f"{c.latency_s:.2f} s", f"{c.queue_s:.2f} s",
        c.held or ("chosen" if rank == 1 else _terms(c) if terms else ""),
    )  # fmt: skip


def _figure(score: float) -> str:
    """Four significant figures, enough to tell scores in USD apart; never -0."""
    return f"{score + 0.0:.4g}" if 0 < abs(score) < 0.1 else f"{score + 0.0:.4f}"


def _terms(c: Candidate) -> str:
    return " ".join(f"{name} {_figure(value)}" for name, value in c.terms)


def _tail(plan: Plan) -> list[str]:
    lines = ["", "not eligible:"] if plan.refusals else []
    lines += [f"  {r.model}: {r.rule}: {r.detail}" for r in plan.refusals]
    return lines + [f"note: {note}" for note in plan.notes]
