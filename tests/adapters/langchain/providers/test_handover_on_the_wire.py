"""What the next provider is really sent of a conversation that another one began: only what it can read."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from adapters.provider_server import ProviderServer
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage, ToolMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import AzureChatOpenAI, ChatOpenAI
from openai_server import Server

from langchain_router import ChatEndpoint, ChatRouter
from langchain_router.messages.handover import converted_history

CALL = {"name": "add", "args": {"a": 1}, "id": "call_1", "type": "tool_call"}


@pytest.fixture(scope="module")
def providers() -> Iterator[ProviderServer]:
    server = ProviderServer()
    yield server
    server.close()


@pytest.fixture
def models(server: Server, providers: ProviderServer) -> dict[str, BaseChatModel]:
    return {
        "openai": ChatOpenAI(model="ok-o", base_url=server.url, api_key="k", use_responses_api=False),
        "endpoint": ChatEndpoint(model="ok-e", base_url=server.url),
        "anthropic": ChatAnthropic(model="ok-a", base_url=providers.url, api_key="k"),
        "google_genai": ChatGoogleGenerativeAI(model="ok-g", base_url=providers.url, api_key="k"),
        "ollama": ChatOllama(model="ok-l", base_url=providers.url),
    }


def turn(provider: str, *blocks: dict[str, Any], **fields: Any) -> AIMessage:
    return AIMessage(content=list(blocks), response_metadata={"model_provider": provider}, **fields)


TEXT = {"type": "text", "text": "one"}
CONVERSATIONS: dict[str, tuple[AIMessage, str]] = {
    "a call of the Responses API": (
        turn(
            "openai",
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "FOREIGN"},
            {"type": "function_call", "id": "fc_FOREIGN", "call_id": "call_1", "name": "add", "arguments": '{"a": 1}'},
            tool_calls=[CALL],
        ),
        "add",
    ),
    "a custom tool's call": (
        turn(
            "openai",
            {"type": "custom_tool_call", "id": "FOREIGN", "call_id": "call_1", "name": "add", "input": "1"},
            tool_calls=[CALL],
        ),
        "add",
    ),
    "a refusal": (turn("openai", {"type": "refusal", "refusal": "never said"}), "never said"),
    "a request for approval": (turn("openai", TEXT, {"type": "mcp_approval_request", "id": "FOREIGN"}), "one"),
    "code that Gemini ran": (
        turn("google_genai", {"type": "executable_code", "executable_code": "FOREIGN"}, TEXT),
        "one",
    ),
    "what Gemini's code gave": (
        turn("google_genai", {"type": "code_execution_result", "code_execution_result": "FOREIGN"}, TEXT),
        "one",
    ),
    "a picture that Gemini made": (
        turn("google_genai", TEXT, {"type": "image_url", "image_url": {"url": "data:image/png;base64,FOREIGN="}}),
        "one",
    ),
}


def sent(model: BaseChatModel, conversation: list[BaseMessage], *servers: Any) -> list[dict[str, Any]]:
    """The turns after the first, as they were sent."""
    ChatRouter(models=[model]).invoke(conversation)
    ((_, body),) = [server.seen.pop() for server in servers if server.seen]
    return list(body.get("messages") or body["contents"])[1:]


@pytest.fixture(autouse=True)
def _fresh(server: Server, providers: ProviderServer) -> None:
    server.seen.clear()
    providers.seen.clear()


TARGETS = ("openai", "endpoint", "anthropic", "google_genai", "ollama")
MOVES = [
    (name, target)
    for name, (message, _) in CONVERSATIONS.items()
    for target in TARGETS
    if message.response_metadata["model_provider"] != target
]


@pytest.mark.parametrize(("name", "target"), MOVES)
def test_only_what_it_can_read(
    name: str, target: str, models: dict[str, BaseChatModel], server: Server, providers: ProviderServer
) -> None:
    message, stays = CONVERSATIONS[name]
    after = ToolMessage("3", tool_call_id="call_1") if message.tool_calls else HumanMessage("go on")
    turns = sent(models[target], [HumanMessage("?"), message, after], server, providers)
    assert "FOREIGN" not in str(turns)
    assert "'refusal'" not in str(turns)
    assert stays in str(turns)
    assert len(turns) == 2


@pytest.mark.parametrize("target", ["openai", "endpoint", "google_genai", "ollama"])
def test_a_turn_of_which_nothing_is_left_is_not_sent(
    target: str, models: dict[str, BaseChatModel], server: Server, providers: ProviderServer
) -> None:
    thought = turn("anthropic", {"type": "thinking", "thinking": "hm", "signature": "FOREIGN"})
    turns = sent(models[target], [HumanMessage("?"), thought, HumanMessage("go on")], server, providers)
    assert len(turns) == 1
    assert "go on" in str(turns)


def test_a_card_that_renames_the_provider_takes_no_reasoning_from_its_own_model(
    models: dict[str, BaseChatModel], providers: ProviderServer
) -> None:
    thought = turn("anthropic", {"type": "thinking", "thinking": "hm", "signature": "s"}, TEXT)
    ChatRouter(models=[(models["anthropic"], {"provider": "house"})]).invoke([HumanMessage("?"), thought, "go on"])
    assert providers.seen[-1][1]["messages"][1]["content"][0]["signature"] == "s"


def test_azures_messages_say_openai_and_are_azures_own() -> None:
    azure = AzureChatOpenAI(azure_endpoint="https://x.example", api_key="k", api_version="1", azure_deployment="d")
    thought = turn("openai", {"type": "reasoning", "id": "rs_1", "summary": []}, TEXT)
    assert converted_history([thought], "azure", azure) == ([thought], 0)
    metadata = {"model_provider": "openai", "router": {"provider": "openai"}}
    known = thought.model_copy(update={"response_metadata": metadata})
    assert converted_history([known], "azure", azure)[1] == 1  # the router itself has noted that OpenAI made this one


def test_a_router_within_a_router_keeps_its_models_reasoning(
    models: dict[str, BaseChatModel], providers: ProviderServer
) -> None:
    thought = turn("anthropic", {"type": "thinking", "thinking": "hm", "signature": "s"}, TEXT)
    inner = ChatRouter(models=[models["anthropic"]])
    ChatRouter(models=[inner]).invoke([HumanMessage("?"), thought, HumanMessage("go on")])
    assert providers.seen[-1][1]["messages"][1]["content"][0]["signature"] == "s"
