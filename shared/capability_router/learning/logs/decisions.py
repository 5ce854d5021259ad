"""Decision logs: a decision and the feedback that came for it, joined by the request's id."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.row import (
    TOO_MANY,
    Answer,
    Row,
    hold,
    name_of,
    number_of,
    score_of,
    tokens_of,
    usd_of,
)
from capability_router.learning.logs.seen import Seen, terms_of, without_text
from capability_router.learning.logs.sketched import sketched

SCHEMA_VERSION = 1  # of decision records; telemetry/records.py writes them


def is_one(item: Mapping[str, Any]) -> bool:
    """Whether an item is of a decision log."""
    kind = item.get("kind")
    return isinstance(kind, str) and kind in _KINDS and ("request_id" in item or kind == _HEALTH)


_HEALTH = "health"  # of a model, not of a request
_LEFT_OUT = {
    "shadow": "calls of shadows, which nobody scored", "shadow_score": "scores of shadows' calls",
    "sign": "implicit signs, which are no scores",
}  # fmt: skip
_KINDS = ("decision", "feedback", _HEALTH, *_LEFT_OUT)


class Decisions:
    """Decisions and feedback, in any order and from any number of files."""

    def __init__(self, omissions: Omissions) -> None:
        self._omissions = omissions
        self._rows: dict[str, tuple[Row, str, Answer]] = {}
        self._scores: dict[str, tuple[float, float]] = {}  # when, what: the last one counts

    def take(self, item: Mapping[str, Any]) -> None:
        """One record."""
        version, id = item.get("schema_version"), name_of(item.get("request_id"))
        if version != SCHEMA_VERSION or isinstance(version, bool):
            self._omissions.note(f"records of another version ({name_of(version) or 'none'})")
        elif item["kind"] == _HEALTH:
            self._omissions.note("changes of models' health")
        elif not id:
            self._omissions.note("records without a request_id")
        elif item["kind"] in _LEFT_OUT:
            self._omissions.note(_LEFT_OUT[item["kind"]])
        elif item["kind"] == "feedback":
            self._feedback(id, item)
        else:
            self._decision(id, item)

    def _feedback(self, id: str, item: Mapping[str, Any]) -> None:
        score, at = score_of(item.get("score")), number_of(item.get("at")) or 0.0
        if score is None:
            self._omissions.note("scores that are no number from 0 to 1")
        elif at >= self._scores.get(id, (0.0, 0.0))[0]:
            self._omissions.note(TOO_MANY, hold(self._scores, id, (at, score)))

    def _decision(self, id: str, item: Mapping[str, Any]) -> None:
        model, plan = name_of(item.get("model")), item.get("plan")
        if not model:
            self._omissions.note("decisions without an answer")
            return
        told: Mapping[str, Any] = plan if isinstance(plan, Mapping) else {}
        seen, kind = _seen(item, told), name_of(told.get("task"))
        chance = number_of(told.get("propensity")) if told.get("chosen") == model else None  # else of whom failed
        row = Row(id, name_of(item.get("router")), seen.sketch, seen.size, seen.worded, kind, chance)
        cut = item.get("finish") == "length"
        tokens = None if cut else tokens_of(item.get("output_tokens"))
        decided = (row, model, Answer(0.0, tokens, usd_of(item.get("cost_usd"))))
        self._omissions.note(TOO_MANY, hold(self._rows, id, decided))

    def rows(self) -> Iterator[Row]:
        """The decisions that were scored."""
        for id, (row, model, answer) in self._rows.items():
            if (found := self._scores.get(id)) is not None:
                row.answers[model] = answer._replace(score=found[1])
                yield row
        self._omissions.note("decisions without feedback", len(self._rows.keys() - self._scores.keys()))
        self._omissions.note("feedback without a decision", len(self._scores.keys() - self._rows.keys()))


def _seen(item: Mapping[str, Any], plan: Mapping[str, Any]) -> Seen:
    size = number_of(plan.get("input_tokens")) or number_of(item.get("input_tokens")) or 0.0
    found = sketched(item.get("traits"))
    if found is not None:
        return Seen(found, size, True)
    needs = plan.get("needs")
    return without_text(terms_of(item), min(size, 1e7), needs if isinstance(needs, list) else ())
