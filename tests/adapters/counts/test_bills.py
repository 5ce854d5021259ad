"""Real clients, real faults over loopback: the ledger against the providers' own books, call by call.

Every launch has one line. What the provider told of its tokens is booked to the picodollar; where it could not tell
(a call that was cut, timed out or left early), the line is an estimate and marked as such. No bill is without a line.
"""

from __future__ import annotations

import asyncio
import gc
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import httpx
import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

from capability_router import RouterError, routing
from capability_router.simulator import Fleet
from capability_router.testing import assert_books_balanced
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

PRICES = {"a": 1, "b": 3, "c": 5}
FLEET = {
    "time_scale": 0.02,
    "providers": [
        {"name": name, "models": [{"name": "m", "skill": 1, "ttft_s": 0.2, "price": {
            "input_mtok": price, "output_mtok": 2 * price, "cache_read_mtok": price / 10}}]}
        for name, price in PRICES.items()
    ],
}  # fmt: skip
ASK = "What is 17*23? Then tell me about Paris, London, Rome and Madrid."
FAULTS = (
    "", "429:a", "reset:a", "outage:a", "cut:a,after_chunks=0", "cut:a,after_chunks=1", "html:a", "empty:a",
    "clean_truncation:a,after_chunks=1", "stall:a,after_chunks=1", "hang:a",
)  # fmt: skip


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    with Fleet.from_config(FLEET) as fleet:
        yield fleet


@pytest.fixture
def fleet(running: Fleet) -> Iterator[Fleet]:
    running.forget()
    yield running
    running.heal()


@pytest.fixture
def own_fleet() -> Iterator[Fleet]:
    """Of one test: requests that a hedge gave up on reach their provider late, when another test reads its log."""
    with Fleet.from_config(FLEET) as fleet:
        yield fleet


class Clients(NamedTuple):
    """HTTP clients of one test, for the SDKs to use."""

    sync: httpx.Client
    asynchronous: httpx.AsyncClient


@pytest.fixture
async def clients() -> AsyncIterator[Clients]:
    with httpx.Client() as sync:
        async with httpx.AsyncClient() as asynchronous:
            yield Clients(sync, asynchronous)


def chat_router(fleet: Fleet, sdk: Clients | None = None, **settings: Any) -> ChatRouter:
    models: list[Any] = [{**e, "assistant_prefill": True} for e in fleet.router_config()["models"]]
    if sdk:
        plain = {"api_key": "k", "use_responses_api": False, "stream_usage": True, "max_retries": 0}
        http = {"http_client": sdk.sync, "http_async_client": sdk.asynchronous}
        models = [(ChatOpenAI(base_url=_url(e), model="m", **http, **plain), _card(e)) for e in models]
    return ChatRouter(models=models, **settings)


TELLS: dict[str, Any] = {"stream_options": {"include_usage": True}}


def router_llm(fleet: Fleet, sdk: Clients | None = None, told: Any = TELLS, **settings: Any) -> RouterLLM:
    models: list[Any] = [{**e, "assistant_prefill": True} for e in fleet.router_config()["models"]]
    if sdk:
        plain = {"api_key": "k", "is_chat_model": True, "max_retries": 0, "additional_kwargs": told}
        http = {"http_client": sdk.sync, "async_http_client": sdk.asynchronous}
        models = [(OpenAILike(api_base=_url(e), model="m", **http, **plain), _card(e)) for e in models]
    return RouterLLM(models=models, **settings)


def _url(entry: dict[str, Any]) -> str:
    return str(entry["endpoint"]["base_url"])


def _card(entry: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in entry.items() if name != "endpoint"}


def left_early(chunks: Iterable[Any]) -> None:
    next(iter(chunks))
    if hasattr(chunks, "close"):
        chunks.close()


def collected(chunks: Iterable[Any]) -> None:
    next(iter(chunks))
    del chunks
    gc.collect()


async def drained(chunks: AsyncIterator[Any]) -> None:
    async for _ in chunks:
        pass


async def aleft_early(chunks: Any) -> None:
    async for _ in chunks:
        break
    await chunks.aclose()


async def cancelled(work: Any) -> None:
    task = asyncio.ensure_future(work)
    await asyncio.sleep(0.03)
    task.cancel()
    await asyncio.wait([task])


def langchain_verbs(llm: ChatRouter) -> list[Callable[[], Any]]:
    return [
        lambda: llm.invoke(ASK), lambda: list(llm.stream(ASK)), lambda: llm.batch([ASK] * 2),
        lambda: left_early(llm.stream(ASK)), lambda: collected(llm.stream(ASK)),
    ]  # fmt: skip


def langchain_averbs(llm: ChatRouter) -> list[Callable[[], Any]]:
    return [
        lambda: llm.ainvoke(ASK), lambda: drained(llm.astream(ASK)), lambda: llm.abatch([ASK] * 2),
        lambda: aleft_early(llm.astream(ASK)), lambda: drained(llm.astream_events(ASK, version="v2")),
        lambda: cancelled(llm.ainvoke(ASK)),
    ]  # fmt: skip


def llamaindex_verbs(llm: RouterLLM) -> list[Callable[[], Any]]:
    chat = [ChatMessage(content=ASK)]
    return [
        lambda: llm.complete(ASK), lambda: llm.chat(chat), lambda: list(llm.stream_complete(ASK)),
        lambda: left_early(llm.stream_chat(chat)), lambda: collected(llm.stream_complete(ASK)),
    ]  # fmt: skip


