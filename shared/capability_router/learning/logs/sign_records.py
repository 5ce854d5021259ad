"""The sums of implicit signs in decision logs: by model, its answers, and how many of them count as lost."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Mapping
from typing import Any

from capability_router.learning.implicit_signs import WEIGHTS, SignCounts
from capability_router.learning.logs.omissions import Omissions
from capability_router.learning.logs.scored_request import TOO_MANY, hold
from capability_router.learning.logs.values import name_of

MOST_MODELS = 64


class SignRecords:
    """The answers of decisions and the signs of them, in any order."""

    def __init__(self, omissions: Omissions) -> None:
        self._omissions = omissions
        self._answers: dict[str, tuple[str, ...]] = {}  # request -> the models that answered, well or not
        self._signs: dict[tuple[str, str, str], float] = {}

    def decided(self, id: str, attempts: object) -> None:
        """The attempts of a decision."""
        every = [a for a in attempts if isinstance(a, Mapping)] if isinstance(attempts, list) else []
        answered = (name_of(a.get("model")) for a in every if not a.get("fault") or name_of(a["fault"]) in WEIGHTS)
        hold(self._answers, id, tuple(filter(None, answered)))  # who is dropped is told of with the decisions

    def take(self, id: str, item: Mapping[str, Any]) -> None:
        """A sign's record."""
        kind, model = item.get("sign"), name_of(item.get("model"))
        weight = WEIGHTS.get(kind) if isinstance(kind, str) else None
        if weight is None or not model:
            self._omissions.note("implicit signs of no known kind")
        else:
            self._omissions.note(TOO_MANY, hold(self._signs, (id, model, str(kind)), weight))

    def counted(self, scored: Mapping[str, str]) -> dict[str, SignCounts]:
        """By model; empty where there was no sign.

        `scored`: by request the model whose answer has a score, which counts in the place of its signs.
        """
        lost: dict[str, float] = defaultdict(float)
        for (id, model, _), weight in self._signs.items():
            if model not in self._answers.get(id, ()):
                self._omissions.note("implicit signs without their decision")
            elif scored.get(id) != model:
                lost[model] += weight
        answers = Counter(model for models in self._answers.values() for model in models) if lost else Counter[str]()
        return {m: SignCounts(float(number), lost[m]) for m, number in answers.most_common(MOST_MODELS)}
