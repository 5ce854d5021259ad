"""What LangSmith's own client sends of a routed call."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers.langchain import LangChainTracer
from langchain_openai import ChatOpenAI
from langsmith_server import LangSmithServer
from openai_server import Server

from langchain_router import ChatEndpoint, ChatRouter


@pytest.fixture
def langsmith() -> Iterator[LangSmithServer]:
    server = LangSmithServer()
    yield server
    server.close()


def leaves(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [leaf for child in run["children"] for leaf in leaves(child)] or [run]


def flat(run: dict[str, Any]) -> list[dict[str, Any]]:
    return [run, *(below for child in run["children"] for below in flat(child))]


@pytest.mark.parametrize("stream", [False, True])
def test_one_chain_run_with_the_decision_and_usage_on_the_billed_leaf_alone(
    server: Server, langsmith: LangSmithServer, stream: bool
) -> None:
    first = ChatOpenAI(model="fail-x", base_url=server.url, api_key="sk-test", use_responses_api=False)
    price = {"price": {"input_mtok": 1, "output_mtok": 2}}
    second = (ChatEndpoint(base_url=server.url, model="ok-y", provider="openai"), price)
    chain = ChatPromptTemplate.from_template("{x}") | ChatRouter(models=[(first, price), second], policy="single")
    config: Any = {"callbacks": [LangChainTracer(client=langsmith.client)], "metadata": {"user": "u"}}
    if stream:
        list(chain.stream({"x": "hi"}, config))
    else:
        chain.invoke({"x": "hi"}, config)
    (root,) = langsmith.tree()
    routed = next(run for run in root["children"] if run["name"] == "ChatRouter")
    told = routed["extra"]["metadata"]
    assert routed["run_type"] == "chain"
    assert told["router_model"] == "openai/ok-y"
    assert told["router_cost_usd"] >= 0.000016
    assert told["router_faults"] == "1 openai/fail-x: rate_limited"
    assert told["user"] == "u"
    failed, billed = routed["children"]
    assert [r["run_type"] for r in (failed, billed)] == ["llm", "llm"]
    assert "429" in failed["error"]
    assert failed["extra"]["metadata"]["ls_model_name"] == "fail-x"
    assert billed["extra"]["metadata"]["ls_provider"] == "openai"
    assert billed["extra"]["metadata"]["ls_model_name"] == "ok-y"
    with_usage = [run for run in flat(root) if run["extra"]["metadata"].get("usage_metadata")]
    assert with_usage == [billed]
    assert billed["extra"]["metadata"]["usage_metadata"]["total_tokens"] == 13
