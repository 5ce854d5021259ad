"""The simulator as a plain HTTP client sees it."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from capability_router.simulator import Fleet

FLEET = {
    "time_scale": 0,
    "providers": [
        {
            "name": "plain",
            "models": [
                {"name": "m", "skill": 1, "context_window": 1_000, "max_output_tokens": 100, "rpm": 600,
                 "tpm": 600_000},
                {"name": "bare", "tool_calling": False, "structured_output": False, "json_mode": False},
                {"name": "eyes", "image_inputs": True, "audio_inputs": True, "pdf_inputs": True},
                {"name": "thinker", "skill": 1, "reasoning_output": True, "reasoning_tokens": 50},
                {"name": "cache", "skill": 1, "prompt_cache": True, "cache_min_tokens": 128,
                 "price": {"input_mtok": 1, "output_mtok": 2, "cache_read_mtok": 0.1}},
                {"name": "scarce", "rpm": 1},
            ],
        },
        {"name": "locked", "api_key": "sk-right", "models": [{"name": "m"}]},
    ],
}  # fmt: skip


@pytest.fixture(scope="module")
def fleet() -> Iterator[Fleet]:
    with Fleet.from_config(FLEET) as running:
        yield running


@pytest.fixture
def client(fleet: Fleet) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet.base_url("plain")) as made:
        yield made


def ask(client: httpx.Client, content: Any = "what is 17*23", model: str = "m", **body: Any) -> httpx.Response:
    messages = content if isinstance(content, list) and "role" in content[0] else [{"role": "user", "content": content}]
    return client.post("/chat/completions", json={"model": model, "messages": messages, **body})


def events(response: httpx.Response) -> list[str]:
    assert response.headers["content-type"].startswith("text/event-stream")
    return [line.removeprefix("data: ") for line in response.text.split("\n\n") if line]


def test_unary(client: httpx.Client, fleet: Fleet) -> None:
    response = ask(client, user="u-1")
    body = response.json()
    assert body["choices"][0]["message"] == {"role": "assistant", "content": "17*23 = 391", "refusal": None}
    assert body["choices"][0]["finish_reason"] == "stop"
    assert body["usage"]["prompt_tokens"] == 4 + 4  # 13 bytes and the message
    assert body["usage"]["completion_tokens"] == 3
    assert response.headers["x-ratelimit-limit-requests"] == "600"
    assert response.headers["x-ratelimit-remaining-tokens"].isdigit()
    row = fleet.log()[-1]
    assert (row.id, row.user, row.status, row.correct, row.complete) == (body["id"], "u-1", 200, True, True)
    assert fleet.bills()[-1].cost_pico == row.cost_pico == 8 * 1_000_000 + 3 * 2_000_000


def test_stream(client: httpx.Client) -> None:
    *chunks, done = events(ask(client, stream=True, stream_options={"include_usage": True}))
    assert done == "[DONE]"
    parsed = [json.loads(c) for c in chunks]
    assert parsed[0]["choices"][0]["delta"]["role"] == "assistant"
    assert "".join(c["choices"][0]["delta"].get("content") or "" for c in parsed[:-1]) == "17*23 = 391"
    assert [c["choices"][0]["finish_reason"] for c in parsed[:-1]] == [None] * (len(parsed) - 2) + ["stop"]
    assert parsed[-1]["choices"] == []
    assert parsed[-1]["usage"]["total_tokens"] == 11
    assert all(c["usage"] is None for c in parsed[:-1])
    assert len({c["id"] for c in parsed}) == 1


def test_stream_without_usage(client: httpx.Client) -> None:
    chunks = [json.loads(c) for c in events(ask(client, stream=True))[:-1]]
    assert all("usage" not in c and c["choices"] for c in chunks)


def test_streamed_tool_calls(client: httpx.Client) -> None:
    numbers = {"a": {"type": "integer"}, "b": {"type": "integer"}}
    schema = {"type": "object", "properties": numbers, "required": ["a", "b"]}
    tools = [{"type": "function", "function": {"name": "multiply", "description": "", "parameters": schema}}]
    whole = ask(client, tools=tools).json()["choices"][0]
    assert whole["finish_reason"] == "tool_calls"
    assert whole["message"]["content"] is None
    deltas = [json.loads(c)["choices"][0] for c in events(ask(client, tools=tools, stream=True))[:-1]]
    parts = [d["delta"]["tool_calls"][0] for d in deltas if "tool_calls" in d["delta"]]
    assert parts[0]["function"]["name"] == "multiply"
    assert parts[0]["id"]
    assert json.loads("".join(p["function"]["arguments"] for p in parts)) == {"a": 17, "b": 23}
    assert deltas[-1]["finish_reason"] == "tool_calls"


def test_limits_of_length_and_stop(client: httpx.Client) -> None:
    cut = ask(client, max_completion_tokens=1).json()
    assert cut["choices"][0]["finish_reason"] == "length"
    assert cut["usage"]["completion_tokens"] == 1
    assert ask(client, stop="=").json()["choices"][0]["message"]["content"] == "17*23 "


def test_context_window(client: httpx.Client, fleet: Fleet) -> None:
    before = len(fleet.bills())
    error = ask(client, "x" * 4_000).json()["error"]
    assert error["code"] == "context_length_exceeded"
    assert error["message"].startswith("This model's maximum context length is 1000 tokens. However, your messages")
    error = ask(client, "x" * 3_800, max_tokens=100).json()["error"]
    assert "you requested 1054 tokens (954 in the messages, 100 in the completion)" in error["message"]
    assert len(fleet.bills()) == before


IMAGE = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
PARTS = [IMAGE, {"type": "input_audio", "input_audio": {}}, {"type": "file", "file": {}}]
SCHEMA = {"type": "json_schema", "json_schema": {"name": "x", "schema": {"type": "object"}}}
TOOL = {"type": "function", "function": {"name": "t", "parameters": {}}}


@pytest.mark.parametrize(
    "body",
    [
        {"tools": [TOOL]},
        {"response_format": SCHEMA},
        {"response_format": {"type": "json_object"}},
        {"reasoning_effort": "low"},
        *({"content": [part]} for part in PARTS),
    ],
)
def test_what_a_model_lacks(client: httpx.Client, body: dict[str, Any]) -> None:
    response = ask(client, model="bare", **body)
    assert response.status_code == 400
    assert response.json()["error"]["code"] == "unsupported_parameter"


def test_what_a_model_has(client: httpx.Client) -> None:
    seen = ask(client, [{"type": "text", "text": "what is this?"}, *PARTS], model="eyes").json()
    assert seen["usage"]["prompt_tokens"] == 500 + 400 + 800 + 4 + 4
    thought = ask(client, model="thinker", reasoning_effort="low").json()["usage"]
    assert thought["completion_tokens"] == thought["completion_tokens_details"]["reasoning_tokens"] + 3
    assert thought["completion_tokens_details"]["reasoning_tokens"] > 0


def test_prompt_cache_is_billed_at_its_price(client: httpx.Client, fleet: Fleet) -> None:
    head = {"role": "system", "content": "word " * 200}
    for question in ("what is 1+1", "what is 2+2"):
        usage = ask(client, [head, {"role": "user", "content": question}], model="cache").json()["usage"]
    assert usage["prompt_tokens_details"]["cached_tokens"] == 128
    fresh = usage["prompt_tokens"] - 128
    assert fleet.bills()[-1].cost_pico == fresh * 10**6 + 128 * 10**5 + usage["completion_tokens"] * 2 * 10**6


async def test_bills_add_up_under_load(fleet: Fleet) -> None:
    fleet.forget()
    fleet.fault("500:plain/thinker,share=0.3", "cut:plain/thinker,share=0.2")
    url = fleet.base_url("plain") + "/chat/completions"

    async def one(client: httpx.AsyncClient, number: int) -> httpx.Response | None:
        messages = [{"role": "user", "content": f"what is {number}*7"}]
        try:
            return await client.post(url, json={"model": "thinker", "messages": messages})
        except httpx.RemoteProtocolError:
            return None

    async with httpx.AsyncClient(timeout=30) as client:
        replies = await asyncio.gather(*(one(client, n) for n in range(200)))
    fleet.heal()
    answered = {r.json()["id"]: r.json()["usage"] for r in replies if r is not None and r.status_code == 200}
    bills = {b.id: b for b in fleet.bills()}
    assert len(fleet.log()) == 200
    assert {b.id for b in bills.values() if b.complete} == set(answered)
    assert len(bills) - len(answered) == replies.count(None) > 0
    for id, usage in answered.items():
        assert bills[id].cost_pico == usage["prompt_tokens"] * 10**6 + usage["completion_tokens"] * 2 * 10**6


def test_requests_per_minute(client: httpx.Client) -> None:
    assert ask(client, model="scarce").status_code == 200
    refused = ask(client, model="scarce")
    assert refused.status_code == 429
    assert refused.json()["error"]["code"] == "rate_limit_exceeded"
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-ratelimit-remaining-requests"] == "0"


@pytest.mark.parametrize(
    ("raw", "said"),
    [
        (b"{", "could not parse"),
        (b"[]", "could not parse"),
        (b'{"model": "m"}', "'messages'"),
        (b'{"model": "m", "messages": []}', "'messages'"),
        (b'{"model": "m", "messages": [{"role": "boss", "content": "x"}]}', "role"),
        (b'{"model": "m", "messages": [{"role": "user", "content": [{"type": "smell"}]}]}', "smell"),
        (b'{"model": "m", "n": 2, "messages": [{"role": "user", "content": "x"}]}', "n=1"),
        (b'{"model": "m", "max_tokens": 0, "messages": [{"role": "user", "content": "x"}]}', "max_tokens"),
        (b'{"model": "m", "max_tokens": 101, "messages": [{"role": "user", "content": "x"}]}', "at most 100"),
        (b'{"model": "m", "tool_choice": "auto", "messages": [{"role": "user", "content": "x"}]}', "tool_choice"),
        (b'{"model": "m", "tools": [{}], "messages": [{"role": "user", "content": "x"}]}', "tools[0]"),
        (b'{"model": "m", "response_format": {}, "messages": [{"role": "user", "content": "x"}]}', "response_format"),
    ],
)  # fmt: skip
def test_malformed_requests(client: httpx.Client, raw: bytes, said: str) -> None:
    response = client.post("/chat/completions", content=raw)
    assert response.status_code == 400
    assert said in response.json()["error"]["message"]


def test_models_and_unknown_ones(client: httpx.Client) -> None:
    assert [m["id"] for m in client.get("/models").json()["data"]][:2] == ["m", "bare"]
    assert client.get("/models/m").json()["owned_by"] == "plain"
    for response in (client.get("/models/none"), ask(client, model="none")):
        assert response.status_code == 404
        assert response.json()["error"]["code"] == "model_not_found"


@pytest.mark.parametrize("key", [None, "sk-wrong"])
def test_a_wrong_key(fleet: Fleet, key: str | None) -> None:
    headers = {"Authorization": f"Bearer {key}"} if key else {}
    with httpx.Client(base_url=fleet.base_url("locked"), headers=headers) as client:
        for response in (ask(client), client.get("/models")):
            assert response.status_code == 401
            assert response.json()["error"]["code"] == "invalid_api_key"
            assert "sk-" not in response.text


def test_the_right_key(fleet: Fleet) -> None:
    key = fleet.environment()["SIM_LOCKED_KEY"]
    with httpx.Client(base_url=fleet.base_url("locked"), headers={"Authorization": f"Bearer {key}"}) as client:
        assert ask(client).status_code == 200
        assert client.get("/models").status_code == 200
