"""One request as the report needs it, small enough to be kept for a million of them, made from its record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, NamedTuple, TypeVar

Record = Mapping[str, Any]
T = TypeVar("T")
SOLVES = 0.8
"""The predicted chance of success that counts as "predicted to solve it", where no quality target is set."""
_LONGEST = 160  # characters of a text that are kept
_MOST_SHARED = 200_000  # values that are kept once for all requests


class AttemptRow(NamedTuple):
    """One attempt. Times in Unix seconds; `fault` is None for the one that answered, `ttft_s` of streams alone."""

    model: str
    start_s: float
    end_s: float
    ttft_s: float | None
    fault: str | None
    detail: str
    cost_pico: int
    fallback: bool


class Rivals(NamedTuple):
    """Other models that could have taken the request: eligible, not held back when it was planned, and not tried.

    `cheaper`, by what the plan expected of each; `good_enough`: one of them was predicted to solve it (its quality
    reaches that of the model used, or the quality target). `stronger`, by predicted quality; `solves`: one was
    predicted to solve it. None = there are no predictions.
    """

    cheaper: tuple[str, ...] = ()
    good_enough: bool | None = None
    stronger: tuple[str, ...] = ()
    solves: bool | None = None


class RequestRow(NamedTuple):
    """One request. `model` is None when none answered; `cost_pico` covers all its attempts.

    `start_s` in Unix seconds; `quality`: predicted of the model that answered; `refusals`: model and rule.
    """

    request_id: str
    start_s: float
    elapsed_s: float
    model: str | None
    fallback: bool
    reason: str
    policy: str
    tenant: str
    task: str
    chain: str
    tags: tuple[str, ...]
    input_tokens: int
    output_tokens: int
    cost_pico: int
    unpriced: bool
    tries: tuple[AttemptRow, ...]
    refusals: tuple[tuple[str, str], ...]
    rivals: Rivals
    quality: float | None

    @property
    def asked(self) -> str | None:
        """The model that answered, else the last one that was tried; None = nothing was sent."""
        return self.model if self.model is not None or not self.tries else self.tries[-1].model


def short(text: str) -> str:
    """The text, or its beginning with a mark, so that it differs from others with the same beginning."""
    if len(text) <= _LONGEST:
        return text
    mark = blake2b(text.encode("utf-8", "replace"), digest_size=4).hexdigest()
    return f"{text[: _LONGEST - 10]}…{mark}"


class RowParser:
    """Makes rows; equal names and tuples are kept once."""

    def __init__(self) -> None:
        self._shared: dict[Any, Any] = {}

    def row(self, record: Record) -> RequestRow:
        """From a record without a flaw (decision_log/record_validation.py)."""
        begun = float(record["at"]) - float(record["elapsed_s"])
        plan = record.get("plan") or {}
        tries = self._tries(record, begun)
        model, pico = record.get("model"), record.get("cost_pico")
        own = _candidate(plan, model)

        def word(name: str) -> str:
            return self._name(record.get(name) or "")

        return RequestRow(
            short(record["request_id"]), begun, float(record["elapsed_s"]),
            None if model is None else self._name(model), bool(record.get("fallback")),
            short(record.get("reason") or ""), word("policy"), word("tenant"),
            word("task") or self._name(plan.get("task") or ""), word("chain"),
            self._once(tuple(map(short, record.get("tags") or ()))), int(record.get("input_tokens") or 0),
            int(record.get("output_tokens") or 0), int(pico or 0), pico is None, tries, self._refusals(plan),
            self._once(_rivals(plan, own, {each.model for each in tries})),
            self._once(None if own is None else own.get("quality")),
        )  # fmt: skip

    def _tries(self, record: Record, begun: float) -> tuple[AttemptRow, ...]:
        attempts: Sequence[Record] = record["attempts"]
        first, streams = attempts[0]["model"] if attempts else None, bool(record.get("stream"))
        return tuple(self._try(each, begun, first, streams) for each in attempts)

    def _try(self, attempt: Record, begun: float, first: str | None, streams: bool) -> AttemptRow:
        start, fault = begun + float(attempt.get("started_s") or 0.0), attempt.get("fault")
        return AttemptRow(
            self._name(attempt["model"]), start, start + float(attempt.get("elapsed_s") or 0.0),
            attempt.get("ttft_s") if streams else None, None if fault is None else self._name(fault),
            short(attempt.get("detail") or ""), int(attempt.get("cost_pico") or 0), attempt["model"] != first,
        )  # fmt: skip

    def _refusals(self, plan: Record) -> tuple[tuple[str, str], ...]:
        refused = plan.get("refusals") or ()
        return self._once(tuple((short(r.get("model") or ""), short(r.get("rule") or "")) for r in refused))

    def _name(self, text: str) -> str:
        return self._once(short(text))

    def _once(self, value: T) -> T:
        if len(self._shared) > _MOST_SHARED:  # an endless number of names: a hostile log
            self._shared.clear()
        found: T = self._shared.setdefault(value, value)
        return found


def own_usd(candidate: Record) -> float | None:
    """What a plan expected of the model's own call, without that of others in case it fails; None = unknown."""
    cost = candidate.get("cost_usd")
    return None if cost is None else max(float(cost) - float(candidate.get("fallback_usd") or 0.0), 0.0)


def _candidate(plan: Record, model: object) -> Record | None:
    return next((each for each in plan.get("candidates") or () if each["id"] == model), None)


def _rivals(plan: Record, own: Record | None, tried: set[str]) -> Rivals:
    """Without the model that answered: what a plan's first candidate could have been replaced by."""
    every: Sequence[Record] = plan.get("candidates") or ()
    used = own or next(iter(every), None)
    if used is None:
        return Rivals()
    others = [e for e in every if e is not used and e["id"] not in tried and not e.get("held")]
    quality, cost = used.get("quality"), own_usd(used)
    wanted = (plan.get("settings") or {}).get("quality_target")
    cheaper = [e for e in others if cost is not None and (usd := own_usd(e)) is not None and usd < cost]
    if quality is None:
        return Rivals(_ids(cheaper))
    stronger = [e for e in others if (e.get("quality") or 0.0) > quality]
    enough, solving = (quality, SOLVES) if wanted is None else (min(quality, wanted), wanted)
    return Rivals(_ids(cheaper), _reach(cheaper, enough), _ids(stronger), _reach(stronger, solving))


def _ids(candidates: Sequence[Record]) -> tuple[str, ...]:
    return tuple(sorted(short(each["id"]) for each in candidates))


def _reach(candidates: Sequence[Record], quality: float) -> bool:
    return any((each.get("quality") or 0.0) >= quality for each in candidates)
