"""Each scripted fault as a plain HTTP client sees it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import httpx
import pytest

from capability_router.simulator import Fleet

FLEET = {
    "time_scale": 0,
    "providers": [{"name": "a", "models": [{"name": "m", "skill": 1}]}, {"name": "b", "models": [{"name": "m"}]}],
}
TEXT = "The moon causes the tides. Summarise the text in one go, please, dear model."
PARAMETERS = {"type": "object", "properties": {"n": {"type": "integer"}}}
TOOL = {"type": "function", "function": {"name": "tides", "parameters": PARAMETERS}}


@pytest.fixture(scope="module")
def running() -> Iterator[Fleet]:
    with Fleet.from_config(FLEET) as fleet:
        yield fleet


@pytest.fixture
def fleet(running: Fleet) -> Iterator[Fleet]:
    yield running
    running.heal()
    running.forget()


@pytest.fixture
def client(fleet: Fleet) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=fleet.base_url("a"), timeout=5) as made:
        yield made


BODY = {"model": "m", "messages": [{"role": "user", "content": TEXT}]}


def ask(client: httpx.Client, **body: Any) -> httpx.Response:
    return client.post("/chat/completions", json={**BODY, **body})


def stream(client: httpx.Client) -> list[Any]:
    """The events of a stream; an exception of the transport is the last one."""
    found: list[Any] = []
    try:
        with client.stream("POST", "/chat/completions", json={**BODY, "stream": True}) as response:
            lines = (line.removeprefix("data: ") for line in response.iter_lines() if line)
            found.extend(line if line == "[DONE]" else json.loads(line) for line in lines)
    except httpx.TransportError as error:
        found.append(error)
    return found


def text(events: list[Any]) -> str:
    chunks = [e for e in events if isinstance(e, dict) and e.get("choices")]
    return "".join(c["choices"][0]["delta"].get("content") or "" for c in chunks)


def finishes(events: list[Any]) -> list[str]:
    chunks = [e for e in events if isinstance(e, dict) and e.get("choices")]
    return [c["choices"][0]["finish_reason"] for c in chunks if c["choices"][0]["finish_reason"]]


def test_outage_refuses_connections_and_ends(fleet: Fleet, client: httpx.Client) -> None:
    assert ask(client).status_code == 200
    port = fleet.port("a")
    fleet.fault("outage:a")
    for _ in range(2):
        with pytest.raises((httpx.ConnectError, httpx.ReadError, httpx.RemoteProtocolError)):
            ask(client)
    with pytest.raises(httpx.ConnectError), httpx.Client(base_url=fleet.base_url("a")) as fresh:
        fresh.get("/models")
    with httpx.Client(base_url=fleet.base_url("b")) as other:
        assert other.get("/models").status_code == 200
    fleet.heal("a")
    assert fleet.port("a") == port
    assert ask(client).status_code == 200


def test_a_timed_outage_opens_the_port_again_by_itself(fleet: Fleet) -> None:
    fleet.fault("outage:a+300ms")
    seen = set()
    with httpx.Client(base_url=fleet.base_url("a"), transport=httpx.HTTPTransport()) as client:
        for _ in range(2_000):
            try:
                seen.add(client.get("/models").status_code)
                break
            except httpx.ConnectError:
                seen.add(0)
                fleet.script._clock.sleep(0.01)
    assert seen == {0, 200}


def test_an_outage_of_one_model_resets_only_its_requests(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("outage:a/m")
    assert client.get("/models").status_code == 200
    with pytest.raises(httpx.ReadError):
        ask(client)


def test_reset(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("reset:a")
    with pytest.raises(httpx.ReadError):
        ask(client)
    row = fleet.log()[-1]
    assert (row.status, row.fault, row.cost_pico, row.correct) == (0, "reset", 0, None)
    assert row.prompt


@pytest.mark.parametrize("body", [{}, {"stream": True}])
@pytest.mark.parametrize(
    ("fault", "status", "code"),
    [
        ("500:a", 500, None),
        ("502:a", 502, None),
        ("503:a", 503, "overloaded"),
        ("529:a", 529, None),
        ("401:a", 401, "invalid_api_key"),
        ("quota:a", 429, "insufficient_quota"),
        ("context:a", 400, "context_length_exceeded"),
        ("content_filter:a", 400, "content_filter"),
        ("429:a,retry_after=7", 429, "rate_limit_exceeded"),
    ],
)
def test_error_replies(fleet: Fleet, client: httpx.Client, fault: str, status: int, code: str, body: Any) -> None:
    fleet.fault(fault)
    response = ask(client, **body)
    assert response.status_code == status
    assert response.json()["error"]["code"] == code
    assert response.headers.get("retry-after") == ("7" if "retry_after" in fault else None)
    assert [(r.status, r.cost_pico) for r in fleet.log()] == [(status, 0)]
    assert fleet.bills() == []


def test_hang(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("hang:a")
    with pytest.raises(httpx.ReadTimeout):
        client.post("/chat/completions", json=BODY, timeout=0.1)


@pytest.mark.parametrize("status", [200, 502])
def test_html(fleet: Fleet, client: httpx.Client, status: int) -> None:
    fleet.fault(f"html:a,status={status}")
    response = ask(client)
    assert response.status_code == status
    assert response.headers["content-type"].startswith("text/html")
    with pytest.raises(ValueError):
        response.json()


def test_bad_json(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("bad_json:a")
    response = ask(client)
    assert response.status_code == 200
    with pytest.raises(json.JSONDecodeError):
        response.json()


def test_cut_in_mid_stream(fleet: Fleet, client: httpx.Client) -> None:
    whole = stream(client)
    fleet.fault("cut:a,after_chunks=3")
    events = stream(client)
    assert isinstance(events[-1], httpx.RemoteProtocolError)
    assert len(text(events).split()) == 3
    assert text(whole).startswith(text(events))
    assert finishes(events) == []
    full, cut = fleet.bills()
    assert full.complete
    assert not cut.complete
    assert 0 < cut.usage.output_tokens < full.usage.output_tokens
    assert 0 < cut.cost_pico < full.cost_pico
    with pytest.raises(httpx.RemoteProtocolError):
        ask(client)


def test_cut_before_any_text(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("cut:a,after_chunks=0")
    events = stream(client)
    assert text(events) == ""
    assert isinstance(events[-1], httpx.RemoteProtocolError)


def test_clean_truncation(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("clean_truncation:a,after_chunks=2")
    events = stream(client)
    assert len(text(events).split()) == 2
    assert finishes(events) == []
    assert "[DONE]" not in events
    assert ask(client).json()["choices"][0]["finish_reason"] is None


def test_error_inside_a_stream(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("in_stream_error:a,after_chunks=1")
    events = stream(client)
    assert events[-1]["error"]["type"] == "overloaded_error"
    assert len(text(events).split()) == 1
    assert "error" in ask(client).json()


def test_stall(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("stall:a,after_chunks=1")
    client.timeout = httpx.Timeout(0.2)
    events = stream(client)
    assert isinstance(events[-1], httpx.ReadTimeout)
    assert len(text(events).split()) == 1


def test_slow_first_token(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("slow_first_token:a,delay=250ms")
    client.timeout = httpx.Timeout(0.1)
    events = stream(client)
    assert events[0]["choices"][0]["delta"]["role"] == "assistant"  # the role comes at once, the text does not
    assert isinstance(events[-1], httpx.ReadTimeout)
    client.timeout = httpx.Timeout(5)
    assert finishes(stream(client)) == ["stop"]
    assert ask(client).json()["choices"][0]["finish_reason"] == "stop"


def test_content_filter_as_a_finish_reason(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("content_filter:a,mode=finish")
    assert finishes(stream(client)) == ["content_filter"]
    assert ask(client).json()["choices"][0]["finish_reason"] == "content_filter"
    assert not fleet.log()[-1].correct


def test_empty(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("empty:a")
    body = ask(client).json()
    assert body["choices"][0]["message"]["content"] == ""
    assert body["usage"]["completion_tokens"] == 0
    assert text(stream(client)) == ""
    assert fleet.bills()[-1].usage.input_tokens > 0


def test_malformed_tool_arguments(fleet: Fleet, client: httpx.Client) -> None:
    fleet.fault("malformed_tool_arguments:a")
    call = ask(client, tools=[TOOL], tool_choice="required").json()["choices"][0]["message"]["tool_calls"][0]
    with pytest.raises(json.JSONDecodeError):
        json.loads(call["function"]["arguments"])


def test_a_client_that_leaves_pays_for_what_was_generated() -> None:
    slow = {"name": "a", "models": [{"name": "m", "skill": 1, "ttft_s": 0.01, "tokens_per_s": 20}]}
    with Fleet.from_config({"providers": [slow], "time_scale": 1}) as fleet, httpx.Client() as client:
        url = fleet.base_url("a") + "/chat/completions"
        with client.stream("POST", url, json={**BODY, "stream": True}) as response:
            lines = response.iter_lines()
            while '"content":"T' not in next(lines):
                pass
        for _ in range(200):
            if fleet.log():
                break
            fleet.script._clock.sleep(0.01)
        row = fleet.log()[0]
        assert (row.status, row.complete) == (499, False)
        assert row.usage.output_tokens > 0
        assert row.cost_pico == row.usage.input_tokens * 10**6 + row.usage.output_tokens * 2 * 10**6
