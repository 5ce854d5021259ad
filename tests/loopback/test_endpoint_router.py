"""The core alone: a Router over endpoints, without a framework."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from typing import Any

import pytest
from loopback.chat_server import ChatServer, completion, piece, reply, sse

from capability_router import AllCandidatesFailed, Router
from capability_router.endpoints.chat import request_from_chat
from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
from capability_router.endpoints.openai_compatible import OpenAICompatible, client_for
from capability_router.endpoints.wire import Delta
from capability_router.execution.run import Run


def router_over(
    *servers: ChatServer, assistant_prefill: bool = False, **settings: Any
) -> tuple[Router, dict[str, OpenAICompatible]]:
    models = [
        {
            "id": f"m{n}",
            "endpoint": {"base_url": s.base_url, "model": "m"},
            "price": {"input_mtok": 1, "output_mtok": 1},
            "assistant_prefill": assistant_prefill,
        }
        for n, s in enumerate(servers)
    ]
    router = Router(models, policy="single", **settings)
    return router, {c.id: client_for(c.endpoint or {}, owner=c.id) for c in router.registry.cards}


def test_a_failed_model_is_replaced_and_the_books_hold() -> None:
    with ChatServer(reply({"error": {"message": "no"}}, 503)) as bad, ChatServer(reply(completion())) as good:
        router, clients = router_over(bad, good)
        request = request_from_chat("hi", tenant="acme", tools=[])
        run = router.start(request, ChatCompletionsEndpoint(request, clients))
        assert [delta.text for delta in run] == ["hello"]
    assert run.outcome is not None
    assert (run.outcome.model, run.outcome.fallback) == ("m1", True)
    assert run.outcome.usage.input_tokens == 9
    assert run.outcome.cost_pico == 11 * 10**6


def test_a_free_quota_of_one_model_bars_no_other_of_its_key() -> None:
    """As Alibaba answers for each model by itself."""
    code = "AllocationQuota.FreeTierOnly"
    spent = {"error": {"message": "The free quota has been exhausted.", "type": code, "code": code}}
    with ChatServer(reply(spent, 403), reply(completion())) as server:
        models = [{"id": name, "endpoint": {"base_url": server.base_url, "model": name}} for name in ("max", "plus")]
        router = Router(models, policy="single")
        clients = {c.id: client_for(c.endpoint or {}, owner=c.id) for c in router.registry.cards}

        def answered_by() -> str:
            request = request_from_chat("hi", tools=[])
            run = router.start(request, ChatCompletionsEndpoint(request, clients))
            assert [delta.text for delta in run] == ["hello"]
            assert run.outcome is not None
            return run.outcome.model

        assert [answered_by(), answered_by()] == ["plus", "plus"]
        assert [call.fault for call in router.ledger.calls()] == ["quota_exhausted", None, None]


async def test_a_stream_that_breaks_before_its_first_text_falls_back() -> None:
    ok = sse(piece("", role="assistant"), piece("hel"), piece("lo"), piece(finish="stop"))
    with ChatServer(sse(piece("", role="assistant"), end="cut")) as bad, ChatServer(ok) as good:
        router, clients = router_over(bad, good)
        request = request_from_chat("hi", stream=True)
        run = router.start(request, ChatCompletionsEndpoint(request, clients))
        assert "".join([delta.text async for delta in run]) == "hello"
    assert run.outcome is not None
    assert run.outcome.model == "m1"


def test_a_stalled_model_is_left_at_its_clock() -> None:
    ok = sse(piece("hello"), piece(finish="stop"))
    with ChatServer(sse(None)) as bad, ChatServer(ok) as good:
        router, clients = router_over(bad, good)
        clients["m0"] = client_for(
            {"base_url": bad.base_url, "model": "m", "timeouts": {"first_token": 0.1, "total": 0.2}}, owner="m0"
        )
        request = request_from_chat("hi", stream=True)
        run = router.start(request, ChatCompletionsEndpoint(request, clients))
        assert "".join(delta.text for delta in run) == "hello"
    assert run.outcome is not None
    assert run.outcome.attempts[0].fault == "timeout"


def test_all_failing_is_told() -> None:
    with ChatServer(reply({"error": {"message": "no"}}, 401)) as bad:
        router, clients = router_over(bad)
        request = request_from_chat("hi")
        with pytest.raises(AllCandidatesFailed, match="m0"):
            list(router.start(request, ChatCompletionsEndpoint(request, clients)))
    assert len(bad.seen) == 1


@pytest.mark.parametrize("awaited", [False, True])
def test_text_that_comes_together_with_the_error_behind_it_is_shown_before_another_model_goes_on(awaited: bool) -> None:
    burst = b"".join(b"data: " + json.dumps(part).encode() + b"\n\n" for part in (piece("two "), piece("three "), OVER))
    ok = sse(piece("four"), piece(finish="stop"))
    with ChatServer(sse(piece("one "), 0.02, burst, end="clean")) as bad, ChatServer(ok) as good:
        router, clients = router_over(bad, good, assistant_prefill=True, resume=True)
        request = replace(request_from_chat("hi", stream=True), resumable=True)
        run = router.start(request, ChatCompletionsEndpoint(request, clients))
        assert _read(run, awaited=awaited) == ["one ", "two ", "three ", "four", ""]
    assert run.begun == (1, "one two three ")


OVER = {"error": {"type": "overloaded_error", "message": "busy"}}


def _read(run: Run[Delta], *, awaited: bool) -> list[str]:
    async def read() -> list[str]:
        return [delta.text async for delta in run]

    return asyncio.run(read()) if awaited else [delta.text for delta in run]
