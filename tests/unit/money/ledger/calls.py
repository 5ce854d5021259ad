"""Calls for tests of the ledger, and a ledger in a file."""

from __future__ import annotations

import random
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from capability_router import Usage
from capability_router.clock import ManualClock
from capability_router.money.ledger.call import Call, LaunchKey
from capability_router.money.ledger.journal import Journal
from capability_router.money.ledger.ledger import Ledger
from capability_router.stores.opening import open_store

T0 = 1_795_600_800.0  # 2026-11-25 10:00 UTC
CLOCK = ManualClock(T0 - 1_800_000_000.0)


def call(request_id: str = "r", attempt: int = 1, model: str = "a", cost: int | None = 10**9, **rest: Any) -> Call:
    fields: dict[str, Any] = {
        "provider": "p", "tenant": "t", "task": "chat", "tags": ("x",), "chain": "c", "framework": "langchain",
        "fault": None, "usage": Usage(10, 5), "at": T0, **rest,
    }  # fmt: skip
    return Call(request_id, attempt, model, cost_pico=cost, **fields)


def book(ledger: Ledger, calls: Iterable[Call]) -> Ledger:
    for c in calls:
        ledger.open(LaunchKey(c.request_id, c.attempt))
        ledger.settle(c)
    return ledger


def in_file(path: Path, **settings: Any) -> Ledger:
    room = open_store(f"sqlite:///{path}", CLOCK).calls
    assert room is not None
    return Ledger(unix=CLOCK.unix, books=Journal(room, unix=CLOCK.unix, **settings))


def some(seed: int, count: int, hours: float = 30.0) -> list[Call]:
    """Calls of every kind, in order of time, over these hours."""
    chance = random.Random(seed)
    tags = ("x", "y", "+z", "")
    return [
        call(
            f"{seed}-{n}", 1 + n % 3, chance.choice("abc"), chance.choice((None, 0, 7, 10**9, 123_456_789_012_345)),
            tenant=chance.choice(("acme", "globex", "")), tags=tuple(chance.sample(tags, chance.randint(0, 3))),
            chain=chance.choice(("", "größe")), fault=chance.choice((None, None, "timeout", "cancelled")),
            usage=Usage(
                chance.randint(0, 9_999), chance.randint(0, 99), cache_read_tokens=3, reasoning_tokens=2,
                cache_creation_tokens=chance.randint(0, 1), estimated=chance.random() < 0.3,
            ),
            at=T0 + n * hours * 3_600 / count, credential=chance.choice(("k1", "k2")), session=f"s{n % 4}",
        )
        for n in range(count)
    ]  # fmt: skip
