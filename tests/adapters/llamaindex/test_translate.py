"""What the core is told of a call, and what it reads from answers in the providers' many shapes."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import pytest
from anthropic.types import InputJSONDelta, RawContentBlockDeltaEvent
from llama_index.core.base.llms.types import (
    AudioBlock,
    CacheControl,
    CachePoint,
    ChatMessage,
    ChatResponse,
    CitableBlock,
    CompletionResponse,
    DocumentBlock,
    ImageBlock,
    TextBlock,
    ThinkingBlock,
    ToolCallBlock,
    VideoBlock,
)
from llama_index.core.tools import FunctionTool

from capability_router.request import Finish, Need
from capability_router.routing import Routing
from llamaindex_router import call as calls
from llamaindex_router.attempts.transcript import Transcript
from llamaindex_router.messages.usage import counts_of, finish_of, usage_of
from llamaindex_router.translate import request_of

IMAGE = ImageBlock(url="http://127.0.0.1/x.png")
TOOL = FunctionTool.from_defaults(lambda a: a, name="lookup", description="looks up")


def asked(*blocks: Any, **kwargs: Any) -> Any:
    return request_of(calls.chat([ChatMessage(blocks=list(blocks))], kwargs), Routing())


@pytest.mark.parametrize(
    ("block", "media", "need"),
    [
        (IMAGE, "image", Need.IMAGE_INPUTS),
        (AudioBlock(url="http://127.0.0.1/x.wav"), "audio", Need.AUDIO_INPUTS),
        (VideoBlock(url="http://127.0.0.1/x.mp4"), "video", Need.VIDEO_INPUTS),
        (DocumentBlock(url="http://127.0.0.1/x.pdf", document_mimetype="application/pdf"), "pdf", Need.PDF_INPUTS),
        (CitableBlock(title="t", source="s", content=[IMAGE]), "image", Need.IMAGE_INPUTS),
    ],
)
def test_media_are_found_wherever_they_are(block: Any, media: str, need: Need) -> None:
    request = asked(TextBlock(text="look"), block)
    assert (request.media, request.needs) == ((media,), need)


def test_media_in_tool_results_count_too() -> None:
    result = ChatMessage(role="tool", blocks=[IMAGE], additional_kwargs={"tool_call_id": "c1"})
    request = request_of(calls.chat([ChatMessage(content="look"), result], {}), Routing())
    assert request.media == ("image",)
    assert (request.in_tool_loop, request.follows) == (True, ("c1",))


def test_text_documents_are_no_pdf() -> None:
    assert asked(DocumentBlock(data=b"eA==", document_mimetype="text/plain")).needs == Need.NONE


def test_all_that_is_read_is_counted() -> None:
    request = asked(
        TextBlock(text="one"),
        ThinkingBlock(content="two"),
        ToolCallBlock(tool_call_id="1", tool_name="three", tool_kwargs={"a": "four"}),
        CitableBlock(title="t", source="s", content=[TextBlock(text="five")]),
        CachePoint(cache_control=CacheControl(type="ephemeral")),
    )
    assert all(word in request.texts[0] for word in ("one", "two", "three", "four", "five"))


@pytest.mark.parametrize(
    ("keywords", "needs"),
    [
        ({}, Need.NONE),
        ({"response_format": {"type": "json_object"}}, Need.JSON_MODE),
        ({"response_format": {"type": "text"}}, Need.NONE),
        ({"response_format": {"type": "json_schema", "json_schema": {}}}, Need.STRUCTURED_OUTPUT),
        ({"tools": [{"type": "function"}]}, Need.TOOL_CALLING),
        ({"tools": [{"type": "function"}], "tool_choice": "required"}, Need.TOOL_CALLING | Need.TOOL_CHOICE),
        ({"reasoning_effort": "high"}, Need.REASONING_OUTPUT),
        ({"reasoning_effort": "none"}, Need.NONE),
    ],
)
def test_needs_from_keywords(keywords: dict[str, Any], needs: Need) -> None:
    assert asked(TextBlock(text="x"), **keywords).needs == needs


def test_tools_are_counted_and_named() -> None:
    call = calls.with_tools([TOOL], "go", None, {"tool_required": True}, stream=True)
    request = request_of(call, Routing())
    assert request.needs == Need.TOOL_CALLING | Need.TOOL_CHOICE | Need.STREAMING
    assert (request.tool_names, request.stream, request.texts) == (("lookup",), True, ("go",))
    assert "looks up" in request.tools


def test_what_the_caller_says_is_passed_on_and_nothing_else() -> None:
    assert dict(calls.with_tools([TOOL], None, None, {"strict": False, "tool_choice": None}).kwargs) == {
        "strict": False,
        "tool_choice": None,
    }


@pytest.mark.parametrize("name", ["max_tokens", "max_completion_tokens", "max_output_tokens", "num_predict"])
def test_the_answers_limit(name: str) -> None:
    call = calls.chat([ChatMessage(content="x")], {name: 7})
    assert request_of(call, Routing(), 99).max_tokens == 7
    assert request_of(calls.chat([], {}), Routing(), 99).max_tokens == 99


def test_arguments_are_fresh_for_every_attempt() -> None:
    message = ChatMessage(content="x", additional_kwargs={"k": 1})
    given = {"stop": ["a"], "nested": {"deep": [1]}}
    call = calls.chat([message], given)
    (messages,), kwargs = call.arguments()
    messages[0].additional_kwargs["k"] = 2
    messages[0].blocks.append(TextBlock(text="y"))
    messages.append(message)
    kwargs["nested"]["deep"].append(2)
    del kwargs["stop"]
    assert (message.content, message.additional_kwargs) == ("x", {"k": 1})
    assert given == {"stop": ["a"], "nested": {"deep": [1]}}
    assert len(call.arguments()[0][0]) == 1


OPENAI = {"prompt_tokens": 100, "completion_tokens": 20, "prompt_tokens_details": {"cached_tokens": 40},
          "completion_tokens_details": {"reasoning_tokens": 5}}  # fmt: skip
ANTHROPIC = {"input_tokens": 60, "output_tokens": 20, "cache_read_input_tokens": 30, "cache_creation_input_tokens": 10}
GOOGLE = {"prompt_token_count": 100, "candidates_token_count": 15, "thoughts_token_count": 5,
          "cached_content_token_count": 40}  # fmt: skip
BEDROCK = {"inputTokens": 60, "outputTokens": 20, "cacheReadInputTokens": 40}


@pytest.mark.parametrize(
    ("raw", "kwargs", "cached"),
    [
        ({"usage": OPENAI}, {}, 40),
        (SimpleNamespace(usage=SimpleNamespace(**OPENAI)), {}, 40),
        ({"usage": ANTHROPIC}, {}, 30),
        ({"type": "message_delta"}, {"usage": ANTHROPIC}, 30),
        ({"usage_metadata": GOOGLE}, {}, 40),
        ({"usage": BEDROCK}, {}, 40),
        (None, {"prompt_tokens": 100, "completion_tokens": 20, "total_tokens": 120}, 0),
        ({"prompt_eval_count": 100, "eval_count": 20, "done_reason": "stop"}, {}, 0),
        ({"usage": None}, {"prompt_tokens": 100, "completion_tokens": 20}, 0),
    ],
)
def test_tokens_in_every_shape(raw: Any, kwargs: dict[str, Any], cached: int) -> None:
    usage = usage_of(counts_of(raw, kwargs))
    assert usage is not None
    assert (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens) == (100, 20, cached)


@pytest.mark.parametrize("raw", [None, {}, "text", [1], object(), {"usage": None}, {"usage": "n/a"}])
def test_no_tokens_is_no_error(raw: Any) -> None:
    assert usage_of(counts_of(raw, {})) is None
    assert finish_of(raw, {}) is None


@pytest.mark.parametrize(
    ("raw", "finish"),
    [
        ({"choices": [{"finish_reason": "length"}]}, Finish.LENGTH),
        (SimpleNamespace(choices=[SimpleNamespace(finish_reason="tool_calls")]), Finish.TOOL_CALLS),
        ({"stop_reason": "end_turn"}, Finish.STOP),
        ({"delta": SimpleNamespace(stop_reason="refusal")}, Finish.REFUSAL),
        ({"done_reason": "stop"}, Finish.STOP),
        ({"candidates": [{"finish_reason": "SAFETY"}]}, Finish.CONTENT_FILTER),
        ({"candidates": [SimpleNamespace(finish_reason=SimpleNamespace(name="MAX_TOKENS"))]}, Finish.LENGTH),
        ({"stopReason": "guardrail_intervened"}, Finish.CONTENT_FILTER),
        ({"choices": [{"finish_reason": "whatever"}]}, Finish.OTHER),
        ({"choices": [{"finish_reason": None}]}, None),
    ],
)
def test_terminal_reasons_in_every_shape(raw: Any, finish: Finish | None) -> None:
    assert finish_of(raw, {}) is finish


def chunk(delta: str | None, text: str, **extra: Any) -> ChatResponse:
    return ChatResponse(message=ChatMessage(role="assistant", content=text), delta=delta, **extra)


def test_a_stream_commits_at_its_first_content() -> None:
    seen = Transcript()
    assert [seen.take(chunk("", "")), seen.take(chunk(None, "")), seen.take(chunk("a", "a"))] == [False, False, True]


def test_thinking_and_tool_calls_commit() -> None:
    thinking = ChatResponse(message=ChatMessage(blocks=[ThinkingBlock(content="hm")]), delta="")
    call = ChatResponse(message=ChatMessage(blocks=[ToolCallBlock(tool_name="f")]), delta="")
    assert Transcript().take(thinking)
    assert Transcript().take(call)
    assert not Transcript().take(ChatResponse(message=ChatMessage(blocks=[ThinkingBlock()]), delta=""))


def test_the_last_counts_win_and_earlier_ones_fill_them() -> None:
    seen = Transcript()
    seen.take(chunk("a", "a", raw={"usage": {"input_tokens": 9, "output_tokens": 1}}))
    seen.take(chunk("b", "ab", raw={"usage": {"output_tokens": 7}}))
    seen.take(chunk("", "ab", raw={"stop_reason": "end_turn"}))
    reply = seen.reply()
    assert reply.usage is not None
    assert (reply.usage.input_tokens, reply.usage.output_tokens) == (9, 7)
    assert (reply.text, reply.finish) == ("ab", Finish.STOP)


def test_increments_alone_make_the_text() -> None:
    seen = Transcript()
    for part in ("a", "b", "c"):
        seen.take(CompletionResponse(text="", delta=part))
    assert seen.reply().text == "abc"


@pytest.mark.parametrize(
    ("choices", "hollow"),
    [
        ([{"delta": {"role": "assistant"}, "finish_reason": None}], True),
        ([], True),
        ([SimpleNamespace(delta=SimpleNamespace(content=None), finish_reason=None)], True),
        ([{"message": {"content": None, "reasoning_content": "hm"}}], False),
        ([SimpleNamespace(message=SimpleNamespace(content=None))], False),
    ],
)
def test_only_chunks_without_content_and_reason_are_a_stream_cut_short(choices: list[Any], hollow: bool) -> None:
    seen = Transcript()
    seen.take(chunk("", "", raw={"choices": choices}))
    assert seen.reply().hollow is hollow


def test_malformed_arguments_are_counted() -> None:
    seen = Transcript()
    blocks = [ToolCallBlock(tool_call_id=str(i), tool_name="f", tool_kwargs=text) for i, text in enumerate(["{}", "{"])]
    seen.take(ChatResponse(message=ChatMessage(role="assistant", blocks=blocks)))
    assert seen.reply().malformed_tool_calls == 0  # it may still be coming
    seen.take(ChatResponse(message=ChatMessage(role="assistant", blocks=blocks), raw={"stop_reason": "tool_use"}))
    reply = seen.reply()
    assert (reply.tool_calls, reply.malformed_tool_calls, reply.tool_call_ids) == (0, 1, ("0", "1"))


def test_how_many_answers_a_call_asks_for_and_a_model_by_itself() -> None:
    from llama_index.llms.openai import OpenAI

    from llamaindex_router.fleet.description import describe

    assert asked().answers is None
    assert asked(n=3).answers == 3
    assert asked(llm_kwargs={"n": 2}).answers == 2
    assert asked(llm_kwargs={"max_tokens": 7}).max_tokens == 7
    told = describe(OpenAI(model="gpt-4o-mini", api_key="k", additional_kwargs={"n": 4}))
    assert told is not None
    assert told.fields["answers"] == 4


@pytest.mark.parametrize(("written", "broken"), [('{"a": 2, "b"', 1), ('{"a": 2', 1), ('{"a": 2}', 0), ("", 0)])
def test_a_call_that_anthropics_integration_repaired_is_judged_by_its_pieces(written: str, broken: int) -> None:
    """It hands on each event's parts as a dict, beside a block of what it made of them."""
    block = ToolCallBlock(tool_name="lookup", tool_call_id="t1", tool_kwargs={"a": 2})
    seen = Transcript()
    for i in range(0, len(written), 3):
        delta = InputJSONDelta(type="input_json_delta", partial_json=written[i : i + 3])
        event = RawContentBlockDeltaEvent(type="content_block_delta", index=0, delta=delta)
        seen.take(ChatResponse(message=ChatMessage(blocks=[block]), delta="", raw=dict(event)))
    kwargs = {"stop_reason": "max_tokens"}
    seen.take(ChatResponse(message=ChatMessage(blocks=[block], additional_kwargs=kwargs), delta="", raw={}))
    reply = seen.reply()
    assert (reply.malformed_tool_calls, reply.tool_calls, reply.finish) == (broken, 1 - broken, Finish.LENGTH)
