"""Fits everything on a table of scored requests at once: seconds for 8,000 rows, so never while a request waits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import NamedTuple

import numpy as np

from capability_router.learning.quality.blend import SOURCES, Blend, blend
from capability_router.learning.quality.calibration import Calibration, calibrated
from capability_router.learning.quality.decomposition import ScoreDecomposition, parted, slopes, split
from capability_router.learning.quality.neighbours import Sides, estimates, keys
from capability_router.learning.quality.ridge import Parts, RidgeFit, best_ridge_fit, line
from capability_router.learning.quality.sketch import Matrix
from capability_router.learning.quality.surface import SIZE
from capability_router.learning.quality.traits import BAG
from capability_router.learning.quality.trees import Trees, grown, no_trees
from capability_router.learning.quality.verbosity import Verbosity, verbosity

_SURFACE_WEIGHS, _MOST = 0.25, 4.0  # of a surface number's standard deviation; standard deviations it may be away
PARTS = 3
_DOUBTED = 200.0  # scores; a model's deviation is shrunk as if by this many zeros, times the share of gaps
_MOSTLY = 0.5  # the share of known scores that trees need
_LIKE_OTHERS = 5.0  # similarity to the other models counts as this many scores
FEATURES = BAG + SIZE


class TrainingTable(NamedTuple):
    """`bags` (rows, BAG), `surfaces` (rows, SIZE), `scores`, `tokens` of answers (rows, models), `parts` (rows).

    NaN = unknown. `known` (rows, KEY): the keys by which rows are compared, None = by their words. `same` (rows): the
    number of the request that a row is, in the order of the first rows; None = each is another one.
    """

    bags: Matrix
    surfaces: Matrix
    scores: Matrix
    tokens: Matrix
    parts: Parts
    known: Matrix | None = None
    same: Parts | None = None

    def merged(self) -> tuple[TrainingTable, Parts]:
        """One row for each request, with the means of what is known of its repetitions; and where its first row is.

        Else trees would know a row's repetition, and a chance of one request would be proven as often as it is asked.
        """
        each = np.arange(len(self.bags)) if self.same is None else self.same
        first = np.unique(each, return_index=True)[1]
        if len(first) == len(each):
            return self, first
        scores, tokens = (_means(of, each, len(first)) for of in (self.scores, self.tokens))
        known = None if self.known is None else self.known[first]
        rows = self.bags[first], self.surfaces[first], scores, tokens, self.parts[first], known
        return TrainingTable(*rows), first


def _means(of: Matrix, groups: Parts, number: int) -> Matrix:
    """By group the mean of known values; NaN = none is known."""
    there = ~np.isnan(of)
    sums, count = np.zeros((2, number, of.shape[1]))
    np.add.at(sums, groups, np.where(there, of, 0.0))
    np.add.at(count, groups, there)
    return np.where(count > 0, sums / np.maximum(count, 1.0), np.nan).astype(np.float32)


class FeatureScaler(NamedTuple):
    """Mean and standard deviation of the surface's numbers."""

    centre: Matrix
    spread: Matrix

    def features(self, bags: Matrix, surfaces: Matrix) -> Matrix:
        """Rows by BAG + SIZE."""
        scaled = self._away(surfaces) * np.float32(_SURFACE_WEIGHS)
        return np.concatenate((bags, scaled), axis=-1, dtype=np.float32)

    def forms(self, surfaces: Matrix) -> Matrix:
        """The requests' form, (SIZE) or rows of it, of length 1; an average form is zeros."""
        away = self._away(surfaces)
        lengths = np.sqrt(np.square(away).sum(-1, keepdims=True))
        return np.asarray(away / np.where(lengths > 0.0, lengths, 1.0), np.float32)

    def _away(self, surfaces: Matrix) -> Matrix:
        """Standard deviations from the mean."""
        return np.asarray(np.clip((surfaces - self.centre) / self.spread, -_MOST, _MOST), np.float32)


