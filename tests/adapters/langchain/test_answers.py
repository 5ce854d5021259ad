"""What a reply is and says, whichever verb asked for it."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Recorder, Scripted
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, HumanMessage
from langchain_core.outputs import ChatResult
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import RunnableConfig
from routers import DOWN, router

from langchain_router import ChatRouter


def test_the_reply_says_what_became_of_the_request() -> None:
    reply = router(Scripted(name_="x", script=[DOWN]), Scripted(name_="y")).invoke("hi")
    told = reply.response_metadata["router"]
    assert len(told.pop("request_id")) == 32
    assert told.pop("reason").startswith("fallback: fake/x")
    assert told == {
        "model": "fake/y", "provider": "fake", "attempts": 2, "fallback": True, "policy": "single", "cost_usd": None,
    }  # fmt: skip
    assert reply.content == "a b c"
    assert reply.response_metadata["model_name"] == "y"


def test_a_stream_carries_the_annotation_on_its_last_chunk_alone() -> None:
    chunks = list(router(Scripted()).stream("hi"))
    assert ["router" in c.response_metadata for c in chunks] == [False] * (len(chunks) - 1) + [True]
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.content == "a b c"
    assert whole.response_metadata["router"]["attempts"] == 1
    assert whole.usage_metadata["total_tokens"] == 13


def test_annotate_false_leaves_the_message_as_it_was() -> None:
    model = router(Scripted(), annotate=False)
    assert "router" not in model.invoke("hi").response_metadata
    assert all("router" not in c.response_metadata for c in model.stream("hi"))


def test_the_models_own_message_is_not_changed() -> None:
    message = AIMessage(content="a")
    router(Scripted(script=[message])).invoke("hi")
    assert message.response_metadata == {}


async def test_every_verb_answers() -> None:
    model = router(Scripted(script=[DOWN], name_="x"), Scripted(name_="y"))
    assert (await model.ainvoke("hi")).content == "a b c"
    assert [m.content for m in model.batch(["a", "b"])] == ["a b c"] * 2
    assert [m.content for m in await model.abatch(["a", "b"])] == ["a b c"] * 2
    assert "".join([c.content async for c in model.astream("hi")]) == "a b c"
    result = model.generate([[HumanMessage("a")], [HumanMessage("b")]])
    assert [g[0].text for g in result.generations] == ["a b c"] * 2
    assert len(result.run) == 2
    assert len((await model.agenerate([[HumanMessage("a")]])).generations) == 1
    assert model.generate_prompt([model._convert_input("hi")]).generations[0][0].text == "a b c"
    assert "".join(c.content for c in model.transform(iter(["hi"]))) == "a b c"


async def test_the_hooks_route_too_when_they_are_called_themselves() -> None:
    """As a class does that wraps a chat model and asks its `_generate` in its own."""
    model = router(Scripted(script=[DOWN], name_="x"), Scripted(name_="y"))
    for result in (model._generate([HumanMessage("hi")]), await model._agenerate([HumanMessage("hi")])):
        assert result.generations[0].text == "a b c"
        assert result.generations[0].message.response_metadata["router"]["model"].endswith("y")
    assert model.router.ledger.total().calls == 4  # of each request the one that failed, and the one that answered


class Wrapper(BaseChatModel):
    """A chat model that asks another one's hook, as wrappers of chat models do."""

    inner: ChatRouter

    @property
    def _llm_type(self) -> str:
        return "wrapper"

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any) -> ChatResult:
        return self.inner._generate(messages, stop, run_manager)

    async def _agenerate(
        self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **_: Any
    ) -> ChatResult:
        return await self.inner._agenerate(messages, stop, run_manager)


@pytest.mark.parametrize("awaited", [False, True])
async def test_what_a_hook_routes_stands_under_the_run_that_asked(awaited: bool) -> None:
    recorder = Recorder()
    wrapper = Wrapper(inner=router(Scripted(name_="x")))
    config: RunnableConfig = {"callbacks": [recorder], "tags": ["mine"]}
    answer = await wrapper.ainvoke("hi", config) if awaited else wrapper.invoke("hi", config)
    assert answer.content == "a b c"
    asked = ("chain", "ChatRouter", "", [("llm", "Scripted", "", [])])
    assert recorder.tree() == [("llm", "Wrapper", "", [asked])]
    assert "mine" in recorder.roots[0].child_runs[0].tags


def test_streaming_switched_off_gives_one_message() -> None:
    for off in ({"streaming": False}, {"disable_streaming": True}):
        (message,) = router(Scripted(), **off).stream("hi")
        assert message.content == "a b c"


def test_a_rate_limiter_is_honoured() -> None:
    class Limiter(BaseRateLimiter):
        taken: int = 0

        def acquire(self, *, blocking: bool = True) -> bool:
            Limiter.taken += 1
            return True

        async def aacquire(self, *, blocking: bool = True) -> bool:
            return self.acquire()

    router(Scripted(), rate_limiter=Limiter()).invoke("hi")
    assert Limiter.taken == 1
