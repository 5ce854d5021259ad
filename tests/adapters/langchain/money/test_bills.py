"""Counts and bills as providers send them, through LangChain's classes and the built-in client, into the ledger."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from decimal import Decimal
from importlib.metadata import version
from typing import Any

import pytest
from adapters.billing_server import (
    CLAUDE,
    GEMINI,
    PRICE,
    PROXY_WIRES,
    RAW_WIRES,
    WIRES,
    BillingServer,
    Wire,
)
from langchain_anthropic import ChatAnthropic
from langchain_core.caches import InMemoryCache
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_openai import ChatOpenAI

from capability_router import Usage
from capability_router.money.ledger.call import Call
from langchain_router import ChatEndpoint, ChatRouter

OLD_OPENAI = version("langchain-openai").startswith("1.1.")
"""It leaves out what was written to a cache in streams, and can't read the counts of a service tier."""
OLD_GOOGLE = version("langchain-google-genai").startswith("4.2.")
ALL = {**WIRES, **RAW_WIRES, **PROXY_WIRES}
KEY = {"api_key": "k"}


@pytest.fixture(scope="module")
def server() -> Iterator[BillingServer]:
    started = BillingServer()
    yield started
    started.close()


def booked(server: BillingServer, model: Any, wire: Wire, verb: str) -> Call:
    """The call that the ledger has after one answer with these counts."""
    server.wire = wire
    router = ChatRouter(models=[(model, {"id": "m", "price": PRICE})])
    if verb == "invoke":
        told = router.invoke("hi")
    else:
        told = None
        for chunk in router.stream("hi"):
            told = chunk if told is None else told + chunk
    (call,) = router.router.ledger.calls()
    assert told.response_metadata["router"]["cost_usd"] == pytest.approx(float(call.cost_usd))
    return call


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("name", ALL)
def test_the_built_in_client(server: BillingServer, name: str, verb: str) -> None:
    wire = ALL[name]
    call = booked(server, ChatEndpoint(base_url=server.url, model="m", **KEY), wire, verb)
    assert call.usage == wire.usage
    if verb == "stream" and name.endswith("passing on"):
        assert call.cost_usd == Decimal("0.03")  # the header went out before the stream; the last chunk knows
    else:
        assert call.cost_usd == wire.costs(stream=verb == "stream")


@pytest.mark.parametrize("name", ALL)
def test_a_chain_that_reads_the_answer_sees_the_counts_once(server: BillingServer, name: str) -> None:
    """Chunks add up in LangChain, also where the provider repeats its counts with every chunk."""
    server.wire = wire = ALL[name]
    endpoint = ChatEndpoint(base_url=server.url, model="m", **KEY)
    told = None
    for chunk in endpoint.stream("hi"):
        told = chunk if told is None else told + chunk
    used = told.usage_metadata
    assert (used["input_tokens"], used["output_tokens"]) == (wire.usage.input_tokens, wire.usage.output_tokens)


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("name", WIRES)
def test_chat_openai(server: BillingServer, name: str, verb: str) -> None:
    if OLD_OPENAI and (name in ("openai, priority", "openai, flex") or (name, verb) == ("openai, written", "stream")):
        pytest.skip("langchain-openai 1.1 loses these counts")
    """Of a stream ChatOpenAI passes no bill on: then the tokens are priced."""
    wire = WIRES[name]
    model = ChatOpenAI(base_url=server.url, model="m", stream_usage=True, include_response_headers=True, **KEY)
    call = booked(server, model, wire, verb)
    assert call.usage == wire.usage
    assert call.cost_usd == (wire.costs() if verb == "invoke" else replaced(wire).costs())


@pytest.mark.parametrize(("headers", "cost"), [(True, "0.0456"), (False, None)])
def test_chat_openai_passes_a_proxys_bill_on_only_with_the_headers(
    server: BillingServer, headers: bool, cost: str | None
) -> None:
    wire = ALL["litellm's proxy"]
    model = ChatOpenAI(base_url=server.url, model="m", include_response_headers=headers, **KEY)
    call = booked(server, model, wire, "invoke")
    assert call.cost_usd == (Decimal(cost) if cost else replaced(wire).costs())


def replaced(wire: Wire) -> Wire:
    return wire._replace(bill=None)


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("name", ["openrouter", "openrouter, own key", "openai, written"])
def test_chat_openrouter(server: BillingServer, name: str, verb: str) -> None:
    partner = pytest.importorskip("langchain_openrouter")  # of the group `bills`
    wire = WIRES[name]
    call = booked(server, partner.ChatOpenRouter(base_url=server.url, model="m", max_retries=0, **KEY), wire, verb)
    assert (call.usage, call.cost_usd) == (wire.usage, wire.costs())


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("name", ["perplexity", "perplexity, research"])
def test_chat_perplexity(server: BillingServer, name: str, verb: str) -> None:
    """It passes no bill on; its reasoning and citations, which it leaves out of the output, are counted."""
    partner, sdk = pytest.importorskip("langchain_perplexity"), pytest.importorskip("perplexity")
    wire = RAW_WIRES[name]
    client = sdk.Perplexity(api_key="k", base_url=server.root)
    model = partner.ChatPerplexity(model="m", pplx_api_key="k", client=client)
    call = booked(server, model, wire, verb)
    assert call.usage == wire.usage
    assert call.cost_usd == replaced(wire).costs()


