"""One request's account: opens and closes a line in the ledger for each launch, within the budgets.

What a failed launch costs: the provider's usage if it sent one; else, when the model had begun to
work (content arrived, a time-out, a cancelled or cut answer, a lost connection), an estimate, marked
as such; else nothing, because providers do not bill for requests they turned away.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Protocol

from capability_router.errors import ConfigError
from capability_router.money.budget import Budgets, Denial, Hold
from capability_router.money.ledger import Booked, Call, Ledger, Line
from capability_router.money.price import Price, pico
from capability_router.request import Reply, Usage
from capability_router.tokens.estimate import estimate_tokens

log = logging.getLogger("capability_router")
_BEGUN = frozenset(
    {"timeout", "connection", "truncated", "empty", "malformed_tool_call", "unparsable", "content_filtered", "refusal"}
)
_NOTHING = Usage()


class Payee(Protocol):
    """The model that is paid."""

    @property
    def id(self) -> str: ...
    @property
    def provider(self) -> str: ...


class Broken(Protocol):
    """The fault of a launch, as far as money is concerned."""

    @property
    def kind(self) -> str: ...
    @property
    def sent(self) -> bool: ...
    @property
    def started(self) -> bool: ...
    @property
    def status(self) -> int | None: ...


def _may_be_billed(fault: Broken) -> bool:
    turned_away = fault.status is not None and fault.status >= 400
    return fault.started or (fault.sent and not turned_away and fault.kind in _BEGUN)


class Account:
    """Books one request. `prices`: model id -> Price or None; `most`: model id -> what a call may cost at most."""

    def __init__(
        self, request_id: str, booked: Booked, input_tokens: int, *, ledger: Ledger, budgets: Budgets,
        prices: Mapping[str, Price | None], most: Callable[[str], int | None], unix: Callable[[], float],
    ) -> None:  # fmt: skip
        self.tenant = booked.tenant
        self._request_id, self._booked, self._input_tokens = request_id, booked, input_tokens
        self._ledger, self._budgets, self._prices, self._most, self._unix = ledger, budgets, prices, most, unix
        self._holds: dict[int, Hold] = {}
        self._refused: Denial | None = None

    def open(self, attempt: int, candidate: Payee) -> Denial | None:
        """Reserve and open a line; else the budget that forbids it."""
        if self._budgets:
            if self._refused is not None:
                return self._refused
            hold = self._budgets.reserve(self._scopes(candidate), self._most(candidate.id), self._unix())
            if isinstance(hold, Denial):
                self._refused = hold if hold.on_exceed == "refuse" else None
                return hold
            self._holds[attempt] = hold
        self._ledger.open(Line(self._request_id, attempt))
        return None

    def close(
        self, attempt: int, candidate: Payee, fault: Broken | None, reply: Reply, *, had_content: bool, cancelled: bool
    ) -> tuple[Usage, int | None]:
        """Settle the line and the reservation; the tokens booked and their cost."""
        usage = self._usage(fault, reply, had_content)
        cost = self._cost(candidate.id, usage, reply)
        now = self._unix()
        if hold := self._holds.pop(attempt, None):
            self._budgets.settle(hold, cost or 0, now)
        booked = self._booked
        ended = "cancelled" if cancelled else None if fault is None else fault.kind
        self._ledger.settle(
            Call(
                self._request_id, attempt, candidate.id, candidate.provider, booked.tenant, booked.task, booked.tags,
                booked.chain, booked.framework, ended, usage, cost, now,
            )
        )  # fmt: skip
        return usage, cost

    def _usage(self, fault: Broken | None, reply: Reply, had_content: bool) -> Usage:
        if reply.usage is not None:
            return reply.usage
        begun = had_content or bool(reply.text) or fault is None or _may_be_billed(fault)
        if not begun:
            return _NOTHING
        return Usage(self._input_tokens, estimate_tokens(reply.text) if reply.text else 0, estimated=True)

    def _cost(self, model: str, usage: Usage, reply: Reply) -> int | None:
        if reply.cached:
            return 0
        if reply.cost_usd is not None:
            try:
                return pico(reply.cost_usd)
            except ConfigError:
                log.warning("%s reported a cost that is no amount of USD; its price is taken instead", model)
        if not (usage.input_tokens or usage.output_tokens):
            return 0
        price = self._prices.get(model)
        return None if price is None else price.cost(usage)

    def _scopes(self, candidate: Payee) -> list[str]:
        b = self._booked
        return [
            "global",
            f"tenant:{b.tenant}",
            f"task:{b.task}",
            f"chain:{b.chain}",
            f"model:{candidate.id}",
            *(f"tag:{t}" for t in b.tags),
        ]
