"""Opens the account of each request: the prices, and the greatest and the likely cost of its attempts."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from capability_router.catalog.aliases import canonical
from capability_router.catalog.prices import price_of
from capability_router.catalog.registry import Registry
from capability_router.eligibility import answers, longest, reserve
from capability_router.money.account import Account
from capability_router.money.budget.budgets import Budgets
from capability_router.money.cost_limit import CostLimit
from capability_router.money.ledger.call import CostAttribution
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.price import Price, pico
from capability_router.plan import Plan
from capability_router.request import Request
from capability_router.tokens.estimate import most_tokens

Bound = Callable[[str], int | None]
"""From a model's id to a bound of one launch on it; None = unknown."""


def _unbounded(_: str) -> None:
    """The Bound of a request without any cap."""


class Accounts:
    """Opens accounts with the registry's prices and credentials, in the ledger and the budgets."""

    def __init__(self, registry: Registry, ledger: Ledger, budgets: Budgets, unix: Callable[[], float]) -> None:
        self._registry, self._ledger, self._budgets, self._unix = registry, ledger, budgets, unix
        self._prices = {card.id: card.price for card in registry.cards}
        self._providers = {card.id: canonical(card.provider) for card in registry.cards}
        self._credentials = {entry.card.id: entry.address.credential for entry in registry}

    def open(self, request: Request, plan: Plan) -> Account:
        """For one request; nothing is reserved before its first launch."""
        prices: Mapping[str, Price | None] = self._prices
        if request.model:  # the call names another model: its price is the catalog's, else unknown
            prices = {card.id: price_of(card.provider, request.model) for card in self._registry.cards}
        cap = request.routing.max_cost_usd
        if cap is None and not self._budgets.any:  # no cap and no budget, so no bounds are needed
            return self._account(request, plan, prices, _unbounded, _unbounded, None)
        foreseen = CostBounds(request, plan, prices, self._registry)
        limit = None if cap is None else CostLimit(pico(cap), foreseen.likely)
        return self._account(request, plan, prices, foreseen.most, foreseen.unlimited, limit)

    def _account(
        self, request: Request, plan: Plan, prices: Mapping[str, Price | None], most: Bound, unlimited: Bound,
        limit: CostLimit | None,
    ) -> Account:  # fmt: skip
        terms = request.routing
        booked = CostAttribution(terms.tenant, plan.task, terms.tags, terms.chain, terms.framework, terms.session)
        return Account(
            request.id, booked, plan.input_tokens, self._ledger, self._budgets, prices, most, self._unix,
            self._credentials, self._providers, limit, plan.candidates, unlimited,
        )  # fmt: skip


class CostBounds:
    """The greatest and the likely cost of one request's attempts, by model, in picodollars; None = price unknown."""

    __slots__ = ("_least", "_plan", "_prices", "_registry", "_request")

    def __init__(
        self, request: Request, plan: Plan, prices: Mapping[str, Price | None], registry: Registry
    ) -> None:  # fmt: skip
        self._request, self._plan, self._prices, self._registry = request, plan, prices, registry
        self._least: int | None = None  # a cache, because long texts take time to count

    def most(self, model: str) -> int | None:
        """The greatest cost of one launch, which budgets reserve."""
        price, request = self._prices[model], self._request
        if price is None:
            return None
        card = self._registry.entry(model).card
        size = self._size(model)
        output = longest(request, card, size) * answers(request, card)
        tier = request.service or card.service_tier
        return price.worst(max(size, self._least_tokens()), output, media=request.media, service=tier)

    def unlimited(self, model: str) -> int | None:
        """The output tokens that budgets assume because neither call nor card limits them; None = one does."""
        card, request = self._registry.entry(model).card, self._request
        if request.max_tokens or card.output_limit:
            return None
        return longest(request, card, self._size(model)) * answers(request, card)

    def likely(self, model: str) -> int | None:
        """The likely cost of one launch, as eligibility estimates it. `max_cost_usd` bounds their sum."""
        card, stated, request = self._registry.entry(model).card, self._prices[model], self._request
        price = stated.asked(request.service or card.service_tier) if stated else None
        output = reserve(request, card) * answers(request, card)
        return price.estimate(self._size(model), output) if price else None

    def _least_tokens(self) -> int:
        if self._least is None:
            counted = self._request.input_tokens is not None
            self._least = 0 if counted else most_tokens(self._request.counted)
        return self._least

    def _size(self, model: str) -> int:
        """Input tokens by this candidate's count. A loop, because it is mostly the first; an index would cost more."""
        for candidate in self._plan.candidates:
            if candidate.id == model:
                return candidate.input_tokens
        return self._plan.input_tokens
