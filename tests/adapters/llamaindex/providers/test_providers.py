"""The router over the real Anthropic, GoogleGenAI and Ollama of LlamaIndex, alone and mixed with OpenAILike."""

from __future__ import annotations

import asyncio
import gc
import inspect
import itertools
import pickle
from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Refuse
from adapters.llamaindex.provider_llms import KEY, NAMES, Make
from adapters.provider_server import CACHED, INPUT, OUTPUT, WINDOW, ProviderServer
from google.genai import _api_client
from google.genai.types import GenerateContentResponse
from llama_index.core.base.llms.types import ChatMessage, MessageRole
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.google_genai import GoogleGenAI
from llama_index.llms.google_genai.utils import chat_from_gemini_response
from llama_index.llms.ollama import Ollama
from loopback.chat_server import ChatServer as HangingServer
from loopback.chat_server import hang_up
from pydantic import BaseModel

from llamaindex_router import AllCandidatesFailed, RouterLLM, StreamInterrupted
from llamaindex_router.attempts.faults import fault_of

pytestmark = [
    pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning"),  # the SDK's
    pytest.mark.filterwarnings("ignore:Inheritance class AiohttpClientSession:DeprecationWarning"),  # google-genai's
]
PROVIDERS = ("anthropic", "google", "ollama")
PAIRS = list(itertools.permutations(NAMES, 2))
HOMES = {"openai": "openai_like", "google": "google_genai"}
UNARY, STREAMS = ("chat", "achat"), ("stream_chat", "astream_chat")
WAYS = (*UNARY, *STREAMS)
HI = [ChatMessage(content="hi")]
PROMPT = PromptTemplate("Tell about {place}.")


class City(BaseModel):
    """A city."""

    name: str
    people: int


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


TOOL = FunctionTool.from_defaults(multiply)


def routed(*models: Any, **settings: Any) -> RouterLLM:
    priced = [(llm, {"price": {"input_mtok": 1.0, "output_mtok": 2.0, "cache_read_mtok": 0.1}}) for llm in models]
    return RouterLLM(models=priced, **{"policy": "single", **settings})


async def asked(llm: Any, way: str, *given: Any, **kwargs: Any) -> Any:
    """What `llm.way(...)` gives at last: the answer, or the chunks of a stream."""
    method = getattr(llm, way)
    if not way.startswith("a"):  # in a thread, because GoogleGenAI's can't be called in one that runs a loop
        gather = list if "stream" in way else lambda answer: answer
        return await asyncio.to_thread(lambda: gather(method(*given, **kwargs)))
    answer = await method(*given, **kwargs)
    return [c async for c in answer] if "stream" in way else answer


async def last(llm: Any, way: str, *given: Any, **kwargs: Any) -> Any:
    answer = await asked(llm, way, *given, **kwargs)
    return answer[-1] if isinstance(answer, list) else answer


def right(reply: Any, provider: str) -> None:
    """The reply is whole, and says who gave it at what cost."""
    told = reply.additional_kwargs["router"]
    assert reply.message.content == "a b c"
    assert told["provider"] == HOMES.get(provider, provider)
    assert told["model"].endswith(NAMES[provider])
    cached = CACHED if provider in ("anthropic", "google") else 0
    cost = ((INPUT - cached) * 1.0 + cached * 0.1 + OUTPUT * 2.0) * 1e-6
    assert told["cost_usd"] == pytest.approx(cost)


# -- one provider


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_reply_its_tokens_and_its_name(make: Make, providers: ProviderServer, provider: str, way: str) -> None:
    llm = routed(make(provider))
    right(await last(llm, way, HI), provider)
    (call,) = llm.router.ledger.calls()
    assert (call.usage.input_tokens, call.usage.output_tokens, call.usage.estimated) == (INPUT, OUTPUT, False)
    assert providers.calls(NAMES[provider]) == 1


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_streams_deltas_are_the_text(make: Make, provider: str, way: str) -> None:
    chunks = await asked(routed(make(provider)), way, HI)
    assert "".join(c.delta or "" for c in chunks) == "a b c"


