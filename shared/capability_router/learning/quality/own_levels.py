"""Each tenant's own level of each model: the mean of its scores minus what was predicted of its requests.

Where several tenants score, one of them is told the level that all share only as far as it has few scores of its own.
So others' wrong scores move a tenant the less, the more it has scored itself.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Container, Iterable, Mapping, Sequence
from functools import partial

import numpy as np

from capability_router.learning.quality.sketch import Matrix
from capability_router.learning.tenants import Sums, replaced

SHARED_COUNTS = 20.0  # scores; the shared level counts as this many of the tenant's own
KEPT_CHANGED = 40.0  # scores of its own that count on, after scores of all show that a model has changed
LEAST, MOST = -1.0, 2.0  # of a score minus what is predicted of its request
_FADE = 0.995  # per score of the model by the tenant
_TENANTS = 1_000


class OwnLevels:
    """Of the 1,000 tenants that scored last, by hash. Its owner lets one thread at a time change it."""

    def __init__(self, known: Iterable[tuple[str, Mapping[str, Sums]]] = ()) -> None:
        self.known = OrderedDict((whose, dict(levels)) for whose, levels in known)
        self._meanwhile: list[tuple[str, Callable[[], None]]] | None = None  # by model: what is learned during a fit

    def learn(self, whose: str, model: str, beyond: float) -> None:
        """A tenant's score minus what was predicted of its request. "" = nobody's: not kept."""
        if whose:
            self._fitted_later(model, partial(self.learn, whose, model, beyond))
            levels = self._of(whose)
            levels[model] = _more(levels.get(model, (0.0, 0.0)), beyond)

    def corrected(self, whose: str, model: str, by: float, among: int) -> None:
        """One of the tenant's `among` remembered scores is replaced, by one that is so much higher."""
        self._fitted_later(model, partial(self.corrected, whose, model, by, among))
        levels = self.known.get(whose, {})
        if model in levels:
            levels[model] = replaced(levels[model], by, among, LEAST, MOST)

    def _fitted_later(self, model: str, lesson: Callable[[], None]) -> None:
        """Learn it again after the fit that runs, if one does: that one does not know of it."""
        if self._meanwhile is not None:
            self._meanwhile.append((model, lesson))

    def level(self, whose: str, model: str, shared: float) -> float:
        """The model's level to this tenant; the shared one if no other tenant has scored, or it has not."""
        if len(self.known) < 2:
            return shared
        total, count = self.known.get(whose, {}).get(model, (0.0, 0.0))
        return (SHARED_COUNTS * shared + total) / (SHARED_COUNTS + count)

    def doubt(self, model: str, keep: float) -> None:
        """It may be another model now: each tenant's earlier scores count as this many at most."""
        for levels in self.known.values():
            if model in levels:
                total, count = levels[model]
                kept = min(1.0, keep / max(count, 1e-9))
                levels[model] = (total * kept, count * kept)

    def fitting(self) -> None:
        """A fit begins, on what is remembered now."""
        self._meanwhile = []

    def settle(self, found: Mapping[tuple[str, str], Sums], models: Container[str]) -> None:
        """Set from the fit that began last, for these models; what was learned since is added."""
        for (tenant, model), sums in found.items():
            if model in models:
                self._of(tenant)[model] = sums
        meanwhile, self._meanwhile = self._meanwhile, None
        for model, lesson in meanwhile or ():
            if model in models:
                lesson()

    def _of(self, whose: str) -> dict[str, Sums]:
        levels = self.known.setdefault(whose, {})
        self.known.move_to_end(whose)
        if len(self.known) > _TENANTS:
            self.known.popitem(last=False)
        return levels


def sums_of(whose: Sequence[str], models: Sequence[str], beyond: Matrix) -> dict[tuple[str, str], Sums]:
    """By tenant and model, the tenant that scored last at the end.

    `whose`: of the rows, in the order in which they came; `beyond` (rows, models): their scores minus what a fit
    predicts of the requests, NaN = none.
    """
    found: dict[tuple[str, str], Sums] = {}
    of_tenants = np.array([tenant != "" for tenant in whose], bool)[:, None]
    for row, column in np.argwhere(~np.isnan(beyond) & of_tenants).tolist():
        key = whose[row], models[column]
        found[key] = _more(found.pop(key, (0.0, 0.0)), float(beyond[row, column]))
    return found


def _more(sums: Sums, beyond: float) -> Sums:
    """With one more score. What is predicted of a request can be more than any score."""
    total, count = sums
    return (_FADE * total + min(max(beyond, LEAST), MOST), _FADE * count + 1.0)
