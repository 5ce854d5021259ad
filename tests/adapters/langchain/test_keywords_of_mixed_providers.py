"""A call keyword that one provider's package doesn't take is no failing of its model."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from openai_server import Server
from provider_server import ProviderServer

from langchain_router import ChatRouter


@pytest.fixture
def providers() -> Iterator[ProviderServer]:
    server = ProviderServer()
    yield server
    server.close()


@pytest.mark.parametrize("kind", ["google", "ollama"])
def test_it_goes_to_a_model_that_takes_it_and_counts_against_none(
    kind: str, server: Server, providers: ProviderServer
) -> None:
    strict = {
        "google": ChatGoogleGenerativeAI(model="ok-g", base_url=providers.url, api_key="k"),
        "ollama": ChatOllama(model="ok-o", base_url=providers.url),
    }[kind]
    lenient = ChatOpenAI(model="ok-y", base_url=server.url, api_key="k", use_responses_api=False)
    router = ChatRouter(models=[strict, lenient], policy="single")
    assert router.invoke("x", logit_bias={"1": 2}).response_metadata["router"]["model"] == "openai/ok-y"
    assert providers.seen == []
    assert router.router.ledger.calls()[0].fault == "unsupported"
    assert router.invoke("x").response_metadata["router"]["attempts"] == 1
