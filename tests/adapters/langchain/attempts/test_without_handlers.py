"""A model's call of which nobody hears leaves out what handlers would be told; its answer and all else are the same."""

from __future__ import annotations

from typing import Any

import pytest
from adapters.langchain.fakes import Recorder, Scripted
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler, CallbackManagerForLLMRun, manager
from langchain_core.globals import set_debug
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import RunnableLambda

from langchain_router import AllCandidatesFailed, ChatRouter


class Turnstile(BaseRateLimiter):
    """Lets everybody pass, and counts."""

    passed = 0

    def acquire(self, *, blocking: bool = True) -> bool:
        self.passed += 1
        return True

    async def aacquire(self, *, blocking: bool = True) -> bool:
        return self.acquire()


class Telling(Scripted):
    """Answers with facts of the generation and of the whole result, as packages do; keeps the runs that it is given."""

    streaming: bool = False
    runs: list[Any] = []  # noqa: RUF012 - a pydantic field, copied for each model

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.runs.append(run_manager)
        result = super()._generate(messages, None, run_manager, stops=stop, **kwargs)
        told = ChatGeneration(message=result.generations[0].message, generation_info={"logprobs": [0.5]})
        return ChatResult(generations=[told], llm_output={"system_fingerprint": "fp"})


class Listening(BaseCallbackHandler):
    """Hears that a model's run has begun."""

    def __init__(self) -> None:
        self.heard = 0

    def on_chat_model_start(self, *_: Any, **__: Any) -> None:
        self.heard += 1