@pytest.mark.parametrize("way", ["complete", "acomplete", "stream_complete", "astream_complete"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_completions(make: Make, provider: str, way: str) -> None:
    reply = await last(routed(make(provider, "fail"), make("openai")), way, "hi")
    assert reply.text == "a b c"
    assert reply.additional_kwargs["router"]["attempts"] == 2


@pytest.mark.parametrize("way", ["chat_with_tools", "achat_with_tools", "stream_chat_with_tools",
                                 "astream_chat_with_tools"])  # fmt: skip
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_tools_are_called_and_their_results_taken(make: Make, provider: str, way: str) -> None:
    llm = routed(make(provider))
    called = await last(llm, way, [TOOL], "6 times 7?")
    (call,) = llm.get_tool_calls_from_response(called)
    assert (call.tool_name, call.tool_kwargs) == ("multiply", {"a": 3, "b": 3})
    result = ChatMessage(role=MessageRole.TOOL, content="9", additional_kwargs={"tool_call_id": call.tool_id})
    answer = await last(llm, way, [TOOL], chat_history=[ChatMessage(content="6 times 7?"), called.message, result])
    right(answer, provider)
    assert llm.get_tool_calls_from_response(answer, error_on_no_tool_call=False) == []


@pytest.mark.parametrize("way", ["structured_predict", "astructured_predict", "stream_structured_predict",
                                 "astream_structured_predict"])  # fmt: skip
@pytest.mark.parametrize("kind", ["ok", "fail"])
@pytest.mark.parametrize(("first", "second"), [("anthropic", "google"), ("google", "ollama"), ("ollama", "google")])
async def test_objects(make: Make, first: str, second: str, kind: str, way: str) -> None:
    llm = routed(make(first, kind), make(second))
    assert await last(llm, way, City, PROMPT, place="Paris") == City(name="test", people=3)
    answered = llm.router.ledger.calls()[-1]
    # LlamaIndex's Anthropic streams objects in which nothing is ever known: no answer, so the next model gives it.
    moved = kind == "fail" or (first == "anthropic" and "stream" in way)
    assert answered.model.endswith(NAMES[second if moved else first])


@pytest.mark.parametrize("way", ["stream_structured_predict", "astream_structured_predict"])
async def test_an_object_that_was_cut_off_is_no_answer(make: Make, way: str) -> None:
    with pytest.raises(StreamInterrupted):
        await asked(routed(make("ollama", "half"), make("google")), way, City, PROMPT, place="Paris")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("kind", ["fail", "over"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_only_the_router_retries(
    make: Make, providers: ProviderServer, provider: str, kind: str, way: str
) -> None:
    llm = routed(make(provider, kind), retry={"attempts": 1, "per_target": 1})
    with pytest.raises(AllCandidatesFailed) as caught:
        await asked(llm, way, HI)
    assert providers.calls(NAMES[provider]) == len(caught.value.failures) == 1
    assert {f.fault for f in caught.value.failures} == {"rate_limited" if kind == "fail" else "overloaded"}


@pytest.mark.skipif(
    "implicit_retry" not in inspect.getsource(_api_client.BaseApiClient),
    reason="this google-genai repeats an awaited call whatever it is told",
)
@pytest.mark.parametrize("way", ["achat", "astream_chat", "astructured_predict"])
@pytest.mark.parametrize("own", [False, True], ids=["", "told to retry"])
async def test_gemini_asks_a_server_that_hangs_up_once(way: str, own: bool) -> None:
    """By itself its SDK asks again, up to ten seconds later."""
    options = {"retry_options": {"attempts": 3, "initial_delay": 0.01}} if own else {}
    with HangingServer(hang_up) as down:
        gemini = GoogleGenAI(
            model=NAMES["google"], api_key=KEY, max_tokens=9, context_window=WINDOW,
            http_options={"base_url": down.base_url, **options},
        )  # fmt: skip
        asked_before = len(down.seen)
        llm = routed(gemini, retry={"attempts": 1})
        given = (City, PROMPT) if "predict" in way else (HI,)
        with pytest.raises(AllCandidatesFailed) as caught:
            await asked(llm, way, *given, **({"place": "Paris"} if "predict" in way else {}))
        assert len(down.seen) - asked_before == 1
        assert [failure.fault for failure in caught.value.failures] == ["connection"]
        await gemini._client.aio.aclose()


@pytest.mark.parametrize("provider", PROVIDERS)
def test_the_window_is_the_models_own(make: Make, provider: str) -> None:
    stated = make(provider).metadata
    told = routed(make(provider)).metadata
    assert told.context_window == stated.context_window
    assert told.is_function_calling_model
    if provider == "ollama":
        assert told.context_window == WINDOW


# -- one provider, then another


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("first", "second"), PAIRS)
async def test_another_provider_answers_for_one_that_is_rate_limited(
    make: Make, providers: ProviderServer, server: ChatServer, first: str, second: str, way: str
) -> None:
    if first == "openai":
        server.script("ok", Refuse(429))
    reply = await last(routed(make(first, "fail"), make(second)), way, HI)
    right(reply, second)
    told = reply.additional_kwargs["router"]
    assert (told["attempts"], told["fallback"]) == (2, True)
    calls = {name: providers.calls(name) + len(server.of(name)) for name in (NAMES[first], NAMES[second])}
    assert set(calls.values()) == {1}


# -- streams that end too early


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("kind", ["cut", "late"])
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_stream_that_ends_before_its_text_is_replaced(
    make: Make, providers: ProviderServer, provider: str, kind: str, way: str
) -> None:
    reply = await last(routed(make(provider, kind), make("openai")), way, HI)
    assert reply.message.content == "a b c"
    assert reply.additional_kwargs["router"]["fallback"]
    assert providers.calls(NAMES[provider])


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_stream_that_ends_without_a_reason_is_no_whole_answer(
    make: Make, server: ChatServer, provider: str, way: str
) -> None:
    with pytest.raises(StreamInterrupted) as caught:
        await asked(routed(make(provider, "half"), make("openai")), way, HI)
    assert caught.value.partial == "a"
    assert not server.requests


@pytest.mark.parametrize("way", STREAMS)
async def test_an_end_without_parts_is_an_end(make: Make, way: str) -> None:
    """Which Gemini often gives, and GoogleGenAI passes over."""
    llm = routed(make("google", "bare"))
    chunks = await asked(llm, way, HI)
    assert "".join(c.delta for c in chunks) == "a b c"
    right(chunks[-1], "google")


@pytest.mark.parametrize("way", STREAMS)
async def test_after_whole_streams_a_cut_one_is_still_told(make: Make, way: str) -> None:
    llm = routed(make("google", "bare"), make("ollama", "half"))
    await asked(llm, way, HI)
    with pytest.raises(StreamInterrupted):
        await asked(llm, way, HI, model=llm.router.registry.cards[1].id)


# -- what only some of them do


def test_a_server_that_is_down_when_the_router_is_made(make: Make) -> None:
    down = Ollama(model="llama3", base_url="http://127.0.0.1:9")
    llm = routed(down, make("anthropic"))
    assert llm.metadata.context_window == make("anthropic").metadata.context_window
    right(llm.chat(HI), "anthropic")
    down._client._client.close()


@pytest.mark.filterwarnings("ignore:coroutine 'prepare_chat_params' was never awaited:RuntimeWarning")
async def test_an_integration_that_has_no_sync_methods_in_a_loop_is_left_without_blame(make: Make) -> None:
    llm = routed(make("google"), make("anthropic"))
    right(llm.chat(HI), "anthropic")
    gc.collect()  # of the coroutine that GoogleGenAI made in vain
    right(await llm.achat(HI), "google")  # had it been blamed, the other would still come first


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (RuntimeError("Response was terminated early: SAFETY [SafetyRating(...)]"), "content_filtered"),
        (RuntimeError("Response was terminated early: PROHIBITED_CONTENT"), "content_filtered"),
        (RuntimeError("Response was terminated early: MAX_TOKENS"), "length"),
        (RuntimeError("Response was terminated early: MALFORMED_FUNCTION_CALL"), "malformed_tool_call"),
        (ValueError("Response has no candidates"), "content_filtered"),
        (ValueError("Unsupported block type: <class 'VideoBlock'>"), "unsupported"),
    ],
)
def test_what_integrations_say_only_in_words(error: Exception, kind: str) -> None:
    fault = fault_of(error)
    assert fault is not None
    assert fault.kind == kind
    assert fault.answered == ("terminated early" in str(error) and kind != "malformed_tool_call")


@pytest.mark.parametrize(
    ("feedback", "kind"), [({"block_reason": "SAFETY"}, "content_filtered"), (None, "server_error")]
)
def test_a_reply_without_candidates_is_filtered_if_it_says_so(feedback: Any, kind: str) -> None:
    with pytest.raises(ValueError, match="no candidates") as caught:
        chat_from_gemini_response(GenerateContentResponse(prompt_feedback=feedback), [])
    fault = fault_of(caught.value)
    assert fault is not None
    assert fault.kind == kind


# -- tokens and secrets


@pytest.mark.parametrize("when", ["before", "after"])
@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", PROVIDERS)
async def test_tokens_are_counted_once(make: Make, provider: str, way: str, when: str) -> None:
    alone, through = (TokenCountingHandler(tokenizer=str.split) for _ in range(2))
    bare = make(provider)
    bare.callback_manager = CallbackManager([alone])
    await asked(bare, way, HI)
    manager, llm = CallbackManager([through]), make(provider)
    if when == "before":
        llm.callback_manager = manager
        router = routed(llm)
    else:
        router = routed(llm)
        router.callback_manager = manager
    await asked(router, way, HI)
    counted = [(c.prompt_llm_token_count, c.completion_llm_token_count) for c in (alone, through)]
    assert counted[0] == counted[1] != (0, 0)


SHOWN = (repr, str, lambda o: str(o.to_dict()), lambda o: o.to_json(), lambda o: str(o.to_payload()),
         lambda o: pickle.dumps(o).decode("latin-1"))  # fmt: skip


@pytest.mark.parametrize("show", SHOWN)
def test_no_key_in_any_form(make: Make, show: Callable[[Any], str]) -> None:
    llm = routed(*(make(provider) for provider in PROVIDERS))
    assert KEY not in show(llm)
    assert KEY not in repr(llm._core.children) + repr(llm.router.registry.entries)


@pytest.mark.parametrize("provider", PROVIDERS)
def test_a_key_is_in_no_error(make: Make, provider: str) -> None:
    with pytest.raises(AllCandidatesFailed) as caught:
        routed(make(provider, "fail")).chat([ChatMessage(content="my private words")])
    told = str(caught.value) + repr(caught.value) + repr(caught.value.failures)
    assert KEY not in told
    assert "private" not in told
