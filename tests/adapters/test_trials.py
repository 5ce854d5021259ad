"""Shadows and canaries under both frameworks, their real clients over loopback HTTP, blocking and awaited."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_openai import ChatOpenAI
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, completion, piece, reply, sse, stall

from capability_router import BudgetExceeded, Router, routing
from capability_router.testing import assert_books_balanced
from langchain_router import ChatRouter, RouterCallbackHandler
from llamaindex_router import RouterLLM

TOOL = {"type": "function", "function": {"name": "add", "description": "", "parameters": {"type": "object"}}}
DEAR, CHEAP = {"input_mtok": 10, "output_mtok": 10}, {"input_mtok": 1, "output_mtok": 1}
ALL = {"name": "cheapest", "execute": 1.0, "budget_usd": 1}


def _chain(url: str, http: httpx.Client, awaited: httpx.AsyncClient) -> Any:
    return ChatOpenAI(model="m", api_key="k", base_url=url, http_client=http, http_async_client=awaited)  # type: ignore[arg-type]  # a plain key is taken too


def _llama(url: str, http: httpx.Client, awaited: httpx.AsyncClient) -> Any:
    clients = {"http_client": http, "async_http_client": awaited}
    return OpenAILike(model="m", api_key="k", api_base=url, is_chat_model=True, context_window=9_000, **clients)


class Served:
    """A router over two servers, `strong` first by its own policy, `small` by the shadow's."""

    def __init__(self, kind: str, way: str, log: Path) -> None:
        self._kind, self._way, self._log = kind, way, log
        self._http, self._awaited = httpx.Client(), httpx.AsyncClient()
        self._routers: list[Router] = []
        self.strong, self.small = ChatServer(reply(completion("strong"))), ChatServer(reply(completion("small")))

    def made(self, **settings: Any) -> Any:
        client, router = (_chain, ChatRouter) if self._kind == "langchain" else (_llama, RouterLLM)
        cards = [
            (
                client(server.base_url, self._http, self._awaited),
                {"id": name, "price": price, "max_output_tokens": 1_000},
            )
            for name, server, price in (("strong", self.strong, DEAR), ("small", self.small, CHEAP))
        ]
        llm = router(cards, policy="single", telemetry={"jsonl": self._log}, **settings)
        self._routers.append(llm.router)
        return llm

    async def __aenter__(self) -> Served:
        return self

    async def __aexit__(self, *error: object) -> None:
        for router in self._routers:
            router.close()
        for server in (self.strong, self.small):
            server.__exit__()
        self._http.close()
        await self._awaited.aclose()

    async def ask(self, llm: Any, prompt: str = "hello") -> str:
        """The answer, with the shadow's call over."""
        chain = self._kind == "langchain"
        if self._way == "blocking":
            return await asyncio.to_thread(self._blocking, llm, prompt, chain)
        answer = await (llm.ainvoke if chain else llm.acomplete)(prompt)
        await asyncio.gather(*llm.router._shadow_calls._under_way)
        return answer.content if chain else answer.text

    def _blocking(self, llm: Any, prompt: str, chain: bool) -> str:
        answer = (llm.invoke if chain else llm.complete)(prompt)
        llm.router._shadow_calls.close()
        return answer.content if chain else answer.text

    def counts(self) -> tuple[int, int]:
        return len(self.strong.seen), len(self.small.seen)

    def records(self, kind: str) -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in self._log.read_text(encoding="utf-8").splitlines()]
        return [row for row in rows if row["kind"] == kind]


@pytest.fixture(params=["langchain", "llamaindex"])
def kind(request: pytest.FixtureRequest) -> str:
    return request.param


