"""The router over the real ChatAnthropic, ChatGoogleGenerativeAI and ChatOllama, alone and mixed with ChatOpenAI."""

from __future__ import annotations

import gc
import itertools
from collections.abc import Callable, Iterator
from functools import reduce
from operator import add
from typing import Any

import anthropic
import openai
import pytest
from adapters.provider_server import CACHED, INPUT, OUTPUT, ProviderServer
from langchain_anthropic import ChatAnthropic
from langchain_core.callbacks import UsageMetadataCallbackHandler
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from openai_server import Server

from langchain_router import AllCandidatesFailed, ChatRouter, StreamInterrupted

pytestmark = pytest.mark.filterwarnings(
    "ignore:unclosed:ResourceWarning"
)  # google-genai leaves sockets to the collector

CLASSES: dict[str, Any] = {
    "anthropic": ChatAnthropic, "google_genai": ChatGoogleGenerativeAI, "ollama": ChatOllama, "openai": ChatOpenAI,
}  # fmt: skip
PARTNERS = ("anthropic", "google_genai", "ollama")
PAIRS = list(itertools.permutations(CLASSES, 2))
Make = Callable[[str, str], Any]


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


@pytest.fixture(scope="module")
def providers() -> Iterator[ProviderServer]:
    providers = ProviderServer()
    yield providers
    providers.close()


@pytest.fixture
def make(providers: ProviderServer, server: Server) -> Iterator[Make]:
    """A model of a provider, with the retries of its own that its class has, pointed at loopback."""
    made: list[Any] = []

    def make(provider: str, name: str) -> Any:
        url = server.url if provider == "openai" else providers.url
        more: dict[str, Any] = {} if provider == "ollama" else {"api_key": "k"}
        if provider == "openai":
            more["stream_usage"] = True  # else it asks no server but OpenAI's own for the tokens of a stream
        made.append(CLASSES[provider](model=name, base_url=url, **more))
        return made[-1]

    yield make
    for model in made:
        if isinstance(model, ChatOllama):  # the one whose sockets nobody else closes
            model._client._client.close()


@pytest.fixture
def calls(providers: ProviderServer, server: Server) -> Callable[[str], int]:
    """How many HTTP requests a model has had since the test began."""
    before = len(providers.seen), len(server.seen)
    return lambda name: sum(n == name for n, _ in providers.seen[before[0] :] + server.seen[before[1] :])


def routed(*models: Any, **settings: Any) -> ChatRouter:
    return ChatRouter(models=list(models), **{"policy": "single", **settings})


def asked(model: Any, verb: str, prompt: Any = "hi", **options: Any) -> Any:
    """The whole reply, by `invoke` or by a stream's chunks."""
    if verb == "invoke":
        return model.invoke(prompt, **options)
    return reduce(add, model.stream(prompt, **options))


async def aasked(model: Any, verb: str, prompt: Any = "hi") -> Any:
    if verb == "invoke":
        return await model.ainvoke(prompt)
    return reduce(add, [chunk async for chunk in model.astream(prompt)])


def right(reply: Any, provider: str, name: str) -> None:
    """The reply is that model's, with its tokens."""
    assert reply.text == "a b c"
    assert reply.response_metadata["model_name"] == name
    assert reply.response_metadata["model_provider"] == provider
    assert reply.response_metadata["router"]["provider"] in (provider, "google")
    used = reply.usage_metadata
    assert (used["input_tokens"], used["output_tokens"]) == (INPUT, OUTPUT)


# -- one provider


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("provider", PARTNERS)
def test_a_reply_its_tokens_and_its_name(make: Make, calls: Any, provider: str, verb: str) -> None:
    counted = UsageMetadataCallbackHandler()
    reply = asked(routed(make(provider, "ok-m")), verb, config={"callbacks": [counted]})
    right(reply, provider, "ok-m")
    assert reply.response_metadata["router"]["attempts"] == calls("ok-m") == 1
    assert {name: used["total_tokens"] for name, used in counted.usage_metadata.items()} == {"ok-m": INPUT + OUTPUT}
    if provider != "ollama":  # which knows no cache
        assert reply.usage_metadata["input_token_details"]["cache_read"] == CACHED


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("provider", PARTNERS)
def test_the_cost_is_that_of_the_tokens_told(make: Make, provider: str, verb: str) -> None:
    price = {"input_mtok": 1.0, "output_mtok": 2.0, "cache_read_mtok": 0.1}
    reply = asked(routed((make(provider, "ok-m"), {"id": "m", "price": price})), verb)
    cached = 0 if provider == "ollama" else CACHED
    cost = ((INPUT - cached) * 1.0 + cached * 0.1 + OUTPUT * 2.0) * 1e-6
    assert reply.response_metadata["router"]["cost_usd"] == pytest.approx(cost)


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("provider", PARTNERS)
def test_tools_are_called_and_their_results_taken(make: Make, provider: str, verb: str) -> None:
    model = routed(make(provider, "ok-m")).bind_tools([multiply])
    called = asked(model, verb, "6 times 7?")
    (call,) = called.tool_calls
    assert (call["name"], call["args"]) == ("multiply", {"a": 3, "b": 3})
    history = [HumanMessage("6 times 7?"), called, ToolMessage("9", tool_call_id=call["id"], name="multiply")]
    answer = asked(model, verb, history)
    assert answer.text == "a b c"
    assert not answer.tool_calls


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("kind", ["fail", "over"])
@pytest.mark.parametrize("provider", PARTNERS)
def test_only_the_router_retries(make: Make, calls: Any, provider: str, kind: str, verb: str) -> None:
    attempts = {"attempts": 2, "per_target": 2}
    with pytest.raises(AllCandidatesFailed) as caught:
        asked(routed(make(provider, f"{kind}-m"), retry=attempts), verb)
    assert calls(f"{kind}-m") == len(caught.value.failures)
    assert {f.fault for f in caught.value.failures} == {"rate_limited" if kind == "fail" else "overloaded"}


