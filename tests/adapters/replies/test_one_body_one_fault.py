"""A body means the same whoever reads it: an SDK, which keeps it, or the built-in client, which shows a part of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, TextBlock
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import ChatServer, reply

from capability_router.faults import Fault, classify
from langchain_router import ChatEndpoint
from llamaindex_router import EndpointLLM

SAID = "Is image_url unsupported_image, invalid image, multimodal or flagged as potentially 4096? again in 20s"
PNG = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
CHAIN = [
    HumanMessage(
        [
            {"type": "text", "text": SAID},
            {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PNG}"}},
        ]
    )
]
INDEX = [
    ChatMessage(role="user", blocks=[TextBlock(text=SAID), ImageBlock(image=PNG.encode(), image_mimetype="image/png")])
]


def _ask_openai(url: str) -> Any:
    return ChatOpenAI(model="m", api_key="k", base_url=url, max_retries=0).invoke(CHAIN)


def _ask_built_in(url: str) -> Any:
    return ChatEndpoint(model="m", api_key="k", base_url=url).invoke(CHAIN)


def _ask_like(url: str) -> Any:
    return OpenAILike(model="m", api_key="k", api_base=url, is_chat_model=True, max_retries=0).chat(INDEX)


def _ask_endpoint(url: str) -> Any:
    return EndpointLLM(model="m", api_key="k", base_url=url).chat(INDEX)


def told(**error: Any) -> dict[str, Any]:
    return {"error": {"type": "invalid_request_error", "param": None, "code": None, **error}}


RAW = '{"error": {"message": "Your input was flagged by our system"}}'
DELAY = {"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "17s"}
BODIES = {
    "a code alone": (400, told(message="unsupported_image", code="unsupported_image"), "unsupported"),
    "a type alone": (400, {"error": {"message": "no", "type": "unsupported_image"}}, "unsupported"),
    "a bare word": (400, {"error": "unsupported_image"}, "unsupported"),
    "a detail": (400, {"detail": "unsupported_image: no vision"}, "unsupported"),
    "no image_url": (400, told(message="image_url is only supported by certain models."), "unsupported"),
    "an invalid image": (400, told(message="Invalid image.", code="invalid_image"), "bad_request"),
    "vLLM, no image": (400, told(message="At most 0 image(s) may be provided in one prompt."), "unsupported"),
    "vLLM, text alone": (400, told(message="m is not a multimodal model"), "unsupported"),
    "Anthropic, too large": (400, told(message="messages.0.content.1: image exceeds 5 MB maximum"), "unsupported"),
    "a filter": (400, told(message="flagged as potentially violating"), "content_filtered"),
    "what is behind a gateway": (400, told(message="Provider error", metadata={"raw": RAW}), "content_filtered"),
    "a window": (400, told(message="maximum context length is 4096 tokens"), "context_overflow"),
    "a wait": (429, told(message="slow: try again in 20s"), "rate_limited"),
    "Google's wait": (429, told(message="no", status="RESOURCE_EXHAUSTED", details=[DELAY]), "rate_limited"),
    "Google's key": (400, told(message="bad", details=[{"reason": "API_KEY_INVALID"}]), "auth"),
}  # fmt: skip


def read(ask: Callable[[str], Any], status: int, body: Any) -> Fault:
    with ChatServer(reply(body, status, ["connection: close"])) as server, pytest.raises(Exception) as caught:
        ask(server.base_url)
    return classify(caught.value)


@pytest.mark.parametrize("what", BODIES)
def test_the_prompts_own_words_hide_nothing(what: str) -> None:
    status, body, kind = BODIES[what]
    found = [read(ask, status, body) for ask in (_ask_openai, _ask_built_in, _ask_like, _ask_endpoint)]
    assert [fault.kind for fault in found] == [kind] * 4
    assert len({(fault.window, fault.retry_after_s) for fault in found}) == 1


def test_what_tells_is_not_shown() -> None:
    """The built-in client still quotes nothing of the prompt, and holds no more of the body."""
    fault = read(_ask_built_in, 400, told(message="unsupported_image of potentially"))
    error = fault.error
    for shown in (str(error), repr(error), repr(vars(error)), str(error.body)):
        assert "unsupported_image" not in shown
        assert "potentially" not in shown
