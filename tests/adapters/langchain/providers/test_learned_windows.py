"""Windows and token counts learned over real HTTP: ChatOpenAI before a server that turns long prompts away."""

from __future__ import annotations

import base64
import json
import pickle
import struct
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.messages import HumanMessage
from langchain_openai import ChatOpenAI

from langchain_router import ChatRouter

NAMING = "This model's maximum context length is {window} tokens. However, your messages resulted in {tokens} tokens."
SILENT = "Your input exceeds the context window of this model. Please adjust your input and try again."


@contextmanager
def server(window: int, message: str, per_word: float = 1.0) -> Iterator[tuple[str, list[int]]]:
    """A Chat Completions server that counts words, times `per_word`; its address, and the tokens of each call."""
    seen: list[int] = []

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["content-length"])))
            tokens = int(per_word * len(str(body["messages"][0]["content"]).split()))
            seen.append(tokens)
            if tokens > window:
                told = message.format(window=window, tokens=tokens)
                self.answer(400, {"error": {"message": told, "type": "invalid_request_error", "param": "messages",
                                            "code": "context_length_exceeded"}})  # fmt: skip
                return
            usage = {"prompt_tokens": tokens, "completion_tokens": 1, "total_tokens": tokens + 1}
            choice = {"index": 0, "message": {"role": "assistant", "content": "yes"}, "finish_reason": "stop"}
            self.answer(200, {"id": "c", "object": "chat.completion", "created": 0, "model": body["model"],
                              "choices": [choice], "usage": usage})  # fmt: skip

        def answer(self, status: int, body: dict[str, Any]) -> None:
            data = json.dumps(body).encode()
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(data)))
            self.end_headers()
            self.wfile.write(data)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    made = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=made.serve_forever, daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{made.server_port}/v1", seen
    finally:
        made.shutdown()
        made.server_close()
        thread.join()


def router(url: str, **settings: Any) -> ChatRouter:
    small = ChatOpenAI(model="house", base_url=url, api_key="sk-none", max_retries=0)
    big = FakeListChatModel(responses=["from the big one"])
    cards = ({"id": "small"}, {"id": "big", "context_window": 100_000})
    return ChatRouter(models=[(small, cards[0]), (big, cards[1])], policy="single", **settings)


def words(count: int) -> str:
    return "word and other " * (count // 3)


@pytest.mark.parametrize("asynchronous", [False, True])
async def test_a_window_named_in_a_400_keeps_later_prompts_away(asynchronous: bool) -> None:
    with server(3_000, NAMING) as (url, seen):
        llm = router(url)

        async def ask(count: int) -> str:
            message = await llm.ainvoke(words(count)) if asynchronous else llm.invoke(words(count))
            return str(message.response_metadata["router"]["model"])

        assert await ask(4_500) == "big"
        assert await ask(4_500) == "big"
        assert await ask(1_500) == "small"
        assert len(seen) == 2  # the second long one was not tried there
        row = next(row for row in llm.router.health() if row["model"] == "small")
        assert row["window"] == 3_000
        assert "(from its own error message)" in llm.explain(words(4_500)).render()


def test_a_window_that_is_not_named_is_learned_and_unlearned_by_size() -> None:
    with server(3_000, SILENT) as (url, seen):
        llm = router(url)
        assert llm.invoke(words(4_500)).response_metadata["router"]["model"] == "big"
        assert llm.invoke(words(6_000)).response_metadata["router"]["model"] == "big"
        assert seen == [4_500]
        assert llm.invoke(words(2_400)).response_metadata["router"]["model"] == "small"


def test_what_the_provider_reports_moves_the_estimate() -> None:
    with server(100_000, NAMING, per_word=1.5) as (url, _):
        llm = router(url)
        before = llm.explain(words(1_500)).chosen.input_tokens
        for _ in range(30):
            llm.invoke(words(1_500))
        assert llm.explain(words(1_500)).chosen.input_tokens == pytest.approx(1.5 * 1_500, rel=0.03)
        assert before < 1.2 * 1_500


def test_an_image_counts_by_its_size_and_by_each_models_maker() -> None:
    def picture(width: int, height: int) -> str:
        head = b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + b"IHDR" + struct.pack(">II", width, height) + bytes(9)
        return f"data:image/png;base64,{base64.b64encode(head).decode()}"

    gpt = ChatOpenAI(model="gpt-4o", base_url="http://127.0.0.1:9/v1", api_key="sk-none")
    llm = ChatRouter(models=[(gpt, {"id": "gpt", "image_inputs": True})], policy="single")

    def tokens(**image: Any) -> int:
        blocks: list[Any] = [{"type": "text", "text": "what is it?"}, {"type": "image_url", "image_url": image}]
        return llm.explain([HumanMessage(blocks)]).chosen.input_tokens

    tall = tokens(url=picture(2_048, 4_096)) - tokens(url=picture(1_024, 1_024))
    assert tall == 1_105 - 765
    assert tokens(url=picture(1_024, 1_024)) - tokens(url=picture(1_024, 1_024), detail="low") == 765 - 85
    assert tokens(url="https://example.org/a.png") - tokens(url=picture(1_024, 1_024)) == 1_445 - 765


class Counting(FakeListChatModel):
    def get_num_tokens_from_messages(self, messages: Any, tools: Any = None) -> int:
        if "fail" in messages[0].content:
            raise ValueError("no tokenizer")
        return 4_321


def test_a_models_own_counter_is_asked_where_that_is_wanted(caplog: pytest.LogCaptureFixture) -> None:
    llm = ChatRouter(models=[(Counting(responses=["a"]), {"id": "a"})], tokens={"counter": "model"})
    assert llm.explain("hello there").input_tokens == 4_321
    assert llm.explain("fail now").input_tokens < 20
    assert llm.explain("fail now").input_tokens < 20
    assert caplog.text.count("failed") == 1


def test_it_is_asked_after_a_pickle_too() -> None:
    llm = ChatRouter(models=[(Counting(responses=["a"]), {"id": "a"})], tokens={"counter": "model"})
    twin = pickle.loads(pickle.dumps(llm))  # noqa: S301 - our own bytes
    assert twin.router is not llm.router
    assert twin.explain("hello there").input_tokens == 4_321
    alone = pickle.loads(pickle.dumps(llm.router))  # noqa: S301 - our own bytes
    assert ChatRouter(router=alone).explain("hello there").input_tokens == 4_321
    usual = ChatRouter(models=[(Counting(responses=["a"]), {"id": "a"})])
    assert pickle.loads(pickle.dumps(usual)).explain("hello there").input_tokens < 20  # noqa: S301 - our own bytes
