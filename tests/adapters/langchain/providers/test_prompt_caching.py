"""Anthropic's prompt caching through a router: what docs/langchain.md says to do in place of the middleware."""

from __future__ import annotations

import json
from typing import Any

import pytest
from adapters.provider_server import ProviderServer
from langchain.agents import create_agent
from langchain_anthropic import ChatAnthropic
from langchain_anthropic.middleware import AnthropicPromptCachingMiddleware
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from openai_server import Server

from langchain_router import ChatEndpoint, ChatRouter

pytestmark = pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession")  # google-genai's own

CACHED = {"type": "ephemeral"}
SYSTEM = SystemMessage([{"type": "text", "text": "long", "cache_control": CACHED}])


def add(a: int) -> int:
    """Add."""
    return a


def claude(providers: ProviderServer, **options: Any) -> ChatAnthropic:
    return ChatAnthropic(model="ok-a", base_url=providers.url, api_key="k", **options)


def test_stated_on_the_model_it_is_in_every_request_of_an_agent(providers: ProviderServer) -> None:
    model = ChatRouter(models=[claude(providers, model_kwargs={"cache_control": CACHED})])
    create_agent(model, tools=[add]).invoke({"messages": [("user", "x")]})
    assert [body["cache_control"] for _, body in providers.seen] == [CACHED, CACHED]


def test_stated_on_an_agents_system_prompt_it_stays_there(providers: ProviderServer) -> None:
    agent = create_agent(ChatRouter(models=[claude(providers)]), tools=[add], system_prompt=SYSTEM)
    agent.invoke({"messages": [("user", "x")]})
    assert [body["system"][0]["cache_control"] for _, body in providers.seen] == [CACHED, CACHED]


def test_bound_to_the_router_it_is_for_claude_alone(server: Server, providers: ProviderServer) -> None:
    other = ChatOpenAI(model="ok-y", base_url=server.url, api_key="k")
    model = ChatRouter(models=[other, claude(providers)], policy="single").bind(cache_control=CACHED)
    assert model.invoke("x").response_metadata["router"]["model"] == "anthropic/ok-a"
    (marked,) = [json.dumps(body) for _, body in providers.seen]
    assert json.dumps(CACHED) in marked  # on the request or, langchain-anthropic 1.1, on its last block


@pytest.mark.parametrize("kind", ["google", "ollama", "endpoint"])
def test_others_leave_it_out_of_a_system_prompt(kind: str, server: Server, providers: ProviderServer) -> None:
    other: BaseChatModel = {
        "google": ChatGoogleGenerativeAI(model="ok-g", base_url=providers.url, api_key="k"),
        "ollama": ChatOllama(model="ok-o", base_url=providers.url),
        "endpoint": ChatEndpoint(model="ok-cached", base_url=server.url),
    }[kind]
    ChatRouter(models=[other]).invoke([SYSTEM, HumanMessage("x")])
    ((_, body),) = [seen for seen in (*server.seen, *providers.seen) if seen[0] in ("ok-g", "ok-o", "ok-cached")]
    assert "long" in json.dumps(body)
    assert "cache_control" not in json.dumps(body)


def test_the_middleware_passes_a_router_over(providers: ProviderServer) -> None:
    cache = AnthropicPromptCachingMiddleware(unsupported_model_behavior="raise")
    agent = create_agent(ChatRouter(models=[claude(providers)]), tools=[add], middleware=[cache])
    with pytest.raises(ValueError, match="only supports Anthropic models"):
        agent.invoke({"messages": [("user", "x")]})
    assert providers.seen == []
