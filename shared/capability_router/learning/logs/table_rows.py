"""Tables of outcomes: a line per request with all its outcomes (JSONL), or a line per answer (CSV, TSV, Parquet)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from capability_router.learning.logs.logged_features import LoggedFeatures, terms_of, texts_of, with_text, without_text
from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.sample import AGAIN, HashSample
from capability_router.learning.logs.scored_request import ScoredAnswer, ScoredRequest
from capability_router.learning.logs.values import UNSCORED, name_of, score_of, tokens_of, unusable_cost, usd_of

NEEDED = ("model", "score")
"""Columns without which a table teaches nothing."""


def is_one(item: Mapping[str, Any]) -> bool:
    """Whether an item is a request with its outcomes, or one answer."""
    return isinstance(item.get("outcomes"), Mapping) or all(name in item for name in NEEDED)


class TableRows:
    """Requests with outcomes; what comes again under the same id joins."""

    def __init__(self, omissions: Omissions, sample: HashSample) -> None:
        self._omissions, self._sample = omissions, sample
        self._lines = 0
        self._rows: dict[str, ScoredRequest] = {}
        self._texts: dict[str, int] = {}  # by id, a hash
        self._times: dict[tuple[str, str], int] = {}  # how often a text was put to a model, from the second time on

    def take(self, item: Mapping[str, Any], source: str) -> None:
        """One line. In a line with `outcomes`, `task` is a label for reports: a live request has none."""
        outcomes = item.get("outcomes")
        if isinstance(outcomes, Mapping):
            routing = item.get("routing")
            terms, answers = (routing if isinstance(routing, Mapping) else {}), outcomes
        else:
            terms, answers = item, {name_of(item.get("model")): item}
        every = ((name, self._answer(name, told)) for name, told in answers.items())
        found = {name_of(name): answer for name, answer in every if answer is not None}
        if found:
            self._join(item, terms, source, found)
        elif not answers:
            self._omissions.note("requests without outcomes")

    def _answer(self, model: object, told: object) -> ScoredAnswer | None:
        score = score_of(told.get("score")) if isinstance(told, Mapping) else UNSCORED
        if not isinstance(told, Mapping) or not isinstance(model, str) or not model:
            self._omissions.note("outcomes without a model")
        elif isinstance(score, str):
            self._omissions.note(score)
        else:
            usd = told.get("cost_usd")
            if why := unusable_cost(usd):
                self._omissions.note(why)  # of an answer that is kept
            return ScoredAnswer(score, tokens_of(told.get("output_tokens")), usd_of(usd))
        return None

    def _join(
        self, item: Mapping[str, Any], terms: Mapping[str, Any], source: str, answers: dict[str, ScoredAnswer]
    ) -> None:  # fmt: skip
        self._lines += 1
        id, texts = name_of(item.get("id")), texts_of(item)
        own = id or _digest(texts, terms) or f"{source} {self._lines}"
        if not self._sample.takes(own):
            return
        if id:
            self._compare(id, texts)
        elif texts:
            own = self._again(own, answers)
        row = self._rows.get(own)
        if row is None:
            row = self._rows[own] = _row(own, item, terms, texts)
        self._omissions.note("scores before the last one of a request and model", len(row.answers.keys() & answers))
        row.answers.update(answers)
        self._sample.thin(self._rows)

    def _compare(self, id: str, texts: list[str]) -> None:
        """Told is if an id stood for another text before."""
        if texts and self._texts.setdefault(id, hash(tuple(texts))) != hash(tuple(texts)):
            self._omissions.note("texts that differ from the first one with their id")

    def _again(self, digest: str, answers: Mapping[str, ScoredAnswer]) -> str:
        """The id of a request without one: of its text, and of the how manieth time that it was put to a model."""
        times = 1
        for model in answers:
            asked = self._rows.get(digest)
            if asked is not None and model in asked.answers:
                times = max(times, self._times.get((digest, model), 1) + 1)
                self._times[digest, model] = times
        return digest if times == 1 else f"{digest}{AGAIN}{times}"

    def rows(self) -> Iterator[ScoredRequest]:
        """All of them."""
        yield from self._rows.values()


def _row(id: str, item: Mapping[str, Any], terms: Mapping[str, Any], texts: list[str]) -> ScoredRequest:
    seen, kind = _seen(item, terms, texts), name_of(item.get("task")) or name_of(terms.get("task"))
    return ScoredRequest(id, name_of(item.get("dataset")), seen.sketch, seen.size, seen.worded, kind, text=seen.text)


def _seen(item: Mapping[str, Any], terms: Mapping[str, Any], texts: list[str]) -> LoggedFeatures:
    if texts:
        return with_text(texts, terms_of(terms), turns=len(texts))
    return without_text(terms_of(terms), tokens_of(item.get("input_tokens")) or 0.0, ())


def _digest(texts: list[str], terms: Mapping[str, Any]) -> str:
    """An id for the same text of the same people; "" where there is no text."""
    told = [*texts, *(str(terms.get(name, "")) for name in ("tenant", "task", "chain", "tags"))]
    return blake2b("\0".join(told).encode("utf-8", "replace"), digest_size=16).hexdigest() if texts else ""
