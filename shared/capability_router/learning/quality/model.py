"""The learned model of quality: q = level + the request's effect on all models + its effect on this one.

The prior (cards, prices, the heuristic) counts as a number of scored answers, and fades as real ones come in. Until the
first fit only the levels are learned. Scores are learned at once. The effect of words is learned by `refit`, which
takes seconds and is never called while a request waits.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from threading import Lock
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from capability_router.learning.implicit_signs import SignCounts
from capability_router.learning.quality.decomposition import parted
from capability_router.learning.quality.embedding import Origin
from capability_router.learning.quality.exploration_bonus import exploration_bonus
from capability_router.learning.quality.fit import Fit, fitted, rows_of
from capability_router.learning.quality.levels import KEPT, Level
from capability_router.learning.quality.memory import Remembered, RequestMemory, ScoredResult
from capability_router.learning.quality.neighbours import combined_similarity, drawn, keys, keys_of_meaning, nearest
from capability_router.learning.quality.own_levels import KEPT_CHANGED, OwnLevels, sums_of
from capability_router.learning.quality.products import products, sparse_products
from capability_router.learning.quality.sketch import Matrix, Sketch, sketch, unpacked
from capability_router.learning.quality.traits import Traits
from capability_router.learning.quality.versions import IN_A_ROW, ModelVersions
from capability_router.learning.tenants import TenantBounds

BELIEVED = 20.0  # scores; what is believed before any counts as this many, unless told otherwise
SHARED_BELIEVED = 200.0  # scored requests; after this many, half of the shared effect is believed of an unscored model
MOVED = 0.05  # quality points; the most that a tenant with more scores than all others together moves theirs
LEAST = 50  # requests that are needed to learn from words
_GROWTH, _MOST_NEW = 0.35, 1_000  # a refit is due after this share of new requests, or this many
_SAME = 1e-6  # quality points; scores are remembered as 32-bit numbers


_Values = NDArray[np.float64]


class QualityPrediction(NamedTuple):
    """Per requested model `quality`, its standard error, and `tokens` of an answer (NaN = unknown)."""

    quality: _Values
    error: _Values
    tokens: _Values


class _FitPrediction(NamedTuple):
    """What a fit predicts for one request, without the levels.

    The effect on an average model, and on each (models); tokens (models); and the similarity of the nearest row.
    """

    shared: float
    own: _Values
    tokens: _Values
    likeness: float = 0.0


class FitSnapshot(NamedTuple):
    """A fit, what the remembered requests are worth to it (rows, 1 + models), and their forms; swapped as one."""

    fit: Fit
    values: Matrix
    there: Matrix
    forms: Matrix

    @classmethod
    def of(cls, fit: Fit, values: Matrix, there: Matrix, rows: Sequence[Remembered]) -> FitSnapshot:
        """For the rows that the values belong to."""
        surfaces = np.array([row.sketch.surface for row in rows], np.float32).reshape(len(rows), -1)
        return cls(fit, values, there, fit.scale.forms(surfaces))

    def near(self, known: Matrix, key: Matrix, surface: Matrix) -> tuple[Matrix, Matrix, float]:
        """The neighbours' result (1 + models), by words and with form; the nearest one's similarity, squared."""
        known = known[:, : len(self.values)]
        similar = sparse_products(known, key) * self.there[: known.shape[1], 0]  # repetitions have no effects
        both = combined_similarity(similar, products(self.forms[: len(similar)], self.fit.scale.forms(surface)))
        (rows, weights), (others, theirs) = nearest(similar), nearest(both)
        by_words = drawn(weights, self.values[rows], self.there[rows])
        by_form = drawn(theirs, self.values[others], self.there[others])
        return by_words, by_form, float(similar.max(initial=0.0)) ** 2  # equals among the nearest share their weight

    def with_room(self, more: int) -> FitSnapshot:
        """With room for this many further rows."""
        grown = (np.pad(each, ((0, more), (0, 0))) for each in (self.values, self.there, self.forms))
        return FitSnapshot(self.fit, *grown)


class DominantTenant(NamedTuple):
    """One tenant has scored more than all others together: its hash, and what the others' scores teach."""

    whose: str
    quality: QualityModel

    def bounded(
        self, quality: _Values, seen: Traits, believed: Sequence[tuple[str, float]], worth: float | Sequence[float],
        whose: str,
    ) -> _Values:  # fmt: skip
        """`quality` of models for another tenant, by hash: within a standard error, at most MOVED, of what the scores
        of these say.
        """
        without = self.quality.expect(seen, believed, worth, whose)
        most = np.minimum(without.error, MOVED)
        return np.asarray(np.clip(quality, without.quality - most, without.quality + most))