@pytest.fixture(params=["blocking", "awaited"])
async def served(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[Served]:
    async with Served(kind, request.param, tmp_path / "log.jsonl") as made:
        yield made


async def test_a_shadow_sends_nothing(served: Served) -> None:
    llm = served.made(shadow="cheapest")
    assert [await served.ask(llm) for _ in range(3)] == ["strong"] * 3
    assert served.counts() == (3, 0)
    assert [row["shadow"]["chosen"] for row in served.records("decision")] == ["small"] * 3
    assert served.records("shadow") == []


async def test_an_executed_shadow_is_booked_and_not_shown(served: Served) -> None:
    llm = served.made(shadow=ALL)
    with routing(tenant="acme", tags=["nightly"], session="s"):
        assert await served.ask(llm) == "strong"
    assert served.counts() == (1, 1)
    (made,), (decided,) = served.records("shadow"), served.records("decision")
    assert (made["request_id"], made["model"]) == (decided["request_id"], "small")
    assert made["cost_pico"] == 11 * 10**6  # 9 tokens in, 2 out, at a millionth of a dollar each
    ledger = llm.router.ledger
    assert ledger.total(by=("tag",))[("router:shadow",)].calls == 1
    assert {model: total.calls for (model,), total in ledger.total(by=("model",)).items()} == {"strong": 1, "small": 1}
    assert ledger.total(by=("tenant",))[("acme",)].calls == 2
    with routing(session="s"):  # the conversation has not moved to the shadow's model
        assert llm.explain("hello").chosen.id == "strong"
    assert_books_balanced(llm.router)


async def test_a_shadow_whose_call_fails_is_told_in_the_log_alone(served: Served) -> None:
    served.small.script = [reply({"error": {"message": "no"}}, status=500)]
    served.strong.script = [reply(completion("strong")), reply({"error": {"message": "no"}}, status=500)]
    llm = served.made(shadow={**ALL, "seed": 1}, retry={"per_target": 0})
    assert await served.ask(llm) == "strong"
    (made,) = served.records("shadow")
    assert (made["model"], [a["model"] for a in made["attempts"]]) == (None, ["small", "strong"])
    assert_books_balanced(llm.router)


async def test_a_shadow_has_a_budget_of_its_own(served: Served) -> None:
    llm = served.made(shadow={**ALL, "budget_usd": 0.0})
    assert await served.ask(llm) == "strong"
    assert served.counts() == (1, 0)
    assert served.records("shadow") == []
    assert_books_balanced(llm.router)


async def test_a_shadow_counts_against_the_budgets(served: Served) -> None:
    caps = [{"scope": "tenant:acme", "limit_usd": 10}]
    llm = served.made(shadow=ALL, budgets=caps)
    with routing(tenant="acme"):
        await served.ask(llm)
    (row,) = [row for row in llm.router.budgets.rows() if row["scope"] == "tenant:acme"]
    assert row["spent_pico"] == 11 * 10**7 + 11 * 10**6


async def test_a_share_is_executed_and_the_same_one_each_time(served: Served) -> None:
    llm = served.made(shadow={**ALL, "execute": 0.5})
    for _ in range(40):
        await served.ask(llm)
    sampled = {row["request_id"] for row in served.records("decision") if row["shadow"]["sampled"]}
    assert 0 < len(sampled) < 40
    assert {row["request_id"] for row in served.records("shadow")} == sampled
    assert served.counts() == (40, len(sampled))


async def test_a_canary_answers_and_is_marked(served: Served) -> None:
    llm = served.made(canary={"name": "cheapest", "share": 1.0})
    assert await served.ask(llm) == "small"
    assert served.counts() == (0, 1)
    (decided,) = served.records("decision")
    assert (decided["canary"], decided["policy"]) == (True, "cheapest")


async def test_the_mark_is_in_the_metadata(kind: str, tmp_path: Path) -> None:
    served = Served(kind, "blocking", tmp_path / "log.jsonl")
    async with served:
        llm = served.made(canary={"name": "cheapest", "share": 1.0})
        told = (
            llm.invoke("hi").response_metadata["router"]
            if kind == "langchain"
            else llm.complete("hi").additional_kwargs["router"]
        )
    assert (told["canary"], told["reason"].split(":")[0]) == (True, "canary")


@pytest.mark.parametrize("config", [{"shadow": "cheapest"}, {"canary": {"name": "cheapest", "share": 1}}])
def test_router_yaml_has_them(config: dict[str, Any]) -> None:
    models = [
        {"id": n, "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}, "price": p}
        for n, p in (("strong", DEAR), ("small", CHEAP))
    ]
    source = {"models": models, "policy": "single", **config}
    chosen = "small" if "canary" in config else "strong"
    for made in (ChatRouter.from_config(source), RouterLLM.from_config(source), Router.from_config(source)):
        assert made.explain("hello").chosen.id == chosen


class CallWithHandlers(BaseCallbackHandler):
    def __init__(self) -> None:
        self.answers: list[str] = []

    def on_llm_end(self, response: Any, **kwargs: Any) -> None:
        self.answers.append(response.generations[0][0].text)


@pytest.mark.parametrize("way", ["blocking", "awaited"])
async def test_no_handler_of_langchain_hears_the_shadow(way: str, tmp_path: Path) -> None:
    served, heard, costs = Served("langchain", way, tmp_path / "log.jsonl"), CallWithHandlers(), RouterCallbackHandler()
    async with served:
        llm = served.made(shadow=ALL)
        llm.callbacks = [heard, costs]
        await served.ask(llm)
    assert served.counts() == (1, 1)
    assert heard.answers == ["strong"]
    assert [call["model"] for call in costs.calls] == ["strong"]


@pytest.mark.parametrize("way", ["blocking", "awaited"])
async def test_no_handler_of_llamaindex_hears_the_shadow(way: str, tmp_path: Path) -> None:
    served, counter = Served("llamaindex", way, tmp_path / "log.jsonl"), TokenCountingHandler(tokenizer=str.split)
    async with served:
        llm = served.made(shadow=ALL)
        llm.callback_manager = CallbackManager([counter])
        await served.ask(llm)
        await served.ask(llm)
    assert served.counts() == (2, 2)
    assert len(counter.llm_token_counts) == 2


async def test_streams_and_tool_loops_are_left_alone(tmp_path: Path) -> None:
    from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

    served = Served("langchain", "blocking", tmp_path / "log.jsonl")
    async with served:
        llm = served.made(shadow=ALL)
        asked = AIMessage("", tool_calls=[{"name": "add", "args": {}, "id": "c"}])
        loop = [HumanMessage("add"), asked, ToolMessage("3", tool_call_id="c")]
        llm.bind_tools([TOOL]).invoke(loop)
        llm.invoke("hi", model="another")
        await asyncio.gather(*llm.router._shadow_calls._under_way)
        assert served.counts() == (2, 0)
        llm.bind_tools([TOOL]).invoke("add")  # a call that nobody carries out is no danger
        await asyncio.gather(*llm.router._shadow_calls._under_way)
        assert served.counts() == (3, 1)
        served.strong.script = [sse(piece("strong"), piece(finish="stop"))]
        assert "".join(chunk.text for chunk in llm.stream("hi")) == "strong"
        await asyncio.gather(*llm.router._shadow_calls._under_way)
        assert served.counts() == (4, 1)
    chosen = [row.get("shadow", {}).get("chosen") for row in served.records("decision")]
    assert chosen == ["small"] * 4


async def test_a_caller_who_gives_up_leaves_no_call_behind(kind: str, tmp_path: Path) -> None:
    served = Served(kind, "awaited", tmp_path / "log.jsonl")
    served.strong.script = [stall]

    async def given_up(llm: Any) -> None:
        task = asyncio.ensure_future((llm.ainvoke if kind == "langchain" else llm.acomplete)("hi"))
        await asyncio.to_thread(served.strong.wait_for_a_request)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        assert not llm.router._shadow_calls._under_way

    async with served:
        llm = served.made(shadow=ALL)
        await given_up(llm)
    assert served.counts() == (1, 0)
    assert_books_balanced(llm.router)


async def test_a_spent_shadow_does_not_spend_the_callers_budget(served: Served) -> None:
    llm = served.made(shadow={**ALL, "budget_usd": 0.0}, budgets=[{"scope": "tenant:acme", "limit_usd": 0.0}])
    with routing(tenant="acme"), pytest.raises(BudgetExceeded):
        await served.ask(llm)
    assert served.counts() == (0, 0)
