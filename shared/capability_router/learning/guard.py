"""Never worse than the best fixed model: checks whether learned picks are worth less than always using one model.

Scores of the newest requests are replayed. For a model that was not asked, the score is its prediction, corrected by
the mean error of its predictions where it was asked. A model is compared only if it was asked often enough.

What one of several tenants scored does not decide it for the others: the verdict must stand without those scores, too.
A verdict that only the scores of a tenant with more than half of them support is for that tenant.

Under a target of quality the price of quality is what makes picks that keep the target worth as much as cheaper ones
that do not. So there a fixed model must have the picks' quality, too.
"""

from __future__ import annotations

import logging
import math
from collections import Counter, deque
from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from capability_router.concurrency.latch import Latch
from capability_router.learning.tenants import hashed

WINDOW = 200  # scored requests that are replayed
LEAST = 40  # requests that are needed for a verdict
_ASKED = 20  # answers of a model in the window that are needed to compare it
_EVERY = 8  # scores, between two replays
_MOST = 0.5  # a tenant that gave more than this share of the scores may decide for itself
_LARGEST = 3  # tenants that are left out, one at a time
_NO_MATTER = 0.01  # quality points: a smaller shortfall is ignored; if all scores are equal, its error is 0

_NAMELESS = hashed("")

log = logging.getLogger("capability_router")


class PlanPrediction(NamedTuple):
    """One plan: the learned pick, and per model its predicted quality and the rest of its score.

    The rest is cost at the price of quality, latency and so on, in quality points.
    """

    pick: str
    models: tuple[str, ...]
    quality: tuple[float, ...]
    rest: tuple[float, ...]


class Shortfall(NamedTuple):
    """How many quality points per request learned picks fall short of a fixed model, its standard error, requests."""

    points: float
    error: float
    requests: int

    def told(self, fixed: str) -> str:
        """In words. A cheaper or faster model may be worth more although its scores are lower."""
        return (
            f"always using {fixed} would have been worth {self.points:.3f} +- {self.error:.3f} quality points more per "
            "request than the learned choices, with cost and latency counted"
        )


class _Scored(NamedTuple):
    pick: str
    asked: str
    score: float
    foreseen: Mapping[str, tuple[float, float]]  # model -> quality, rest
    id: str = ""
    tenant: str = ""


class _Offset(NamedTuple):
    """Real minus predicted quality: mean, variance of the mean, answers."""

    mean: float
    variance: float
    answers: int


_UNASKED = _Offset(0.0, 0.0, 0)


class BaselineGuard:
    """Thread-safe. `fixed` is the model to use instead of learned picks, None = the picks are good enough.

    `only`: the hash of the only tenant that this is for; "" = it is for all. `targets`: whether there is a target of
    quality.
    """

    def __init__(self, *, targets: bool = False) -> None:
        self._targets = targets
        self.fixed: str | None = None
        self.only = ""
        self.told = Shortfall(0.0, 0.0, 0)
        self._scored: deque[_Scored] = deque(maxlen=WINDOW)
        self._since = 0
        self._lock = Latch()

    def note(
        self, foreseen: PlanPrediction | None, asked: str, score: float, id: str = "", tenant: str = ""
    ) -> None:  # fmt: skip
        """A request with this prediction was answered by `asked`, and the answer got `score`.

        `foreseen`: None = there was no choice, or an earlier score came with it. `id`: the request's; it counts once,
        with its latest score. `tenant`: its hash.
        """
        scored = None if foreseen is None else _scored(foreseen, asked, score, id, tenant)
        with self._lock:
            if not self._known(id, asked, score):
                if scored is None:
                    return
                self._scored.append(scored)
                self._since += 1
            before = self.fixed
            if self._since >= _EVERY and len(self._scored) >= LEAST:
                self._since = 0
                self._replay()
            after = self.fixed, self.told, self.only
        _log(before, *after)

    def _known(self, id: str, asked: str, score: float) -> bool:
        """Whether a score of this request is compared; another score of the same answer replaces it."""
        at = next((at for at, each in enumerate(self._scored) if id and each.id == id), None)
        if at is None:
            return False
        each = self._scored[at]
        if each.asked == asked and each.score != score:
            self._scored[at] = each._replace(score=score)
            self._since += 1
        return True

    def renew(self, told: Iterable[tuple[PlanPrediction, str, float, str, str]]) -> None:
        """Replace all that `note` has recorded by these, oldest first."""
        once = {each[3] or str(at): _scored(*each) for at, each in enumerate(told)}
        with self._lock:
            self._scored = deque((each for each in once.values() if each is not None), WINDOW)
            self._since, before = 0, self.fixed
            if len(self._scored) >= LEAST:
                self._replay()
            after = self.fixed, self.told, self.only
        _log(before, *after)

    def fixed_for(self, tenant: str, *, scored: bool) -> str | None:
        """The fixed model for a tenant, by its hash; `scored`: whether it has ever scored.

        One that has not has the verdict of those that have.
        """
        return None if self.only and tenant != self.only and scored else self.fixed

    def changed(self, model: str) -> None:
        """This name now stands for another model, so the former model's scores no longer count."""
        with self._lock:
            self._scored = deque((each for each in self._scored if each.asked != model), WINDOW)
            before = self.fixed
            if len(self._scored) >= LEAST or self.fixed == model:
                self._replay()
            after = self.fixed, self.told, self.only
        _log(before, *after)

    def _replay(self) -> None:
        self.fixed, self.only, self.told = _agreed(self._scored, self._targets)


