"""Decision logs: a decision, the feedback that came for it, and the score of its shadow's answer."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Set
from functools import partial
from typing import Any, NamedTuple

from capability_router.decision_log.latest_per_request import LatestPerRequest
from capability_router.decision_log.reading import DecisionLogReader
from capability_router.decision_log.record_validation import KINDS, score_rank, time_of
from capability_router.learning.implicit_signs import SignCounts
from capability_router.learning.logs.logged_features import LoggedFeatures, terms_of, without_text
from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.propensities import (
    ShadowChoice,
    Shadowed,
    add_shadows,
    propensities_of,
    shadow_choice_of,
)
from capability_router.learning.logs.scored_request import MOST_HELD, TOO_MANY, ScoredAnswer, ScoredRequest, hold
from capability_router.learning.logs.sign_records import SignRecords
from capability_router.learning.logs.sketch_json import sketched
from capability_router.learning.logs.values import name_of, number_of, tokens_of, usd_of
from capability_router.learning.quality.repeats import text_key


def is_one(item: Mapping[str, Any]) -> bool:
    """Whether an item is of a decision log."""
    kind = item.get("kind")
    return isinstance(kind, str) and kind in KINDS and ("schema_version" in item or "request_id" in item)


SAME_ID = "decisions with the id of another router's"
"""A score names a request by its id alone, so only the last one is learned from."""
_Take = Callable[[str, Mapping[str, Any]], None]


class _Decided(NamedTuple):
    """`model`: it answered, and its answer has no score yet. `chosen`: the model that was to be asked first."""

    row: ScoredRequest
    model: str
    answer: ScoredAnswer
    chosen: str
    rival: ShadowChoice | None


class DecisionRows:
    """Decisions, feedback, shadows' calls and their scores, implicit signs: in any order, from any number of files."""

    def __init__(self, omissions: Omissions) -> None:
        self._omissions = omissions
        self._reading = DecisionLogReader(omissions.counts)
        self._rows: dict[str, _Decided] = {}
        self._scores, self._shadow_scores = LatestPerRequest[float](MOST_HELD), LatestPerRequest[float](MOST_HELD)
        self._shadows: dict[
            str, tuple[str, str, ScoredAnswer]
        ] = {}  # a shadow's id -> its request, who answered, and what
        self._signed = SignRecords(omissions)
        self._takes: dict[str, _Take] = {
            "decision": self._decision, "feedback": partial(self._score, self._scores), "shadow": self._shadow,
            "shadow_score": self._shadow_score, "sign": self._signed.take,
        }  # fmt: skip

    def take(self, item: Mapping[str, Any]) -> None:
        """One record; a health record is of a model, not of a request, and teaches nothing."""
        record = self._reading.taken(item)
        if record is not None and record["kind"] in self._takes:
            self._takes[record["kind"]](name_of(record["request_id"]), record)

    def _score(self, scores: LatestPerRequest[float], id: str, item: Mapping[str, Any]) -> None:
        self._omissions.note(TOO_MANY, scores.take(id, time_of(item), float(item["score"]), score_rank(item)))

    def _shadow_score(self, _: str, item: Mapping[str, Any]) -> None:
        self._score(self._shadow_scores, name_of(item.get("shadow_id")), item)

    def _shadow(self, id: str, item: Mapping[str, Any]) -> None:
        model, own = name_of(item.get("model")), name_of(item.get("shadow_id"))
        if not model or not own:
            self._omissions.note("calls of shadows without an answer")
            return
        pico = number_of(item.get("cost_pico"))
        answer = ScoredAnswer(0.0, _tokens(item), None if pico is None else usd_of(pico / 1e12))
        self._omissions.note(TOO_MANY, hold(self._shadows, own, (id, model, answer)))

    def _decision(self, id: str, item: Mapping[str, Any]) -> None:
        self._signed.decided(id, item.get("attempts"))
        model, plan = name_of(item.get("model")), item.get("plan")
        if not model:
            self._omissions.note("decisions without an answer")
            return
        told: Mapping[str, Any] = plan if isinstance(plan, Mapping) else {}
        seen, kind = _seen(item, told), name_of(told.get("task"))
        chances = propensities_of(item, told, model)
        router = name_of(item.get("router"))
        row = ScoredRequest(id, router, seen.sketch, seen.size, seen.worded, kind, chances, text=seen.text)
        answer = ScoredAnswer(0.0, _tokens(item), usd_of(item.get("cost_usd")))
        decided = _Decided(row, model, answer, name_of(told.get("chosen")), shadow_choice_of(item))
        self._omissions.note(SAME_ID, id in self._rows)
        self._omissions.note(TOO_MANY, hold(self._rows, id, decided))

    def rows(self, elsewhere: Set[str] = frozenset()) -> Iterator[ScoredRequest]:
        """The decisions that were scored, or whose shadow's answers were. `elsewhere`: scored by other logs."""
        beside, scores = self._scored_shadows(), self._scores.held
        for id, (row, model, answer, *_) in self._rows.items():
            row.answers.update(beside.get(id, {}))
            if (score := scores.get(id)) is not None:
                row.answers[model] = answer._replace(score=score)
            if row.answers:
                yield row
        scored = scores.keys() | beside.keys()
        self._omissions.note("decisions without feedback", len(self._rows.keys() - scored - elsewhere))
        self._omissions.note("feedback without a decision", len(scores.keys() - self._rows.keys()))
        self._omissions.note("scores of shadows' answers without a decision", len(beside.keys() - self._rows.keys()))

    def complete(self, scored: Mapping[str, ScoredRequest]) -> None:
        """Add to scored requests of all logs, by id, what the decisions tell beside scores."""
        known = [(scored[id], decided) for id, decided in self._rows.items() if id in scored]
        for row, decided in known:
            if row is not decided.row:
                _fill(row, decided)
        add_shadows([Shadowed(row, decided.chosen, decided.rival) for row, decided in known if decided.rival])

    def signs(self) -> dict[str, SignCounts]:
        """By model, what implicit signs came to; empty where there were none."""
        return self._signed.counted({id: self._rows[id].model for id in self._scores.held.keys() & self._rows.keys()})

    def _scored_shadows(self) -> dict[str, dict[str, ScoredAnswer]]:
        """By request and model, the answers of shadows that were scored."""
        found: dict[str, dict[str, ScoredAnswer]] = {}
        for own, (id, model, answer) in self._shadows.items():
            if (score := self._shadow_scores.held.get(own)) is not None:
                found.setdefault(id, {})[model] = answer._replace(score=score)
            else:
                self._omissions.note("calls of shadows that nobody scored")
        lost = len(self._shadow_scores.held.keys() - self._shadows.keys())
        self._omissions.note("scores of shadows' calls that are not there", lost)
        return found


