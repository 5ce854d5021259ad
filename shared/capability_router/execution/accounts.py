"""Opens each request's account: what its launches may cost at most, and what is likely."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import cache

from capability_router.catalog.aliases import canonical
from capability_router.catalog.prices import price_of
from capability_router.catalog.registry import Registry
from capability_router.eligibility import answers, longest, reserve
from capability_router.money.account import Account
from capability_router.money.allowance import Limit
from capability_router.money.budget.budgets import Budgets
from capability_router.money.ledger.call import Booked
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.price import Price, pico
from capability_router.plan import Plan
from capability_router.request import Request
from capability_router.tokens.estimate import most_tokens


class Accounts:
    """Knows the registry's prices and credentials, and the books and budgets that accounts are kept in."""

    def __init__(self, registry: Registry, ledger: Ledger, budgets: Budgets, unix: Callable[[], float]) -> None:
        self._registry, self._ledger, self._budgets, self._unix = registry, ledger, budgets, unix
        self._prices = {card.id: card.price for card in registry.cards}
        self._providers = {card.id: canonical(card.provider) for card in registry.cards}
        self._credentials = {entry.card.id: entry.address.credential for entry in registry}

    def open(self, request: Request, plan: Plan) -> Account:
        """For one request; nothing is reserved before its first launch."""
        prices: Mapping[str, Price | None] = self._prices
        if request.model:  # another model than the candidates': what the catalog says of it, else unknown
            prices = {card.id: price_of(card.provider, request.model) for card in self._registry.cards}
        return Account(
            request.id, Booked.of(request.routing, plan.task), plan.input_tokens, ledger=self._ledger,
            budgets=self._budgets, prices=prices, most=self._most(request, plan, prices), unix=self._unix,
            credentials=self._credentials, providers=self._providers, limit=self._limit(request, plan, prices),
            candidates=plan.candidates, unlimited=self._unlimited(request, plan),
        )  # fmt: skip

    def _most(self, request: Request, plan: Plan, prices: Mapping[str, Price | None]) -> Callable[[str], int | None]:
        """What one launch may cost at most, in picodollars: what a cap reserves. None: its price is unknown."""

        @cache  # the texts may be long, and each launch asks
        def least() -> int:
            return most_tokens(request.texts) if request.input_tokens is None else 0

        def most(model: str) -> int | None:
            price = prices[model]
            if price is None:
                return None
            card = self._registry.entry(model).card
            tier = request.service or card.service_tier
            size = _size(plan, model)
            output = longest(request, card, size) * answers(request, card)
            return price.worst(max(size, least()), output, media=request.media, service=tier)

        return most

    def _unlimited(self, request: Request, plan: Plan) -> Callable[[str], int | None]:
        """Output tokens that a cap reserves because nobody states a limit; None: somebody does."""

        def unlimited(model: str) -> int | None:
            card = self._registry.entry(model).card
            if request.max_tokens or card.output_limit:
                return None
            return longest(request, card, _size(plan, model)) * answers(request, card)

        return unlimited

    def _limit(self, request: Request, plan: Plan, prices: Mapping[str, Price | None]) -> Limit | None:
        """`max_cost_usd` for all attempts together, each foreseen as eligibility foresees it."""
        limit = request.routing.max_cost_usd
        if limit is None:
            return None

        def likely(model: str) -> int | None:
            card, stated = self._registry.entry(model).card, prices[model]
            price = stated.asked(request.service or card.service_tier) if stated else None
            output = reserve(request, card) * answers(request, card)
            return price.estimate(_size(plan, model), output) if price else None

        return Limit(pico(limit), likely)


def _size(plan: Plan, model: str) -> int:
    """Input tokens as this candidate counts them; mostly it is the first: no index is made for every request."""
    return next((candidate.input_tokens for candidate in plan.candidates if candidate.id == model), plan.input_tokens)
