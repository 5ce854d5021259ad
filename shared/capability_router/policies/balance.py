"""Interchangeable candidates share the traffic: of two, the one under less pressure goes first.

Candidates are interchangeable when they are the same model at the same price, at different addresses.
They keep the places that the policy gave them together; only their order among themselves changes. The
two are taken in turn, not by chance, so that the same state gives the same plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from capability_router.catalog.card import ModelCard
from capability_router.policies.base import Prospect, Scored

Pair = tuple[Scored, Prospect]


class Balance:
    """The groups of interchangeable cards, made once per registry."""

    __slots__ = ("_group", "_turn", "any")

    def __init__(self, cards: Sequence[ModelCard]) -> None:
        groups: defaultdict[tuple[str, str], list[str]] = defaultdict(list)
        for card in cards:
            if card.model:
                groups[card.model, repr(card.price)].append(card.id)
        self._group = {id: i for i, ids in enumerate(groups.values()) if len(ids) > 1 for id in ids}
        self.any = bool(self._group)
        """Whether any are interchangeable."""
        self._turn = 0

    def took_turn(self) -> None:
        """A request was really carried out."""
        self._turn += 1

    def arranged(self, ranked: list[Pair]) -> None:
        """Put the usable ones of each group in their balanced order."""
        places: defaultdict[int, list[int]] = defaultdict(list)
        for place, (_, row) in enumerate(ranked):
            group = self._group.get(row.card.id)
            if group is not None and not row.held and not row.queue_s and not row.stays:
                places[group].append(place)
        for held in places.values():
            if len(held) > 1:
                self._balance(ranked, held)

    def _balance(self, ranked: list[Pair], places: list[int]) -> None:
        """Bring the less pressed of two members to the group's first place."""
        count = len(places)
        first = self._turn % count
        other = (first + 1 + self._turn // count % (count - 1)) % count
        one, two = sorted((first, other))
        best = two if ranked[places[two]][1].pressure_s < ranked[places[one]][1].pressure_s else one
        pair = ranked[places[best]]
        for i in range(best, 0, -1):
            ranked[places[i]] = ranked[places[i - 1]]
        ranked[places[0]] = pair