# -- one provider, then another


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_another_provider_answers_for_one_that_is_rate_limited(
    make: Make, calls: Any, first: str, second: str, verb: str
) -> None:
    reply = asked(routed(make(first, "fail-x"), make(second, "ok-y")), verb)
    right(reply, second, "ok-y")
    told = reply.response_metadata["router"]
    assert (calls("fail-x"), calls("ok-y")) == (1, 1)
    assert (told["attempts"], told["fallback"]) == (2, True)


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize("provider", PARTNERS)
def test_another_provider_answers_for_one_that_is_overloaded(make: Make, calls: Any, provider: str, verb: str) -> None:
    reply = asked(routed(make(provider, "over-x"), make("openai", "ok-y")), verb)
    right(reply, "openai", "ok-y")
    assert calls("over-x") + calls("ok-y") == reply.response_metadata["router"]["attempts"]


# What google-genai does with aiohttp, and what langchain-core 1.6.0 does with the reply of its errors.
@pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:coroutine 'ClientResponse.json' was never awaited:RuntimeWarning")
@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize(("first", "second"), [*itertools.product(["openai"], PARTNERS), ("google_genai", "ollama")])
async def test_async_too(make: Make, calls: Any, first: str, second: str, verb: str) -> None:
    models = {name: make(name, model) for name, model in ((first, "fail-x"), (second, "ok-y"))}
    reply = await aasked(routed(*models.values()), verb)
    right(reply, second, "ok-y")
    assert (calls("fail-x"), calls("ok-y")) == (1, 1)
    if "google_genai" in models:
        await models["google_genai"].client.aio.aclose()
        gc.collect()  # the coroutine that was never awaited is told of here, not in whatever test comes later


@pytest.mark.parametrize("verb", ["invoke", "stream"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_tool_loop_moves_to_another_provider(make: Make, first: str, second: str, verb: str) -> None:
    called: AIMessage = asked(routed(make(first, "ok-x")).bind_tools([multiply]), verb, "6 times 7?")
    result = ToolMessage("9", tool_call_id=called.tool_calls[0]["id"], name="multiply")
    model = routed(make(first, "fail-x"), make(second, "ok-y")).bind_tools([multiply])
    right(asked(model, verb, [HumanMessage("6 times 7?"), called, result]), second, "ok-y")


# -- streams that end too early


@pytest.mark.parametrize("kind", ["cut", "late"])
@pytest.mark.parametrize("provider", PARTNERS)
def test_a_stream_that_ends_before_its_text_is_replaced(make: Make, calls: Any, provider: str, kind: str) -> None:
    reply = asked(routed(make(provider, f"{kind}-x"), make("openai", "ok-y")), "stream")
    right(reply, "openai", "ok-y")
    assert calls(f"{kind}-x") + calls("ok-y") == reply.response_metadata["router"]["attempts"]


@pytest.mark.parametrize("provider", PARTNERS)
def test_a_stream_that_ends_before_its_text_is_a_fault_of_the_model(make: Make, provider: str) -> None:
    with pytest.raises(AllCandidatesFailed) as caught:
        asked(routed(make(provider, "cut-m")), "stream")
    assert {f.fault for f in caught.value.failures} == {"truncated"}


@pytest.mark.parametrize("provider", PARTNERS)
def test_a_stream_that_ends_without_a_reason_is_no_whole_answer(make: Make, calls: Any, provider: str) -> None:
    got: list[Any] = []
    with pytest.raises(StreamInterrupted):
        got.extend(routed(make(provider, "half-x"), make("openai", "ok-y")).stream("hi"))
    assert (calls("half-x"), calls("ok-y")) == (1, 0)


@pytest.mark.parametrize("kind", ["cut", "half"])
async def test_an_invoke_that_reads_a_stream_takes_no_part_for_the_whole(make: Make, calls: Any, kind: str) -> None:
    model = routed(make("ollama", f"{kind}-x"), make("openai", "ok-y"))
    right(model.invoke("hi"), "openai", "ok-y")
    right(await model.ainvoke("hi"), "openai", "ok-y")
    assert (calls(f"{kind}-x"), calls("ok-y")) == (2, 2)


@pytest.mark.parametrize("provider", ["anthropic", "openai"])
async def test_a_stream_that_is_left_gives_its_connection_back_at_once(
    make: Make, monkeypatch: pytest.MonkeyPatch, provider: str
) -> None:
    """Else the garbage collector does, perhaps under the connection pool's own lock: for ever."""
    sdk, closed = {"anthropic": anthropic, "openai": openai}[provider], []
    for kind in (sdk.Stream, sdk.AsyncStream):
        original = kind.close
        monkeypatch.setattr(kind, "close", lambda self, original=original: closed.append(1) or original(self))
    router = routed(make(provider, "ok-x"))
    gc.disable()
    try:
        stream = router.stream("hi")
        next(stream)
        stream.close()
        assert closed
        closed.clear()
        astream = router.astream("hi")
        await anext(astream)
        await astream.aclose()
        assert closed
    finally:
        gc.enable()
