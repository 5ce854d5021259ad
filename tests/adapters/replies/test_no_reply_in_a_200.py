"""Bodies of a 200 that are no reply, ends that are faults, and refusals, over real clients."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread
from typing import Any

import pytest
from langchain_anthropic import ChatAnthropic
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM, StreamInterrupted


def _whole(finish: str = "stop", **message: Any) -> dict[str, Any]:
    choice = {"index": 0, "message": {"role": "assistant", "content": "", **message}, "finish_reason": finish}
    return {"id": "c", "object": "chat.completion", "created": 1, "model": "m", "choices": [choice]}


def _chunk(finish: str | None = None, **delta: Any) -> str:
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    told = {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return f"data: {json.dumps(told)}\n\n"


_PART = _chunk(role="assistant", content="PART")
_DONE = "data: [DONE]\n\n"
_EVENT = 'event: error\ndata: {"message": "too busy", "code": "overloaded"}\n\n'


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    answers: dict[str, Any]

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["content-length"])))
        said = self.answers[asked["model"]]
        body = (said if isinstance(said, str) else json.dumps(said)).encode()
        self.send_response(200)
        self.send_header("content-type", "text/event-stream" if isinstance(said, str) else "application/json")
        self.send_header("x-ratelimit-remaining-tokens", "7")
        self.send_header("connection", "close")  # event loops end with their test
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""


@pytest.fixture
def serve() -> Iterator[Callable[[Any], str]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()

    def started(bad: Any) -> str:
        good = _chunk(role="assistant", content="good") + _chunk("stop") + _DONE
        _Handler.answers = {"bad": bad, "good": good if isinstance(bad, str) else _whole(content="good")}
        return f"http://127.0.0.1:{server.server_address[1]}"

    yield started
    server.shutdown()
    server.server_close()


def _langchain(first: Any, url: str) -> Any:
    good = {"id": "b", "endpoint": {"base_url": url, "model": "good"}}
    return ChatRouter(models=[first, good], policy="single")


def _openai(url: str) -> Any:
    return _langchain((ChatOpenAI(model="bad", api_key="k", base_url=f"{url}/v1"), {"id": "a"}), url)


def _anthropic(url: str) -> Any:
    return _langchain((ChatAnthropic(model="bad", api_key="k", base_url=url), {"id": "a"}), url)


def _built_in(url: str) -> Any:
    return _langchain({"id": "a", "endpoint": {"base_url": url, "model": "bad"}}, url)


def _llamaindex(url: str) -> Any:
    pairs = (("a", "bad"), ("b", "good"))
    models = [(OpenAILike(model=name, api_key="k", api_base=url, is_chat_model=True), {"id": id}) for id, name in pairs]
    return RouterLLM(models=models, policy="single")


def _ask(llm: Any) -> str:
    if isinstance(llm, RouterLLM):
        return llm.chat([ChatMessage("hi")]).message.content or ""
    return str(llm.invoke("hi").content)


def _stream(llm: Any) -> str:
    if isinstance(llm, RouterLLM):
        return "".join(chunk.delta or "" for chunk in llm.stream_chat([ChatMessage("hi")]))
    return "".join(str(chunk.content) for chunk in llm.stream("hi"))


def _faults(llm: Any) -> list[str | None]:
    return [call.fault for call in llm.router.ledger.calls()]


@pytest.mark.parametrize("make", [_openai, _anthropic, _built_in, _llamaindex])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        ({"error": "overloaded"}, "overloaded"),
        ({"id": "x", "choices": None}, "server_error"),
        ({"id": "x", "choices": []}, "server_error"),
    ],
)
def test_a_body_that_is_no_reply_counts_against_its_server(
    serve: Callable[[Any], str], make: Callable[[str], Any], body: Any, kind: str
) -> None:
    llm = make(serve(body))
    assert _ask(llm) == "good"
    assert _faults(llm) == [kind, None]
    assert [row["failed"] for row in llm.router.health() if row["model"] == "a"] == [1]


@pytest.mark.parametrize("role", [None, {"a": 1}])
def test_a_message_of_an_odd_role_counts_against_its_server(serve: Callable[[Any], str], role: Any) -> None:
    llm = _openai(serve(_whole(content="PART", role=role)))
    assert _ask(llm) == "good"
    assert _faults(llm) == ["server_error", None]


@pytest.mark.parametrize("make", [_openai, _built_in, _llamaindex])
@pytest.mark.parametrize(
    ("body", "kind"),
    [
        (_whole("error", content="PART"), "server_error"),
        (_whole("abort", content="PART"), "server_error"),
        (_whole("network_error", content="PART"), "server_error"),
        (_whole("cancelled", content="PART"), "server_error"),
        (_whole("insufficient_system_resource"), "overloaded"),
        (_whole("MALFORMED_FUNCTION_CALL"), "malformed_tool_call"),
        (_whole("LANGUAGE"), "empty"),
        (_whole("length"), "empty"),
    ],
)
def test_an_end_that_is_a_fault_is_one(
    serve: Callable[[Any], str], make: Callable[[str], Any], body: Any, kind: str
) -> None:
    llm = make(serve(body))
    assert _ask(llm) == "good"
    assert _faults(llm) == [kind, None]


@pytest.mark.parametrize("make", [_openai, _llamaindex])
@pytest.mark.parametrize("end", [_chunk("error") + _DONE, _chunk("abort") + _DONE, _EVENT, _DONE])
def test_a_stream_that_breaks_off_is_no_answer(
    serve: Callable[[Any], str], make: Callable[[str], Any], end: str
) -> None:
    llm = make(serve(_PART + end))
    with pytest.raises(StreamInterrupted) as told:
        _stream(llm)
    assert told.value.partial == "PART"


@pytest.mark.parametrize(
    ("end", "kind"), [(_chunk("error"), "server_error"), (_chunk("abort"), "server_error"), (_EVENT, "overloaded")]
)
def test_text_that_came_in_one_piece_with_its_error_is_given_to_nobody(
    serve: Callable[[Any], str], end: str, kind: str
) -> None:
    llm = _built_in(serve(_PART + end + _DONE))
    assert _stream(llm) == "good"
    assert _faults(llm) == [kind, None]


def test_done_ends_the_stream_of_a_server_that_has_given_no_reason_yet(serve: Callable[[Any], str]) -> None:
    llm = _built_in(serve(_PART + _DONE))
    assert _stream(llm) == "PART"
    assert _faults(llm) == [None]


@pytest.mark.parametrize("make", [_built_in, _llamaindex])
def test_an_error_event_before_any_text_is_told_by_its_code(
    serve: Callable[[Any], str], make: Callable[[str], Any]
) -> None:
    llm = make(serve(_EVENT))
    assert _stream(llm) == "good"
    assert _faults(llm) == ["overloaded", None]


@pytest.mark.parametrize("make", [_openai, _built_in, _llamaindex])
def test_a_filters_end_of_zhipus_is_one(serve: Callable[[Any], str], make: Callable[[str], Any]) -> None:
    llm = make(serve(_whole("sensitive")))
    assert _ask(llm) == ""
    assert _faults(llm) == [None]


@pytest.mark.parametrize("make", [_openai, _built_in, _llamaindex])
def test_a_refusal_is_handed_over(serve: Callable[[Any], str], make: Callable[[str], Any]) -> None:
    llm = make(serve(_whole(content=None, refusal="no way")))
    assert _ask(llm) == ""
    assert _faults(llm) == [None]


@pytest.mark.parametrize("make", [_built_in, _llamaindex])
def test_so_is_a_streamed_one(serve: Callable[[Any], str], make: Callable[[str], Any]) -> None:
    llm = make(serve(_chunk(role="assistant", refusal="no way") + _chunk("stop") + _DONE))
    assert _stream(llm) == ""
    assert _faults(llm) == [None]


@pytest.mark.parametrize("ask", [_ask, _stream])
def test_the_rate_limits_of_an_answer_of_the_built_in_client_are_heard(
    serve: Callable[[Any], str], ask: Callable[[Any], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    body = _whole(content="fine") if ask is _ask else _chunk(role="assistant", content="fine") + _chunk("stop") + _DONE
    llm = _built_in(serve(body))
    heard: list[tuple[str, str | None]] = []
    note = llm.router.board.note_limits

    def noted(id: str, headers: Any, now: float, sent_at: float) -> None:
        heard.append((id, headers.get("x-ratelimit-remaining-tokens")))
        note(id, headers, now, sent_at)

    monkeypatch.setattr(llm.router.board, "note_limits", noted)
    assert ask(llm) == "fine"
    assert heard == [("a", "7")]


@pytest.mark.parametrize("later", [False, True])
def test_a_completion_whose_stream_holds_nothing_was_cut_off(serve: Callable[[Any], str], later: bool) -> None:
    async def read() -> str:
        return "".join([chunk.delta or "" async for chunk in await llm.astream_complete("hi")])

    llm = _llamaindex(serve(_DONE))
    text = asyncio.run(read()) if later else "".join(chunk.delta or "" for chunk in llm.stream_complete("hi"))
    assert text == "good"
    assert _faults(llm) == ["truncated", None]
