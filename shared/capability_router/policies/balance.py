"""Interchangeable candidates share the traffic: of two, the one under less pressure goes first.

Candidates are interchangeable if they are the same model at the same price, at different addresses. They keep the ranks
that the policy gave them as a group; only their order within the group changes. Which two are compared is decided in
turn, not by chance, so that the same state gives the same plan.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence

from capability_router.catalog.card import ModelCard
from capability_router.policies.base import EligibleModel


class LoadBalancer:
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

    def count_request(self) -> None:
        """Count a request that was really carried out."""
        self._turn += 1

    def arrange(self, order: list[int], rows: Sequence[EligibleModel]) -> None:
        """Put the usable members of each group in their balanced order; `order`: indices of the rows, best first."""
        places: defaultdict[int, list[int]] = defaultdict(list)
        for place, at in enumerate(order):
            row = rows[at]
            group = self._group.get(row.card.id)
            if group is not None and not row.held and not row.queue_s and not row.stays:
                places[group].append(place)
        for held in places.values():
            if len(held) > 1:
                self._balance(order, held, rows)

    def _balance(self, order: list[int], places: list[int], rows: Sequence[EligibleModel]) -> None:
        """Bring the less pressed of two members to the group's first place."""
        count = len(places)
        first = self._turn % count
        other = (first + 1 + self._turn // count % (count - 1)) % count
        one, two = sorted((first, other))
        best = two if rows[order[places[two]]].pressure_s < rows[order[places[one]]].pressure_s else one
        first_now = order[places[best]]
        for i in range(best, 0, -1):
            order[places[i]] = order[places[i - 1]]
        order[places[0]] = first_now
