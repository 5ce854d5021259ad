"""Tables of outcomes: a line per request with all its outcomes (JSONL), or a line per answer (CSV, Parquet)."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from hashlib import blake2b
from typing import Any

from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.row import TOO_MANY, Answer, Row, hold, name_of, number_of, score_of, tokens_of
from capability_router.learning.logs.seen import Seen, terms_of, texts_of, with_text, without_text

NEEDED = ("model", "score")
"""Columns without which a table teaches nothing."""


def is_one(item: Mapping[str, Any]) -> bool:
    """Whether an item is a request with its outcomes, or one answer."""
    return isinstance(item.get("outcomes"), Mapping) or all(name in item for name in NEEDED)


class TableRows:
    """Requests with outcomes; what comes again under the same id joins."""

    def __init__(self, omissions: Omissions) -> None:
        self._omissions = omissions
        self._rows: dict[str, Row] = {}

    def take(self, item: Mapping[str, Any], source: str) -> None:
        """One line. In a line with `outcomes`, `task` is a label for reports: a live request has none."""
        outcomes = item.get("outcomes")
        if isinstance(outcomes, Mapping):
            routing = item.get("routing")
            terms, answers = (routing if isinstance(routing, Mapping) else {}), outcomes
        else:
            terms, answers = item, {name_of(item.get("model")): item}
        found = {name: answer for name in answers if (answer := self._answer(name, answers[name])) is not None}
        if found:
            self._join(item, terms, source, found)

    def _answer(self, model: object, told: object) -> Answer | None:
        score = score_of(told.get("score")) if isinstance(told, Mapping) else None
        if not isinstance(told, Mapping) or not isinstance(model, str) or not model:
            self._omissions.note("outcomes without a model")
        elif score is None:
            self._omissions.note("scores that are no number from 0 to 1")
        else:
            return Answer(score, tokens_of(told.get("output_tokens")), number_of(told.get("cost_usd")))
        return None

    def _join(
        self, item: Mapping[str, Any], terms: Mapping[str, Any], source: str, answers: dict[str, Answer]
    ) -> None:  # fmt: skip
        texts = texts_of(item)
        id = name_of(item.get("id")) or _digest(texts, terms) or f"{source} {len(self._rows)}"
        row = self._rows.get(id)
        if row is None:
            seen = _seen(item, terms, texts)
            kind = name_of(item.get("task")) or name_of(terms.get("task"))
            row = Row(id, name_of(item.get("dataset")), seen.sketch, seen.size, seen.worded, kind)
            self._omissions.note(TOO_MANY, hold(self._rows, id, row))
        row.answers.update({name_of(model): answer for model, answer in answers.items()})

    def rows(self) -> Iterator[Row]:
        """All of them."""
        yield from self._rows.values()


def _seen(item: Mapping[str, Any], terms: Mapping[str, Any], texts: list[str]) -> Seen:
    if texts:
        return with_text(texts, terms_of(terms), turns=len(texts))
    return without_text(terms_of(terms), tokens_of(item.get("input_tokens")) or 0.0, ())


def _digest(texts: list[str], terms: Mapping[str, Any]) -> str:
    """An id for the same text of the same people; "" where there is no text."""
    told = [*texts, *(str(terms.get(name, "")) for name in ("tenant", "task", "chain", "tags"))]
    return blake2b("\0".join(told).encode("utf-8", "replace"), digest_size=16).hexdigest() if texts else ""