def _agreed(scored: Sequence[_Scored], targets: bool) -> tuple[str | None, str, Shortfall]:
    """The verdict, whom it is for, and by how much.

    It is for all if it stands without the scores of any one tenant, of those with the most; else there is no fixed
    model, or only for who gave most scores.
    """
    fixed, told = verdict(scored, targets)
    only = ""
    if fixed is not None:
        for tenant, count in Counter(each.tenant for each in scored).most_common(_LARGEST):
            if verdict([each for each in scored if each.tenant != tenant], targets)[0] == fixed:
                continue
            if count <= _MOST * len(scored):
                return None, "", told
            only = tenant
    return fixed, only, told


def _log(before: str | None, fixed: str | None, shortfall: Shortfall, only: str) -> None:
    """Without the lock: a log handler may be slow, or call the router."""
    if fixed is not None and before is None:
        whom = " for the tenant with most of these scores" if only not in ("", _NAMELESS) else ""
        log.warning("%s: it is used instead%s", shortfall.told(fixed), whom)
    elif fixed is None and before is not None:
        log.info("learned picks no longer fall short of %s: they are used again", before)


def _scored(foreseen: PlanPrediction, asked: str, score: float, id: str, tenant: str) -> _Scored | None:
    """None if there was no choice."""
    by_model = dict(zip(foreseen.models, zip(foreseen.quality, foreseen.rest, strict=True), strict=True))
    if len(by_model) < 2 or asked not in by_model or foreseen.pick not in by_model:
        return None
    return _Scored(foreseen.pick, asked, score, by_model, id, tenant)


def verdict(scored: Sequence[_Scored], targets: bool = False) -> tuple[str | None, Shortfall]:
    """The fixed model that beats learned picks by more than an error, and by more than a minimum; and by how much."""
    offsets = _offsets(scored)
    known = [model for model, offset in offsets.items() if offset.answers >= _ASKED]
    known = [model for model in known if not targets or _as_good(scored, model, offsets)]
    found = [(_shortfall(scored, model, offsets), model) for model in known]
    if not found:
        return None, Shortfall(0.0, 0.0, len(scored))
    most, model = max(found)
    return (model if most.points > max(most.error, _NO_MATTER) else None), most


def _as_good(scored: Sequence[_Scored], model: str, offsets: Mapping[str, _Offset]) -> bool:
    """Whether the model's answers would have had at least the quality of the picks' ones."""
    asked = [each for each in scored if model in each.foreseen]
    return sum(_quality(each, model, offsets) - _quality(each, each.pick, offsets) for each in asked) >= 0.0


def _offsets(scored: Sequence[_Scored]) -> dict[str, _Offset]:
    beyond: dict[str, list[float]] = {}
    for each in scored:
        beyond.setdefault(each.asked, []).append(each.score - each.foreseen[each.asked][0])
    return {model: _offset(values) for model, values in beyond.items()}


def _offset(values: Sequence[float]) -> _Offset:
    mean = sum(values) / len(values)
    spread = sum((value - mean) ** 2 for value in values) / max(len(values) - 1, 1)
    return _Offset(mean, spread / len(values), len(values))


def _shortfall(scored: Sequence[_Scored], model: str, offsets: Mapping[str, _Offset]) -> Shortfall:
    """A request changes nothing if the model could not have been asked, or was the pick."""
    gains = [_value(each, model, offsets) - _value(each, each.pick, offsets) for each in scored if model in each[3]]
    mean = sum(gains) / len(scored)
    spread = sum((gain - mean) ** 2 for gain in gains) / max(len(scored) - 1, 1) / len(scored)
    return Shortfall(mean, math.sqrt(spread + _guessed(scored, model, offsets)), len(scored))


def _guessed(scored: Sequence[_Scored], model: str, offsets: Mapping[str, _Offset]) -> float:
    """The variance from the models' offsets, which all guesses about one model share."""
    moves: dict[str, int] = {}
    for each in scored:
        if each.pick == model or model not in each.foreseen:
            continue
        for sign, guessed in ((1, model), (-1, each.pick)):
            if guessed != each.asked:
                moves[guessed] = moves.get(guessed, 0) + sign
    return sum((n / len(scored)) ** 2 * offsets.get(m, _UNASKED).variance for m, n in moves.items())


def _value(each: _Scored, model: str, offsets: Mapping[str, _Offset]) -> float:
    return each.foreseen[model][1] + _quality(each, model, offsets)


def _quality(each: _Scored, model: str, offsets: Mapping[str, _Offset]) -> float:
    """The answer's score, or what it is guessed to be."""
    return each.score if model == each.asked else each.foreseen[model][0] + offsets.get(model, _UNASKED).mean
