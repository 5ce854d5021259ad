"""Logs of any known kind, of several files at once, as rows."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from capability_router.learning.embedder import Embedder
from capability_router.learning.implicit_signs import SignCounts
from capability_router.learning.logs import decision_rows, langsmith, table_rows
from capability_router.learning.logs.columns import csv_lines, parquet_lines
from capability_router.learning.logs.embedding_batch import BATCH, EmbeddingBatch
from capability_router.learning.logs.json_item_reader import JsonItemReader, Tick
from capability_router.learning.logs.logged_features import completed
from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.sample import HashSample
from capability_router.learning.logs.scored_request import ScoredRequest
from capability_router.learning.logs.sign_records import MOST_MODELS
from capability_router.learning.quality.embedding import Origin

MOST_ROWS = 30_000
_FEW = "of models with too few outcomes beside 64 others"


class TrainingLog(NamedTuple):
    """`rows`: the scored requests, of at most 64 models; `omissions`: reasons and their counts.

    `signs`: by model, what implicit signs in decision logs came to. `beyond`: scored requests that are not among the
    rows, because a sample was drawn; 0 = all are there.
    """

    rows: list[ScoredRequest]
    omissions: list[tuple[str, int]]
    origin: Origin = Origin()
    beyond: int = 0
    signs: Mapping[str, SignCounts] = {}


def read(
    paths: Sequence[Path], *, key: str | None = None, tick: Tick = lambda _: None, embedder: Embedder | None = None,
    most: int = MOST_ROWS,
) -> TrainingLog:  # fmt: skip
    """The logs as far as they go; `key` names the LangSmith feedback that counts, `tick` is called with the bytes read.

    Of more than `most` scored requests a sample is drawn, the same each time.

    With an embedder the texts get their embeddings, of `origin`. Raises ConfigError for a file that can't be opened,
    a table without its columns, several kinds of feedback or none of this key, an embedder that fails.
    """
    reader, batch = _Reader(key, most), None if embedder is None else EmbeddingBatch(embedder)
    before = BATCH.set(batch)
    try:
        for path in paths:
            reader.read(JsonItemReader(path, reader.omissions, tick))
        rows = reader.rows()
    finally:
        BATCH.reset(before)
    if batch is not None:
        batch.flush()
    completed(rows)
    origin, signs = Origin() if batch is None else batch.origin, reader.signs()
    return TrainingLog(rows, reader.omissions.listed(), origin, reader.beyond, signs)


class _Reader:
    def __init__(self, key: str | None, most: int) -> None:
        self.omissions, self._sample, self.beyond = Omissions(), HashSample(most), 0
        self._decisions = decision_rows.DecisionRows(self.omissions)
        self._langsmith = langsmith.LangSmithRows(self.omissions, key)
        self._table = table_rows.TableRows(self.omissions, self._sample)

    def read(self, source: JsonItemReader) -> None:
        endings = [ending.lower() for ending in source.path.suffixes if ending.lower() != ".gz"]
        last = endings[-1] if endings else ""
        lines = {".csv": csv_lines, ".tsv": csv_lines, ".parquet": parquet_lines}.get(last)
        ours = None  # what begins as a decision log is one to its end: its torn lines are nobody's table
        for item in source.items() if lines is None else lines(source):
            ours = decision_rows.is_one(item) if ours is None else ours
            self._take(item, source.path.name, ours)

    def _take(self, item: Mapping[str, Any], source: str, ours: bool) -> None:
        if ours or decision_rows.is_one(item):
            self._decisions.take(item)
        elif langsmith.is_one(item):
            self._langsmith.take(item)
        elif table_rows.is_one(item):
            self._table.take(item, source)
        else:
            self.omissions.note("entries of no known kind")

    def signs(self) -> Mapping[str, SignCounts]:
        """Implicit ones, by model."""
        return self._decisions.signs()

    def rows(self) -> list[ScoredRequest]:
        """Of all kinds; the same request in two logs is one row, with all that either tells of it."""
        table, traced = list(self._table.rows()), list(self._langsmith.rows())
        decided = self._decisions.rows({row.id for row in (*table, *traced)})
        found: dict[str, ScoredRequest] = {}
        for row in (*table, *decided, *traced):
            known = found.setdefault(row.id, row)
            if known is not row:
                _join(known, row)
        self._decisions.complete(found)
        return self._bounded(list(found.values()))

    def _bounded(self, rows: list[ScoredRequest]) -> list[ScoredRequest]:
        chosen, self.beyond = self._sample.chosen(row.id for row in rows)
        kept = [row for row in rows if row.id in chosen]
        counts = Counter(model for row in kept for model in row.answers)
        if len(counts) <= MOST_MODELS:
            return kept
        known = {model for model, _ in counts.most_common(MOST_MODELS)}
        self.omissions.note(f"outcomes {_FEW}", sum(n for model, n in counts.items() if model not in known))
        for row in kept:
            row.answers = {model: answer for model, answer in row.answers.items() if model in known}
        return [row for row in kept if row.answers]


def _join(known: ScoredRequest, more: ScoredRequest) -> None:
    known.answers.update(more.answers)
    if more.worded and not known.worded:
        known.sketch, known.size, known.worded, known.text = more.sketch, more.size, True, more.text
