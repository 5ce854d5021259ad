"""LlamaIndex's DashScope 0.7.0: its SDK raises nothing, and its mappings raise KeyError for what they lack."""

from __future__ import annotations

from typing import Any

import pytest
from adapters.llamaindex.providers.test_other_integrations import HI, Streaming, made, said
from llama_index.core.base.llms.types import ChatMessage, ChatResponse

from llamaindex_router import RouterLLM, StreamInterrupted


class Mixed(dict[str, Any]):
    """As DictMixin of its SDK."""

    def __getattr__(self, name: str) -> Any:
        return self[name]


def generated(text: str, end: str) -> Mixed:
    choice = Mixed(finish_reason=end, message=Mixed(role="assistant", content=text))
    usage = Mixed(input_tokens=9, output_tokens=2)
    return Mixed(status_code=200, code="", message="", output=Mixed(text=None, choices=[choice]), usage=usage)


class Generation(Streaming):
    """Its streams are `chunks`; a whole answer is the first of them."""

    def chat(self, messages: Any, **kwargs: Any) -> ChatResponse:
        first: ChatResponse = self.chunks[0]
        return first


def dashscope(*chunks: ChatResponse) -> RouterLLM:
    first = made("dashscope", "DashScope", Generation, chunks=chunks)
    second = made("any", "Second", Generation, chunks=[said("good", "good")])
    return RouterLLM(models=[(first, {"id": "a"}), (second, {"id": "b"})], policy="single")


def refused_by_generator(refusal: Any) -> Any:
    """Its streams in sync have the SDK's generator in the reply's place."""
    raw = (rsp for rsp in [refusal])
    next(raw)
    return raw


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (401, "InvalidApiKey", "auth"), (429, "Throttling.RateQuota", "rate_limited"),
        (500, "InternalError", "server_error"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("held", [lambda refusal: refusal, refused_by_generator])
def test_a_refusal_that_is_handed_on_as_an_answer_is_none(held: Any, status: int, code: str, kind: str) -> None:
    refusal = Mixed(status_code=status, code=code, message="no", output=None, usage=None)
    empty = [ChatResponse(message=ChatMessage(), raw=held(refusal)) for _ in range(2)]
    streamed, whole = dashscope(empty[0]), dashscope(empty[1])
    assert [chunk.delta for chunk in streamed.stream_chat(HI)] == ["good"]
    assert whole.chat(HI).message.content == "good"
    for router in (streamed, whole):
        assert [call.fault for call in router.router.ledger.calls()] == [kind, None]


def test_mappings_that_raise_over_what_they_lack_are_read() -> None:
    router = dashscope(said("a", "a", generated("a", "null")), said("ab", "b", generated("b", "stop")))
    assert [chunk.delta for chunk in router.stream_chat(HI)] == ["a", "b"]
    (call,) = router.router.ledger.calls()
    assert (call.fault, call.input_tokens, call.output_tokens, call.estimated) == (None, 9, 2, False)


def test_null_is_no_reason() -> None:
    with pytest.raises(StreamInterrupted):
        list(dashscope(said("a", "a", generated("a", "null"))).stream_chat(HI))
