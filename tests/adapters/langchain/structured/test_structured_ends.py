"""Structured answers that OpenAI's SDK itself rejects: filtered, cut at their length limit, or no JSON."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import openai
import pytest
from langchain_openai import ChatOpenAI
from openai_server import USAGE, Server
from pydantic import BaseModel

from capability_router.testing import assert_books_balanced
from langchain_router import AllCandidatesFailed, ChatRouter, StreamInterrupted

ENDS = [
    ("filtered-x", openai.ContentFilterFinishReasonError, "content_filtered"),
    ("long-x", openai.LengthFinishReasonError, "length"),
]


class Joke(BaseModel):
    """A joke."""

    setup: str


def gpt(server: Server, name: str) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=server.url, api_key="k", use_responses_api=False)


async def asked(router: ChatRouter, way: str) -> Any:
    structured = router.with_structured_output(Joke, method="json_schema")
    if way == "invoke":
        return structured.invoke("tell")
    if way == "ainvoke":
        return await structured.ainvoke("tell")
    return router.invoke("tell", response_format=Joke).additional_kwargs["parsed"]


pytestmark = pytest.mark.filterwarnings("ignore:Pydantic serializer warnings")  # of older versions of langchain-openai
WAYS = ("invoke", "ainvoke", "response_format")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize(("name", "raised", "fault"), ENDS)
async def test_without_a_better_model_the_caller_gets_what_the_sdk_raised(
    server: Server, name: str, raised: type[Exception], fault: str, way: str
) -> None:
    router = ChatRouter(models=[gpt(server, name)], policy="single")
    with pytest.raises(raised):
        await asked(router, way)
    assert [call.fault for call in router.router.ledger.calls()] == [fault]
    assert router.router.health()[0]["success_share"] == 1.0
    assert_books_balanced(router.router)


@pytest.mark.parametrize("way", WAYS)
async def test_a_filtered_one_is_returned_unless_a_fallback_is_asked_for(server: Server, way: str) -> None:
    models = [gpt(server, "filtered-x"), gpt(server, "ok-y")]
    before = server.calls("ok-y")
    with pytest.raises(openai.ContentFilterFinishReasonError):
        await asked(ChatRouter(models=models, policy="single"), way)
    assert server.calls("ok-y") == before
    moved = ChatRouter(models=models, policy="single", on_content_filter="fallback")
    assert await asked(moved, way) == Joke(setup="test")


@pytest.mark.parametrize("way", WAYS)
async def test_one_that_was_too_long_is_followed_by_the_next_model(server: Server, way: str) -> None:
    router = ChatRouter(models=[gpt(server, "long-x"), gpt(server, "ok-y")], policy="single")
    assert await asked(router, way) == Joke(setup="test")
    assert [call.fault for call in router.router.ledger.calls()] == ["length", None]


def test_one_that_was_too_long_is_what_is_left_when_the_others_fail(server: Server) -> None:
    router = ChatRouter(models=[gpt(server, "long-x"), gpt(server, "fail-y")], policy="single")
    with pytest.raises(openai.LengthFinishReasonError):
        router.with_structured_output(Joke, method="json_schema").invoke("tell")


def test_its_tokens_are_booked_as_the_sdk_tells_them(server: Server) -> None:
    router = ChatRouter(models=[gpt(server, "long-x")], policy="single")
    with pytest.raises(openai.LengthFinishReasonError):
        router.with_structured_output(Joke, method="json_schema").invoke("tell")
    (call,) = router.router.ledger.calls()
    assert (call.usage.input_tokens, call.usage.output_tokens) == (USAGE["prompt_tokens"], USAGE["completion_tokens"])
    assert not call.usage.estimated


@pytest.mark.parametrize("way", ["stream", "astream"])
async def test_the_tokens_of_a_stream_that_was_too_long_are_estimated_and_count_in_a_budget(
    server: Server, way: str
) -> None:
    budgets = [{"scope": "global", "limit_usd": 1}]
    card = {"price": {"input_mtok": 1_000, "output_mtok": 1_000}, "max_output_tokens": 100}
    priced = (gpt(server, "long-x"), card)
    router = ChatRouter(models=[priced], policy="single", budgets=budgets)
    with pytest.raises((openai.LengthFinishReasonError, StreamInterrupted)):
        await _streamed(router, way)
    (call,) = router.router.ledger.calls()
    assert call.usage.input_tokens > 0
    assert call.usage.output_tokens > 0
    assert call.usage.estimated
    (row,) = router.router.budgets.rows()
    assert row["spent_usd"] == pytest.approx(1e-3 * (call.usage.input_tokens + call.usage.output_tokens))


def test_an_error_answer_that_tells_of_a_filter_is_told_with_what_to_change() -> None:
    from fakes import Scripted

    class Filtered(Exception):
        status_code = 400
        code = "content_filter"

    router = ChatRouter(models=[Scripted(name_="x", script=[Filtered()]), Scripted(name_="y")], policy="single")
    with pytest.raises(AllCandidatesFailed, match='on_content_filter is "return"'):
        router.invoke("tell")


async def _streamed(router: ChatRouter, way: str, **kwargs: Any) -> Any:
    """What the default method gives for a class, over which the SDK parses: streamed, or whole."""
    structured = router.with_structured_output(Joke, **kwargs)
    if way == "stream":
        return [*structured.stream("tell")][-1]
    if way == "astream":
        return [chunk async for chunk in structured.astream("tell")][-1]
    return structured.invoke("tell") if way == "invoke" else await structured.ainvoke("tell")


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_one_that_is_no_json_counts_against_quality_and_is_followed_by_the_next_model(
    server: Server, way: str
) -> None:
    router = ChatRouter(models=[gpt(server, "bad-x"), gpt(server, "ok-y")], policy="single")
    before = server.calls("bad-x")
    assert await _streamed(router, way) == Joke(setup="test")
    assert server.calls("bad-x") == before + 1
    assert [call.fault for call in router.router.ledger.calls()] == ["unparsable", None]
    assert [model["success_share"] for model in router.router.health()] == [1.0, 1.0]


@pytest.mark.parametrize("raw", [False, True])
@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream", "astream"])
async def test_one_that_is_no_json_reaches_the_caller_as_without_a_router(server: Server, way: str, raw: bool) -> None:
    router = ChatRouter(models=[gpt(server, "bad-x"), gpt(server, "fail-y")], policy="single")
    with pytest.raises(ValueError, match="expected ident") as told:  # the whole answer's is pydantic's
        await _streamed(router, way, include_raw=raw)
    assert not isinstance(told.value, AllCandidatesFailed)
    assert next(call.fault for call in router.router.ledger.calls()) == "unparsable"
    assert_books_balanced(router.router)


STRICT = {"type": "function", "function": {"name": "f", "parameters": Joke.model_json_schema(), "strict": True}}


def test_strict_arguments_that_are_no_json_are_a_malformed_call_and_no_failure_of_the_provider(server: Server) -> None:
    router = ChatRouter(models=[gpt(server, "bad-x"), gpt(server, "ok-y")], policy="single")
    said = router.invoke("tell", response_format=Joke, tools=[STRICT])
    assert said.tool_calls[0]["args"] == {"setup": "test"}
    with pytest.raises(StreamInterrupted):
        list(router.stream("tell", response_format=Joke, tools=[STRICT]))
    faults = [call.fault for call in router.router.ledger.calls()]
    assert faults == ["malformed_tool_call", None, "malformed_tool_call"]
    assert [model["success_share"] for model in router.router.health()] == [1.0, 1.0]


class Bare(Server):
    """Of `bare-` models it sends, with a 200, JSON in which nothing of a reply is."""

    def answer(self, http: Any, body: dict[str, Any]) -> None:
        if not body["model"].startswith("bare-"):
            return super().answer(http, body)
        told = b'{"id": "x", "choices": null}'
        data, kind = (told, "application/json") if not body.get("stream") else (b"data: " + told, "text/event-stream")
        http.send_response(200)
        http.send_header("Content-Type", kind)
        http.send_header("Content-Length", str(len(data) + 2))
        http.end_headers()
        http.wfile.write(data + b"\n\n")
        return None


@pytest.fixture
def bare() -> Iterator[Bare]:
    made = Bare()
    yield made
    made.close()


@pytest.mark.parametrize(
    ("way", "fault"),
    [("invoke", "server_error"), ("ainvoke", "server_error"), ("stream", "truncated"), ("astream", "truncated")],
)
async def test_a_server_that_sends_no_reply_has_failed_and_lacks_no_capability(
    bare: Bare, way: str, fault: str
) -> None:
    router = ChatRouter(models=[gpt(bare, "bare-x"), gpt(bare, "ok-y")], policy="single")
    assert await _streamed(router, way) == Joke(setup="test")
    assert [call.fault for call in router.router.ledger.calls()] == [fault, None]
    assert [model["success_share"] for model in router.router.health()] == [0.0, 1.0]
