"""What replies call their model, under both frameworks: a version that changes is noticed with its scores."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from langchain_openai import ChatOpenAI
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import USAGE, ChatServer, completion, piece, reply, sse

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

OLD, NEW = "m-2026-03-05", "m-2026-08-01"


def answers(version: str, *, stream: bool) -> Any:
    if stream:
        parts = [piece("hel"), piece("lo", "stop"), USAGE]
        return sse(*({**part, "model": version} for part in parts))
    return reply({**completion("hello"), "model": version})


def read(found: Any) -> None:
    list(found)


def chain(server: ChatServer, client: httpx.Client, state: Path) -> tuple[Any, Callable[[bool], None]]:
    model = ChatOpenAI(model="m", api_key="k", base_url=server.base_url, http_client=client, stream_usage=True)  # type: ignore[arg-type]  # a plain key is taken too
    llm = ChatRouter([(model, {"id": "it"})], policy={"name": "adaptive", "state": str(state)})
    return llm.router, lambda stream: read(llm.stream("hi")) if stream else read([llm.invoke("hi")])


def llama(server: ChatServer, client: httpx.Client, state: Path) -> tuple[Any, Callable[[bool], None]]:
    model = OpenAILike(model="m", api_key="k", api_base=server.base_url, is_chat_model=True, http_client=client)
    llm = RouterLLM([(model, {"id": "it"})], policy={"name": "adaptive", "state": str(state)})
    return llm.router, lambda stream: read(llm.stream_complete("hi")) if stream else read([llm.complete("hi")])


def endpoint(server: ChatServer, client: httpx.Client, state: Path) -> tuple[Any, Callable[[bool], None]]:
    entry = {"id": "it", "endpoint": {"base_url": server.base_url, "model": "m"}}
    llm = ChatRouter([entry], policy={"name": "adaptive", "state": str(state)})
    return llm.router, lambda stream: read(llm.stream("hi")) if stream else read([llm.invoke("hi")])


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client() as made:
        yield made


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "streamed"])
@pytest.mark.parametrize("made", [chain, llama, endpoint])
def test_a_version_that_replies_tell_of_is_noticed_with_its_scores(
    made: Any, stream: bool, client: httpx.Client, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    script = [answers(version, stream=stream) for version in (OLD, OLD, NEW, NEW, NEW)]
    with ChatServer(*script) as server:
        router, ask = made(server, client, tmp_path / "state.json")
        records: list[dict[str, Any]] = []
        router.add_sink(records.append)
        for _ in script:
            ask(stream)
        router.close()
    answered = [record["request_id"] for record in records if record["kind"] == "decision"]
    assert len(answered) == len(script)
    for id in answered:
        assert router.feedback(id, 1.0)
    told = [record.getMessage() for record in caplog.records if OLD in record.getMessage()]
    assert len(told) == 1
    assert NEW in told[0]
