"""The store in a Redis or Valkey server: for processes on many machines.

Each operation is one script, so that it happens whole or not, and can be repeated. A pot is one hash, its key's
hash tag the budget, so that a cluster keeps a budget's windows together. Time-outs are short and a small breaker
stands before the server: a router may be told that its store is away, but it doesn't wait for it.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from contextlib import ExitStack
from urllib.parse import quote

from capability_router.stores.base import BudgetBalance, BudgetPeriod, LeaseClaim, LeaseGrant
from capability_router.stores.lending import (
    BUCKETS,
    FINAL_S,
    HOLDERS,
    KEPT_S,
    PAST_S,
    SHARE,
    BudgetState,
    HolderLease,
    window_is_current,
)
from capability_router.stores.redis.lessons import RedisLessons
from capability_router.stores.redis.reports import RedisReports
from capability_router.stores.redis.scripts import CLAIM
from capability_router.stores.redis.server import RedisServer

PREFIX = "capability-router"
TIMEOUT_S, BULK_S = 0.05, 1.0  # the second for what is learned: no call waits for it, and it may be megabytes
SCAN = 500


class RedisBudgets:
    """Pots as hashes. `unix` in the place of the server's clock is for tests of windows."""

    inline = False

    def __init__(self, server: RedisServer, unix: Callable[[], float] | None = None) -> None:
        self._server, self._unix = server, unix
        self._claim = server.client.register_script(CLAIM)

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        """See BudgetRoom."""
        with self._server.asked():
            lent, spent, reserved, at, frees = self._claim(keys=[_key(claim.pot)], args=self._words(claim))
        return LeaseGrant(int(lent), int(spent), int(reserved), float(at), float(frees) if frees else None)

    def _words(self, claim: LeaseClaim) -> list[str | int | float]:
        pot = claim.pot
        known_s = FINAL_S if claim.final else claim.lease_s + KEPT_S
        return [
            claim.holder, claim.spent, claim.kept, claim.least, claim.wish, claim.lease_s, pot.limit,
            _some(pot.rolls_s), _some(pot.starts), _some(pot.ends), SHARE, BUCKETS, known_s, PAST_S,
            "" if self._unix is None else repr(self._unix()), json.dumps(pot),
            claim.number, HOLDERS,
        ]  # fmt: skip

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        """See BudgetRoom. It walks through the server's keys: for a look from time to time."""
        names = set(budgets)
        with self._server.asked() as client:
            now = _seconds(client.time()) if self._unix is None else self._unix()
            keys = sorted(client.scan_iter(match=f"{PREFIX}:b1:*", count=SCAN))
            found = [client.hgetall(key) for key in keys]
        rows = []
        for fields in found:
            pot = BudgetPeriod(*json.loads(fields["pot"])) if "pot" in fields else None
            if pot is not None and window_is_current(pot, now) and (not names or pot.budget in names):
                till = _till(fields)
                till.turn(pot, now)
                total, reserved = till.total(), till.reserved(now)
                rows.append(BudgetBalance(pot.budget, pot.window, pot.limit, total, reserved, now, till.resets_at(pot)))
        return rows


def _key(pot: BudgetPeriod) -> str:
    """The hash tag in braces holds no brace of its own."""
    return f"{PREFIX}:b1:{{{quote(pot.budget, safe=':|*=~@ ')}}}:{pot.window}"


def _some(number: float | None) -> str | float:
    return "" if number is None else number


def _seconds(time: tuple[int, int]) -> float:
    return time[0] + time[1] / 1e6


def _till(fields: Mapping[str, str]) -> BudgetState:
    till = BudgetState()
    for name, value in fields.items():
        if name.startswith("s"):
            till.spent[int(name[1:])] = int(value)
        elif name.startswith("h"):
            amount, spent, ends, known, number = value.split()
            till.loans[name[1:]] = HolderLease(int(amount), int(spent), float(ends), float(known), int(number))
    return till


class RedisStore:
    """`redis://host:6379/0`, `rediss://` over TLS, `unix:///path`; a password in the URL is shown nowhere."""

    calls = None  # a ledger only grows: give it a file with `ledger: {store: sqlite:///...}`

    def __init__(
        self, url: str, now: Callable[[], float], *, timeout_s: float = TIMEOUT_S,
        unix: Callable[[], float] | None = None,
    ) -> None:  # fmt: skip
        self.server = RedisServer(url, now, timeout_s)
        self.name = self.server.name
        self.budgets = RedisBudgets(self.server, unix)
        self._bulk = RedisServer(url, now, max(timeout_s, BULK_S))  # with a fuse of its own: calls wait for the other
        self.lessons = RedisLessons(self._bulk, PREFIX)
        self._aside = RedisServer(url, now, max(timeout_s, BULK_S))  # a call never waits for a report
        self.reports = RedisReports(self._aside, PREFIX)

    def open(self) -> None:
        """The server is not asked before it is needed."""

    def close(self) -> None:
        """Close the connections; the next use opens them again."""
        with ExitStack() as connections:  # each is closed whatever another one raises
            for each in (self.server, self._bulk, self._aside):
                connections.callback(each.client.close)

    def __repr__(self) -> str:
        return f"<RedisStore {self.name}>"