@dataclass(frozen=True)
class Fit:
    """Everything that predictions need; `split` is the effects found for the remembered rows.

    Of a request that is remembered several times the first row has the effects of all, and the others have none.
    `slopes` (models): the factor of the shared part for each model. `weights` (BAG + SIZE, 1 + models): the shared part
    of scores, then the models' own; `lengths` likewise.
    """

    scale: FeatureScaler
    weights: Matrix
    lengths: Verbosity
    blend: Blend
    slopes: Matrix
    calibration: Calibration
    split: ScoreDecomposition
    trees: Trees

    @property
    def levels(self) -> Matrix:
        """Each model's mean, as if all had got the same requests."""
        return self.split.levels

    def parts(self, surface: Matrix, sources: Sequence[Matrix]) -> Matrix:
        """The effect of a request, from its surface and each source's prediction (1 + models) except the trees'.

        On an average model, and on each (1 + models).
        """
        further = self.trees.of(np.concatenate((surface, *sources)))
        found = self.blend.apply([each[None] for each in (*sources, further)])
        return np.asarray(sloped(self.slopes, found)[0], np.float32)


class Fitted(NamedTuple):
    """A fit, and the table's scores minus what is predicted of the requests from other rows (rows, models)."""

    fit: Fit
    beyond: Matrix


def fitted(table: TrainingTable) -> Fitted:
    """Needs a table of at least one row."""
    merged, first = table.merged()
    fit, effects = _fitted(merged)
    if table.same is None or len(first) == len(table.same):
        return Fitted(fit, table.scores - effects)
    return Fitted(replace(fit, split=_unmerged(fit.split, first, len(table.same))), table.scores - effects[table.same])


def _unmerged(found: ScoreDecomposition, first: Parts, rows: int) -> ScoreDecomposition:
    spread = []
    for each in (found.shared, found.own, found.there):
        spread.append(np.zeros((rows, each.shape[1]), np.float32))
        spread[-1][first] = each
    return ScoreDecomposition(found.levels, *spread)


def _fitted(table: TrainingTable) -> tuple[Fit, Matrix]:
    """Also returns the predicted effects of the requests (rows, models)."""
    scale = scale_of(table.surfaces)
    x = scale.features(table.bags, table.surfaces)
    known = Sides(keys(table.bags) if table.known is None else table.known, scale.forms(table.surfaces))
    true, slope = split(table.scores), np.ones(table.scores.shape[1], np.float32)
    if not true.there.all():  # else each model's own part holds its slope
        levels, foreseen = _told_apart(x, table.scores, table.parts)
        slope = slopes(table.scores, levels, foreseen)
        true = parted(table.scores, levels, foreseen, slope)
    logs = split(np.log(np.maximum(table.tokens, 1.0)))
    straight, long = _lines(x, (true, logs), table.parts)
    sources = [straight.unseen, *_by_neighbours(known, true, table.parts)]
    trees, further = _by_trees(table.surfaces, sources, true)
    sources.append(further)
    found = _shrunk_by_gaps(blend(sources, true), true)
    if not found.trusts(SOURCES - 1):
        trees = no_trees(further.shape[1])
    there = true.there > 0
    effects = sloped(slope, found.apply(sources))[:, 1:]
    predicted = true.levels + effects
    fit = Fit(
        scale, straight.weights, verbosity(long, logs, table.tokens), found, slope,
        calibrated(predicted[there].astype(np.float64), table.scores[there].astype(np.float64)), true, trees,
    )  # fmt: skip
    return fit, effects


def _told_apart(x: Matrix, scores: Matrix, parts: Parts) -> tuple[Matrix, Matrix]:
    """Each model's level (models), and the predicted effect of each request on an average model (rows, 1).

    Both are computed together, with levels shrunk towards their mean: a model is not rated lower for getting the hard
    requests, nor a request harder for being given to weak models.
    """
    there = (~np.isnan(scores)).astype(np.float32)
    share = there / np.maximum(there.sum(1, keepdims=True), 1.0)
    some = there.any(1, keepdims=True)
    columns = np.hstack((share, some, (share * np.nan_to_num(scores)).sum(1, keepdims=True))).astype(np.float32)
    asked = x * some
    found = line(asked, columns, parts)
    rest = columns - asked @ found.weights
    likeness = np.diag([_LIKE_OTHERS] * share.shape[1] + [1e-3])
    effects = np.linalg.solve(columns[:, :-1].T @ rest[:, :-1] + likeness, columns[:, :-1].T @ rest[:, -1])
    unexplained = rest[:, -1] - rest[:, :-1] @ effects
    levels = effects[:-1] + effects[-1] + unexplained @ share / np.maximum(share.sum(0), 1e-9)
    told, beyond = (m[:, -1:] - m[:, :-2] @ levels[:, None] for m in (found.unseen, columns))
    worth = (told * beyond).sum() / max(float(np.square(told).sum()), 1e-9)
    return levels.astype(np.float32), (np.clip(worth, 0.0, 2.0) * told).astype(np.float32)


