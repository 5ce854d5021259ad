"""What a user of ChatRouter sees: answers, fallback, annotation, errors, bindings, copies, costs."""

from __future__ import annotations

import asyncio
import copy
import pickle
import socket
import threading
from typing import Any

import httpx
import pytest
from fakes import Scripted, calling
from langchain_core import exceptions as core
from langchain_core.language_models import GenericFakeChatModel
from langchain_core.messages import AIMessage, HumanMessage
from langchain_core.rate_limiters import BaseRateLimiter
from langchain_core.runnables import ConfigurableField, RunnableBinding
from openai_server import Server
from pydantic import BaseModel

from langchain_router import (
    AllCandidatesFailed,
    ChatEndpoint,
    ChatRouter,
    ConfigError,
    NoEligibleModel,
    StreamInterrupted,
    routing,
)
from langchain_router.replies import Reader

DOWN = httpx.ConnectError("no route")


class Joke(BaseModel):
    setup: str
    punchline: str


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def router(*models: Any, **settings: Any) -> ChatRouter:
    return ChatRouter(models=list(models), **{"policy": "single", **settings})


# -- answers and annotation


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


def test_generate_has_no_second_path() -> None:
    with pytest.raises(NotImplementedError, match="invoke, stream"):
        router(Scripted())._generate([HumanMessage("hi")])


# -- fallback and errors


def test_a_stream_that_breaks_before_its_first_text_is_replaced() -> None:
    assert "".join(c.content for c in router(Scripted(script=["!"]), Scripted(name_="y")).stream("hi")) == "a b c"


def test_a_stream_that_breaks_after_its_first_text_raises_with_it() -> None:
    got: list[Any] = []
    stream = router(Scripted(script=["a !"]), Scripted(name_="y")).stream("hi")
    with pytest.raises(StreamInterrupted) as caught:
        got.extend(chunk.content for chunk in stream)
    assert got == ["a"]
    assert caught.value.partial == "a"
    assert isinstance(caught.value, core.ModelError)


