"""Integrations that are seldom installed, by the shapes that they leave; the real ones where they are."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Callable, Iterator
from types import ModuleType, SimpleNamespace
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import (
    ChatMessage,
    ChatResponse,
    CompletionResponse,
    LLMMetadata,
    TextBlock,
)
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.llms import MockLLM
from llama_index.core.llms.llm import LLM
from llama_index.core.tools import FunctionTool
from loopback import chat_server
from loopback.chat_server import ChatServer, completion, piece, sse
from pydantic import PrivateAttr

from llamaindex_router import RouterLLM, StreamInterrupted
from llamaindex_router.attempts.faults import fault_of, is_schema_mismatch, stumbled
from llamaindex_router.fleet.description import describe
from llamaindex_router.messages.stream_text import StreamText
from llamaindex_router.messages.tool_calls import tool_calls_of
from llamaindex_router.messages.usage import counts_of, finish_of, usage_of

HI = [ChatMessage(content="hi")]
CLOSE = ["connection: close"]  # event loops end with their test


class Given(MockLLM):
    """An LLM of any class and package, with what that keeps."""

    additional_kwargs: dict[str, Any] | None = None
    model: str = ""
    api_url: str = ""
    token: str = ""
    _client: Any = PrivateAttr(default=None)


def made(home: str, name: str = "Given", base: type[Any] = Given, **held: Any) -> Any:
    llm = type(name, (base,), {"__module__": f"llama_index.llms.{home}.base"})()
    for field, value in held.items():
        setattr(llm, field, value)
    return llm


# -- where they call, and on whose account

ACCOUNTS: list[Callable[[str, str], Any]] = [
    lambda url, key: made("litellm", additional_kwargs={"api_base": url, "api_key": key}),
    lambda url, key: made("vllm", api_url=url, token=key),
    lambda url, key: made("huggingface_api", model=url, token=key),
    lambda url, key: made("mistralai", _client=SimpleNamespace(
        sdk_configuration=SimpleNamespace(server_url=url, security=SimpleNamespace(api_key=key)))),
    lambda url, key: made("cohere", _client=SimpleNamespace(
        _client_wrapper=SimpleNamespace(_base_url=url, _token=key))),
    lambda url, key: made("azure_inference", _client=SimpleNamespace(
        _config=SimpleNamespace(endpoint=url, credential=SimpleNamespace(key=key)))),
]  # fmt: skip


@pytest.mark.parametrize("account", ACCOUNTS)
def test_what_only_a_client_knows_tells_two_accounts_apart(account: Callable[[str, str], Any]) -> None:
    """Else a refused key of one would switch the other off."""
    one, same, other, elsewhere = (
        describe(account(url, key)).address  # type: ignore[union-attr]
        for url, key in (("http://a", "k1"), ("http://a", "k1"), ("http://a", "k2"), ("http://b", "k1"))
    )
    assert one == same
    assert one.base_url == "http://a"
    assert one.credential != other.credential
    assert elsewhere.base_url == "http://b"
    assert "k1" not in repr(one)


def test_the_key_in_anthropics_client_is_a_credential() -> None:
    kind = pytest.importorskip("llama_index.llms.anthropic").Anthropic
    marks = {describe(kind(model="claude-sonnet-4-0", api_key=key)).address.credential for key in "ab"}  # type: ignore[union-attr]
    assert len(marks) == 2
    assert "" not in marks


class TextOnly(MockLLM):
    """No FunctionCallingLLM, whatever its metadata says."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(is_function_calling_model=True)


class Mute(MockLLM):
    @property
    def metadata(self) -> LLMMetadata:
        raise ModuleNotFoundError


@pytest.mark.parametrize("kind", [TextOnly, Mute])
def test_no_tools_are_sent_to_a_class_that_takes_none(kind: type[LLM]) -> None:
    found = describe(kind())
    assert found is not None
    assert found.fields["tool_calling"] is False


# -- LangChainLLM


class Wrapper(MockLLM):
    """As LlamaIndex's, which hands on texts alone."""

    _llm: Any = PrivateAttr(default=None)

    @property
    def llm(self) -> Any:
        return self._llm


def chain_llm(url: str) -> Any:
    kind = type("LangChainLLM", (Wrapper,), {"__module__": "llama_index.llms.langchain.base"})
    llm = kind()
    llm._llm = ChatOpenAI(model="gpt-4o", base_url=url, api_key="k")
    return llm