def _shrunk_by_gaps(found: Blend, true: ScoreDecomposition) -> Blend:
    """If models were asked by choice, their few scores say little about requests that others got."""
    gaps = 1.0 - float(true.there.mean())
    number = true.there.sum(0)
    return found._replace(own=(found.own * (number / (number + _DOUBTED * gaps + 1e-9))).astype(np.float32))


def scale_of(surfaces: Matrix) -> FeatureScaler:
    """Of the rows' surfaces; a number that never varies has no weight."""
    spread = surfaces.std(0)
    return FeatureScaler(surfaces.mean(0), np.where(spread > 1e-6, spread, 1e6).astype(np.float32))


def sloped(slope: Matrix, parts: Matrix) -> Matrix:
    """From (rows, 1 + models), shared first and then each model's own: the same, with the shared part added to each
    model's.
    """
    return np.hstack((parts[:, :1], slope * parts[:, :1] + parts[:, 1:]))


def _lines(x: Matrix, wholes: Sequence[ScoreDecomposition], parts: Parts) -> list[RidgeFit]:
    """For the shared part and each model's own; targets that are known for the same rows are solved together."""
    columns = [rows_of(whole) for whole in wholes]
    values, there = (np.hstack(matrices) for matrices in zip(*columns, strict=True))
    shared = np.concatenate(
        [(np.arange(len(value.T)) == 0) & whole.there.all() for whole, (value, _) in zip(wholes, columns, strict=True)]
    )
    weights, unseen = np.zeros((x.shape[1], values.shape[1]), np.float32), np.zeros_like(values)
    groups: dict[bytes, list[int]] = {}
    for column, rows_there in enumerate(there.T):
        groups.setdefault(rows_there.tobytes(), []).append(column)
    for group in map(np.array, groups.values()):
        rows = np.flatnonzero(there[:, group[0]])
        if len(rows):
            found = best_ridge_fit(x[rows], values[np.ix_(rows, group)], parts[rows], shared[group])
            weights[:, group], unseen[np.ix_(rows, group)] = found
    ends = np.cumsum([len(value.T) for value, _ in columns])[:-1]
    return [RidgeFit(*halves) for halves in zip(np.split(weights, ends, 1), np.split(unseen, ends, 1), strict=True)]


def _by_neighbours(known: Sides, true: ScoreDecomposition, parts: Parts) -> tuple[Matrix, Matrix]:
    values, there = rows_of(true)
    unseen = np.zeros_like(values), np.zeros_like(values)
    for part in np.unique(parts):
        kept, left = parts != part, parts == part
        if kept.any():
            unseen[0][left], unseen[1][left] = estimates(known.rows(kept), values[kept], there[kept], known.rows(left))
    return unseen


def _by_trees(surfaces: Matrix, sources: Sequence[Matrix], true: ScoreDecomposition) -> tuple[Trees, Matrix]:
    values, there = rows_of(true)
    if true.there.mean() <= _MOSTLY:
        return no_trees(values.shape[1]), np.zeros_like(values)
    return grown(np.hstack((surfaces, *sources)), values, there)


def rows_of(true: ScoreDecomposition) -> tuple[Matrix, Matrix]:
    """The values that the sources predict: (rows, 1 + models), shared first, and 1 where they are known, else 0."""
    some = true.there.any(1, keepdims=True).astype(np.float32)
    return np.hstack((true.shared, true.own)), np.hstack((some, true.there))
