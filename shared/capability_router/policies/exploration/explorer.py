"""Exploration: tries a model that may be better than the pick, for a share of requests, within a daily budget, by
seed.

The draw depends only on the seed and the request's id, so a dry run finds what the request would. Trials go to the
model with the highest score if each is as good as its bonus allows. Once it is clear that no model beats the pick, such
trials end. A part of the share is drawn evenly among all models whose error leaves room to be better than the pick, so
that each has a known chance in the log.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import NamedTuple, Protocol

from capability_router.policies.base import Scored
from capability_router.policies.buckets import bucket
from capability_router.policies.exploration.budget import ExplorationBudget, LocalExplorationBudget

ERRORS = 1.0  # standard errors on either side of a score, for an even draw
EVENLY, LEAST_EVENLY = 1 / 3, 0.005  # the part that is drawn evenly: of a small share, and of a share of all requests
MOST = 0.99  # of requests may be trials: the pick has a chance of its own


class ExplorationSettings(Protocol):
    """The settings of exploration: a share from 0 to 1, USD per day."""

    @property
    def exploration(self) -> float: ...
    @property
    def exploration_usd_per_day(self) -> float: ...
    @property
    def seed(self) -> int | None: ...


class ExplorationChoice(NamedTuple):
    """The rank of the model to try, 0 = the pick; the chance of this choice; its extra cost; the reason.

    `chances`: of each model that could have been first; () = only the pick could. `paid_pico`: what this trial was
    expected to cost, at least what the pick was.
    """

    at: int
    propensity: float
    extra_pico: int = 0
    reason: str = ""
    chances: tuple[tuple[str, float], ...] = ()
    paid_pico: int = 0


PICKED = ExplorationChoice(0, 1.0)


def evenly(share: float) -> float:
    """The share of all requests that is drawn evenly if this share may be trials: with many trials a small part is
    enough.
    """
    return share * (EVENLY * (1.0 - share) + LEAST_EVENLY * share)


class Explorer:
    """Thread-safe. `share` of requests, 0 to 1; `money` above the picks' cost."""

    def __init__(self, share: float, money: ExplorationBudget, seed: int | None) -> None:
        self._share, self._money, self._seed = min(share, MOST), money, seed or 0
        self._evenly = evenly(self._share)

    def choose(self, request_id: str, ranked: Sequence[Scored], now: float) -> ExplorationChoice:
        """Which model to try, from a ranking whose first is the pick. `now`: seconds."""
        if not self._share or not ranked or ranked[0][1].cost_pico is None:
            return PICKED
        left, extra = self._money.left(now), _extra(ranked)
        wished = [at for at in extra if _may_be_better(ranked, at)]
        dear = [extra[at] for at in wished if extra[at] > max(left, 0)]
        if dear:
            self._money.wants(min(dear))
        able = [at for at in wished if extra[at] <= left]
        return self._drawn(request_id, ranked, able) if able else PICKED

    def _drawn(self, request_id: str, ranked: Sequence[Scored], able: Sequence[int]) -> ExplorationChoice:
        """The unit interval is divided in this order: even draws, trials of the most promising model, picks."""
        hopeful, each = max((0, *able), key=lambda at: _optimistic_score(ranked[at])), self._evenly / len(able)
        chance = {0: 1.0 - self._share, **dict.fromkeys(able, each)}
        chance[hopeful] += self._share - self._evenly
        drawn = bucket(f"request\x1f{request_id}", "exploration", self._seed)
        even = able[min(int(drawn / each), len(able) - 1)]
        at = even if drawn < self._evenly else hopeful if drawn < self._share else 0
        chances = tuple((ranked[at][1].card.id, each) for at, each in chance.items())
        return _exploring(ranked, at, chance[at])._replace(chances=chances)

    def pays(self, explored: ExplorationChoice, now: float) -> bool:
        """Spend this trial's extra cost before it is made; False = other threads have spent the rest since."""
        return not explored.extra_pico or self._money.took(explored.extra_pico, now)

    def ended(self, explored: ExplorationChoice, cost_pico: int | None) -> None:
        """Book what a request with this trial has really cost; None = unknown. Waits for no lock."""
        if explored.at and cost_pico is not None:
            self._money.ended(cost_pico - explored.paid_pico)


def _extra(ranked: Sequence[Scored]) -> dict[int, int]:
    """By rank, what each explorable model costs beyond the pick, in picodollars."""
    pick = ranked[0][1].cost_pico or 0
    return {
        at: row.cost_pico - pick
        for at, (_, row) in enumerate(ranked)
        if at and not row.held and row.cost_pico is not None
    }


def _may_be_better(ranked: Sequence[Scored], at: int) -> bool:
    """Whether it may beat the pick, within both errors, or with both bonuses."""
    (best, first), (score, row) = ranked[0], ranked[at]
    return score + ERRORS * row.error > best - ERRORS * first.error or _optimistic_score(
        ranked[at]
    ) > _optimistic_score(ranked[0])


def _optimistic_score(ranked: Scored) -> float:
    score, row = ranked
    return score + row.bonus


def _exploring(ranked: Sequence[Scored], at: int, propensity: float) -> ExplorationChoice:
    first, other = ranked[0][1], ranked[at][1]
    if not at:
        return ExplorationChoice(0, propensity)
    told = (
        f"tried, at a chance of {propensity:.2%}: quality {other.quality:.2f} +- {other.error:.2f} may be worth more "
        f"than {first.card.id}'s {first.quality:.2f} +- {first.error:.2f}"
    )
    usual = first.cost_pico or 0
    paid = max(other.cost_pico or 0, usual)
    return ExplorationChoice(at, propensity, paid - usual, told, paid_pico=paid)


def explorer_of(
    settings: ExplorationSettings, purse: Callable[[int], ExplorationBudget] = LocalExplorationBudget
) -> Explorer | None:
    """None if nothing is to be explored. `purse`: makes the money from picodollars per day."""
    if not settings.exploration:
        return None
    return Explorer(settings.exploration, purse(round(settings.exploration_usd_per_day * 1e12)), settings.seed)
