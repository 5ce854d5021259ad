"""Those who wait for an embedding at the same time, and who is called meanwhile."""

from __future__ import annotations

import asyncio
import logging
import threading
from collections.abc import Callable, Iterator
from typing import NamedTuple

import pytest

pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")

from capability_router import Request
from capability_router.clock import SystemClock
from capability_router.learning.embedder import embedder_of
from capability_router.learning.embedding_cache import EmbeddingCache
from capability_router.learning.guard import WINDOW, BaselineGuard, PlanPrediction

LONG_MS = 30_000.0


class Terms(NamedTuple):
    embedder: object = None
    within_ms: float = LONG_MS
    cached: int = 100
    usd_per_mtok: float | None = None


class Slow:
    """Embeds once it may."""

    def __init__(self) -> None:
        self.asked, self.go, self.texts = threading.Event(), threading.Event(), list[str]()

    def embed(self, texts: list[str]) -> list[list[float]]:
        self.texts.extend(texts)
        self.asked.set()
        assert self.go.wait(30)
        return [[1.0, 0.5] for _ in texts]


def waiting_for(embed: Callable[[list[str]], list[list[float]]], within_ms: float = LONG_MS) -> EmbeddingCache:
    embeddings = EmbeddingCache(embedder_of(embed), SystemClock(), Terms(within_ms=within_ms))
    embeddings.wanted = True
    return embeddings


def how(embeddings: EmbeddingCache, request: Request) -> str:
    told = embeddings.took(request.id)
    assert told is not None
    return str(told["outcome"])


async def test_all_who_wait_for_a_text_in_a_loop_wait_for_one_call_and_one_thread() -> None:
    slow = Slow()
    embeddings = waiting_for(slow.embed)
    requests, threads = [Request(("the same",)) for _ in range(100)], threading.active_count()
    waiting = [asyncio.create_task(embeddings.abefore(request)) for request in requests]
    assert await asyncio.to_thread(slow.asked.wait, 30)
    assert [each.name for each in threading.enumerate()].count("router embedding") == 1
    assert threading.active_count() <= threads + 2  # one that embeds, one of the loop's own
    slow.go.set()
    await asyncio.gather(*waiting)
    assert {how(embeddings, request) for request in requests} == {"ready"}
    assert slow.texts == ["the same"]


async def test_who_waits_no_longer_takes_nothing_from_the_others() -> None:
    slow = Slow()
    embeddings = waiting_for(slow.embed)
    leaves, stays = Request(("the same",)), Request(("the same",))
    gone, waiting = (asyncio.create_task(embeddings.abefore(request)) for request in (leaves, stays))
    assert await asyncio.to_thread(slow.asked.wait, 30)
    gone.cancel()
    with pytest.raises(asyncio.CancelledError):
        await gone
    slow.go.set()
    await waiting
    assert how(embeddings, stays) == "ready"


def test_a_call_that_is_late_may_be_on_time_for_the_next() -> None:
    slow = Slow()
    embeddings = waiting_for(slow.embed, within_ms=1.0)
    late = Request(("the same",))
    embeddings.before(late)
    assert how(embeddings, late) == "late"
    (call,) = embeddings._calls.values()
    slow.go.set()
    assert call.result(30) == "ready"
    assert embeddings.of(late) is not None


class Calls(logging.Handler):
    """A log handler that asks what logs, as one does that sends what it is told through the same router."""

    def __init__(self, ask: Callable[[], object]) -> None:
        super().__init__()
        self.heard = list[str]()
        self._ask = ask

    def emit(self, record: logging.LogRecord) -> None:
        asking = threading.Thread(target=self._ask, daemon=True)
        asking.start()
        asking.join(5)
        self.heard.append("answered" if not asking.is_alive() else "it waits for itself")


@pytest.fixture
def handler() -> Iterator[Callable[[Callable[[], object]], Calls]]:
    added = list[Calls]()

    def add(ask: Callable[[], object]) -> Calls:
        added.append(Calls(ask))
        logging.getLogger("capability_router").addHandler(added[-1])
        return added[-1]

    yield add
    for each in added:
        logging.getLogger("capability_router").removeHandler(each)


def test_a_log_handler_may_ask_for_an_embedding(handler: Callable[[Callable[[], object]], Calls]) -> None:
    embeddings = waiting_for(lambda texts: [[1.0, 0.5, 0.2] for _ in texts])
    embeddings.size = 2
    calls = handler(lambda: embeddings.of(Request(("other",))))
    embeddings.before(Request(("one",)))
    assert calls.heard == ["answered"]


def test_a_log_handler_may_come_by_the_guard(handler: Callable[[Callable[[], object]], Calls]) -> None:
    guard = BaselineGuard()
    calls = handler(lambda: guard.changed("another"))
    wrong = PlanPrediction("cheap", ("cheap", "dear"), (0.9, 0.6), (0.0, 0.0))
    for number in range(WINDOW):
        asked = ("cheap", "dear")[number % 2]
        guard.note(wrong, asked, float(asked == "dear"))
        if guard.fixed is not None:
            break
    assert guard.fixed == "dear"
    assert calls.heard == ["answered"]