def _fill(row: ScoredRequest, decided: _Decided) -> None:
    """What another log lacks of this request. If it scores another model than the one that answered, no chances."""
    told, answer = decided.row, row.answers.get(decided.model)
    row.group, row.kind = row.group or told.group, row.kind or told.kind
    if told.worded and not row.worded:
        row.sketch, row.size, row.worded, row.text = told.sketch, told.size, True, told.text
    if answer is not None:
        row.chances = row.chances or told.chances
        tokens = decided.answer.tokens if answer.tokens is None else answer.tokens
        usd = decided.answer.cost_usd if answer.cost_usd is None else answer.cost_usd
        row.answers[decided.model] = answer._replace(tokens=tokens, cost_usd=usd)


def _tokens(item: Mapping[str, Any]) -> int | None:
    """Of an answer that was not cut off."""
    return None if item.get("finish") == "length" else tokens_of(item.get("output_tokens"))


def _seen(item: Mapping[str, Any], plan: Mapping[str, Any]) -> LoggedFeatures:
    size = number_of(plan.get("input_tokens")) or number_of(item.get("input_tokens")) or 0.0
    found = sketched(item.get("traits"))
    if found is not None:
        return LoggedFeatures(found, size, True, text_key(found))
    needs = plan.get("needs")
    return without_text(terms_of(item), min(size, 1e7), needs if isinstance(needs, list) else ())