class QualityModel:
    """Learned from scored requests. Thread-safe."""

    def __init__(
        self,
        memory: RequestMemory | None = None,
        levels: dict[str, Level] | None = None,
        view: FitSnapshot | None = None,
        scored: int = 0,
        tenants: TenantBounds | None = None,
        new: int = 0,
    ) -> None:
        self.memory = RequestMemory() if memory is None else memory
        self.levels: dict[str, Level] = levels or {}
        self.tenants = TenantBounds() if tenants is None else tenants
        self.own = OwnLevels()
        self._view = view
        self._scored = scored  # requests, ever
        self._new = new if view else len(self.memory)  # since the last fit; else short processes would never have one
        self._lock = Lock()
        self.versions = ModelVersions()
        """Behind the models' names, as their replies said."""
        self.origin = Origin()
        """Of the requests' meanings."""
        self.apart: DominantTenant | None = None
        """As of the last fit; where a tenant outweighs all others, and these have scored LEAST requests."""
        self.signs: Mapping[str, SignCounts] = {}
        """By model, what implicit signs in the logs came to that it was trained on."""

    @property
    def scored(self) -> int:
        """Requests that were ever scored."""
        return self._scored

    @property
    def new(self) -> int:
        """Requests that were scored, or scored otherwise, since the last fit."""
        return self._new

    @property
    def view(self) -> FitSnapshot | None:
        """The fit in use, with the value of each remembered request."""
        return self._view

    @contextmanager
    def still(self) -> Iterator[None]:
        """Nothing is learned inside this block."""
        with self._lock:
            yield

    def forked(self) -> None:
        """In a forked child: threads of the parent may have held the locks."""
        self._lock = Lock()
        self.tenants.forked()
        if self.apart is not None:
            self.apart.quality.forked()

    @property
    def fit(self) -> Fit | None:
        """The fit of the words so far."""
        return None if self._view is None else self._view.fit

    @property
    def due(self) -> bool:
        """Whether there is enough new for a refit."""
        known = 0 if self.fit is None or self._changing() else len(self.fit.split.shared)
        return len(self.memory) >= LEAST and self._new >= min(max(_GROWTH * known, LEAST), _MOST_NEW)

    def _changing(self) -> bool:
        """Whether what the words taught about some model is no longer true."""
        return any(level.changed for level in self.levels.values())

    def expect(
        self, seen: Traits, believed: Sequence[tuple[str, float]], worth: float | Sequence[float] = BELIEVED,
        whose: str = "",
    ) -> QualityPrediction:  # fmt: skip
        """For models (id, quality believed for this request before learning), in their order.

        `worth`: how many scores that belief counts as, for all models or for each. `whose`: the tenant's hash.
        """
        read, fit = self._read(seen), self.fit
        known = [self.levels.get(model) for model, _ in believed]
        before = np.array([quality for _, quality in believed])
        own, tokens = self._own(read, believed)
        levels = [level.mean if level else 0.0 for level in known]
        if whose:
            levels = [self.own.level(whose, model, level) for (model, _), level in zip(believed, levels, strict=True)]
        learned = np.array(levels) + own
        if fit is not None:
            learned = fit.calibration.of(learned)
        learned = self.memory.earlier(sketch(seen), [model for model, _ in believed]).corrected(learned)
        count = np.array([level.count if level else 0.0 for level in known])
        trusted = self._scored / (self._scored + SHARED_BELIEVED)
        weight = count / (count + np.asarray(worth))
        quality = weight * learned + (1.0 - weight) * (before + trusted * read.shared)
        variance = np.array([level.variance if level else 0.2 for level in known])
        return QualityPrediction(np.clip(quality, 0.0, 1.0), np.sqrt(variance / (count + np.asarray(worth))), tokens)

    def unseen(self, model: str) -> float:
        """The variance that a model's quality may have gained by changing since its last score; 0 if it has none.

        It is not part of the error in `expect`, by which unknown models are drawn.
        """
        level = self.levels.get(model)
        return 0.0 if level is None else level.unseen(self._scored)

    def bonuses(self, models: Sequence[str], errors: _Values) -> list[float]:
        """For models and their expected errors: how much better each may be, in quality points.

        A model that changed lately may have changed again since its last score. For the others even draws cover that,
        else all of them would be tried all the time.
        """
        known = zip(map(self.levels.get, models), errors.tolist(), strict=True)
        return [
            exploration_bonus(
                error * error, self._scored, level.unseen(self._scored) if level and level.changed else 0.0
            )
            for level, error in known
        ]

    def _own(self, read: _FitPrediction, believed: Sequence[tuple[str, float]]) -> tuple[_Values, _Values]:
        """The request's effect on each model, and tokens; a model without a fit is treated as average."""
        columns = {model: column for column, model in enumerate(self.memory.models[: len(read.own)])}
        places = [columns.get(model, len(read.own)) for model, _ in believed]
        return np.append(read.own, read.shared)[places], np.append(read.tokens, np.nan)[places]

    def _read(self, seen: Traits) -> _FitPrediction:
        if self._view is None:
            return _NOTHING
        view, fit = self._view, self._view.fit
        bag, surface = seen.bag.astype(np.float32), seen.surface.astype(np.float32)
        features = fit.scale.features(bag, surface)
        straight = products(fit.weights.T, features)
        known, key = self._compared(seen, bag)
        by_words, by_form, likeness = view.near(known[:, : len(self.memory)], key, surface)
        parts = fit.parts(surface, (straight, by_words, by_form))
        return _FitPrediction(float(parts[0]), parts[1:].astype(np.float64), fit.lengths.of(features), likeness)

    def _compared(self, seen: Traits, bag: Matrix) -> tuple[Matrix, Matrix]:
        """What requests are compared by, by column, and this request's: embeddings if both have one, else words."""
        meanings = self.memory.meanings
        if seen.meaning is None or meanings is None:
            return self.memory.keys, keys(bag[None])[0]
        return meanings, keys_of_meaning(seen.meaning[None].astype(np.float32), bag[None])[0]

    def forget_meanings(self) -> None:
        """Use only words from now on; a refit is due."""
        with self._lock:
            self.memory.forget_meanings()
            self.apart = None
            self.origin, self._new = Origin(), max(self._new, _MOST_NEW)

    def standing(self, seen: Traits) -> tuple[float, float]:
        """The request's effect on all models' quality, and its similarity, 0 to 1, to the nearest remembered one."""
        read = self._read(seen)
        return read.shared, read.likeness

    def learn(self, row: Remembered, results: Mapping[str, ScoredResult], weight: float = 1.0) -> list[str]:
        """The models' scores, 0 to 1, on a request; a `weight` below 1 makes such a score count less.

        Returns the models that seem to have changed. A second score of the same answer replaces the first one: it moves
        the level by the difference, and shows no change of the model.
        """
        read = self._read(traits_of(row.sketch))
        with self._lock:
            first = {model: result for model, result in results.items() if not self.memory.has(row.id, model)}
            alarmed = partial(self._level, request=row.sketch, read=read, weight=weight, whose=row.whose)
            changed = [model for model, result in first.items() if alarmed(model, result.score)]
            corrected = [self._corrected(row, model, result.score, weight) for model, result in results.items()]
            at = self.memory.add(row, results)
            for model in changed:
                self.memory.retire(model, round(KEPT))
                self.own.doubt(model, KEPT_CHANGED)
            self._scored, self._new = self._scored + bool(first), self._new + (bool(first) or any(corrected))
            self._value(at, read.shared)
        return changed

    def versioned(self, model: str, version: str) -> str:
        """The reply of the answer learned last stated this version; returns the earlier one if another version
        answers now, else "".

        What was learned of the earlier version then counts as little as a card does.
        """
        with self._lock:
            before = self.versions.told(model, version)
        if before:
            for quality in (self, *([self.apart.quality] if self.apart else [])):
                quality._doubt(model)
        return before

    def _doubt(self, model: str) -> None:
        with self._lock:
            if model in self.levels:
                self.levels[model].doubt(BELIEVED)
                self.own.doubt(model, KEPT)
                self.memory.retire(model, IN_A_ROW)

    def learn_log(self, rows: Iterable[tuple[Remembered, Mapping[str, ScoredResult]]]) -> None:
        """Learn a whole log at once. Its order does not show when a model changed."""
        with self._lock:
            for row, results in rows:
                self.memory.add(row, results)
                self._scored, self._new = self._scored + 1, self._new + 1
        self.refit()

    def _level(
        self, model: str, score: float, request: Sketch, read: _FitPrediction, weight: float, whose: str
    ) -> bool:  # fmt: skip
        column = self.memory.column(model)
        level = self.levels.setdefault(model, Level(seen=self._scored))
        level.told(self._scored)
        effect = float(read.own[column]) if column < len(read.own) else read.shared
        beyond, surprise = score - effect, 0.0
        if level.count:
            predicted = np.array([effect + self.own.level(whose, model, level.mean)])
            surprise = score - float(self.memory.earlier(request, [model]).corrected(predicted)[0])
        self.own.learn(whose, model, beyond)
        return level.learn(beyond, surprise, weight, whose, partial(self.tenants.leads, whose))

    def _corrected(self, row: Remembered, model: str, score: float, weight: float) -> bool:
        """Whether this is another score of an answer than the one that is remembered."""
        before = self.memory.score(row.id, model)
        if before is None or abs(score - before) < _SAME:
            return False
        if model in self.levels:
            self.levels[model].corrected(score - before, weight, self.memory.scored(model))
        self.own.corrected(row.whose, model, score - before, self.memory.scored(model, row.whose))
        return True

    def _value(self, at: int, foreseen: float) -> None:
        """The value of the row at this index to its neighbours."""
        if self._view is None:
            return
        view, fit = self._view, self._view.fit
        means = np.array([self.levels[m].mean if m in self.levels else 0.0 for m in self.memory.models], np.float32)
        slope = np.append(fit.slopes, np.ones(len(means) - len(fit.slopes), np.float32))
        worth = parted(self.memory.scores[at : at + 1], means, np.full((1, 1), foreseen, np.float32), slope)
        if at >= len(view.values):
            view = self._view = view.with_room(max(64, len(view.values) // 2))
        row, present = rows_of(worth)
        columns = view.values.shape[1]
        view.values[at], view.there[at] = row[0, :columns], present[0, :columns]
        view.forms[at] = fit.scale.forms(self.memory.rows[at].sketch.surface)

    def refit(self) -> None:
        """Learn from the words of everything remembered. Takes seconds of one core for 8,000 requests, without
        blocking others.
        """
        self._fit()
        self.apart = self._without_the_largest() if len(self.tenants.known) > 1 else None

    def _without_the_largest(self) -> DominantTenant | None:
        """Learn the other tenants' scores one by one: only these show what has changed."""
        with self._lock:
            whose, rows = self.memory.without_dominant_tenant()
        if len(rows) < LEAST:
            return None
        found = QualityModel(RequestMemory(self.memory.most))
        for row, results in rows:
            if row.whose:
                found.learn(row, results)
            else:  # of a log, whose order tells nothing
                found.memory.add(row, results)
        found._scored = sum(len(results) for _, results in rows)  # one by one, as they were told
        found._fit()
        return DominantTenant(whose, found)

    def _fit(self) -> None:
        with self._lock:
            if not len(self.memory):
                return
            table, self._new = self.memory.table(), 0
            rows, order = list(self.memory.rows), np.argsort(self.memory.order[: len(self.memory)])
            self.own.fitting()
        (found, beyond), known = fitted(table), (~np.isnan(table.scores)).sum(0)
        own = sums_of([rows[at].whose for at in order], self.memory.models[: beyond.shape[1]], beyond[order])
        view = FitSnapshot.of(found, *rows_of(found.split), rows)
        with self._lock:
            late = self._corrected_since(table.scores, rows)
            for column, model in enumerate(self.memory.models[: len(found.levels)]):
                count = float(known[column])
                self._settle(model, float(found.levels[column] + late[column] / max(count, 1.0)), count)
            self.own.settle(own, {model for model, level in self.levels.items() if not level.changed})
            self._view = view
            for at, row in enumerate(self.memory.rows):
                if at >= len(rows) or rows[at].id != row.id:
                    self._value(at, 0.0)

    def _corrected_since(self, scores: Matrix, rows: Sequence[Remembered]) -> Matrix:
        """By model, the sum by which scores of these rows were corrected since they were so."""
        same = [at for at, row in enumerate(rows) if self.memory.rows[at].id == row.id]
        return np.asarray(np.nansum(self.memory.scores[same, : scores.shape[1]] - scores[same], 0))

    def _settle(self, model: str, mean: float, count: float) -> None:
        """Set a level as the fit sees it; not soon after an alarm, because the fit lacks the scores from before it."""
        level = self.levels.setdefault(model, Level(seen=self._scored))
        if count and not level.changed:
            level.set(mean, max(level.count, min(count, 1_000.0)))


def traits_of(sketch: Sketch) -> Traits:
    """Approximately the traits that a sketch was made from."""
    bags, surfaces = unpacked([sketch])
    return Traits(bags[0].astype(np.float64), surfaces[0].astype(np.float64), sketch.meaning)


_NOTHING = _FitPrediction(0.0, np.zeros(0), np.zeros(0))
