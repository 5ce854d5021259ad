"""A step of a rule: several models with an order of their own, such as a share or the fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf, log
from typing import Any, NamedTuple

from capability_router.nearest import nearest
from capability_router.policies.base import EligibleModel
from capability_router.policies.buckets import bucket_of
from capability_router.request import Request

SHARE, LEAST_BUSY = "share", "least_busy"


class ModelGroup(NamedTuple):
    """`how`: a word of HOWS. `weights`: for a share, one per model; () = equal weights."""

    how: str
    models: tuple[str, ...]
    weights: tuple[float, ...] = ()


Step = str | ModelGroup
"""A model, or several of one rank."""


def step(value: Any) -> Step:
    """A model, or {share: {model: weight, ...}}, {fastest: [model, ...]}, ...; ValueError says what is wrong."""
    if isinstance(value, str) and value.strip():
        return value
    pair = next(iter(value.items())) if isinstance(value, Mapping) and len(value) == 1 else None
    if pair is None or pair[0] not in HOWS:
        hint = nearest(pair[0], HOWS, "") if pair else ""
        raise ValueError(f"must list models, or steps such as {{share: {{model: 9, other: 1}}}}{hint}")
    how, models = str(pair[0]), pair[1]
    if how == SHARE and isinstance(models, Mapping):
        return ModelGroup(how, tuple(map(str, models)), tuple(map(_weight, models.values())))
    if not isinstance(models, (list, tuple)) or not models or not all(isinstance(name, str) for name in models):
        raise ValueError(f"needs models behind {how}: [model, ...]" + (" or {model: weight}" if how == SHARE else ""))
    return ModelGroup(how, tuple(models))


def _weight(value: Any) -> float:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0
    if not 0 <= number < inf:
        raise ValueError("needs finite weights of 0 or more behind share")
    return float(number)


def names(steps: Sequence[Step]) -> Iterator[str]:
    """Every model in these steps."""
    for each in steps:
        yield from (each,) if isinstance(each, str) else each.models


def order(steps: Sequence[Step], request: Request, rows: Mapping[str, EligibleModel]) -> list[str]:
    """The models in the order in which they are tried; `rows`: the candidates, by id."""
    found: list[str] = []
    for each in steps:
        if isinstance(each, str):
            found.append(each)
        else:
            here = [id for id in each.models if id in rows]
            found += sorted(here, key=HOWS[each.how](each, request, rows).__getitem__)
    return found


def first_choice_propensities(steps: Sequence[Step], rows: Mapping[str, EligibleModel]) -> dict[str, float]:
    """With which chance each model is the first that may be asked; empty where it is certain."""
    free = {id for id, row in rows.items() if not row.held} or rows.keys()
    for each in steps:
        here = [id for id in ((each,) if isinstance(each, str) else each.models) if id in free]
        if here:
            return {} if isinstance(each, str) else _even(_lots(each, here, rows))
    return {}


def _even(lots: Mapping[str, float]) -> dict[str, float]:
    total = sum(lots.values())
    found = {id: lot / total for id, lot in lots.items() if lot > 0.0}
    return found if len(found) > 1 else {}


def _lots(tier: ModelGroup, here: Sequence[str], rows: Mapping[str, EligibleModel]) -> Mapping[str, float]:
    """In proportion to the chances; a speed or a price leaves nothing to chance."""
    if tier.how == SHARE:
        weights = dict(zip(tier.models, _weights(tier), strict=True))
        return {id: weights[id] for id in here}
    least = min(rows[id].load for id in here)
    return {id: 1.0 for id in here if rows[id].load == least} if tier.how == LEAST_BUSY else {}


Ranks = dict[str, float]


def _share(tier: ModelGroup, request: Request, rows: Mapping[str, EligibleModel]) -> Ranks:
    """By exponential waits: each model is first as often as its weight's share among those left."""
    return {
        id: -log(1.0 - bucket_of(request, f"share\x1f{id}", None, sticky=False)) / weight if weight else inf
        for id, weight in zip(tier.models, _weights(tier), strict=True)
    }


def _weights(tier: ModelGroup) -> tuple[float, ...]:
    return tier.weights if any(tier.weights) else (1.0,) * len(tier.models)


def _fastest(tier: ModelGroup, _: Request, rows: Mapping[str, EligibleModel]) -> Ranks:
    waits = {id: rows[id].latency_s for id in tier.models if id in rows}
    return {id: inf if wait is None else wait for id, wait in waits.items()}


def _cheapest(tier: ModelGroup, _: Request, rows: Mapping[str, EligibleModel]) -> Ranks:
    costs = {id: rows[id].cost_pico for id in tier.models if id in rows}
    return {id: inf if cost is None else cost for id, cost in costs.items()}


def _least_busy(tier: ModelGroup, request: Request, rows: Mapping[str, EligibleModel]) -> Ranks:
    """Among equally busy models a draw decides, so that the first of the list is not always the busier one."""
    return {
        id: rows[id].load + bucket_of(request, f"busy\x1f{id}", None, sticky=False) for id in tier.models if id in rows
    }


HOWS: dict[str, Callable[[ModelGroup, Request, Mapping[str, EligibleModel]], Ranks]] = {
    SHARE: _share, "fastest": _fastest, "cheapest": _cheapest, LEAST_BUSY: _least_busy,
}  # fmt: skip
