"""A scored answer as one process sends it to the others, and the seal that shows damage."""

from __future__ import annotations

import json
from collections.abc import Callable
from hashlib import blake2b
from typing import Any, NamedTuple

from capability_router.learning.guard import PlanPrediction

FORMAT = 2
"""Of what is written here. Another one has logs of its own, so that two versions can share a store."""
_SEAL = 16
USER = "user"


class CorruptLesson(ValueError):
    """What was read is damaged; the message says how, and quotes nothing."""


class Lesson(NamedTuple):
    """An answer of `model` was worth `score`, 0 to 1, to the tenant whose name has this hash.

    `seen`: the request's sketch, None = nothing was learned from its words. `tokens` of the answer, None = not known.
    `foreseen`: the plan it came of; None if there was nothing to choose, or it was sent before. `source`: whose
    score it is; lines without one are a user's. `version`: what the reply called the model, "" = nothing.
    """

    id: str
    model: str
    score: float
    tokens: int | None
    tenant: str
    seen: Any = None
    foreseen: PlanPrediction | None = None
    source: str = USER
    version: str = ""


Pack = Callable[[Any], Any]
"""From a sketch to JSON, or back; back, it gives None for what is no sketch."""


def line(lesson: Lesson, pack: Pack) -> str:
    """One line of text."""
    told = lesson._replace(
        seen=None if lesson.seen is None else pack(lesson.seen), foreseen=_short(lesson.foreseen)
    )  # fmt: skip
    items = told if told.version else told[:-1] if told.source != USER else told[:-2]  # what goes without saying
    return sealed(json.dumps(items, separators=(",", ":"), allow_nan=False))


def read(text: str, unpack: Pack) -> Lesson:
    """From such a line. Raises CorruptLesson."""
    try:
        id, model, score, tokens, tenant, seen, foreseen, *rest = json.loads(opened(text))
        source, version = list(rest) + [USER, ""][len(rest) :]
        lesson = Lesson(
            str(id), str(model), float(score), None if tokens is None else int(tokens), str(tenant),
            None if seen is None else unpack(seen), _long(foreseen), str(source), str(version),
        )  # fmt: skip
    except (ValueError, TypeError) as error:
        if isinstance(error, CorruptLesson):
            raise
        raise CorruptLesson(f"a lesson is none: {type(error).__name__}") from None
    if not 0.0 <= lesson.score <= 1.0 or (seen is not None and lesson.seen is None):
        raise CorruptLesson("a lesson holds no score, or no sketch")
    return lesson


def sealed(text: str) -> str:
    """With a checksum before it."""
    return f"{_checksum(text)}{text}"


def opened(text: str) -> str:
    """Without it. Raises CorruptLesson if it does not match."""
    seal, rest = text[:_SEAL], text[_SEAL:]
    if seal != _checksum(rest):
        raise CorruptLesson("the checksum does not match")
    return rest


def _checksum(text: str) -> str:
    return blake2b(text.encode("utf-8", "replace"), digest_size=_SEAL // 2).hexdigest()


def _short(foreseen: PlanPrediction | None) -> Any:
    if foreseen is None:
        return None
    numbers = ([round(number, 5) for number in numbers] for numbers in (foreseen.quality, foreseen.rest))
    return [foreseen.pick, foreseen.models, *numbers]


def _long(told: Any) -> PlanPrediction | None:
    if told is None:
        return None
    pick, models, quality, rest = told
    if not len(models) == len(quality) == len(rest):
        raise CorruptLesson("a lesson's plan does not fit together")
    return PlanPrediction(str(pick), tuple(map(str, models)), tuple(map(float, quality)), tuple(map(float, rest)))