def test_a_langchain_model_in_llamaindexes_wrapper_is_called_itself() -> None:
    call = {"id": "c1", "type": "function", "function": {"name": "double", "arguments": '{"n": 2}'}}
    called = completion(
        message={"role": "assistant", "content": None, "tool_calls": [call]}, finish_reason="tool_calls"
    )
    script = (chat_server.reply(called, headers=CLOSE), chat_server.reply({"error": {"message": "x"}}, 500))
    counter = TokenCountingHandler()
    with ChatServer(*script) as server:
        llm = chain_llm(server.base_url)
        llm.callback_manager = CallbackManager([counter])
        router = RouterLLM(models=[llm], retry={"attempts": 1})
        answer = router.chat_with_tools([FunctionTool.from_defaults(double)], "twice two?")
        assert router.get_tool_calls_from_response(answer)[0].tool_kwargs == {"n": 2}
        assert router.router.ledger.calls()[-1].usage.input_tokens == 9
        assert counter.total_llm_token_count == 11
        with pytest.raises(Exception, match="500"):
            router.chat(HI)
        assert len(server.seen) == 2  # its own retries are off


def double(n: int) -> int:
    """Double."""
    return 2 * n


# -- how they end


class Streaming(MockLLM):
    """Streams the chunks that it is given."""

    chunks: tuple[Any, ...] = ()

    def stream_chat(self, messages: Any, **kwargs: Any) -> Iterator[ChatResponse]:
        yield from self.chunks


def said(text: str, delta: str, raw: Any = None) -> ChatResponse:
    return ChatResponse(message=ChatMessage(role="assistant", content=text), delta=delta, raw=raw)


def test_a_stream_without_a_chunk_is_no_answer() -> None:
    whole = made("any", base=Streaming, chunks=[said("yes", "yes")])
    router = RouterLLM(
        models=[(made("any", base=Streaming), {"id": "hollow"}), (whole, {"id": "whole"})], policy="single"
    )
    assert [chunk.delta for chunk in router.stream_chat(HI)] == ["yes"]


@pytest.mark.parametrize("name", ["MistralAI", "Cohere"])
def test_a_stream_that_ends_without_a_reason_is_cut(name: str) -> None:
    cut = made("any", name, Streaming, chunks=[said("a", "a", {"choices": [{"finish_reason": None}]})])
    with pytest.raises(StreamInterrupted):
        list(RouterLLM(models=[cut]).stream_chat(HI))


def test_a_stream_of_texts_alone_can_not_tell_its_end() -> None:
    """HuggingFaceInferenceAPI's text generation has no raw chunks."""
    whole = made("any", "HuggingFaceInferenceAPI", Streaming, chunks=[said("a", "a")])
    assert [chunk.delta for chunk in RouterLLM(models=[whole]).stream_chat(HI)] == ["a"]


