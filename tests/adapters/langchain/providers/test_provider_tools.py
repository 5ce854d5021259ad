"""Tools that run at a provider: who has them is tried first; whoever else must answer goes without, and says so."""

from __future__ import annotations

from typing import Any

import pytest
from adapters.provider_server import ProviderServer
from fakes import Recorder, metadata
from langchain_anthropic import ChatAnthropic
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from openai_server import Server
from pydantic import BaseModel

from langchain_router import ChatEndpoint, ChatRouter
from langchain_router.messages.provider_tools import portable, provider_tool

CLAUDE_SEARCH = {"type": "web_search_20250305", "name": "web_search", "max_uses": 3}
GPT_SEARCH = {"type": "web_search"}
GEMINI_SEARCH: dict[str, Any] = {"google_search": {}}


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


class Answer(BaseModel):
    """The answer."""

    value: int


def claude(providers: ProviderServer, name: str) -> ChatAnthropic:
    return ChatAnthropic(model=name, base_url=providers.url, api_key="k")


def gpt(server: Server, name: str) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=server.url, api_key="k", use_responses_api=False)


@pytest.mark.parametrize(
    ("given", "homes"),
    [
        (CLAUDE_SEARCH, ("anthropic", "bedrock")),
        ({"type": "text_editor_20250728", "name": "str_replace_based_edit_tool"}, ("anthropic", "bedrock")),
        ({"type": "mcp_toolset", "mcp_server_name": "x"}, ("anthropic", "bedrock")),
        (GPT_SEARCH, ("openai", "azure")),
        ({"type": "web_search_preview_2025_03_11"}, ("openai", "azure")),
        ({"type": "mcp", "server_url": "x"}, ("openai", "azure")),
        (GEMINI_SEARCH, ("google",)),
        ({"type": "function", "function": {"name": "web_search", "parameters": {}}}, None),
        ({"name": "google_search", "description": "", "parameters": {}}, None),
        ({"title": "add", "type": "object", "properties": {}}, None),
        (add, None),
        (Answer, None),
    ],
)
def test_whose_a_tool_is(given: Any, homes: tuple[str, ...] | None) -> None:
    own = provider_tool(given)
    assert (own.homes if own else None) == homes


@pytest.mark.parametrize("provider", ["anthropic", "some-gateway", "openrouter", ""])
def test_nothing_is_left_out_at_home_or_where_nothing_is_known(provider: str) -> None:
    assert portable([CLAUDE_SEARCH, add], {"tool_choice": "any"}, provider) == (
        [CLAUDE_SEARCH, add], {"tool_choice": "any"}, (),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("tools", "choice", "kept", "options"),
    [
        ([CLAUDE_SEARCH, add], "any", [add], {"tool_choice": "any", "strict": True}),
        ([CLAUDE_SEARCH, add], {"type": "tool", "name": "web_search"}, [add], {"strict": True}),
        ([CLAUDE_SEARCH, add], "web_search_20250305", [add], {"strict": True}),
        ([CLAUDE_SEARCH, add], "add", [add], {"tool_choice": "add", "strict": True}),
        ([CLAUDE_SEARCH], "any", [], {}),
    ],
)
def test_a_choice_goes_with_its_tool(tools: Any, choice: Any, kept: Any, options: Any) -> None:
    names = ("web_search_20250305",)
    assert portable(tools, {"tool_choice": choice, "strict": True}, "openai") == (kept, options, names)


def test_who_has_the_tool_is_tried_first_and_the_plan_says_so(server: Server, providers: ProviderServer) -> None:
    router = ChatRouter(models=[gpt(server, "ok-x"), claude(providers, "ok-c")], policy="single")
    assert router.explain("hi", tools=[add]).chosen.id == "openai/ok-x"
    plan = router.explain("hi", tools=[CLAUDE_SEARCH, add])
    assert [c.id for c in plan.candidates] == ["anthropic/ok-c", "openai/ok-x"]
    assert plan.notes[-1] == "openai/ok-x: goes without web_search_20250305, which its provider does not have"
    answered = router.bind_tools([CLAUDE_SEARCH, add]).invoke("hi")
    assert answered.response_metadata["router"]["model"] == "anthropic/ok-c"
    assert CLAUDE_SEARCH in providers.seen[-1][1]["tools"]


@pytest.mark.parametrize("by", ["bind_tools", "bind"])
@pytest.mark.parametrize("kind", [ChatOpenAI, ChatEndpoint])
def test_another_provider_goes_without_it_and_the_trace_says_so(
    server: Server, providers: ProviderServer, kind: Any, by: str
) -> None:
    spare = gpt(server, "ok-x") if kind is ChatOpenAI else ChatEndpoint(
        base_url=server.url, model="ok-x", provider="openai"
    )  # fmt: skip
    router, tracer = ChatRouter(models=[claude(providers, "fail-c"), spare], policy="single"), Recorder()
    plain = {"type": "function", "function": {"name": "add", "parameters": {"type": "object", "properties": {}}}}
    bound = router.bind_tools([CLAUDE_SEARCH, add]) if by == "bind_tools" else router.bind(tools=[CLAUDE_SEARCH, plain])
    assert bound.invoke("hi", {"callbacks": [tracer]}).tool_calls[0]["name"] == "add"
    sent = server.seen[-1][1]
    assert [t["function"]["name"] for t in sent["tools"]] == ["add"]
    failed, answered = tracer.roots[0].child_runs
    assert "router_left_out" not in metadata(failed)
    assert metadata(answered)["router_left_out"] == "tools that its provider does not have: web_search_20250305"


@pytest.mark.parametrize("stream", [False, True])
def test_with_no_tool_left_none_is_sent(server: Server, providers: ProviderServer, stream: bool) -> None:
    router = ChatRouter(models=[claude(providers, "fail-c"), gpt(server, "ok-x")], policy="single")
    bound = router.bind_tools([CLAUDE_SEARCH], tool_choice="any")
    text = "".join(str(c.text) for c in bound.stream("hi")) if stream else bound.invoke("hi").text
    assert text == "a b c"
    assert not {"tools", "tool_choice"} & server.seen[-1][1].keys()


def test_beside_a_schema_too(server: Server) -> None:
    router = ChatRouter(models=[gpt(server, "ok-x")], policy="single")
    tools = [GEMINI_SEARCH, add]
    structured = router.with_structured_output(Answer, method="json_schema", tools=tools, include_raw=True, strict=True)
    structured.invoke("hi")
    assert [t["function"]["name"] for t in server.seen[-1][1]["tools"]] == ["add"]
