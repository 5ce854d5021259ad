from __future__ import annotations

import base64
from typing import Any

import pytest

from capability_router.endpoints.chat import request_from_chat
from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
from capability_router.endpoints.errors import EndpointStatusError
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.spec import EndpointSpec
from capability_router.endpoints.timeouts import ClientTimeouts
from capability_router.errors import ConfigError
from capability_router.faults.kinds import Fault
from capability_router.request import Need, Request
from capability_router.routing import routing
from capability_router.tokens.attached import AttachedPart

TOOL = {"type": "function", "function": {"name": "look_up", "parameters": {"type": "object"}}}


def user(*parts: Any) -> list[dict[str, Any]]:
    return [{"role": "user", "content": list(parts)}]


def test_a_string_is_one_user_message() -> None:
    request = request_from_chat("hi", temperature=0.2, max_tokens=7)
    assert request.texts == ("hi",)
    assert request.payload == {"messages": [{"role": "user", "content": "hi"}], "temperature": 0.2, "max_tokens": 7}
    assert (request.needs, request.max_tokens, request.turns, request.stream) == (Need.NONE, 7, 1, False)


@pytest.mark.parametrize(
    ("options", "needs"),
    [
        ({"stream": True}, Need.STREAMING),
        ({"tools": [TOOL]}, Need.TOOL_CALLING),
        ({"tools": [TOOL], "tool_choice": "auto"}, Need.TOOL_CALLING),
        ({"tools": [TOOL], "tool_choice": "required"}, Need.TOOL_CALLING | Need.TOOL_CHOICE),
        ({"tools": [TOOL], "tool_choice": {"type": "function"}}, Need.TOOL_CALLING | Need.TOOL_CHOICE),
        ({"tool_choice": "required"}, Need.NONE),
        ({"response_format": {"type": "json_object"}}, Need.JSON_MODE),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, Need.STRUCTURED_OUTPUT),
        ({"response_format": {"type": "text"}}, Need.NONE),
        ({"reasoning_effort": "low"}, Need.REASONING_OUTPUT),
        ({"reasoning_effort": "none"}, Need.NONE),
    ],
)
def test_needs_follow_from_the_options(options: dict[str, Any], needs: Need) -> None:
    assert request_from_chat("x", **options).needs == needs


@pytest.mark.parametrize(
    ("part", "kind", "need"),
    [
        ({"type": "image_url", "image_url": {"url": "data:image/png;base64,x"}}, "image", Need.IMAGE_INPUTS),
        ({"type": "input_audio", "input_audio": {}}, "audio", Need.AUDIO_INPUTS),
        ({"type": "file", "file": {"file_id": "f"}}, "pdf", Need.PDF_INPUTS),
        ({"type": "file", "file": {"file_data": "data:application/pdf;base64,x"}}, "pdf", Need.PDF_INPUTS),
        ({"type": "file", "file": {"file_data": "data:image/png;base64,x"}}, "image", Need.IMAGE_INPUTS),
        ({"type": "video_url", "video_url": {}}, "video", Need.VIDEO_INPUTS),
    ],
)
def test_attached_parts_are_needs(part: dict[str, Any], kind: str, need: Need) -> None:
    request = request_from_chat(user({"type": "text", "text": "look"}, part))
    assert (request.texts, request.media, request.needs) == (("look",), (kind,), need)


def test_a_tool_loop_is_seen() -> None:
    chat = [
        {"role": "user", "content": "q"},
        {"role": "assistant", "tool_calls": [{"id": "a", "function": {"name": "f", "arguments": "{}"}}]},
        {"role": "tool", "tool_call_id": "a", "content": "r"},
    ]
    request = request_from_chat(chat, tools=[TOOL])
    assert (request.in_tool_loop, request.follows, request.texts) == (True, ("a",), ("q", "f {}", "r"))
    assert request.tool_names == ("look_up",)
    assert '"look_up"' in request.tools
    assert request_from_chat([*chat, {"role": "user", "content": "more"}]).in_tool_loop is False


def test_max_completion_tokens_counts_too() -> None:
    request = request_from_chat("x", max_completion_tokens=9)
    assert request.max_tokens == request.payload["max_completion_tokens"] == 9


def test_routing_terms_are_taken_out_and_laid_over_those_in_force() -> None:
    with routing(tenant="acme", task="a"):
        request = request_from_chat("x", task="b", tags=["t"], user="u")
    assert (request.routing.tenant, request.routing.task, request.routing.tags) == ("acme", "b", ("t",))
    assert request.payload.keys() == {"messages", "user"}


@pytest.mark.parametrize("messages", [[], [{}], ["hi"], [{"content": "x"}], None, 3])
def test_messages_that_are_none_are_refused(messages: Any) -> None:
    with pytest.raises(ConfigError, match="messages"):
        request_from_chat(messages)


@pytest.mark.parametrize("tools", [5, [5], "search", {"type": "function"}])
def test_tools_that_are_none_are_refused(tools: Any) -> None:
    with pytest.raises(ConfigError, match="tools must be a list of mappings"):
        request_from_chat("x", tools=tools)


def test_tools_of_an_iterator_are_read_once() -> None:
    request = request_from_chat("x", tools=(tool for tool in [{"type": "function", "function": {"name": "f"}}]))  # type: ignore[arg-type]  # as a caller may write it
    assert (request.tool_names, len(request.payload["tools"])) == (("f",), 1)


class Launch:
    timeouts = ClientTimeouts(total=3)

    class candidate:  # noqa: N801 - stands for an instance
        id = "a"


def test_calls_start_on_the_launched_candidate() -> None:
    fault = Fault("overloaded")
    client = OpenAICompatible(EndpointSpec("http://127.0.0.1:1/v1", "m"))
    calls = ChatCompletionsEndpoint(request_from_chat("x"), {"a": client}, lambda error: fault)
    assert calls.start(Launch())._patience.clocks.total == 3
    assert calls.fault(EndpointStatusError("no")) is fault
    assert calls.fault(KeyboardInterrupt()) is None
    assert calls.fault(TypeError()) is None


def test_calls_need_a_body_and_an_endpoint() -> None:
    with pytest.raises(ConfigError, match="request_from_chat"):
        ChatCompletionsEndpoint(Request(texts=("x",)), {}, lambda error: Fault("unknown"))
    with pytest.raises(ConfigError, match="'a' has no endpoint"):
        ChatCompletionsEndpoint(request_from_chat("x"), {}, lambda error: Fault("unknown")).start(Launch())


def test_the_size_of_an_image_is_read_from_its_data_url() -> None:
    head = b"\x89PNG\r\n\x1a\n" + (13).to_bytes(4) + b"IHDR" + (800).to_bytes(4) + (600).to_bytes(4)
    url = f"data:image/png;base64,{base64.b64encode(head + bytes(9)).decode()}"
    block = {"type": "image_url", "image_url": {"url": url, "detail": "high"}}
    request = request_from_chat([{"role": "user", "content": [{"type": "text", "text": "look"}, block]}])
    assert request.attached == (AttachedPart("image", 800, 600, detail="high"),)