CHUNKS = [{"choices": [{"delta": {"content": text}, "finish_reason": end}]} for text, end in (("a", None), ("b", None))]
ENDS: list[tuple[dict[str, Any] | None, str | None]] = [
    (
        {"choices": [{"delta": {}, "finish_reason": "stop"}], "usage": {"prompt_tokens": 9, "completion_tokens": 2}},
        "ab",
    ),
    (None, None),
    ({"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}, "ab"),  # nothing behind it is cut
]


class Keeping(MockLLM):
    """Reads chunks without text, too, and keeps them to itself."""

    sent: tuple[Any, ...] = ()

    def stream_chat(self, messages: Any, **kwargs: Any) -> Iterator[ChatResponse]:
        def inner() -> Iterator[ChatResponse]:
            for data in self.sent:
                if data["choices"] and (text := data["choices"][0]["delta"].get("content")):
                    yield said(text, text)

        yield from inner()

    async def astream_chat(self, messages: Any, **kwargs: Any) -> Any:
        async def gen() -> Any:
            for response in self.stream_chat(messages):
                yield response

        return gen()


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat"])
@pytest.mark.parametrize(("last", "whole"), ENDS)
@pytest.mark.parametrize("name", ["Perplexity", "AzureAICompletionsModel", "VllmServer", "HuggingFaceInferenceAPI"])
async def test_an_end_that_an_integration_keeps_to_itself(name: str, last: Any, whole: str | None, way: str) -> None:
    sent = tuple([*CHUNKS, last] if last else CHUNKS)
    router = RouterLLM(models=[made("any", name, Keeping, sent=sent)])

    async def read() -> str:
        if way == "stream_chat":
            return "".join(chunk.delta or "" for chunk in router.stream_chat(HI))
        return "".join([chunk.delta or "" async for chunk in await router.astream_chat(HI)])

    if whole is None:
        with pytest.raises(StreamInterrupted):
            await read()
        return
    assert await read() == whole
    assert router.router.ledger.calls()[-1].usage.input_tokens == 9


ERROR_CHUNK = {"choices": [], "error": {"message": "busy", "type": "overloaded_error", "code": None}}


@pytest.mark.parametrize("way", ["stream_chat", "astream_chat"])
@pytest.mark.parametrize("name", ["Perplexity", "VllmServer"])
async def test_an_error_event_that_an_integration_passes_over(name: str, way: str) -> None:
    """As they do with each chunk that has no choice."""
    router = RouterLLM(models=[made("any", name, Keeping, sent=(*CHUNKS, ERROR_CHUNK))])

    async def read() -> None:
        if way == "stream_chat":
            list(router.stream_chat(HI))
            return
        [chunk async for chunk in await router.astream_chat(HI)]

    with pytest.raises(StreamInterrupted):
        await read()
    assert [call.fault for call in router.router.ledger.calls()] == ["overloaded"]


class OverBytes(MockLLM):
    """As HuggingFaceInferenceAPI's sync code: it hands on each chunk, and below it an HTTP client reads bytes."""

    sent: tuple[Any, ...] = ()
    said: Any = None

    def stream_chat(self, messages: Any, **kwargs: Any) -> Iterator[ChatResponse]:
        def read() -> Iterator[dict[str, Any]]:
            for data in self.sent:
                chunk = b"data: ..."
                yield data
                assert chunk

        for chunk in read():
            text = chunk["choices"][0]["delta"].get("content", "")
            yield said(text, text, chunk)


def test_bytes_that_an_http_client_reads_are_no_chunk_without_a_reason() -> None:
    cut = made("huggingface_api", "HuggingFaceInferenceAPI", OverBytes, sent=tuple(CHUNKS))
    with pytest.raises(StreamInterrupted):
        list(RouterLLM(models=[cut]).stream_chat(HI))
    whole = made("huggingface_api", "HuggingFaceInferenceAPI", OverBytes, sent=(*CHUNKS, ENDS[0][0]))
    assert [chunk.delta for chunk in RouterLLM(models=[whole]).stream_chat(HI)] == ["a", "b", ""]


FIRST_CHOICE = """
def stream_chat(self, messages, **kwargs):
    for chunk in self.sent:
        delta = chunk["choices"][0]["delta"]
        yield self.said(delta.get("content", ""), delta.get("content", ""), chunk)
"""
COUNTS_ALONE = {"choices": [], "usage": {"prompt_tokens": 9, "completion_tokens": 2}}


def _takes_the_first(*sent: Any) -> Any:
    """As MistralAI and HuggingFaceInferenceAPI read a stream: the first choice of each chunk."""
    module = ModuleType("llama_index.llms.mistralai.base")
    exec(FIRST_CHOICE, vars(module))  # noqa: S102 - our own source, in a module of that name
    kind = type("MistralAI", (OverBytes,), {"__module__": module.__name__, "stream_chat": vars(module)["stream_chat"]})
    model: Any = kind()
    model.sent, model.said = sent, said
    return model


def test_a_chunk_without_choices_after_the_reason_ends_a_whole_stream() -> None:
    """Servers send the counts so; the integration raises an IndexError over them."""
    model = _takes_the_first(*CHUNKS, ENDS[0][0], COUNTS_ALONE)
    assert [chunk.delta for chunk in RouterLLM(models=[model]).stream_chat(HI)] == ["a", "b", ""]


def test_a_chunk_without_choices_before_the_reason_is_the_servers_fault() -> None:
    with pytest.raises(StreamInterrupted):
        list(RouterLLM(models=[_takes_the_first(*CHUNKS, COUNTS_ALONE)]).stream_chat(HI))
    other = made("any", base=Streaming, chunks=[said("yes", "yes")])
    router = RouterLLM(models=[(_takes_the_first(COUNTS_ALONE), {"id": "a"}), (other, {"id": "b"})], policy="single")
    assert [chunk.delta for chunk in router.stream_chat(HI)] == ["yes"]
    assert [call.fault for call in router.router.ledger.calls()] == ["server_error", None]


def test_so_does_a_class_derived_from_one() -> None:
    own = type("OurPerplexity", (type(made("any", "Perplexity", Keeping)),), {"__module__": "ours"})()
    own.sent = (*CHUNKS, ENDS[0][0])
    router = RouterLLM(models=[own])
    assert "".join(chunk.delta or "" for chunk in router.stream_chat(HI)) == ENDS[0][1]
    assert router.router.ledger.calls()[-1].usage.input_tokens == 9


def test_an_integration_that_is_read_otherwise_can_not_tell_its_end() -> None:
    """Variables of other names are as good as none."""
    unread = made("any", "Perplexity", Streaming, chunks=(said("a", "a", {}), said("ab", "b", {})))
    assert [chunk.delta for chunk in RouterLLM(models=[unread]).stream_chat(HI)] == ["a", "b"]


@pytest.mark.parametrize(("word", "kind"), [("COMPLETE", "stop"), ("ERROR_TOXIC", "content_filter"),
                                            ("ERROR_LIMIT", "length"), ("ERROR", "error")])  # fmt: skip
def test_coheres_end_and_what_it_bills(word: str, kind: str) -> None:
    bills = SimpleNamespace(input_tokens=10.0, output_tokens=3.0)
    meta = SimpleNamespace(billed_units=bills, tokens=SimpleNamespace(input_tokens=70.0, output_tokens=5.0))
    whole = {"text": "a", "finish_reason": word, "meta": meta}
    last = {"event_type": "stream-end", "finish_reason": word, "response": SimpleNamespace(**whole)}
    for raw in (whole, last):
        assert finish_of(raw) == kind
        usage = usage_of(counts_of(raw))
        assert usage is not None
        assert (usage.input_tokens, usage.output_tokens) == (10, 3)


def test_arguments_as_cohere_calls_them() -> None:
    call = SimpleNamespace(name="double", parameters={"n": 2})
    (read,) = tool_calls_of(ChatMessage(role="assistant", additional_kwargs={"tool_calls": [call]}))
    assert read.arguments == {"n": 2}


def test_counts_that_are_texts() -> None:
    """Bedrock's older integration passes them on from headers."""
    usage = usage_of(counts_of({}, {"prompt_tokens": "10", "completion_tokens": "3"}))
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens) == (10, 3)


# -- what they say


@pytest.mark.parametrize(
    "steps",
    [
        [("\na", "a"), ("\na\na b", " b"), ("\na\na b\na b", "")],  # a text after each of those before it
        [("", ""), ("\n", ""), ("\n\na", "a"), ("\n\na\na b", " b")],
        [("a", None), ("a b", None)],
        [("a", "a"), (" b", " b")],
        [("", "a"), ("a", " b")],
        [("a", "a"), ("a b", " b")],
    ],
)
def test_the_text_of_a_stream(steps: list[tuple[str, str | None]]) -> None:
    wording = StreamText()
    *_, text = (wording.take(CompletionResponse(text=whole, delta=delta)) for whole, delta in steps)
    assert text == "a b"


def test_blocks_that_repeat_each_other_are_one_text() -> None:
    blocks = [TextBlock(text=text) for text in ("", "a", "a b")]
    assert StreamText().take(ChatResponse(message=ChatMessage(role="assistant", blocks=blocks), delta="")) == "a b"
    blocks = [TextBlock(text="a"), TextBlock(text="b")]
    assert StreamText().take(ChatResponse(message=ChatMessage(role="assistant", blocks=blocks), delta="")) == "a\nb"


# -- what they raise


def raised(name: str, code: str, **held: Any) -> Exception:
    """What code in that integration raises."""
    space = {"__name__": f"llama_index.llms.{name}.base", **held}
    try:
        exec(f"def chat(response=None, output=None, data=None):\n  {code}\nchat(**given)", space)  # noqa: S102
    except Exception as error:  # noqa: BLE001 - it is what the test is about
        return error
    raise AssertionError


REFUSED = {"error": {"message": "slow down", "code": "rate_limit_exceeded", "type": "requests"}}


class RetryError(Exception):
    """As tenacity's."""


def test_an_error_in_a_replys_place_means_what_it_says() -> None:
    by_dict = raised("perplexity", "data['choices'][0]", given={"response": object(), "data": REFUSED})
    by_object = raised("huggingface_api", "output.choices[0]",
                       given={"output": SimpleNamespace(choices=None, model_extra=REFUSED)})  # fmt: skip
    contentless = SimpleNamespace(content=None, model_extra=REFUSED)  # as Anthropic's SDK reads what is no message
    by_message = raised("anthropic", "list(response.content)", given={"response": contentless})
    retried = RetryError()
    retried.__cause__ = by_dict
    for error in (by_dict, by_object, by_message, retried):
        fault = fault_of(error)
        assert fault is not None
        assert (fault.kind, fault.started) == ("rate_limited", True)


def test_a_mistake_beside_a_sound_reply_is_not_the_servers() -> None:
    for sound in ({"choices": [{}]}, {"message": {"content": "a"}}):
        assert fault_of(raised("ollama", "None + 1", given={"response": sound})) is None


@pytest.mark.parametrize(("reader", "misfit"), [("chat_with_tools", False), ("get_tool_calls_from_response", True)])
def test_a_keyword_that_an_sdk_does_not_know_is_no_misfit(reader: str, misfit: bool) -> None:
    """No answer came that could count against the model's quality."""
    asking: dict[str, Any] = {"__name__": "llama_index.llms.nvidia.base"}
    exec(f"def {reader}(): dict(1, 2)", asking)  # noqa: S102
    program: dict[str, Any] = {"__name__": "llama_index.core.program.function_program"}
    exec("def run(ask): ask()", program)  # noqa: S102
    with pytest.raises(TypeError) as caught:
        program["run"](asking[reader])
    assert is_schema_mismatch(caught.value) is misfit


def test_a_package_that_is_not_installed_is_named() -> None:
    fault = stumbled(ModuleNotFoundError("No module named 'torch'", name="torch"), ())
    assert fault is not None
    assert (fault.kind, fault.detail) == ("unsupported", "ModuleNotFoundError of torch")


# -- the real ones


def _mistral(url: str) -> Any:
    return pytest.importorskip("llama_index.llms.mistralai").MistralAI(model="mistral-large-latest", api_key="k",
                                                                       endpoint=url)  # fmt: skip


def _litellm(url: str) -> Any:
    os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # else it looks for prices on the internet
    return pytest.importorskip("llama_index.llms.litellm").LiteLLM(model="openai/gpt-4o", api_key="k",
                                                                   api_base=f"{url}/v1")  # fmt: skip


def _perplexity(url: str) -> Any:
    return pytest.importorskip("llama_index.llms.perplexity").Perplexity(model="sonar", api_key="k",
                                                                         api_base=f"{url}/v1")  # fmt: skip


REAL = [_mistral, _litellm, _perplexity]
DOWN = chat_server.reply({"message": "down", "error": {"message": "down"}}, 503, headers=CLOSE)
USAGE = {"usage": {"prompt_tokens": 9, "completion_tokens": 2, "total_tokens": 11}}
PIECES = (piece("", role="assistant"), piece("hello"), {**piece("", "stop"), **USAGE})


@pytest.mark.filterwarnings("ignore")  # the packages' own
@pytest.mark.parametrize("make", REAL)
def test_one_attempt_is_one_call(make: Callable[[str], Any]) -> None:
    with ChatServer(DOWN) as server:
        router = RouterLLM(models=[make(server.base_url.removesuffix("/v1"))], retry={"attempts": 1})
        with pytest.raises(Exception, match="503"):
            router.chat(HI)
        with pytest.raises(Exception, match="503"):
            asyncio.run(router.achat(HI))
        assert len(server.seen) == 2


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("make", REAL[:2])
def test_a_stream_is_whole_or_it_is_cut(make: Callable[[str], Any]) -> None:
    with ChatServer(sse(*PIECES, headers=CLOSE), sse(*PIECES[:2], end="clean", headers=CLOSE)) as server:
        router = RouterLLM(models=[make(server.base_url.removesuffix("/v1"))])
        assert "".join(chunk.delta or "" for chunk in router.stream_chat(HI)) == "hello"
        with pytest.raises(StreamInterrupted) as caught:
            list(router.stream_chat(HI))
        assert caught.value.partial == "hello"
