"""Routed calls below other runs, and LangSmith switched on by the environment alone."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest
from fakes import Scripted
from langchain_core.runnables import RunnableLambda
from langchain_core.tracers.langchain import LangChainTracer
from langsmith import traceable, tracing_context
from langsmith_backends import Backend, traced
from langsmith_server import LangSmithServer
from openai_server import Server
from traced import Traced

from langchain_router import ChatEndpoint, ChatRouter

FAILING = ConnectionError("no route")


def router() -> ChatRouter:
    return ChatRouter(models=[Scripted(name_="x", script=[FAILING]), Scripted(name_="y")], policy="single")


def shape(run: Traced) -> Any:
    return (run.kind, run.name, [shape(child) for child in run.children])


ROUTED = ("chain", "ChatRouter", [("llm", "Scripted", []), ("llm", "Scripted", [])])


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_below_a_traceable_function(backend: Backend, asynchronous: bool) -> None:
    model = router()

    @traceable(name="answering")
    def answering(question: str) -> str:
        return str(model.invoke(question).text)

    @traceable(name="answering")
    async def aanswering(question: str) -> str:
        return str((await model.ainvoke(question)).text)

    with tracing_context(enabled=True, client=backend.client):
        assert (await aanswering("hi") if asynchronous else answering("hi")) == "a b c"
    (root,) = backend.tree()
    assert shape(root) == ("chain", "answering", [ROUTED])
    (routed,) = root.children
    assert routed.metadata["router_model"] == "fake/y"
    assert routed.children[0].metadata["router_fault"] == "connection"
    assert [run.usage for run in root.all() if run.usage] == [(10, 3)]


def test_below_a_function_in_a_chain_below_a_traceable_one(backend: Backend) -> None:
    model = router()
    chain = RunnableLambda(lambda text: model.invoke(text).text, name="step") | RunnableLambda(str.upper, name="loud")

    @traceable(run_type="tool", name="outermost")
    def outermost(question: str) -> str:
        return chain.invoke(question)

    with tracing_context(enabled=True, client=backend.client):
        assert outermost("hi") == "A B C"
    (root,) = backend.tree()
    steps = [("chain", "step", [ROUTED]), ("chain", "loud", [])]
    assert shape(root) == ("tool", "outermost", [("chain", "RunnableSequence", steps)])


def test_what_is_called_after_it_is_not_below_it(backend: Backend) -> None:
    model = router()

    @traceable(name="after")
    def after(text: str) -> str:
        return text

    @traceable(name="outermost")
    def outermost(question: str) -> str:
        return after("".join(str(chunk.text) for chunk in model.stream(question)))

    with tracing_context(enabled=True, client=backend.client):
        outermost("hi")
    (root,) = backend.tree()
    assert shape(root) == ("chain", "outermost", [ROUTED, ("chain", "after", [])])


def test_tracing_that_is_switched_off_stays_off(backend: Backend) -> None:
    with tracing_context(enabled=False):
        router().invoke("hi", traced(backend))
    assert backend.tree() == []


_PROGRAM = """
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.tracers.langchain import wait_for_all_tracers
from langchain_router import ChatEndpoint, ChatRouter

models = [ChatEndpoint(base_url={url!r}, model=name, provider="house") for name in ("fail-x", "ok-y")]
chain = ChatPromptTemplate.from_template("{{x}}") | ChatRouter(models=models, policy="single") | StrOutputParser()
print(chain.invoke({{"x": "hi"}}))
wait_for_all_tracers()
"""


def test_the_environment_is_enough(server: Server) -> None:
    langsmith = LangSmithServer()
    told = {"LANGSMITH_TRACING": "true", "LANGSMITH_ENDPOINT": langsmith.url, "LANGSMITH_API_KEY": "lsv2_made_up",
            "LANGSMITH_PROJECT": "of-the-test"}  # fmt: skip
    environment = {**{k: v for k, v in os.environ.items() if not k.startswith(("LANGSMITH", "LANGCHAIN"))}, **told}
    command = [sys.executable, "-c", _PROGRAM.format(url=server.url)]
    done = subprocess.run(command, capture_output=True, encoding="utf-8", timeout=120, env=environment)  # noqa: S603 - our own program
    assert (done.returncode, done.stdout) == (0, "a b c\n"), done.stderr
    (root,) = langsmith.tree()
    projects = {run["session_name"] for run in langsmith.runs}
    langsmith.close()
    assert projects == {"of-the-test"}
    assert [run.name for run in root.children] == ["ChatPromptTemplate", "ChatRouter", "StrOutputParser"]
    failed, billed = root.children[1].children
    assert (failed.model, failed.metadata["router_fault"], failed.usage) == ("fail-x", "rate_limited", None)
    assert (billed.model, billed.usage) == ("ok-y", (10, 3))


def test_two_tracers_each_get_the_whole_tree(server: Server, backend: Backend) -> None:
    other = LangSmithServer()
    config = {"callbacks": [LangChainTracer(client=backend.client), LangChainTracer(client=other.client)]}
    models = [ChatEndpoint(base_url=server.url, model=name, provider="house") for name in ("dead-x", "ok-y")]
    ChatRouter(models=models, policy="single").invoke("hi", config)  # type: ignore[arg-type]  # a config in part
    told = [
        [(run.name, run.metadata.get("router_fault"), run.usage) for run in root.all()]
        for root in (*backend.tree(), *other.tree())
    ]
    other.close()
    children = [("ChatEndpoint", "server_error", None), ("ChatEndpoint", None, (10, 3))]
    assert told == [[("ChatRouter", None, None), *children]] * 2
