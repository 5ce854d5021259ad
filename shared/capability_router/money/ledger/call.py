"""One launch in the books: who asked, who answered, how it ended, what it cost."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from typing import NamedTuple

from capability_router.money.price import usd
from capability_router.request import Usage

ANSWERED, CANCELLED, FAILED = "answered", "cancelled", "failed"


class Call(NamedTuple):
    """One launch, settled. `fault` is None for an answer, "cancelled" when its caller went away.

    `cost_pico` None = price unknown. `at`: when it was settled, Unix seconds. `credential` is the mark of the
    key that paid (never the key), `session` the conversation's name as its caller gave it.
    """

    request_id: str
    attempt: int
    model: str
    provider: str
    tenant: str
    task: str
    tags: tuple[str, ...]
    chain: str
    framework: str
    fault: str | None
    usage: Usage
    cost_pico: int | None
    at: float
    credential: str = ""
    session: str = ""

    @property
    def cost_usd(self) -> Decimal | None:
        """Exact USD; None = unknown."""
        return None if self.cost_pico is None else usd(self.cost_pico)

    @property
    def input_tokens(self) -> int:
        """Tokens in, cached ones included."""
        return self.usage.input_tokens

    @property
    def output_tokens(self) -> int:
        """Tokens out, reasoning included."""
        return self.usage.output_tokens

    @property
    def estimated(self) -> bool:
        """Whether the tokens were estimated because the provider sent no usage."""
        return self.usage.estimated

    @property
    def outcome(self) -> str:
        """'answered', 'cancelled' or 'failed'."""
        return outcome_of(self.fault or ANSWERED)


def outcome_of(fault: str) -> str:
    """How a launch ended, by the fault that it is booked under."""
    return fault if fault in (ANSWERED, CANCELLED) else FAILED


class LaunchKey(NamedTuple):
    """A launch that is under way. `run` differs between the starts of one Request."""

    request_id: str
    attempt: int
    run: int = 0


@dataclass(slots=True)
class CostAttribution:
    """Who pays: the terms of a request as the ledger keeps them."""

    tenant: str
    task: str
    tags: tuple[str, ...]
    chain: str
    framework: str
    session: str = ""
