"""The account of one request: a ledger entry for each attempt, within the budgets.

The cost of a failed attempt is the usage that the provider reported. Without one it is an estimate, marked as such, if
the model had begun to work (content, a timeout, a cancelled or interrupted answer, a lost connection). Else it is
nothing, because providers do not bill for rejected requests.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from itertools import count
from typing import Protocol

from capability_router.errors import ConfigError
from capability_router.frozen_value import altered
from capability_router.money.budget.budgets import Budgets, FundsShortfall, Reservation
from capability_router.money.budget.denial import Denial
from capability_router.money.cost_limit import CostLimit, Loans
from capability_router.money.ledger.call import Call, CostAttribution
from capability_router.money.ledger.ledger import Ledger
from capability_router.money.price import Number, Price, pico
from capability_router.request import Reply, Usage
from capability_router.tokens.estimate import estimate_tokens

log = logging.getLogger("capability_router")
_BEGUN = frozenset(
    {"timeout", "connection", "truncated", "empty", "malformed_tool_call", "unparsable", "content_filtered", "refusal"}
)
_BEGINNING = 8  # output tokens that a provider may report before the first text comes
_NOTHING = Usage()
_RUNS = count(1)
_MOST = 10**16  # picodollars: a cost of 10,000 USD or more for one call is taken for an error
_UNMARKED: Mapping[str, str] = {}
_EVERYBODY = ["global"]


class BilledModel(Protocol):
    """The model that is paid for."""

    @property
    def id(self) -> str: ...
    @property
    def provider(self) -> str: ...
    @property
    def input_tokens(self) -> int:
        """The request's input tokens by this model's count; 0 = the request's own figure."""
        ...


class BilledFault(Protocol):
    """The part of a Fault that decides what the attempt costs."""

    @property
    def kind(self) -> str: ...
    @property
    def sent(self) -> bool: ...
    @property
    def started(self) -> bool: ...
    @property
    def status(self) -> int | None: ...


def _limited(_: str) -> None:
    """The default for `unlimited`: every model has an output limit."""


def _may_be_billed(fault: BilledFault) -> bool:
    turned_away = fault.status is not None and fault.status >= 400
    return fault.started or (fault.sent and not turned_away and fault.kind in _BEGUN)


def _received(told: int, text: str) -> int:
    """The output tokens of an interrupted stream. `told`: the count that its provider reported so far.

    Some providers report with every chunk: their count is better than an estimate. Anthropic reports a few tokens at
    the beginning and the total only at the end, so a much longer text is estimated.
    """
    if told > _BEGINNING:
        return told
    seen = estimate_tokens(text)
    return seen if seen > 2 * told else told


def _billed(amount: Number) -> int | None:
    """A reported cost in picodollars; None if it is no plausible amount for one call."""
    try:
        bill = pico(amount)
    except ConfigError:
        return None
    return bill if bill < _MOST else None


