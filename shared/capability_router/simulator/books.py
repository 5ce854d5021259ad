"""The providers' own records: the result and the cost of each request.

The cost is computed here and not by the router's Price, so that the two can be compared.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from capability_router.request import Usage


@dataclass(frozen=True, slots=True)
class LogRow:
    """One request as its provider saw it. Times in seconds since the fleet's start; `prompt` is a hash.

    `status` is the HTTP status, 0 when the connection was closed without one, 499 when the client
    left first. `fault` is the scripted fault that struck, or the code of the refusal. `complete`:
    the whole answer was sent. `correct` is None when nothing was answered.
    """

    id: str
    provider: str
    model: str
    prompt: str
    status: int
    fault: str | None
    usage: Usage
    cost_pico: int
    correct: bool | None
    complete: bool
    streamed: bool
    user: str
    started_s: float
    ended_s: float


@dataclass(frozen=True, slots=True)
class Bill:
    """What one answered request cost, in picodollars (1e-12 USD); `id` is the completion's id."""

    id: str
    provider: str
    model: str
    cost_pico: int
    usage: Usage
    complete: bool


def cost_pico(price: Mapping[str, Any], usage: Usage) -> int:
    """Picodollars of these tokens at a price in USD per million tokens; exact for prices of six decimals."""
    plain, output = _rate(price["input_mtok"]), _rate(price["output_mtok"])
    cached = _rate(price.get("cache_read_mtok", price["input_mtok"]))
    fresh = usage.input_tokens - usage.cache_read_tokens
    fixed = int(Decimal(str(price.get("per_request") or 0)) * 10**12)
    return fresh * plain + usage.cache_read_tokens * cached + usage.output_tokens * output + fixed


def _rate(usd_per_mtok: Any) -> int:
    return int(Decimal(str(usd_per_mtok)) * 10**6)


class ProviderLog:
    """The rows of all providers in the order in which they ended; safe to read from any thread."""

    def __init__(self) -> None:
        self._rows: list[LogRow] = []
        self._lock = threading.Lock()

    def write(self, row: LogRow) -> None:
        """Adds a row."""
        with self._lock:
            self._rows.append(row)

    def clear(self) -> None:
        """Forgets all rows."""
        with self._lock:
            self._rows.clear()

    def rows(self) -> list[LogRow]:
        """All rows so far."""
        with self._lock:
            return list(self._rows)

    def bills(self) -> list[Bill]:
        """A bill for each request that generated anything."""
        rows = (r for r in self.rows() if r.usage.input_tokens)
        return [Bill(r.id, r.provider, r.model, r.cost_pico, r.usage, r.complete) for r in rows]
