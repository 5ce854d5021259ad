"""The scored requests that are remembered: at most 8,000, the newest the most likely."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import NamedTuple
from zlib import crc32

import numpy as np

from capability_router.learning.quality.embedding import MEANING
from capability_router.learning.quality.fit import PARTS, Table
from capability_router.learning.quality.neighbours import KEY, keys, keys_of_meaning
from capability_router.learning.quality.sketch import Matrix, Sketch, unpacked

MOST = 8_000
FORMER = " (former)"


class Remembered(NamedTuple):
    """One request: its id, unique among all processes, what was seen of it, and the hash of its tenant ("" = a log)."""

    id: str
    sketch: Sketch
    whose: str = ""


class Result(NamedTuple):
    """What a model made of a request: a score from 0 to 1, and the tokens of its answer where they are known."""

    score: float
    tokens: int | None = None


class Memory:
    """Rows, and what models made of them. Not thread-safe but for readers of `keys[:size]`."""

    def __init__(self, most: int = MOST) -> None:
        self.most = most
        self.models: list[str] = []
        self.rows: list[Remembered] = []
        self._at: dict[str, int] = {}
        self._of = Counter[str]()  # rows of each who asked
        self.keys = np.zeros((0, KEY), np.float32)
        self.meanings: Matrix | None = None
        """The same of embeddings, once there was one."""
        self.scores = np.zeros((0, 0), np.float32)
        self.tokens = np.zeros((0, 0), np.float32)
        self.order = np.zeros(0, np.int64)  # when each row came, counted
        self._came = 0

    def __len__(self) -> int:
        return len(self.rows)

    def column(self, model: str) -> int:
        """The model's column; a new one is added."""
        if model not in self.models:
            gap = np.full((len(self.scores), 1), np.nan, np.float32)
            self.scores, self.tokens = np.hstack((self.scores, gap)), np.hstack((self.tokens, gap))
            self.models.append(model)  # last: `has` may be asked by another thread
        return self.models.index(model)

    def add(self, row: Remembered, results: Mapping[str, Result]) -> int:
        """The place of the row; results of a request that is already there join the others."""
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
        at = self._at.get(id)
        return at is not None and model in self.models and not np.isnan(self.scores[at, self.column(model)])

    def results(self, at: int) -> dict[str, Result]:
        """What models made of the request in this place."""
        found = zip(self.models, self.scores[at].tolist(), self.tokens[at].tolist(), strict=True)
        return {
            m: Result(score, None if tokens != tokens else round(tokens))
            for m, score, tokens in found
            if score == score
        }

    def told(self) -> list[tuple[Remembered, dict[str, Result]]]:
        """All of it, in the order in which it came."""
        return [(self.rows[at], self.results(at)) for at in np.argsort(self.order[: len(self.rows)]).tolist()]

    def without_the_largest(self) -> tuple[str, list[tuple[Remembered, dict[str, Result]]]]:
        """The tenant with more than half of the requests ("" = none), and the requests of all others, as they came.

        With all of their scores: whether a model is a former one, that tenant may have had its hand in.
        """
        whose, most = max(self._of.items(), key=lambda each: each[1], default=("", 0))
        if not whose or 2 * most <= len(self.rows):
            return "", []
        return whose, [(row, _as_ever(results)) for row, results in self.told() if row.whose != whose]

    def _place(self, row: Remembered) -> int:
        if len(self.rows) < self.most:
            at = len(self.rows)
            self._reserve(at + 1)
            self.rows.append(row)
        else:
            at = self._replaced(row)
            del self._at[self.rows[at].id]
            self._of[self.rows[at].whose] -= 1
            self.rows[at] = row
        self._of[row.whose] += 1
        self._at[row.id], self._came = at, self._came + 1
        self.order[at] = self._came
        self.scores[at] = self.tokens[at] = np.nan
        bag = unpacked([row.sketch])[0]
        self.keys[at] = keys(bag)[0]
        if row.sketch.meaning is not None and self.meanings is None:
            self.meanings = np.zeros_like(self.keys)
        if self.meanings is not None:
            self.meanings[at] = keys_of_meaning(meant(row.sketch), bag)[0]
        return at

    def _replaced(self, row: Remembered) -> int:
        """Whose place it takes is drawn by its id: the older a row, the likelier it has met its turn.

        Who has more than half of all takes no other tenant's place, so that no flood drives out what others taught.
        """
        at, own = _place(row.id) % self.most, row.whose
        if 2 * self._of[own] > self.most:
            while self.rows[at].whose not in (own, ""):
                at = (at + 1) % self.most
        return at

    def forget_meanings(self) -> None:
        """Embeddings are compared no more, and not kept."""
        self.meanings = None
        self.rows = [row._replace(sketch=row.sketch._replace(meaning=None)) for row in self.rows]

    def _reserve(self, rows: int) -> None:
        if rows <= len(self.keys):
            return
        room = min(max(2 * rows, 64), self.most)
        self.order = np.append(self.order, np.zeros(room - len(self.order), np.int64))
        self.keys = _grown(self.keys, (room, KEY), 0.0)
        if self.meanings is not None:
            self.meanings = _grown(self.meanings, (room, KEY), 0.0)
        self.scores = _grown(self.scores, (room, len(self.models)), np.nan)
        self.tokens = _grown(self.tokens, (room, len(self.models)), np.nan)

    def retire(self, model: str, keep: int) -> None:
        """Behind this name is another model now: but the newest, its results are those of a former one.

        What they show of the requests stays true. Of more than one former model only the last is kept; where one tenant
        gave most of the newest scores, it may be that tenant who has changed: what others scored before is kept too.
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
        """The tenant that is more than half of these; "" = none is, or only one has ever scored."""
        several = sum(1 for whose, rows in self._of.items() if whose and rows) > 1
        whose, most = Counter(asked).most_common(1)[0] if asked else ("", 0)
        return whose if several and 2 * most > len(asked) else ""

    def table(self) -> Table:
        """A copy to fit on. The parts are drawn by id: a request that comes again and again is to be believed."""
        bags, surfaces = unpacked([row.sketch for row in self.rows])
        parts = np.array([_place(row.id) // 7 % PARTS for row in self.rows], np.intp)
        rows = slice(len(self.rows))
        known = None if self.meanings is None else self.meanings[rows].copy()
        return Table(bags, surfaces, self.scores[rows].copy(), self.tokens[rows].copy(), parts, known)


def _as_ever(results: Mapping[str, Result]) -> dict[str, Result]:
    former = {model.removesuffix(FORMER): result for model, result in results.items() if model.endswith(FORMER)}
    return {**former, **{model: result for model, result in results.items() if not model.endswith(FORMER)}}


def _place(id: str) -> int:
    """A number that is always the same for an id, which logs may have written in half a letter."""
    return crc32(id.encode("utf-8", "replace"))


def meant(sketch: Sketch) -> Matrix:
    """Its embedding as one row; zeros where there is none."""
    return np.zeros((1, MEANING), np.float32) if sketch.meaning is None else sketch.meaning[None].astype(np.float32)


def _grown(old: Matrix, shape: tuple[int, int], fill: float) -> Matrix:
    new = np.full(shape, fill, np.float32)
    new[: len(old)] = old
    return new