class Account:
    """Books one request. All mappings and functions are by model id.

    `prices`: Price, or None = unknown. `most`: the greatest cost of one call, in picodollars. `credentials`: the mark
    of the API key that pays. `providers`: the provider's canonical name. `unlimited`: the output tokens that are
    reserved because the model has no known output limit; None = it has one.
    """

    def __init__(
        self, request_id: str, booked: CostAttribution, input_tokens: int, ledger: Ledger, budgets: Budgets,
        prices: Mapping[str, Price | None], most: Callable[[str], int | None], unix: Callable[[], float],
        credentials: Mapping[str, str] = _UNMARKED, providers: Mapping[str, str] = _UNMARKED,
        limit: CostLimit | None = None, candidates: Sequence[BilledModel] = (),
        unlimited: Callable[[str], int | None] = _limited,
    ) -> None:  # fmt: skip
        self.tenant = booked.tenant
        self._request_id, self._booked, self._input_tokens = request_id, booked, input_tokens
        self._ledger, self._budgets, self._prices, self._most, self._unix = ledger, budgets, prices, most, unix
        self._credentials, self._providers = credentials, providers
        self._run = next(_RUNS)
        self._holds: dict[int, Reservation] = {}
        self._refused: Denial | None = None
        self._limit, self._candidates, self._unlimited = limit, candidates, unlimited
        self._loans: Loans | None = None

    def open(self, attempt: int, candidate: BilledModel) -> Denial | FundsShortfall | None:
        """Reserve the money and open a ledger entry (None).

        Else a Denial by the budget that forbids it, or the FundsShortfall sum that a store must lend first.
        """
        if self._limit is not None and (over := self._limit.forbids(attempt, candidate.id)):
            return over
        if self._budgets.any and (short := self._reserved(attempt, candidate)) is not None:
            if self._limit is not None:
                self._limit.release_attempt(attempt)
            return short
        self._ledger.open((self._request_id, attempt, self._run))
        return None

    def _reserved(self, attempt: int, candidate: BilledModel) -> Denial | FundsShortfall | None:
        if self._refused is not None:
            return self._refused
        lent = None if self._loans is None else self._loans.taken(attempt)
        hold = lent or self._budgets.reserve(self._scopes(candidate), self._most(candidate.id))
        if isinstance(hold, FundsShortfall):
            self._loans = self._loans or Loans(self._budgets)
            return hold
        if isinstance(hold, Denial):
            return self._denied(self._advised(hold, candidate), candidate)
        self._holds[attempt] = hold
        return None

    def foreseen(self, candidate: BilledModel) -> Denial | None:
        """The Denial that `open` would return now, as far as is known without a store; None = it fits."""
        found = self._budgets.fits(self._scopes(candidate), self._most(candidate.id))
        return None if found is None else self._advised(found, candidate)

    def borrow(self, attempt: int, short: FundsShortfall) -> None:
        """Borrow the missing sum from a store, for the next `open` of the attempt. Blocks while the store answers."""
        if self._loans is not None:
            self._loans.borrow(attempt, short)

    def release_loans(self) -> None:
        """Give back borrowed money that was not used, also what a store is still about to lend."""
        if self._loans is not None:
            self._loans.release_loans()

    def _advised(self, denial: Denial, candidate: BilledModel) -> Denial:
        """The denial with advice on what to change.

        A model without a known output limit is only left out ("degrade"), because another model may fit the budget.
        """
        if denial.store or self._most(candidate.id) is None:
            return denial
        tokens = self._unlimited(candidate.id)
        if tokens is None:
            return denial._replace(told=f"{denial.told} (to reserve less, state a smaller max_tokens on the call)")
        told = (
            f"{denial.told} ({tokens:,} output tokens are reserved, because {candidate.id} has no known output limit: "
            "set max_output_tokens or output_reserve on its entry, or max_tokens on the call)"
        )
        return denial._replace(on_exceed="degrade", told=told)

    def _denied(self, denial: Denial, candidate: BilledModel) -> Denial:
        if not denial.final:
            return denial
        others = () if denial.store else [c for c in self._candidates if c.id != candidate.id]
        fits = tuple(c.id for c in others if self.foreseen(c) is None)
        self._refused = denial._replace(fits=fits)
        return self._refused

    def close(
        self,
        attempt: int,
        candidate: BilledModel,
        fault: BilledFault | None,
        reply: Reply,
        *,
        had_content: bool,
        cancelled: bool,
    ) -> tuple[Usage, int | None]:
        """Settle the entry and the reservation; returns the booked tokens and their cost in picodollars."""
        model = candidate.id
        usage = self._usage(candidate, fault, reply, had_content, cut=cancelled or fault is not None)
        cost = self._cost(model, usage, reply)
        told, usage = usage, self._doubted(model, usage, reply) if usage.service_tier else usage
        now = self._unix()
        if hold := self._holds.pop(attempt, None):
            self._budgets.settle(hold, hold.amount if cost is None else cost)  # unknown: no less than was foreseen
        if self._limit is not None:
            self._limit.closed(attempt, cost)
        booked = self._booked
        ended = "cancelled" if cancelled else None if fault is None else fault.kind
        self._ledger.settle(
            Call(
                self._request_id, attempt, model, candidate.provider, booked.tenant, booked.task, booked.tags,
                booked.chain, booked.framework, ended, usage, cost, now,
                self._credentials.get(model, ""), booked.session,
            ),
            self._run,
        )  # fmt: skip
        return told, cost

    def _doubted(self, model: str, usage: Usage, reply: Reply) -> Usage:
        """The usage, marked as estimated if it was served under a tier whose price is unknown."""
        if reply.cached or reply.cost_usd is not None:
            return usage
        price = self._prices.get(model)
        if price is None or price.under(usage.service_tier) is not price:
            return usage
        return altered(usage, estimated=True)

    def _usage(
        self, candidate: BilledModel, fault: BilledFault | None, reply: Reply, had_content: bool, *, cut: bool
    ) -> Usage:
        usage = reply.usage
        if usage is not None and usage.credible:
            if reply.cached or reply.cost_usd is not None:
                return usage
            out = usage.output_tokens
            if cut and reply.finish is None and reply.text:
                out = _received(out, reply.text)
            # ChatAnthropic reports 0 input tokens if the server counts them only at the stream's beginning.
            into = usage.input_tokens or (self._read_by(candidate) if out else 0)
            if into == usage.input_tokens and out == usage.output_tokens:
                return usage
            return altered(usage, input_tokens=into, output_tokens=out, estimated=True)
        begun = had_content or bool(reply.text) or fault is None or _may_be_billed(fault)
        if not begun:
            return _NOTHING
        return Usage(self._read_by(candidate), estimate_tokens(reply.text) if reply.text else 0, estimated=True)

    def _read_by(self, candidate: BilledModel) -> int:
        return candidate.input_tokens or self._input_tokens

    def _cost(self, model: str, usage: Usage, reply: Reply) -> int | None:
        if reply.cached:
            return 0
        if reply.cost_usd is not None:
            bill = _billed(reply.cost_usd)
            if bill is not None:
                return bill
            log.warning("%s reported a cost that is no amount of USD; its price is taken instead", model)
        if not (usage.input_tokens or usage.output_tokens):
            return 0
        price = self._prices.get(model)
        return None if price is None else price.cost(usage)

    def _scopes(self, candidate: BilledModel) -> list[str]:
        b = self._booked
        if self._budgets.only_global and not b.tenant:  # the usual case, without making the other names
            return _EVERYBODY
        return [
            "global",
            f"tenant:{b.tenant}",
            f"task:{b.task}",
            f"chain:{b.chain}",
            f"model:{candidate.id}",
            f"provider:{self._providers.get(candidate.id, candidate.provider)}",
            f"credential:{self._credentials.get(candidate.id, '')}",
            *(f"tag:{t}" for t in b.tags),
        ]
