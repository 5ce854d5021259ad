"""In which order the models of a scene are asked, by whatever way it is found."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from capability_router import ModelCard, Request
from capability_router.features import features
from capability_router.policies.affinity import NOWHERE, StickyModel
from capability_router.policies.base import EligibleModel, PolicyContext
from capability_router.policies.planner import _ordered

IDS = [f"m{n}" for n in range(6)]


def rows(chance: Random) -> list[EligibleModel]:
    return [
        EligibleModel(
            ModelCard(id), 0.5, chance.choice((None, 7)), 1.0, 0.0, chance.randrange(3), chance.choice(("", "full"))
        )
        for id in IDS
    ]


def by_all(found: list[EligibleModel], scores: list[float], bound: str, tight: dict[str, str]) -> list[int]:
    """The rule as it is told, one thing after the other."""

    def rank(at: int) -> tuple[Any, ...]:
        row = found[at]
        id = row.card.id
        return bool(row.held), id != bound, id in tight, -scores[at], row.cost_pico is None, row.load

    return sorted(range(len(found)), key=rank)


@pytest.mark.parametrize(
    "scores", [(1.0, 2.0), (0.0, 1e-3, 0.2, 0.5, 0.7, 0.9, 1.5, 2.0, 3.0)], ids=["equal", "mostly other"]
)
@pytest.mark.parametrize("bound", ["", "m3"])
@pytest.mark.parametrize("tight", [{}, {"m1": "nearly too long"}])
def test_usable_before_held_then_by_score_price_and_load(
    scores: tuple[float, ...], bound: str, tight: dict[str, str]
) -> None:
    chance, request = Random(7), Request(("hello",))
    stay = StickyModel(bound, True) if bound else NOWHERE
    for _ in range(40):
        found = rows(chance)
        drawn = [chance.choice(scores) for _ in IDS]
        scene = PolicyContext(request, features(request), found)
        assert _ordered(scene, drawn, stay, {}, tight) == by_all(found, drawn, bound, tight)
