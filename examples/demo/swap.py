"""The swap: the same chain, agent and query engine on one provider's client, then on the router."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from typing import Any

from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike

from capability_router import Router
from capability_router.simulator import Fleet
from examples.demo import agent, rag
from examples.demo.arm import CONFIG
from examples.demo.arms import SEED
from examples.demo.questions import BY_CORPUS
from examples.demo.workload import Apps
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

_TIME_SCALE = 0.2
_MESSAGE = "The invoice of last month shows the annual subscription twice."


def before_and_after(corpus_name: str, found: Any) -> list[tuple[str, str, str]]:
    """(application, answer before, answer after) for each of the three."""
    questions = _asked(BY_CORPUS[corpus_name][0])
    with Fleet.from_config(time_scale=_TIME_SCALE, seed=SEED) as fleet:
        before, after = _before(fleet, found), _after(fleet, found)
        return [(name, str(ask(before)), str(ask(after))) for name, ask in questions.items()]


def _asked(question: str) -> Mapping[str, Callable[[Apps], Any]]:
    return {
        "LCEL chain": lambda apps: apps.chains["classification"].invoke({"message": _MESSAGE}),
        "agent, two tools": lambda apps: agent.ask(apps.agent, "How many monitors are in stock?"),
        "RAG query engine": lambda apps: rag.ask(apps.engine, question),
    }


def _before(fleet: Fleet, found: Any) -> Apps:
    url, model = fleet.base_url("cedar"), "cedar-large"
    llm = OpenAILike(model=model, api_base=url, api_key="none", is_chat_model=True, context_window=200_000)
    return Apps.on(ChatOpenAI(model=model, base_url=url, api_key="none"), llm, found)


def _after(fleet: Fleet, found: Any) -> Apps:
    os.environ.update({f"{p.upper()}_URL": fleet.base_url(p) for p in fleet.providers})
    router = Router.from_config(CONFIG)
    return Apps.on(ChatRouter(router=router), RouterLLM(router=router), found)
