"""Whether a model works again is found out by a probe, over real HTTP, and not by somebody's request."""

from __future__ import annotations

import gc
import threading
from typing import Any

import pytest
from loopback.chat_server import ChatServer, completion, reply

from capability_router import AllCandidatesFailed, ConfigError, Router
from capability_router.endpoints.chat import request_from_chat
from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
from capability_router.endpoints.openai_compatible import client_for
from capability_router.health.board import HealthEvent
from capability_router.testing import assert_books_balanced

DOWN = reply({"error": {"message": "no"}}, 503)


class Watched:
    """A router over one server, and the changes of its health."""

    def __init__(self, server: ChatServer, **health: Any) -> None:
        endpoint = {"base_url": server.base_url, "model": "m"}
        price = {"input_mtok": 1, "output_mtok": 1}
        self.router = Router(
            [{"id": "m", "endpoint": endpoint, "price": price}], policy="single", retry={"attempts": 1},
            health={"consecutive": 2, "open_s": 0.05, "max_open_s": 0.05, **health},
        )  # fmt: skip
        self.events: list[HealthEvent] = []
        self.closed, self.enabled = threading.Event(), threading.Event()
        self.router.on_health(self._heard)

    def _heard(self, event: HealthEvent) -> None:
        self.events.append(event)
        if event.kind == "breaker_closed":
            self.closed.set()
        if event.kind == "credential_enabled":
            self.enabled.set()

    def ask(self) -> str:
        request = request_from_chat("hi", tags=["mine"])
        client = client_for({"base_url": self.router.registry.cards[0].endpoint["base_url"], "model": "m"}, owner="m")
        return "".join(
            delta.text for delta in self.router.start(request, ChatCompletionsEndpoint(request, {"m": client}))
        )

    def fail(self) -> None:
        for _ in range(2):
            with pytest.raises(AllCandidatesFailed):
                self.ask()


def test_a_probe_closes_the_breaker_and_is_booked() -> None:
    with ChatServer(DOWN, DOWN, DOWN, reply(completion())) as server:
        watched = Watched(server, probe=True)
        watched.fail()
        assert watched.closed.wait(20)
        turns = ["breaker_opened", "breaker_half_open", "breaker_opened", "breaker_half_open", "breaker_closed"]
        assert [e.kind for e in watched.events] == turns
        body = server.seen[-1].body
        assert (body["max_tokens"], body["messages"]) == (1, [{"role": "user", "content": "ping"}])
        assert watched.ask() == "hello"
    booked = watched.router.ledger.total(by=("tag",))
    assert {tag: total.calls for (tag,), total in booked.items()} == {"router:probe": 2, "mine": 3}
    assert_books_balanced(watched.router)


def test_a_probe_finds_out_whether_a_key_is_taken_again() -> None:
    refused = reply({"error": {"message": "no", "code": "invalid_api_key"}}, 401)
    with ChatServer(refused, refused, reply(completion())) as server:
        watched = Watched(server, probe=True, disabled_s=0.1, max_disabled_s=0.1)
        with pytest.raises(AllCandidatesFailed):
            watched.ask()
        assert watched.enabled.wait(20)
        assert [e.kind for e in watched.events] == ["credential_disabled", "credential_disabled", "credential_enabled"]
        assert [seen.body["max_tokens"] for seen in server.seen[1:]] == [1, 1]
        assert watched.ask() == "hello"
    booked = watched.router.ledger.total(by=("tag",))
    assert {tag: total.calls for (tag,), total in booked.items()} == {"router:probe": 2, "mine": 2}


def test_without_it_nothing_is_sent() -> None:
    with ChatServer(DOWN) as server:
        watched = Watched(server)
        watched.fail()
        assert not watched.closed.wait(0.3)
        assert len(server.seen) == 2


def test_the_thread_ends_with_the_last_open_breaker() -> None:
    with ChatServer(DOWN) as server:
        watched = Watched(server, probe=True)
        before = set(threading.enumerate())
        watched.fail()
        (thread,) = [t for t in set(threading.enumerate()) - before if t.name == "router probes"]
        watched.router.reset("m")
        thread.join(20)
        assert not thread.is_alive()


def test_the_thread_ends_with_its_router() -> None:
    with ChatServer(DOWN) as server:
        before = set(threading.enumerate())
        watched = Watched(server, probe=True)
        watched.fail()
        (thread,) = [t for t in set(threading.enumerate()) - before if t.name == "router probes"]
        del watched
        gc.collect()
        thread.join(20)
        assert not thread.is_alive()


def test_isolate_and_reset_by_name() -> None:
    with ChatServer(reply(completion())) as server:
        watched = Watched(server)
        watched.router.isolate("m")
        with pytest.raises(Exception, match="isolated by an operator"):
            watched.ask()
        watched.router.reset("m")
        assert watched.ask() == "hello"
        assert [e.kind for e in watched.events] == ["isolated", "reset"]
    with pytest.raises(ConfigError, match="'n' is not registered"):
        watched.router.isolate("n")
