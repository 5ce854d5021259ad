"""What is read from messages, keywords and replies."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from langchain_core.messages import AIMessage, AIMessageChunk, HumanMessage, SystemMessage, ToolMessage
from langchain_core.prompt_values import ChatPromptValue
from pydantic import BaseModel

from capability_router import ModelCard
from capability_router.request import Finish, Need
from capability_router.routing import Routing
from langchain_router.bindings import StructuredBinding, ToolBinding
from langchain_router.messages.replies import ReplyReader, carries_content, finish_of
from langchain_router.translate import ChatCall, media_kind, to_request

B64 = "aGk="


class Joke(BaseModel):
    setup: str


def request(messages: list[Any], mode: Any = "invoke", cards: tuple[ModelCard, ...] = (), **options: Any) -> Any:
    bound = options.pop("bound", None)
    call = ChatCall(ChatPromptValue(messages=messages), messages, mode, options, bound)
    return to_request(call, Routing(), cards or (ModelCard(id="m"),))


BLOCKS = [
    ({"type": "image", "url": "https://x/y.png"}, "image"),
    ({"type": "image", "base64": B64, "mime_type": "image/png"}, "image"),
    ({"type": "image", "source_type": "base64", "data": B64, "mime_type": "image/png"}, "image"),
    ({"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": B64}}, "image"),
    ({"type": "image_url", "image_url": {"url": f"data:image/png;base64,{B64}"}}, "image"),
    ({"type": "image_url", "image_url": "https://x/y.png"}, "image"),
    ({"type": "image_url", "image_url": {"url": f"data:application/pdf;base64,{B64}"}}, "pdf"),
    ({"type": "input_image", "image_url": "https://x/y.png"}, "image"),
    ({"image": {"format": "png", "source": {"bytes": b"x"}}}, "image"),
    ({"type": "file", "base64": B64, "mime_type": "application/pdf"}, "pdf"),
    ({"type": "file", "source_type": "base64", "data": B64, "mime_type": "application/pdf"}, "pdf"),
    ({"type": "file", "file": {"file_data": f"data:application/pdf;base64,{B64}", "filename": "a.pdf"}}, "pdf"),
    ({"type": "file", "file_id": "file-1"}, "pdf"),
    ({"type": "input_file", "file_data": f"data:application/pdf;base64,{B64}"}, "pdf"),
    ({"type": "document", "source": {"type": "base64", "media_type": "application/pdf", "data": B64}}, "pdf"),
    ({"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": "hi"}}, ""),
    ({"type": "document", "source": {"type": "text", "data": "hi"}}, ""),
    ({"type": "audio", "base64": B64, "mime_type": "audio/wav"}, "audio"),
    ({"type": "input_audio", "input_audio": {"data": B64, "format": "wav"}}, "audio"),
    ({"type": "media", "mime_type": "video/mp4", "data": B64}, "video"),
    ({"type": "media", "mime_type": "audio/mp3", "file_uri": "gs://x"}, "audio"),
    ({"type": "video", "url": "https://x/y.mp4"}, "video"),
    ({"type": "video_url", "video_url": {"url": "https://x/y.mp4"}}, "video"),
    ({"type": "file", "base64": B64, "mime_type": "audio/mpeg"}, "audio"),
    ({"type": "text", "text": "hi"}, ""),
    ({"type": "text-plain", "text": "hi", "mime_type": "text/plain"}, ""),
    ({"type": "tool_use", "id": "1", "name": "n", "input": {}}, ""),
    ({"type": "reasoning", "reasoning": "hm"}, ""),
]


@pytest.mark.parametrize(("block", "kind"), BLOCKS, ids=lambda v: v if isinstance(v, str) else None)
def test_every_form_of_attachment_is_told(block: dict[str, Any], kind: str) -> None:
    assert media_kind(block) == kind
    made = request([HumanMessage(content=[{"type": "text", "text": "look"}, block])])
    assert made.media == ((kind,) if kind else ())
    need = {"image": Need.IMAGE_INPUTS, "pdf": Need.PDF_INPUTS, "audio": Need.AUDIO_INPUTS, "video": Need.VIDEO_INPUTS}
    assert made.needs == need.get(kind, Need.NONE)


def test_attachments_inside_tool_results_count() -> None:
    image = {"type": "image_url", "image_url": {"url": "https://x"}}
    assert request([ToolMessage(content=[image], tool_call_id="1")]).media == ("image",)
    nested = {"type": "tool_result", "tool_use_id": "1", "content": [image, {"type": "text", "text": "seen"}]}
    made = request([HumanMessage(content=[nested])])
    assert made.media == ("image",)
    assert made.texts == ("seen",)


def test_texts_turns_and_tool_loops() -> None:
    call = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
    messages = [
        SystemMessage("s"), HumanMessage("one"), AIMessage("two"),
        HumanMessage(["three", {"type": "text", "text": "four"}]), AIMessage(content="", tool_calls=[call]),
        ToolMessage("5", tool_call_id="c1"), ToolMessage("6", tool_call_id="c2"),
    ]  # fmt: skip
    made = request(messages)
    assert made.texts == ("s", "one", "two", "three four", "", "add {'a': 1}", "5", "6")
    assert made.turns == 2
    assert made.in_tool_loop
    assert made.follows == ("c1", "c2")
    assert not request(messages[:3]).in_tool_loop


NEEDS = [
    ({}, Need.NONE),
    ({"tools": [{"type": "function", "function": {"name": "f"}}]}, Need.TOOL_CALLING),
    ({"tools": [{"name": "f"}], "tool_choice": "auto"}, Need.TOOL_CALLING),
    ({"tools": [{"name": "f"}], "tool_choice": "any"}, Need.TOOL_CALLING | Need.TOOL_CHOICE),
    ({"response_format": {"type": "json_object"}}, Need.JSON_MODE),
    ({"response_format": {"type": "json_schema", "json_schema": {}}}, Need.STRUCTURED_OUTPUT),
    ({"response_format": {"type": "text"}}, Need.NONE),
    ({"response_format": Joke}, Need.STRUCTURED_OUTPUT),
    ({"reasoning_effort": "high"}, Need.REASONING_OUTPUT),
    ({"reasoning_effort": "none"}, Need.NONE),
    ({"reasoning": {"effort": "low"}}, Need.REASONING_OUTPUT),
    ({"thinking": {"type": "enabled", "budget_tokens": 1024}}, Need.REASONING_OUTPUT),
    ({"thinking": {"type": "disabled"}}, Need.NONE),
    ({"thinking_budget": 0}, Need.NONE),
    ({"bound": ToolBinding((Joke,))}, Need.TOOL_CALLING),
    ({"bound": ToolBinding((Joke,), {"tool_choice": "any"})}, Need.TOOL_CALLING | Need.TOOL_CHOICE),
    ({"bound": ToolBinding((), {"response_format": Joke})}, Need.STRUCTURED_OUTPUT),
    ({"bound": StructuredBinding(Joke)}, Need.STRUCTURED_OUTPUT),
    ({"bound": StructuredBinding(Joke, {"method": "json_mode"})}, Need.JSON_MODE),
    ({"bound": StructuredBinding(Joke, {"method": "function_calling"})}, Need.TOOL_CALLING),
]


@pytest.mark.parametrize(("options", "needs"), NEEDS)
def test_needs_follow_from_what_is_bound_and_sent(options: dict[str, Any], needs: Need) -> None:
    assert request([HumanMessage("hi")], **options).needs == needs
    assert request([HumanMessage("hi")], "stream", **options).needs == needs | Need.STREAMING


def test_a_schema_falls_back_to_tools_where_no_model_has_schemas() -> None:
    cards = (ModelCard(id="m", tool_calling=True, structured_output=False),)
    assert request([HumanMessage("hi")], cards=cards, bound=StructuredBinding(Joke)).needs == Need.TOOL_CALLING


def test_tools_are_counted_as_input() -> None:
    made = request([HumanMessage("hi")], bound=ToolBinding((Joke, {"type": "web_search"})))
    assert made.tool_names == ("Joke", "web_search")
    assert "setup" in made.tools


def test_max_tokens_by_any_name() -> None:
    for name in ("max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"):
        assert request([HumanMessage("hi")], **{name: 7}).max_tokens == 7


JSON = st.recursive(
    st.text() | st.none() | st.integers(), lambda c: st.lists(c) | st.dictionaries(st.text(), c), max_leaves=8
)


@given(JSON)
def test_any_block_is_read_without_an_error(value: Any) -> None:
    block = {"type": "image", "source": value, "content": value if isinstance(value, list) else []}
    request([HumanMessage(content=[block])])


# -- replies

FINISHES = [
    ({"finish_reason": "stop"}, Finish.STOP), ({"stop_reason": "end_turn"}, Finish.STOP),
    ({"stop_reason": "tool_use"}, Finish.TOOL_CALLS), ({"stop_reason": "max_tokens"}, Finish.LENGTH),
    ({"finish_reason": "STOP"}, Finish.STOP), ({"finish_reason": "MAX_TOKENS"}, Finish.LENGTH),
    ({"finish_reason": "SAFETY"}, Finish.CONTENT_FILTER), ({"done_reason": "stop"}, Finish.STOP),
    ({"stop_reason": "refusal"}, Finish.REFUSAL), ({"finish_reason": "new_word"}, Finish.OTHER),
    ({"status": "completed"}, Finish.STOP), ({}, None), ({"finish_reason": None}, None),
    ({"status": "incomplete", "incomplete_details": {"reason": "max_output_tokens"}}, Finish.LENGTH),
]  # fmt: skip


@pytest.mark.parametrize(("metadata", "finish"), FINISHES)
def test_terminal_reasons_by_any_providers_words(metadata: dict[str, Any], finish: Finish | None) -> None:
    assert finish_of(metadata) is finish


def test_a_whole_message() -> None:
    reader = ReplyReader()
    usage = {
        "input_tokens": 100, "output_tokens": 20, "total_tokens": 120,
        "input_token_details": {"cache_read": 60, "cache_creation": 5, "audio": 1},
        "output_token_details": {"reasoning": 7, "audio": 2},
    }  # fmt: skip
    metadata = {"finish_reason": "stop", "model_name": "m", "token_usage": {"cost": 0.5}, "headers": {"X-A": "1"}}
    assert reader.see(AIMessage(content="hi", usage_metadata=usage, response_metadata=metadata))
    reply = reader.reply()
    assert (reply.usage.input_tokens, reply.usage.output_tokens, reply.usage.cache_read_tokens) == (100, 20, 60)
    assert (reply.usage.cache_creation_tokens, reply.usage.reasoning_tokens) == (5, 7)
    assert (reply.usage.input_audio_tokens, reply.usage.output_audio_tokens) == (1, 2)
    assert reply.finish is Finish.STOP
    assert reply.text == "hi"
    assert reply.model == "m"
    assert reply.cost_usd == 0.5
    assert reply.headers == {"x-a": "1"}
    assert not reply.cached


class Unread(dict[str, Any]):
    """A `response_metadata` in which nobody may look anything up."""

    def get(self, *_: Any) -> Any:
        raise AssertionError("looked up")


def test_of_a_chunk_that_tells_its_provider_alone_nothing_is_looked_up() -> None:
    reader = ReplyReader()
    chunk = AIMessageChunk(content="hi")
    chunk.response_metadata = Unread(model_provider="openai")
    assert reader.see(chunk)
    assert reader.reply().text == "hi"
    ending = {"model_provider": "openai", "finish_reason": "stop"}
    reader.see(AIMessageChunk(content="", response_metadata=ending))
    assert reader.reply().finish is Finish.STOP


def test_chunks_add_up() -> None:
    reader = ReplyReader()
    piece = {"name": "f", "args": '{"a"', "id": "c1", "index": 0, "type": "tool_call_chunk"}
    rest = {"name": None, "args": ": 1}", "id": None, "index": 0, "type": "tool_call_chunk"}
    assert not reader.see(AIMessageChunk(content=""))
    assert reader.see(AIMessageChunk(content="", tool_call_chunks=[piece]))
    assert reader.reply().malformed_tool_calls == 0  # not ended, so not judged
    reader.see(AIMessageChunk(content="", tool_call_chunks=[rest]))
    usage = {"input_tokens": 4, "output_tokens": 0, "total_tokens": 4}
    reader.see(AIMessageChunk(content="", usage_metadata=usage, response_metadata={"finish_reason": "tool_calls"}))
    reader.see(AIMessageChunk(content="", usage_metadata={"input_tokens": 0, "output_tokens": 6, "total_tokens": 6}))
    reply = reader.reply()
    assert (reply.tool_calls, reply.malformed_tool_calls, reply.tool_call_ids) == (1, 0, ("c1",))
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (4, 6)


def test_malformed_tool_calls_are_told() -> None:
    reader = ReplyReader()
    broken = {"name": "f", "args": "{", "id": "c1", "error": "e", "type": "invalid_tool_call"}
    reader.see(AIMessage(content="", invalid_tool_calls=[broken]))
    assert reader.reply().malformed_tool_calls == 1
    assert reader.reply().tool_calls == 0
    reader = ReplyReader()
    piece = {"name": "f", "args": "{", "id": "c1", "index": 0, "type": "tool_call_chunk"}
    reader.see(AIMessageChunk(content="", tool_call_chunks=[piece], response_metadata={"finish_reason": "tool_calls"}))
    assert reader.reply().malformed_tool_calls == 1


def test_a_cache_hit_is_free() -> None:
    reader = ReplyReader()
    usage: Any = {"input_tokens": 1, "output_tokens": 1, "total_tokens": 2, "total_cost": 0}
    reader.see(AIMessage(content="x").model_copy(update={"usage_metadata": usage}))
    assert reader.reply().cached


CARRYING = [
    (AIMessageChunk(content=""), False), (AIMessageChunk(content="x"), True), (AIMessageChunk(content=[]), False),
    (AIMessageChunk(content=[{"type": "text", "text": ""}]), False),
    (AIMessageChunk(content=[{"type": "thinking", "thinking": "hm"}]), True),
    (AIMessageChunk(content=[{"type": "reasoning", "summary": []}]), False),
    (AIMessageChunk(content="", additional_kwargs={"reasoning_content": "hm"}), True),
    (AIMessage(content=[{"type": "image", "url": "x"}]), True),
]  # fmt: skip


@pytest.mark.parametrize(("message", "carries"), CARRYING)
def test_what_counts_as_content(message: AIMessage, carries: bool) -> None:
    assert carries_content(message) is carries
