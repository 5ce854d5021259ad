"""A step of a rule: several models with an order of their own, such as a share or the fastest."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from math import inf, log
from typing import Any, NamedTuple

from capability_router.nearest import nearest
from capability_router.policies.base import Prospect
from capability_router.policies.buckets import bucket_of
from capability_router.request import Request

SHARE = "share"


class Tier(NamedTuple):
    """`how`: a word of HOWS. `weights`: for a share, one per model; () = equal weights."""

    how: str
    models: tuple[str, ...]
    weights: tuple[float, ...] = ()


Step = str | Tier
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
        return Tier(how, tuple(map(str, models)), tuple(map(_weight, models.values())))
    if not isinstance(models, (list, tuple)) or not models or not all(isinstance(name, str) for name in models):
        raise ValueError(f"needs models behind {how}: [model, ...]" + (" or {model: weight}" if how == SHARE else ""))
    return Tier(how, tuple(models))


def _weight(value: Any) -> float:
    number = value if isinstance(value, (int, float)) and not isinstance(value, bool) else -1.0
    if not 0 <= number < inf:
        raise ValueError("needs finite weights of 0 or more behind share")
    return float(number)


def names(steps: Sequence[Step]) -> Iterator[str]:
    """Every model in these steps."""
    for each in steps:
        yield from (each,) if isinstance(each, str) else each.models


def order(steps: Sequence[Step], request: Request, rows: Mapping[str, Prospect]) -> list[str]:
    """The models in the order in which they are tried; `rows`: the candidates, by id."""
    found: list[str] = []
    for each in steps:
        if isinstance(each, str):
            found.append(each)
        else:
            here = [id for id in each.models if id in rows]
            found += sorted(here, key=HOWS[each.how](each, request, rows).__getitem__)
    return found


Ranks = dict[str, float]


def _share(tier: Tier, request: Request, rows: Mapping[str, Prospect]) -> Ranks:
    """By exponential waits: each model is first as often as its weight's share among those left."""
    weights = tier.weights if any(tier.weights) else (1.0,) * len(tier.models)
    return {
        id: -log(1.0 - bucket_of(request, f"share\x1f{id}", None, sticky=False)) / weight if weight else inf
        for id, weight in zip(tier.models, weights, strict=True)
    }


def _fastest(tier: Tier, _: Request, rows: Mapping[str, Prospect]) -> Ranks:
    waits = {id: rows[id].latency_s for id in tier.models if id in rows}
    return {id: inf if wait is None else wait for id, wait in waits.items()}


def _cheapest(tier: Tier, _: Request, rows: Mapping[str, Prospect]) -> Ranks:
    costs = {id: rows[id].cost_pico for id in tier.models if id in rows}
    return {id: inf if cost is None else cost for id, cost in costs.items()}


def _least_busy(tier: Tier, request: Request, rows: Mapping[str, Prospect]) -> Ranks:
    """Among equally busy models a draw decides, so that the first of the list is not always the busier one."""
    return {
        id: rows[id].load + bucket_of(request, f"busy\x1f{id}", None, sticky=False) for id in tier.models if id in rows
    }


HOWS: dict[str, Callable[[Tier, Request, Mapping[str, Prospect]], Ranks]] = {
    SHARE: _share, "fastest": _fastest, "cheapest": _cheapest, "least_busy": _least_busy,
}  # fmt: skip
