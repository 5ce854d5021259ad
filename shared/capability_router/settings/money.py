"""What calls may cost, how they are counted and where that is kept: `budgets:`, `tokens:`, `ledger:`, `store:`."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import PlainValidator, field_validator, model_validator

from capability_router.catalog.aliases import canonical
from capability_router.money.budget.cap import BudgetSpec, OnExceed
from capability_router.money.budget.window import WINDOWS
from capability_router.nearest import nearest
from capability_router.settings.block import Block, Seconds, Text
from capability_router.settings.units import choice, number, whole
from capability_router.stores.opening import SCHEMES

PACED = tuple(window for window in WINDOWS if window != "total")
"""The windows of caps that can be made to last."""


class Cap(Block):
    """One spending cap."""

    scope: Text
    limit_usd: Annotated[float, PlainValidator(number(0))]
    window: Text = "total"
    on_exceed: Annotated[OnExceed, PlainValidator(choice("refuse", "degrade", "warn"))] = "refuse"

    @model_validator(mode="after")
    def _sound(self) -> Cap:
        self.config()
        return self

    def config(self) -> BudgetSpec:
        """As the budgets read it, a provider under its one name; raises ConfigError for what is no scope or window."""
        spec = BudgetSpec(**dict(self))
        kind, _, name = spec.scope.partition(":")
        return replace(spec, scope=f"{kind}:{canonical(name)}") if kind == "provider" else spec


_COUNTER = choice("estimate", "tiktoken", "model")


def _counter(value: Any) -> Any:
    return value if callable(value) else _COUNTER(value)


class Tokens(Block):
    """What counts tokens before a call: "estimate", "tiktoken" (if it is on disk), "model", or a function."""

    counter: Annotated[Any, PlainValidator(_counter)] = "estimate"


class LedgerBlock(Block):
    """Where and how long the ledger keeps single calls; the totals are kept for ever.

    `store`: its own, absent = the router's. `keep_calls` absent = 10,000 in memory, any number in a file.
    """

    store: Text | None = None
    keep_days: Annotated[float, PlainValidator(number(0, 36_500, above=True))] = 90.0
    keep_calls: Annotated[int, PlainValidator(whole(0))] | None = None

    @field_validator("store")
    @classmethod
    def _stored(cls, value: str | None) -> str | None:
        if value is not None and not value.startswith(("memory://", "sqlite://")):
            raise ValueError("must be memory:// or a URL such as sqlite:///ledger.db")
        return value


class StoreBlock(Block):
    """Where money and what is learned are kept. A URL alone stands for the block.

    `lease_s`: how long a process that has gone keeps what it was lent. `when_away`: whether calls under a cap go
    on while the store can't be asked.
    """

    url: Text = "memory://"
    lease_s: Seconds = 30.0
    when_away: Annotated[Literal["fail_closed", "fail_open"], PlainValidator(choice("fail_closed", "fail_open"))] = (
        "fail_closed"
    )

    @field_validator("url")
    @classmethod
    def _stored(cls, value: str) -> str:
        scheme, mark, rest = value.partition("://")
        if not mark or scheme not in SCHEMES or (scheme == "sqlite" and not rest.startswith("/")):
            hint = nearest(scheme, SCHEMES, "") if mark and scheme not in SCHEMES else ""
            raise ValueError(f"must be a URL such as memory://, sqlite:///router.db or redis://host/0{hint}")
        return value
