"""SDKs that no list names fail on the body of a 200: the response that their functions hold shows it.

The stand-ins have the functions of AI21's and GigaChat's SDKs and of LlamaIndex's SiliconFlow.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from types import FunctionType, SimpleNamespace
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessageChunk
from langchain_core.output_parsers.openai_tools import parse_tool_call
from langchain_core.outputs import ChatGenerationChunk, ChatResult
from pydantic import BaseModel, create_model

from capability_router.faults.kinds import Fault
from langchain_router import ChatRouter, StreamInterrupted
from langchain_router.attempts.faults import fault_of as langchain_fault
from llamaindex_router.attempts.faults import fault_of as llamaindex_fault
from llamaindex_router.attempts.faults import stumbled

BUSY = {"error": {"message": "The server is overloaded", "type": "overloaded_error", "code": "overloaded"}}
COUNTS = {"prompt_tokens": 70, "completion_tokens": 5, "total_tokens": 75}


class Called(BaseModel):
    arguments: dict[str, Any]


class Message(BaseModel):
    content: str
    function_call: Called | None = None


ChatCompletion = create_model("ChatCompletion", message=(Message, ...), __module__="some_sdk.models")
Joke = create_model("Joke", setup=(str, ...), __module__="app.jokes")


def of(module: str, function: Any) -> Any:
    """The function as one of another module."""
    code, names = function.__code__, {**function.__globals__, "__name__": module}
    return FunctionType(code, names, function.__name__, function.__defaults__, function.__closure__)


def build(response: httpx.Response, model_class: Any) -> Any:
    return model_class(**response.json())


def parse(line: str, model_class: Any) -> Any:
    return model_class.model_validate_json(line)


def execute(response: httpx.Response, parse: Callable[..., Any], model_class: Any) -> Iterator[Any]:
    yield from [parse(line, model_class) for line in response.text.splitlines()]


def each(self: Any, parse: Callable[..., Any], model_class: Any) -> Iterator[Any]:
    yield from [parse(line, model_class) for line in self.response.text.splitlines()]


def unary(body: Any, model_class: Any = ChatCompletion) -> Any:
    return of("some_sdk.api", build)(httpx.Response(200, json=body), model_class)


def streamed(body: Any, model_class: Any = ChatCompletion) -> Any:
    response = httpx.Response(200, json=body)
    return next(of("some_sdk.api", execute)(response, of("some_sdk.parser", parse), model_class))


def streamed_by_an_object(body: Any, model_class: Any = ChatCompletion) -> Any:
    stream = SimpleNamespace(response=httpx.Response(200, json=body))
    return next(of("some_sdk.stream", each)(stream, of("some_sdk.parser", parse), model_class))


def raised(call: Callable[..., Any], *args: Any) -> Exception:
    with pytest.raises(Exception) as caught:
        call(*args)
    return caught.value


def langchain(error: Exception) -> Fault | None:
    return langchain_fault(error)


def llamaindex(error: Exception) -> Fault | None:
    return llamaindex_fault(error) or stumbled(error, ())


WAYS = pytest.mark.parametrize("way", [unary, streamed, streamed_by_an_object])
FRAMEWORKS = pytest.mark.parametrize("framework", [langchain, llamaindex])


@FRAMEWORKS
@WAYS
def test_an_error_in_a_200_is_what_it_says(way: Callable[..., Any], framework: Callable[..., Any]) -> None:
    fault = framework(raised(way, BUSY))
    assert (fault.kind, fault.started) == ("overloaded", True)


@FRAMEWORKS
@WAYS
def test_a_reply_without_a_message_is_a_server_error(way: Callable[..., Any], framework: Callable[..., Any]) -> None:
    fault = framework(raised(way, {"id": "c"}))
    assert (fault.kind, fault.started) == ("server_error", True)


@FRAMEWORKS
def test_a_list_in_place_of_an_object_is_a_server_error(framework: Callable[..., Any]) -> None:
    error = raised(unary, ["no object"])
    assert isinstance(error, TypeError)
    assert framework(error).kind == "server_error"


@FRAMEWORKS
@WAYS
def test_broken_arguments_are_a_malformed_call(way: Callable[..., Any], framework: Callable[..., Any]) -> None:
    message = {"content": "", "function_call": {"arguments": '{"q": "x'}}
    assert framework(raised(way, {"message": message})).kind == "malformed_tool_call"


def test_the_counts_of_a_rejected_reply_are_read() -> None:
    message = {"content": "", "function_call": {"arguments": '{"q": "x'}}
    fault = langchain(raised(unary, {"message": message, "usage": COUNTS}))
    assert fault is not None
    assert fault.usage is not None
    assert (fault.usage.input_tokens, fault.usage.output_tokens) == (70, 5)


@FRAMEWORKS
def test_an_answer_that_does_not_fit_the_callers_class_is_no_server_error(framework: Callable[..., Any]) -> None:
    assert framework(raised(unary, {"punchline": "x"}, Joke)).kind != "server_error"


@FRAMEWORKS
def test_a_mistake_before_any_response_is_unsupported(framework: Callable[..., Any]) -> None:
    def send(payload: dict[str, Any], response: Any = None) -> Any:
        return payload["n"] + "1"

    assert framework(raised(of("some_sdk.api", send), {"n": 1})).kind == "unsupported"


@FRAMEWORKS
def test_a_refused_response_is_no_reply(framework: Callable[..., Any]) -> None:
    def send(response: httpx.Response) -> Any:
        return response.json()["n"] + "1"

    error = raised(of("some_sdk.api", send), httpx.Response(404, json={"n": 1}))
    assert framework(error).kind == "not_found"


@FRAMEWORKS
def test_a_response_above_a_framework_is_of_another_request(framework: Callable[..., Any]) -> None:
    def send(payload: dict[str, Any]) -> Any:
        return payload["n"] + "1"

    def invoke(send: Callable[..., Any]) -> Any:
        return send({"n": 1})

    def generate(response: httpx.Response, invoke: Callable[..., Any], send: Callable[..., Any]) -> Any:
        return invoke(send)

    calls = of("langchain_core.runnables", invoke), of("some_sdk.api", send)
    error = raised(of("own.model", generate), httpx.Response(200, json={}), *calls)
    assert framework(error).kind == "unsupported"


def test_broken_arguments_that_a_partners_function_gives_to_langchains_parser() -> None:
    """As `JambaChatCompletionsAdapter.call` of langchain-ai21."""

    def call(response: Any) -> Any:
        return [parse_tool_call(call, return_id=True) for call in response.tool_calls]

    calls = [{"id": "1", "function": {"name": "search", "arguments": '{"q": "x'}}]
    response = SimpleNamespace(tool_calls=calls, usage=COUNTS)
    fault = langchain(raised(of("langchain_ai21.chat.chat_adapter", call), response))
    assert fault is not None
    assert fault.usage is not None
    assert (fault.kind, fault.usage.input_tokens) == ("malformed_tool_call", 70)


class Child(BaseChatModel):
    """A model whose SDK gets a text, and then an error event."""

    @property
    def _llm_type(self) -> str:
        return "child"

    def _generate(self, *args: Any, **kwargs: Any) -> ChatResult:
        raise NotImplementedError

    def _stream(self, *args: Any, **kwargs: Any) -> Iterator[ChatGenerationChunk]:
        yield ChatGenerationChunk(message=AIMessageChunk("half an"))
        streamed(BUSY)


def test_after_text_the_stream_is_interrupted_and_its_server_counts_as_failed() -> None:
    llm = ChatRouter(models=[(Child(), {"id": "a"})], policy="single")
    with pytest.raises(StreamInterrupted) as caught:
        list(llm.stream("hi"))
    assert caught.value.partial == "half an"
    assert [call.fault for call in llm.router.ledger.calls()] == ["overloaded"]


def siliconflow(line: str) -> Any:
    chunk_json = json.loads(line)
    return chunk_json["choices"][0]["delta"]


@pytest.mark.parametrize(("body", "kind"), [(BUSY, "overloaded"), ({"id": "c"}, "server_error"),
                                            ({"choices": []}, "server_error")])  # fmt: skip
def test_a_body_without_choices_has_any_name_in_an_integration(body: dict[str, Any], kind: str) -> None:
    error = raised(of("llama_index.llms.siliconflow.base", siliconflow), json.dumps(body))
    fault = llamaindex(error)
    assert fault is not None
    assert fault.kind == kind
