"""Remembers scored requests: at most 8,000, the newest most likely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np

from capability_router.learning.quality.embedding import MEANING
from capability_router.learning.quality.fit import PARTS, TrainingTable
from capability_router.learning.quality.neighbours import KEY, keys, keys_of_meaning
from capability_router.learning.quality.repeats import EarlierScores, grouped_if_many, leaders, request_key, text_key
from capability_router.learning.quality.sketch import Matrix, Sketch, unpacked

MOST = 8_000
FORMER = " (former)"


class Remembered(NamedTuple):
    """One request: its id, unique in all processes, its traits, and the hash of its tenant ("" = a log).

    `text`: a digest of its text, which no state keeps; empty = unknown.
    """

    id: str
    sketch: Sketch
    whose: str = ""
    text: bytes = b""


class ScoredResult(NamedTuple):
    """A model's result on a request: a score from 0 to 1, and the tokens of its answer if known."""

    score: float
    tokens: int | None = None


class RequestMemory:
    """Rows, and the models' results. Not thread-safe, except for readers of `keys[:, :size]`.

    `keys` (KEY, rows) are kept by column: a request is compared by the few that it has.
    """

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.models: list[str] = []
        self.rows: list[Remembered] = []
        self._at: dict[str, int] = {}
        self._of = Counter[str]()  # rows by tenant
        self._same: dict[bytes, list[int]] = {}  # rows by request
        self.keys = np.zeros((KEY, 0), np.float32)
        self.meanings: Matrix | None = None
        """The same of embeddings, once there was one."""
        self.scores = np.zeros((0, 0), np.float32)
        self.tokens = np.zeros((0, 0), np.float32)
        self.order = np.zeros(0, np.int64)  # each row's number in the order of arrival
        self._came = 0

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, model: str) -> int:
        """The model's column; a new model gets one."""
        if model not in self.models:
            gap = np.full((len(self.scores), 1), np.nan, np.float32)
            self.scores, self.tokens = np.hstack((self.scores, gap)), np.hstack((self.tokens, gap))
            self.models.append(model)  # last, because another thread may call `has`
        return self.models.index(model)

    def add(self, row: Remembered, results: Mapping[str, ScoredResult]) -> int:
        """The row's index; results of a known request are added to the earlier ones."""
        columns = [(self.column(model), result) for model, result in results.items()]
        at = self._at.get(row.id)
        if at is None:
            at = self._place(row)
        for column, (score, tokens) in columns:
            self.scores[at, column] = score
            self.tokens[at, column] = np.nan if tokens is None else tokens
        return at

    def has(self, id: str, model: str) -> bool:
        """Whether a score of this model on this request is remembered."""
        return self.score(id, model) is not None

    def score(self, id: str, model: str) -> float | None:
        """The score of this model on this request; None = none is remembered."""
        at = self._at.get(id)
        score = float(self.scores[at, self.column(model)]) if at is not None and model in self.models else np.nan
        return None if score != score else score

    def scored(self, model: str, whose: str | None = None) -> int:
        """How many scores of this model are remembered; `whose`: only this tenant's, by hash."""
        there = np.flatnonzero(~np.isnan(self.scores[: len(self.rows), self.column(model)]))
        return len(there) if whose is None else sum(self.rows[at].whose == whose for at in there)

    def earlier(self, request: Sketch, models: Sequence[str]) -> EarlierScores:
        """What these models scored on this request whenever it was asked."""
        rows = list(self._same.get(request_key(request), ()))
        if not rows:
            return EarlierScores(*np.zeros((2, len(models))))
        known = {model: at for at, model in enumerate(self.models)}
        scores = np.column_stack((self.scores[rows].astype(np.float64), np.full(len(rows), np.nan)))
        found = scores[:, [known.get(model, -1) for model in models]]
        return EarlierScores(np.nansum(found, 0), np.count_nonzero(~np.isnan(found), 0).astype(np.float64))

    def results(self, at: int) -> dict[str, ScoredResult]:
        """The models' results on the request at this index."""
        found = zip(self.models, self.scores[at].tolist(), self.tokens[at].tolist(), strict=True)
        return {
            m: ScoredResult(score, None if tokens != tokens else round(tokens))
            for m, score, tokens in found
            if score == score
        }

    def of(self, id: str) -> dict[str, ScoredResult]:
        """The models' results on this request; none if it is not remembered."""
        at = self._at.get(id)
        return {} if at is None else self.results(at)

    def told(self) -> list[tuple[Remembered, dict[str, ScoredResult]]]:
        """All requests, in the order in which they came."""
        return [(self.rows[at], self.results(at)) for at in np.argsort(self.order[: len(self.rows)]).tolist()]

    def without_dominant_tenant(self) -> tuple[str, list[tuple[Remembered, dict[str, ScoredResult]]]]:
        """The tenant with more than half of all tenants' requests ("" = none), and all requests but its own, in their
        order.

        These keep all scores, even of retired models, because that tenant may have caused the retirement.
        """
        asked = {tenant: rows for tenant, rows in self._of.items() if tenant}
        whose, most = max(asked.items(), key=lambda each: each[1], default=("", 0))
        if 2 * most <= sum(asked.values()):
            return "", []
        return whose, [(row, _as_ever(results)) for row, results in self.told() if row.whose != whose]

    def _place(self, row: Remembered) -> int:
        if len(self.rows) < self.most:
            at = len(self.rows)
            self._reserve(at + 1)
            self.rows.append(row)
        else:
            at = self._replaced(row)
            self._remove(at)
            self.rows[at] = row
        self._of[row.whose] += 1
        self._at[row.id], self._came = at, self._came + 1
        self.order[at] = self._came
        self.scores[at] = self.tokens[at] = np.nan
        bag = unpacked([row.sketch])[0]
        self.keys[:, at] = keys(bag)[0]
        if row.sketch.meaning is not None and self.meanings is None:
            self.meanings = np.zeros_like(self.keys)
        if self.meanings is not None:
            self.meanings[:, at] = keys_of_meaning(meant(row.sketch), bag)[0]
        if key := request_key(row.sketch):
            self._same.setdefault(key, []).append(at)  # last, because another thread may call `earlier`
        return at

    def _remove(self, at: int) -> None:
        row = self.rows[at]
        del self._at[row.id]
        self._of[row.whose] -= 1
        if key := request_key(row.sketch):
            self._same[key].remove(at)
            if not self._same[key]:
                del self._same[key]

    def _replaced(self, row: Remembered) -> int:
        """The replaced row is drawn by id: the older a row, the more likely it has been replaced.

        A tenant with more than half of all rows replaces no other tenant's: no flood removes what others taught.
        """
        at, own = _place(row.id) % self.most, row.whose
        if 2 * self._of[own] > self.most:
            while self.rows[at].whose not in (own, ""):
                at = (at + 1) % self.most
        return at

    def forget_meanings(self) -> None:
        """Embeddings are no longer compared or kept."""
        self.meanings = None
        self.rows = [row._replace(sketch=row.sketch._replace(meaning=None)) for row in self.rows]

    def _reserve(self, rows: int) -> None:
        if rows <= self.keys.shape[1]:
            return
        room = min(max(2 * rows, 64), self.most)
        self.order = np.append(self.order, np.zeros(room - len(self.order), np.int64))
        self.keys = _grown(self.keys, (KEY, room), 0.0)
        if self.meanings is not None:
            self.meanings = _grown(self.meanings, (KEY, room), 0.0)
        self.scores = _grown(self.scores, (room, len(self.models)), np.nan)
        self.tokens = _grown(self.tokens, (room, len(self.models)), np.nan)

    def retire(self, model: str, keep: int) -> None:
        """This name stands for another model now: except for the newest, its results belong to a former model.

        They still show what the requests are like. Of several former models only the last is kept. If one tenant gave
        most of the newest scores, the tenant may have changed rather than the model, so earlier scores of others are
        kept too.
        """
        now, former = self.column(model), self.column(f"{model}{FORMER}")
        scored = np.flatnonzero(~np.isnan(self.scores[: len(self.rows), now]))
        scored = scored[np.argsort(self.order[scored])]
        old, by = scored[: max(len(scored) - keep, 0)], self._mostly([self.rows[at].whose for at in scored[-keep:]])
        gone = [at for at, row in enumerate(self.rows) if not by or row.whose in (by, "")]
        for matrix in (self.scores, self.tokens):
            matrix[gone, former] = np.nan
            matrix[old, former], matrix[old, now] = matrix[old, now], np.nan

    def _mostly(self, asked: Sequence[str]) -> str:
        """The tenant with more than half of these; "" = none, or only one tenant has ever scored."""
        several = sum(1 for whose, rows in self._of.items() if whose and rows) > 1
        whose, most = Counter(asked).most_common(1)[0] if asked else ("", 0)
        return whose if several and 2 * most > len(asked) else ""

    def table(self) -> TrainingTable:
        """A copy to fit on. Parts are drawn by id; rows of the same text are in one part: none predicts another."""
        sketches = [row.sketch for row in self.rows]
        bags, surfaces = unpacked(sketches)
        texts = [row.text or text_key(row.sketch) for row in self.rows]
        ids = leaders([row.id for row in self.rows], grouped_if_many(texts))
        parts = np.array([_place(id) // 7 % PARTS for id in ids], np.intp)
        rows = slice(len(self.rows))
        known = None if self.meanings is None else self.meanings[:, rows].T.copy()
        same = grouped_if_many([request_key(row.sketch, row.text) for row in self.rows])
        return TrainingTable(bags, surfaces, self.scores[rows].copy(), self.tokens[rows].copy(), parts, known, same)


def _as_ever(results: Mapping[str, ScoredResult]) -> dict[str, ScoredResult]:
    former = {model.removesuffix(FORMER): result for model, result in results.items() if model.endswith(FORMER)}
    return {**former, **{model: result for model, result in results.items() if not model.endswith(FORMER)}}


def _place(id: str) -> int:
    """The same number for the same id, whichever log wrote it, and even if the id is not valid Unicode."""
    return crc32(id.encode("utf-8", "replace"))


def meant(sketch: Sketch) -> Matrix:
    """Its embedding as one row; zeros if there is none."""
    return np.zeros((1, MEANING), np.float32) if sketch.meaning is None else sketch.meaning[None].astype(np.float32)


def _grown(old: Matrix, shape: tuple[int, int], fill: float) -> Matrix:
    new = np.full(shape, fill, np.float32)
    new[: old.shape[0], : old.shape[1]] = old
    return new
