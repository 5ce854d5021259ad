"""Trying a model that may be better than the pick: for a share of requests, within money per day, and by seed.

Whether and whom is drawn from the seed and the request's id alone, so a dry run finds what the request would. Only a
model whose quality may, within its error, make it better than the pick is tried.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from capability_router.policies.base import Prospect, Scored
from capability_router.policies.draw import place
from capability_router.policies.exploration_money import ExplorationMoney, OwnMoney

ERRORS = 1.0  # standard errors on either side of a score


class Exploring(Protocol):
    """The settings of it: a share from 0 to 1, USD per day."""

    @property
    def exploration(self) -> float: ...
    @property
    def exploration_usd_per_day(self) -> float: ...
    @property
    def seed(self) -> int | None: ...


class Explored(NamedTuple):
    """The place in the ranking of the model to try, 0 = the pick; the chance of this choice; its extra cost; why.

    `chances`: of each model that could have been first; () = the pick alone could.
    """

    at: int
    propensity: float
    extra_pico: int = 0
    reason: str = ""
    chances: tuple[tuple[str, float], ...] = ()


PICKED = Explored(0, 1.0)


class Explorer:
    """Thread-safe. `share` of requests, 0 to 1; `money` above the picks' cost."""

    def __init__(self, share: float, money: ExplorationMoney, seed: int | None) -> None:
        self._share, self._money, self._seed = share, money, seed or 0

    def choose(self, request_id: str, ranked: Sequence[tuple[Scored, Prospect]], now: float) -> Explored:
        """Whom to ask, of a ranking whose first is the pick. `now`: seconds."""
        left = self._money.left(now)
        pick = ranked[0][1].cost_pico if ranked else None
        if not self._share or pick is None:
            return PICKED
        (score, _), first = ranked[0]
        lowest = score - ERRORS * first.error
        extra = {
            at: row.cost_pico - pick
            for at, ((reached, _), row) in enumerate(ranked)
            if at and not row.held and row.cost_pico is not None and reached + ERRORS * row.error > lowest
        }
        able = [at for at, more in extra.items() if more <= left]
        if not able:
            if extra:
                self._money.wants(min(extra.values()))
            return PICKED
        each = self._share / len(able)
        chances = ((first.card.id, 1.0 - self._share), *((ranked[at][1].card.id, each) for at in able))
        drawn = place(f"request\x1f{request_id}", "exploration", self._seed)
        if drawn >= self._share:
            return Explored(0, 1.0 - self._share, chances=chances)
        at = able[int(drawn / self._share * len(able))]
        return _exploring(ranked, at, each)._replace(chances=chances)

    def pays(self, explored: Explored, now: float) -> bool:
        """Spend what this trial costs beyond the pick, before it is made; False = threads since have spent the rest."""
        return not explored.extra_pico or self._money.took(explored.extra_pico, now)


def _exploring(ranked: Sequence[tuple[Scored, Prospect]], at: int, propensity: float) -> Explored:
    first, other = ranked[0][1], ranked[at][1]
    told = (
        f"tried, at a chance of {propensity:.2%}: quality {other.quality:.2f} +- {other.error:.2f} may be worth more "
        f"than {first.card.id}'s {first.quality:.2f} +- {first.error:.2f}"
    )
    return Explored(at, propensity, max((other.cost_pico or 0) - (first.cost_pico or 0), 0), told)


def explorer_of(settings: Exploring, purse: Callable[[int], ExplorationMoney] = OwnMoney) -> Explorer | None:
    """None where nothing is to be tried. `purse`: from picodollars a day to who has them."""
    if not settings.exploration:
        return None
    return Explorer(settings.exploration, purse(round(settings.exploration_usd_per_day * 1e12)), settings.seed)