def test_a_stream_under_a_clock_is_judged_when_all_of_it_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its model may have ended in another thread before the first chunk is looked at."""

    def see(reader: Reader, message: Any) -> bool:
        for thread in threading.enumerate():
            if thread.name.startswith("router attempt"):
                thread.join(10)
        return seen(reader, message)

    seen = Reader.see
    monkeypatch.setattr(Reader, "see", see)
    model = Scripted()
    chunks = list(router(model, Scripted(name_="y"), timeouts={"first_token": 10}).stream("hi"))
    assert "".join(chunk.content for chunk in chunks) == "a b c"
    assert chunks[-1].response_metadata["router"]["attempts"] == 1


class RateLimited(core.ModelRateLimitError):
    status_code = 429


def test_all_failed_is_also_the_model_error_of_the_first_fault() -> None:
    slow, down = Scripted(script=[RateLimited("slow down")]), Scripted(script=[DOWN], name_="y")
    model = router(slow, down, retry={"attempts": 2})
    with pytest.raises(core.ModelRateLimitError) as caught:
        model.invoke("hi")
    error = caught.value
    assert isinstance(error, AllCandidatesFailed)
    assert error.is_retryable
    assert [f.fault for f in error.failures] == ["rate_limited", "connection"]
    assert isinstance(error.__cause__, RateLimited)


def test_no_eligible_model_is_a_context_overflow_if_every_window_is_too_small() -> None:
    with pytest.raises(core.ContextOverflowError) as caught:
        router((Scripted(), {"context_window": 100})).invoke("word " * 500)
    assert isinstance(caught.value, NoEligibleModel)
    with pytest.raises(core.ModelInvalidRequestError):
        router((Scripted(), {"tool_calling": False})).bind_tools([add]).invoke("hi")


def test_an_error_that_is_no_providers_passes_unchanged() -> None:
    class GraphBubbleUp(Exception):
        pass

    second = Scripted(name_="y")
    with pytest.raises(GraphBubbleUp):
        router(Scripted(script=[GraphBubbleUp()]), second).invoke("hi")
    assert second.calls == []


def test_max_retries_counts_further_attempts() -> None:
    models = [Scripted(name_=n, script=[DOWN]) for n in "abcd"]
    with pytest.raises(AllCandidatesFailed) as caught:
        router(*models, max_retries=1).invoke("hi")
    assert len(caught.value.failures) == 2


# -- routing terms


def test_terms_come_from_the_context_and_the_config() -> None:
    model = router(Scripted(name_="x"), Scripted(name_="y"))
    with routing(tenant="acme", pin="fake/y"):
        assert model.invoke("hi").response_metadata["router"]["model"] == "fake/y"
        config = {"configurable": {"router": {"pin": "fake/x", "tenant": "other"}}}
        assert model.invoke("hi", config).response_metadata["router"]["model"] == "fake/x"
    assert set(model.router.ledger.total(by=("tenant",))) == {("acme",), ("other",)}
    with pytest.raises(ConfigError, match="tenant"):
        model.invoke("hi", {"configurable": {"router": {"tenat": "x"}}})


def test_the_keyword_model_pins_a_candidate_or_is_passed_on() -> None:
    first, second = Scripted(name_="x"), Scripted(name_="y")
    model = router(first, second)
    assert model.invoke("hi", model="fake/y").response_metadata["router"]["model"] == "fake/y"
    assert "model" not in second.options[0]
    model.invoke("hi", model="unheard-of")
    assert first.options[0]["model"] == "unheard-of"


def test_constructor_keywords_reach_the_chosen_model_and_calls_override_them() -> None:
    child = Scripted()
    model = router(child, temperature=0.5, stop=["x"])
    model.invoke("hi")
    model.invoke("hi", temperature=0.9)
    assert [o["temperature"] for o in child.options] == [0.5, 0.9]
    assert child.temperature is None  # the user's own object is left alone


# -- bindings


def test_bound_tools_are_replayed_on_the_chosen_model() -> None:
    child = Scripted(script=[calling("add", {"a": 1, "b": 2})])
    bound = router(Scripted(script=[DOWN], name_="x"), child).bind_tools([add], tool_choice="any")
    assert isinstance(bound, RunnableBinding)
    assert "tools" not in bound.kwargs
    reply = bound.invoke("hi")
    assert reply.tool_calls[0]["args"] == {"a": 1, "b": 2}
    assert child.options[0]["tool_choice"] == "any"
    assert child.options[0]["tools"][0]["function"]["name"] == "add"
    streamed = list(bound.stream("hi"))
    assert any(c.tool_call_chunks for c in streamed)


def test_what_is_bound_decides_who_is_eligible() -> None:
    cannot, can = (Scripted(name_="x"), {"tool_calling": False}), (Scripted(name_="y"), {"tool_calling": True})
    model = router(cannot, can)
    assert model.bind_tools([add]).invoke("hi").response_metadata["router"]["model"] == "fake/y"
    plan = model.explain("hi", tools=[add])
    assert plan.chosen.id == "fake/y"
    assert plan.refusals[0].rule == "tool_calling"
    assert model.explain("hi").chosen.id == "fake/x"
    assert [c.id for c in model.explain("hi", deny=["fake/x"]).candidates] == ["fake/y"]


def test_structured_output_moves_on_when_an_answer_does_not_parse(server: Server) -> None:
    entries = [ChatEndpoint(base_url=server.url, model=name) for name in ("bad-a", "ok-b")]
    model = router(*entries)
    for method in ("json_schema", "function_calling", "json_mode"):
        structured = model.with_structured_output(Joke, method=method)
        assert structured.invoke("joke") == Joke(setup="test", punchline="test")
        assert list(structured.stream("joke"))[-1] == Joke(setup="test", punchline="test")
    calls = model.router.ledger.calls()
    assert {c.model for c in calls} == {"endpoint/bad-a", "endpoint/ok-b"}
    assert all(c.input_tokens == 10 for c in calls if c.model == "endpoint/ok-b")


def test_structured_output_that_never_parses_is_as_without_a_router(server: Server) -> None:
    model = router(ChatEndpoint(base_url=server.url, model="bad-a"))
    with pytest.raises(core.OutputParserException):
        model.with_structured_output(Joke).invoke("joke")
    raw = model.with_structured_output(Joke, include_raw=True).invoke("joke")
    assert raw["parsed"] is None
    assert raw["parsing_error"] is not None
    assert raw["raw"].content == "not json"
    assert raw["raw"].response_metadata["router"]["model"] == "endpoint/bad-a"


async def test_structured_output_async_and_dict_schemas(server: Server) -> None:
    model = router(ChatEndpoint(base_url=server.url, model="bad-a"), ChatEndpoint(base_url=server.url, model="ok-b"))
    structured = model.with_structured_output(Joke.model_json_schema())
    assert await structured.ainvoke("joke") == {"setup": "test", "punchline": "test"}
    parts = [p async for p in structured.astream("joke")]
    assert parts[-1] == {"setup": "test", "punchline": "test"}


# -- construction


def test_bad_construction_says_what_to_change() -> None:
    with pytest.raises(ConfigError, match="models"):
        ChatRouter(models=[])
    with pytest.raises(ConfigError, match="policy"):
        ChatRouter(models=[Scripted()], polcy="single")
    with pytest.raises(ConfigError, match="cache"):
        ChatRouter(models=[Scripted()], cache=True)
    with pytest.raises(ConfigError, match="router="):
        ChatRouter(models=[Scripted()], router=router(Scripted()).router)


def test_a_router_is_shared_and_built_from_a_config(server: Server) -> None:
    config = {"models": [{"id": "m", "endpoint": {"base_url": server.url, "model": "ok-m"}}], "policy": "cheapest"}
    model = ChatRouter.from_config(config, temperature=0.2)
    assert model.invoke("hi").content == "a b c"
    assert server.seen[-1][1]["temperature"] == 0.2
    again = ChatRouter(router=model.router)
    again.invoke("hi")
    assert len(model.router.ledger.calls()) == 2


def test_secrets_are_nowhere() -> None:
    child = ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m", api_key="sk-secret")
    model = ChatRouter(models=[child], api_key="sk-other")
    with pytest.raises(AllCandidatesFailed) as caught:
        model.invoke("hi")
    texts = [repr(model), str(model), repr(model.router), repr(model.fleet), str(model.asdict()), str(caught.value)]
    texts += [repr(child) for _, child in model.fleet]
    assert not any("sk-" in text for text in texts)


def test_profile_promises_what_every_model_can() -> None:
    model = router(
        (Scripted(name_="x"), {"tool_calling": True, "structured_output": True, "max_input_tokens": 1000}),
        (Scripted(name_="y"), {"tool_calling": True, "structured_output": False, "max_input_tokens": 500}),
    )
    assert model.profile == {"tool_calling": True, "structured_output": False, "max_input_tokens": 500}


def test_tokens_are_counted_without_a_download() -> None:
    assert 5 < router(Scripted()).get_num_tokens("one two three four five six seven") < 12
    assert router(Scripted()).get_num_tokens_from_messages([HumanMessage("hello")], tools=[add]) > 20


def test_importing_the_package_loads_no_framework() -> None:
    import subprocess
    import sys

    code = "import sys, langchain_router; print('langchain_core' in sys.modules, 'pydantic' in sys.modules)"
    ran = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)  # noqa: S603 - our own
    assert ran.stdout == "False False\n"


def test_stream_counts_as_a_need() -> None:
    model = router((Scripted(name_="x"), {"streaming": False}), Scripted(name_="y"))
    assert list(model.stream("hi"))[-1].response_metadata["router"]["model"] == "fake/y"
    assert model.invoke("hi").response_metadata["router"]["model"] == "fake/x"


# -- clocks, nesting, partial answers


def test_the_deadline_reaches_the_built_in_client() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        child = ChatEndpoint(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1", model="m")
        with pytest.raises(core.ModelTimeoutError):
            router(child, timeout=0.1).invoke("hi")


async def test_async_deadlines_are_kept_by_the_router() -> None:
    class Sleepy(Scripted):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(30)

    with routing(deadline_s=0.05), pytest.raises(core.ModelTimeoutError):
        await router(Sleepy()).ainvoke("hi")


def test_a_router_may_be_a_candidate() -> None:
    inner = router(Scripted(script=[DOWN]), retry={"attempts": 1})
    assert router(inner, Scripted(name_="y")).invoke("hi").content == "a b c"


def test_tokens_shown_before_a_failure_may_forbid_another_model() -> None:
    class Showing(Scripted):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            run_manager.on_llm_new_token("a")
            raise DOWN

    assert router(Showing(), Scripted(name_="y")).invoke("hi").content == "a b c"
    with pytest.raises(httpx.ConnectError):
        router(Showing(), Scripted(name_="y"), on_partial="raise").invoke("hi")


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


async def test_cancellation_is_no_fault_of_the_model() -> None:
    class Sleepy(Scripted):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(30)

    model = router(Sleepy(), Scripted(name_="y"))
    task = asyncio.create_task(model.ainvoke("hi"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [c.model for c in model.router.ledger.calls()] == ["fake/scripted"]
    rows = {row["model"]: row for row in model.router.health()}
    assert (rows["fake/scripted"]["failed"], rows["fake/scripted"]["neutral"]) == (0, 1)


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])  # noqa: S301 - its own bytes
def test_errors_survive_copies_and_other_processes(duplicate: Any) -> None:
    router = ChatRouter(models=[{"id": "a", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}])
    with pytest.raises(AllCandidatesFailed) as caught:
        router.invoke("hi")
    again = duplicate(caught.value)
    assert str(again) == str(caught.value)
    assert [f.model for f in again.failures] == ["a", "a"]
    assert isinstance(again, core.ModelConnectionError)
    with pytest.raises(NoEligibleModel) as none:
        router.invoke("hi", config={"configurable": {"router": {"pin": "b"}}})
    assert duplicate(none.value).refusals == none.value.refusals


def test_a_model_of_another_name_is_not_booked_at_the_candidates_price() -> None:
    priced = {"price": {"input_mtok": 1, "output_mtok": 1}}
    router = ChatRouter(models=[(GenericFakeChatModel(messages=iter([AIMessage("a"), AIMessage("b")])), priced)])
    assert router.invoke("hi").response_metadata["router"]["cost_usd"] is not None
    assert router.invoke("hi", model="another").response_metadata["router"]["cost_usd"] is None


def test_attempts_of_a_shared_router_are_not_changed_unnoticed() -> None:
    made = ChatRouter(models=[Scripted()], max_retries=1)
    assert ChatRouter(router=made.router, max_retries=1).max_retries == 1
    with pytest.raises(ConfigError, match="max_retries"):
        ChatRouter(router=made.router, max_retries=0)
    both = ChatRouter(models=[Scripted()], max_retries=1, retry={"attempts": 3})
    assert ChatRouter(router=both.router, max_retries=both.max_retries).max_retries == 2
    configurable = made.configurable_fields(max_retries=ConfigurableField(id="again"))
    assert configurable.invoke("x").content == "a b c"
    with pytest.raises(ConfigError, match="max_retries"):
        configurable.with_config(configurable={"again": 0}).invoke("x")


async def test_an_error_of_one_list_leaves_no_other_call_under_way() -> None:
    class Twofold(Scripted):
        async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            for _ in range(20 if messages[0].content == "long" else 0):
                await asyncio.sleep(0)
            if messages[0].content == "bad":
                raise DOWN
            return self._generate(messages, stop)

    model = router(Twofold(), retry={"attempts": 1})
    with pytest.raises(AllCandidatesFailed):
        await model.agenerate([[HumanMessage("bad")], [HumanMessage("long")]])
    assert model.router.ledger.unsettled == 0
    assert sorted(str(c.fault) for c in model.router.ledger.calls()) == ["None", "connection"]


@pytest.mark.parametrize("mistake", [ValueError, TypeError, NotImplementedError, KeyError, AttributeError])
def test_a_mistake_within_a_package_is_told_as_such(mistake: type[Exception]) -> None:
    with pytest.raises(AllCandidatesFailed) as raised:
        ChatRouter(models=[Scripted(script=[mistake("odd")])]).invoke("hello")
    assert isinstance(raised.value, mistake) == (mistake is not AttributeError)
    assert type(raised.value.__cause__) is mistake