def generated(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What of core's is called, noted below the methods that an attempt looks for."""
    seen: list[str] = []
    for name in ("_get_ls_params_with_defaults", "_get_invocation_params"):
        own = getattr(BaseChatModel, name, None)
        if own is not None:

            def noted(self: Any, *given: Any, own: Any = own, name: str = name, **keywords: Any) -> Any:
                seen.append(name)
                return own(self, *given, **keywords)

            monkeypatch.setattr(BaseChatModel, name, noted)
    return seen


def plain(message: AIMessage) -> dict[str, Any]:
    """All of it but what differs between any two calls."""
    told = message.model_dump()
    told["response_metadata"]["router"] = {**told["response_metadata"]["router"], "request_id": ""}
    return {**told, "id": str(told["id"]).partition("--")[0]}


MODELS: tuple[dict[str, Any], ...] = (
    {}, {"cache": InMemoryCache()}, {"streaming": True}, {"output_version": "v1"},
    {"tags": ["own"], "metadata": {"a": 1}},
)  # fmt: skip


@pytest.mark.parametrize("fields", MODELS, ids=lambda fields: next(iter(fields), "plain"))
@pytest.mark.parametrize("keywords", [{}, {"stop": ["x"], "temperature": 0.5}], ids=["bare", "keywords"])
async def test_the_answers_are_the_same_heard_or_not(
    fields: dict[str, Any], keywords: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    model = Telling(**fields, rate_limiter=(gate := Turnstile()))
    router = ChatRouter([(model, {"id": "m"})])
    for _ in range(2):  # the second may come from the cache
        told = [router.invoke("hello", {"callbacks": [Listening()]}, **keywords)]
        told.append(await router.ainvoke("hello", {"callbacks": [Listening()]}, **keywords))
    passed, gate.passed = gate.passed, 0
    asked, model.calls, model.options = (model.calls, model.options), [], []
    if model.cache:
        model.cache.clear()  # type: ignore[union-attr]  # one of core's own
    seen = generated(monkeypatch)
    for _ in range(2):
        own = [router.invoke("hello", **keywords), await router.ainvoke("hello", **keywords)]
    assert [plain(message) for message in own] == [plain(message) for message in told]
    assert (model.calls, model.options, gate.passed) == (*asked, passed)
    assert not seen or model.streaming or model.cache  # those are asked for the cache's key, and heard token by token


def tool(text: str) -> str:
    """A tool."""
    return text


WAYS: dict[str, Any] = {
    "plain": lambda router: router,
    "tools": lambda router: router.bind_tools([tool]),
    "keywords": lambda router: router.bind(stop=["x"]),
    "configurable": lambda router: router.with_config(configurable={"thread_id": "t"}),
}


@pytest.mark.parametrize("way", WAYS.values(), ids=WAYS)
async def test_nothing_is_made_ready_for_nobody(way: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    seen, model = generated(monkeypatch), Telling()
    router = way(ChatRouter([(model, {"id": "m", "tool_calling": True})]))
    router.invoke("hello")
    await router.ainvoke("hello")
    assert seen == []
    router.invoke("hello", {"callbacks": [Listening()]})
    assert seen
    assert model.options[0] == model.options[1] == model.options[2]  # the same keywords, heard or not


async def test_the_model_has_a_run_below_the_routers_with_its_facts() -> None:
    model = Telling(tags=["own"], metadata={"a": 1})
    router = ChatRouter([(model, {"id": "m"})], tags=["ours"])
    answers = [router.invoke("hello"), await router.ainvoke("hello")]
    for message, run in zip(answers, model.runs, strict=True):
        assert isinstance(run, CallbackManagerForLLMRun)
        assert str(message.id).startswith(f"lc_run--{run.run_id}")
        assert run.parent_run_id not in (None, run.run_id)
        assert run.tags == ["ours", "own"]
        assert run.inheritable_tags == ["ours"]
        assert run.metadata["router_candidate"] == run.inheritable_metadata["router_candidate"] == "m"
        assert run.metadata["a"] == 1
        assert "a" not in run.inheritable_metadata


async def test_what_the_model_calls_may_have_handlers_of_its_own() -> None:
    handler = Recorder()

    class Asking(Scripted):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            step = RunnableLambda(lambda _: None).with_config(run_name="a step", callbacks=[handler])
            step.invoke("x")
            return super()._generate(messages, stop, run_manager, **kwargs)

    router = ChatRouter([Asking()])
    router.invoke("hello")
    await router.ainvoke("hello")
    assert [run.name for run in handler.roots] == ["a step"] * 2
    assert {run.extra["metadata"]["router_candidate"] for run in handler.roots} == {"fake/scripted"}


async def test_whoever_listens_to_the_model_alone_hears_of_it(capsys: pytest.CaptureFixture[str]) -> None:
    mine = Listening()
    router = ChatRouter([Scripted(callbacks=[mine])])
    router.invoke("hello")
    await router.ainvoke("hello")
    assert mine.heard == 2
    set_debug(True)
    try:
        ChatRouter([Scripted()]).invoke("hello")
    finally:
        set_debug(False)
    assert "Scripted" in capsys.readouterr().out


async def test_no_text_is_made_of_messages_that_handlers_take_as_they_are(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    monkeypatch.setattr(manager, "get_buffer_string", lambda messages, **_: made.append(messages) or "")
    router = ChatRouter([Scripted()])
    router.invoke("hello", {"callbacks": [Listening()]})
    await router.ainvoke("hello", {"callbacks": [Listening()]})
    assert made == []
    router.invoke("hello", {"callbacks": [BaseCallbackHandler()]})  # which takes none
    assert len(made) == 1


async def test_a_method_put_around_cores_generate_sees_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    generate, agenerate = BaseChatModel.generate, BaseChatModel.agenerate

    def watched(self: Any, *given: Any, **keywords: Any) -> Any:
        seen.append("generate")
        return generate(self, *given, **keywords)

    async def awatched(self: Any, *given: Any, **keywords: Any) -> Any:
        seen.append("agenerate")
        return await agenerate(self, *given, **keywords)

    router = ChatRouter([Scripted()])
    monkeypatch.setattr(BaseChatModel, "generate", watched)
    router.invoke("hello")
    monkeypatch.setattr(BaseChatModel, "agenerate", awatched)
    await router.ainvoke("hello")
    assert seen == ["generate", "agenerate"]


@pytest.mark.parametrize("name", ["tags", "metadata", "run_name", "run_id", "callbacks"])
async def test_a_keyword_of_cores_own_is_the_mistake_that_it_is_to_a_model(name: str) -> None:
    router, model = ChatRouter([Scripted()]), Scripted()
    given: dict[str, Any] = {name: None}
    with pytest.raises(TypeError):
        model.invoke("hello", **given)
    with pytest.raises(AllCandidatesFailed) as failed:
        router.invoke("hello", **given)
    assert isinstance(failed.value.__cause__, TypeError)
    with pytest.raises(AllCandidatesFailed):
        await router.ainvoke("hello", **given)


async def test_content_of_an_old_form_comes_as_core_brings_it() -> None:
    old = HumanMessage([{"type": "image", "source_type": "url", "url": "https://pictures.example/1.png"}])
    model, alone = Scripted(profile={"image_inputs": True}), Scripted()
    router = ChatRouter([model])
    router.invoke([old])
    await router.ainvoke([old])
    alone.invoke([old])
    assert model.calls == alone.calls * 2
    assert "source_type" not in str(model.calls)