def llamaindex_averbs(llm: RouterLLM) -> list[Callable[[], Any]]:
    chat = [ChatMessage(content=ASK)]

    async def streamed(end: Callable[[Any], Any]) -> None:
        await end(await llm.astream_chat(chat))

    return [
        lambda: llm.acomplete(ASK), lambda: llm.achat(chat), lambda: streamed(drained), lambda: streamed(aleft_early),
        lambda: cancelled(llm.acomplete(ASK)),
    ]  # fmt: skip


CLIENTS = [(chat_router, langchain_verbs, langchain_averbs), (router_llm, llamaindex_verbs, llamaindex_averbs)]


async def performed(verbs: list[Callable[[], Any]]) -> None:
    for verb in verbs:
        try:
            work = verb()
            if asyncio.iscoroutine(work):
                await work
        except RouterError:
            pass


async def at_rest(fleet: Fleet, router: Any) -> None:
    """Until attempts that were given up in threads have ended at their providers too."""
    fleet.heal()
    for _ in range(600):
        seen = len(fleet.log())
        await asyncio.sleep(0.05)
        if not router.ledger.unsettled and len(fleet.log()) == seen:
            return
    raise AssertionError(f"{router.ledger.unsettled} attempts have not ended after half a minute")


def compared(fleet: Fleet, router: Any, *, refused: bool = False) -> None:
    """`refused`: some launches reached nobody."""
    assert_books_balanced(router)
    for name in PRICES:
        calls = [c for c in router.ledger.calls() if c.model == f"{name}/m"]
        rows = [row for row in fleet.log() if row.provider == name]
        left = [c for c in calls if c.fault == "cancelled"]  # maybe before anything was sent
        assert len(rows) <= len(calls), f"{name}: {len(rows)} requests, {len(calls)} lines"
        assert refused or len(calls) <= len(rows) + len(left), f"{name}: {len(calls)} lines, {len(rows)} requests"
        told = Counter(c.cost_pico for c in calls if c.cost_pico and not c.estimated)
        billed = Counter(row.cost_pico for row in rows if row.cost_pico)
        assert told <= billed, f"{name}: booked {told - billed}, but nobody billed it"
        guessed = [c for c in calls if c.estimated]
        assert (billed - told).total() <= len(guessed), f"{name}: {billed - told} was billed and not booked"
        assert all(c.fault for c in guessed), f"{name}: an answer was guessed at"


@pytest.mark.parametrize("sdk", [False, True], ids=["endpoint", "sdk"])
@pytest.mark.parametrize("client", CLIENTS, ids=["langchain", "llamaindex"])
@pytest.mark.parametrize("fault", FAULTS)
async def test_ledger_and_bills_agree(fleet: Fleet, clients: Clients, client: Any, sdk: bool, fault: str) -> None:
    make, verbs, averbs = client
    llm = make(fleet, clients if sdk else None, policy="single", timeouts={"total": 0.7}, retry={"wait": "none"})
    if fault:
        fleet.fault(fault)
    await performed(averbs(llm))
    await performed(verbs(llm))
    await at_rest(fleet, llm.router)
    compared(fleet, llm.router, refused=fault.startswith("outage"))


@pytest.mark.parametrize("client", CLIENTS, ids=["langchain", "llamaindex"])
@pytest.mark.parametrize(("fault", "settings"), [
    ("slow_first_token:a,delay=0.2", {"hedge": {"on": True, "after_s": 0.02, "extra": 1.0}}),
    ("cut:a,after_chunks=2", {"resume": True}),
    ("cut:a,share=0.5", {"policy": "cheapest"}),
])  # fmt: skip
async def test_hedged_resumed_and_stored_calls_too(
    own_fleet: Fleet, client: Any, fault: str, settings: dict[str, Any], tmp_path: Path
) -> None:
    fleet = own_fleet
    make, verbs, averbs = client
    llm = make(fleet, store=f"sqlite:///{tmp_path}/r.db", **{"policy": "single", "retry": {"wait": "none"}, **settings})
    fleet.fault(fault)
    with routing(tenant="acme", session="s1"):
        await performed(averbs(llm))
        await performed(verbs(llm))
    await at_rest(fleet, llm.router)
    compared(fleet, llm.router)
    ledger = llm.router.ledger
    assert ledger.unwritten == ledger.dropped == 0
    assert ledger.of(tenant="acme").total() == ledger.total()
    assert {c.session for c in ledger.calls()} == {"s1"}
    assert list(ledger.total(by=("framework",))) == [("langchain" if make is chat_router else "llamaindex",)]
    if "hedge" in settings or "resume" in settings:
        assert max(c.attempt for c in ledger.calls()) > 1


async def test_a_streams_tokens_that_nobody_told_are_estimated(fleet: Fleet, clients: Clients) -> None:
    llm = router_llm(fleet, clients, told={}, policy="single")
    list(llm.stream_complete("The harbour lies open to the west, and ships wait there for the tide. " * 20 + ASK))
    (line,), (row,) = llm.router.ledger.calls(), fleet.log()
    assert (line.fault, line.estimated) == (None, True)
    assert 0.7 < (line.cost_pico or 0) / row.cost_pico < 1.3
    assert llm.router.ledger.total().estimated_usd == llm.router.ledger.total().cost_usd
