"""A provider tells in its answers what is left of its limit: a burst ends there, and not in its refusals."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from langchain_openai import ChatOpenAI
from loopback.chat_server import ChatServer, Wire, completion, reply

from langchain_router import ChatRouter

pytestmark = pytest.mark.usefixtures("forgotten_clients")

LIMIT, PER_S, CALLS = 10, 10.0, 30


class Bucket:
    """Refuses what is above the limit, which fills up evenly, and tells with each answer what is left of it."""

    def __init__(self) -> None:
        self.refused = 0
        self._level, self._at = float(LIMIT), time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, wire: Wire) -> bool:
        with self._lock:
            now = time.monotonic()
            self._level = min(LIMIT, self._level + (now - self._at) * PER_S)
            self._at = now
            refused = self._level < 1.0
            self._level -= not refused
            self.refused += refused
            headers = [
                f"x-ratelimit-limit-requests: {LIMIT}", f"x-ratelimit-remaining-requests: {int(self._level)}",
                f"x-ratelimit-reset-requests: {(LIMIT - self._level) / PER_S:.3f}s",
            ]  # fmt: skip
        wire.pause(0.02)
        return reply({"error": {"message": "slower"}} if refused else completion(), 429 if refused else 200, headers)(
            wire
        )


def _model(server: ChatServer, kind: str) -> Any:
    if kind == "endpoint":
        return {"endpoint": {"base_url": server.base_url, "model": "m"}}
    return ChatOpenAI(model="m", base_url=server.base_url, api_key="k", include_response_headers=True)


@pytest.mark.parametrize("kind", ["endpoint", "ChatOpenAI"])
def test_a_burst_waits_for_what_is_left_and_is_not_refused(kind: str) -> None:
    bucket = Bucket()
    with ChatServer(bucket) as server:
        llm = ChatRouter(models=[_model(server, kind)], policy="single")
        llm.invoke("hi")
        with ThreadPoolExecutor(CALLS) as pool:
            answers = list(pool.map(llm.invoke, ["hi"] * CALLS))
        assert [answer.content for answer in answers] == ["hello"] * CALLS
        assert bucket.refused == 0


def test_what_is_left_is_used_and_the_rest_goes_elsewhere() -> None:
    bucket = Bucket()
    with ChatServer(bucket) as server, ChatServer(reply(completion())) as other:
        llm = ChatRouter(models=[_model(server, "endpoint"), _model(other, "endpoint")], policy="single")
        llm.invoke("hi")
        with ThreadPoolExecutor(CALLS) as pool:
            list(pool.map(llm.invoke, ["hi"] * CALLS))
        assert bucket.refused == 0
        # On a busy machine an answer tells of calls that the router counts as under way, too: these are left unused.
        assert len(server.seen) >= LIMIT - 2
        assert len(server.seen) + len(other.seen) == CALLS + 1