@pytest.mark.parametrize("verb", ["invoke", "stream"])
def test_chat_anthropic(server: BillingServer, verb: str) -> None:
    """A stream's last counts don't say how long a cache is kept, and it is these that ChatAnthropic takes."""
    model = ChatAnthropic(model="m", base_url=server.root, stream_usage=True, **KEY)
    usage = CLAUDE.usage if verb == "invoke" else replace(CLAUDE.usage, cache_creation_1h_tokens=0)
    call = booked(server, model, CLAUDE, verb)
    assert (call.usage, call.cost_usd) == (usage, Decimal(PRICE.cost(usage) or 0) / 10**12)


@pytest.mark.parametrize("tier", ["batch", "priority"])
def test_anthropic_tells_its_service_tier_among_the_counts(server: BillingServer, tier: str) -> None:
    wire = CLAUDE._replace(counts={**CLAUDE.counts, "service_tier": tier})
    call = booked(server, ChatAnthropic(model="m", base_url=server.root, **KEY), wire, "invoke")
    assert call.usage.service_tier == tier
    assert call.estimated == (tier == "batch")  # PRICE knows no price for batches


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.skipif(OLD_GOOGLE, reason="langchain-google-genai 4.2 counts thoughts and tools otherwise")
def test_chat_google(server: BillingServer, verb: str) -> None:
    """ChatGoogleGenerativeAI tells no modalities: all tokens that are not cached are plain."""
    model = ChatGoogleGenerativeAI(model="m", base_url=server.root, **KEY)
    usage = Usage(1_000, 500, 300, reasoning_tokens=100)
    call = booked(server, model, GEMINI, verb)
    assert (call.usage, call.cost_usd) == (usage, Decimal(PRICE.cost(usage) or 0) / 10**12)


@pytest.mark.parametrize("make", [
    lambda url: ChatEndpoint(base_url=url, model="m", cache=InMemoryCache(), **KEY),
    lambda url: ChatOpenAI(base_url=url, model="m", cache=InMemoryCache(), **KEY),
])  # fmt: skip
def test_what_comes_from_langchains_cache_costs_nothing(server: BillingServer, make: Callable[[str], Any]) -> None:
    server.wire = WIRES["openrouter"]
    router = ChatRouter(models=[(make(server.url), {"id": "m", "price": PRICE})])
    router.invoke("hi")
    router.invoke("hi")
    assert [call.cost_usd for call in router.router.ledger.calls()] == [Decimal("0.0123"), 0]


@pytest.mark.skipif(OLD_OPENAI, reason="langchain-openai 1.1 can't read the counts of a service tier")
def test_the_tier_that_a_call_asks_for_is_planned_with(server: BillingServer) -> None:
    server.wire = WIRES["openai, priority"]
    router = ChatRouter(models=[(ChatOpenAI(base_url=server.url, model="m", **KEY), {"id": "m", "price": PRICE})])
    usual = router.explain("hi").chosen.cost_usd
    assert router.explain("hi", service_tier="priority").chosen.cost_usd == pytest.approx(3 * usual)
    assert router.explain("hi", service_tier="flex").chosen.cost_usd == pytest.approx(usual / 2)
    router.bind(service_tier="priority").invoke("hi")
    (call,) = router.router.ledger.calls()
    assert call.cost_usd == WIRES["openai, priority"].costs()
    assert replace(call.usage, service_tier="") == replace(WIRES["openai, priority"].usage, service_tier="")


@pytest.mark.parametrize("make", [
    lambda url: ChatOpenAI(base_url=url, model="m", service_tier="priority", **KEY),
    lambda url: ChatOpenAI(base_url=url, model="m", extra_body={"service_tier": "priority"}, **KEY),
    lambda url: ChatEndpoint(base_url=url, model="m", extra_body={"service_tier": "priority"}, **KEY),
])  # fmt: skip
def test_a_model_that_asks_for_a_tier_by_itself_is_planned_with_it(
    server: BillingServer, make: Callable[[str], Any]
) -> None:
    usual = ChatRouter(models=[(ChatOpenAI(base_url=server.url, model="m", **KEY), {"id": "m", "price": PRICE})])
    router = ChatRouter(models=[(make(server.url), {"id": "m", "price": PRICE})])
    assert router.router.registry.entry("m").card.service_tier == "priority"
    assert router.explain("hi").chosen.cost_usd == pytest.approx(3 * usual.explain("hi").chosen.cost_usd)


@pytest.mark.parametrize("name", PROXY_WIRES)
def test_the_dialects_of_a_cache_are_read_from_what_chat_openai_passes_on(server: BillingServer, name: str) -> None:
    wire = PROXY_WIRES[name]
    call = booked(server, ChatOpenAI(base_url=server.url, model="m", max_retries=0, **KEY), wire, "invoke")
    assert call.usage == wire.usage
    assert call.cost_usd == wire.costs()


@pytest.mark.parametrize("verb", ["invoke", "stream"])
def test_counts_that_are_left_empty_are_estimated(server: BillingServer, verb: str) -> None:
    empty = Wire({}, Usage())
    call = booked(server, ChatOpenAI(base_url=server.url, model="m", max_retries=0, **KEY), empty, verb)
    assert call.usage.estimated
    assert call.usage.input_tokens > 0
    assert call.usage.output_tokens > 0
    assert call.cost_usd
