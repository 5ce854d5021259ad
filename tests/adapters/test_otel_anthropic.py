"""Anthropic's SDK makes spans of its calls by itself, as of 2026: each call has one span all the same."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from typing import Any

import pytest
from adapters.otel_fleet import PRICE
from adapters.provider_server import INPUT, OUTPUT, ProviderServer
from langchain_anthropic import ChatAnthropic
from telemetry.kept import Kept, below, kept, told

from langchain_router import ChatRouter

TELLS = find_spec("anthropic._tracing") is not None
OFF = "ANTHROPIC_OPEN_TELEMETRY"


@pytest.fixture
def otel() -> Kept:
    return kept().emptied()


@pytest.fixture
def server() -> Iterator[ProviderServer]:
    made = ProviderServer()
    yield made
    made.close()


def routed(server: ProviderServer, **otel: Any) -> ChatRouter:
    models = [
        (ChatAnthropic(model=name, api_key="k", base_url=server.url, max_retries=0), {"id": name, "price": PRICE})  # type: ignore[call-arg, arg-type]  # as its users write it
        for name in ("over-1", "claude")
    ]
    return ChatRouter(models=models, policy="single", telemetry={"otel": {"on": True, **otel}})


async def ask(llm: ChatRouter, way: str) -> None:
    if way == "whole":
        llm.invoke("hello")
    elif way == "awaited":
        await llm.ainvoke("hello")
    elif way == "stream":
        list(llm.stream("hello"))
    else:
        assert [chunk async for chunk in llm.astream("hello")]
    llm.router.close()


def counted(otel: Kept) -> list[dict[str, Any]]:
    return [facts for span in otel.all() if (facts := told(span)).get("gen_ai.usage.output_tokens")]


@pytest.mark.parametrize("way", ["whole", "awaited", "stream", "awaited stream"])
async def test_each_call_has_one_span_by_whomever(otel: Kept, server: ProviderServer, way: str) -> None:
    llm = routed(server)
    for _ in range(2):  # its client is there from the second on
        otel.emptied()
        with otel.tracer.start_as_current_span("app"):
            await ask(llm, way)
        (usage,) = counted(otel)
        assert (usage["gen_ai.usage.input_tokens"], usage["gen_ai.usage.output_tokens"]) == (INPUT, OUTPUT)
        route, *attempts = otel.spans()
        theirs = [span for span in otel.all() if span.name == "anthropic.messages.create"]
        assert len(attempts) == (0 if TELLS else told(route)["attempts"])
        assert len(theirs) == (told(route)["attempts"] if TELLS else 0)
        assert len(route.events) == len(theirs)
        (app,) = otel.spans("the application")
        assert route in below(app, otel.all())


@pytest.mark.parametrize("way", ["whole", "awaited stream"])
async def test_where_it_is_told_to_make_none_the_router_does(
    otel: Kept, server: ProviderServer, way: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(OFF, "false")
    llm = routed(server)
    await ask(llm, way)
    monkeypatch.delenv(OFF)  # its client was made without
    await ask(llm, way)
    assert [span.name for span in otel.spans()].count("chat claude") == 2
    assert {span.name.partition(" ")[0] for span in otel.all()} == {"route", "chat"}


async def test_with_always_both_are_there(otel: Kept, server: ProviderServer) -> None:
    await ask(routed(server, attempts="always"), "whole")
    assert [span.name for span in otel.spans()] == ["route router", "chat over-1", "chat claude"]
    assert len(counted(otel)) == (2 if TELLS else 1)
