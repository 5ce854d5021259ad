"""Canaries for the key and the prompt, sent through every kind of failure: no text that leaves shows them."""

from __future__ import annotations

import asyncio
import pickle
import traceback
from typing import Any
from urllib.parse import unquote

import pytest
from loopback.chat_server import ChatServer, Step, completion, hang_up, piece, raw, reply, sse, stall

from capability_router.endpoints.chat import request_from_chat
from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
from capability_router.endpoints.errors import EndpointError
from capability_router.endpoints.openai_compatible import OpenAICompatible
from capability_router.endpoints.scrub import scrub
from capability_router.endpoints.spec import EndpointSpec
from capability_router.endpoints.timeouts import ClientTimeouts
from capability_router.errors import ConfigError
from capability_router.faults.kinds import Fault

KEY = "sk-canarykey-0a1b2c3d4e5f"
PROMPT = "zanzibar quokka 4242424242424242 wörtchen"
SECRETS = (KEY, "canarykey", "zanzibar", "quokka", "4242424242424242", "wörtchen", "w\\u00f6rtchen")
ECHO = f"Incorrect API key provided: {KEY}. You said: {PROMPT!r} ({PROMPT.upper()}) with sk-c*****4e5f, Bearer {KEY}"

FAILURES: dict[str, Step] = {
    "echo": reply({"error": {"message": ECHO, "type": KEY, "code": "zanzibar", "param": PROMPT}}, 400),
    "echo in plain text": reply(ECHO.encode(), 500, kind="text/plain"),
    "echo as detail": reply({"detail": [{"input": PROMPT, "msg": "bad"}]}, 422),
    "echo in headers": reply({}, 429, [f"retry-after: 1; {KEY}", f"x-request-id: {KEY} zanzibar"]),
    "echo in a 200": reply(ECHO.encode()),
    "echo in an event": sse(piece("quokka"), {"error": {"message": ECHO, "code": KEY, "type": "zanzibar"}}),
    "echo in a broken event": sse(b"data: " + ECHO.encode() + b"\n\n"),
    "echo in another shape": reply({"choices": ["zanzibar"]}),
    "echo in the status line": raw(f"HTTP/9 {KEY} zanzibar\r\n\r\n".encode()),
    "hang up": hang_up,
    "cut": sse(piece("zanzibar"), end="cut"),
    "stall": stall,
}


def leaks(*texts: str) -> list[str]:
    return [secret for secret in SECRETS for text in texts if secret in text]


def everything(error: BaseException) -> list[str]:
    chain, seen = [], error
    while seen is not None:
        chain += [repr(seen), str(seen), repr(vars(seen)), repr(seen.args)]
        seen = seen.__cause__ or (None if seen.__suppress_context__ else seen.__context__)
    return [*chain, "".join(traceback.format_exception(error)), repr(pickle.dumps(error))]


@pytest.mark.parametrize("asynchronous", [False, True])
@pytest.mark.parametrize("name", FAILURES)
def test_no_failure_shows_the_key_or_the_prompt(
    name: str, asynchronous: bool, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    with ChatServer(FAILURES[name]) as server:
        spec = EndpointSpec(server.base_url, "m", KEY, headers={"x-secret": KEY})
        client = OpenAICompatible(spec)
        body = {"messages": [{"role": "user", "content": PROMPT}]}
        exchange = client.start(body, stream="event" in name or name == "cut", timeouts=ClientTimeouts(total=0.5))

        async def read() -> None:
            async for _ in exchange.achunks():
                pass

        with pytest.raises(EndpointError) as caught:
            asyncio.run(read()) if asynchronous else list(exchange.chunks())
    shown = [repr(exchange), repr(client), repr(spec), repr(exchange.reply()), exchange.request_id]
    assert not leaks(*everything(caught.value), *shown, caplog.text)


def test_a_provider_cannot_hide_a_key_in_a_hint_header() -> None:
    with ChatServer(FAILURES["echo in headers"]) as server:
        exchange = OpenAICompatible(EndpointSpec(server.base_url, "m", KEY)).start({"messages": []})
        with pytest.raises(EndpointError) as caught:
            list(exchange.chunks())
    assert not leaks(repr(caught.value.headers), caught.value.request_id)


def test_no_repr_shows_the_key_or_the_prompt() -> None:
    request = request_from_chat(PROMPT, metadata={"k": KEY})
    with ChatServer(reply(completion(PROMPT))) as server:
        spec = EndpointSpec(server.base_url, "m", KEY, headers={"api-key": KEY})
        client = OpenAICompatible(spec)
        exchange = client.start(request.payload)
        deltas = list(exchange.chunks())

    def classify(error: BaseException) -> Fault:
        raise AssertionError

    calls = ChatCompletionsEndpoint(request, {"m": client}, classify)
    things: list[Any] = [spec, spec.api_key, spec.address, client, exchange, exchange.reply(), request, calls, *deltas]
    assert not leaks(*map(repr, things), *map(str, things))


@pytest.mark.parametrize("key", [f"{KEY}\nx", f"{KEY} x", f"{KEY}é", f"{KEY}\x00"])
def test_an_impossible_key_is_refused_without_showing_it(key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        OpenAICompatible(EndpointSpec("http://127.0.0.1:1/v1", "m", key))
    assert not leaks(*everything(caught.value))


def test_an_impossible_header_is_refused_without_showing_it() -> None:
    with pytest.raises(ConfigError) as caught:
        EndpointSpec("http://127.0.0.1:1/v1", "m", headers={"x-key": f"{KEY}\n"})
    assert not leaks(*everything(caught.value))


PLAIN_KEY = "0123abcd4567efgh"  # which nothing but its place tells to be one


@pytest.mark.parametrize(
    "spec",
    [
        {"headers": {"api-key": PLAIN_KEY}}, {"headers": {"Ocp-Apim-Subscription-Key": PLAIN_KEY}},
        {"headers": {"Authorization": f"Basic {PLAIN_KEY}"}}, {"query": f"?api-version=2026-01&code={PLAIN_KEY}"},
    ],
)  # fmt: skip
@pytest.mark.parametrize("brought", [{}, {"extra_headers": {"x-session-token": f"brought-{PLAIN_KEY}"}}])
def test_a_key_in_a_header_or_the_url_is_scrubbed_as_any(spec: dict[str, Any], brought: dict[str, Any]) -> None:
    echo = f"no access with {PLAIN_KEY} or brought-{PLAIN_KEY}"
    step = reply({"error": {"message": echo, "code": PLAIN_KEY}}, 401, [f"x-request-id: {PLAIN_KEY}"])
    with ChatServer(step) as server:
        url = server.base_url + spec.get("query", "")
        exchange = OpenAICompatible(EndpointSpec(url, "m", headers=spec.get("headers", {}))).start(
            {"messages": [], **brought}
        )
        with pytest.raises(EndpointError) as caught:
            list(exchange.chunks())
    assert "no access with" in str(caught.value)
    assert not [text for text in [*everything(caught.value), exchange.request_id] if PLAIN_KEY in text]


@pytest.mark.parametrize("code", ["0123abcd%2B4567%3D%3D", "0123abcd+4567efgh=="])
def test_a_key_of_the_url_is_scrubbed_however_it_is_spelt(code: str) -> None:
    """As it stands in the URL, and as a server reads it."""
    client = OpenAICompatible(EndpointSpec(f"http://127.0.0.1:1/v1?code={code}", "m"))
    _, keys = client.headers(0, stream=False)
    for spelling in {code, unquote(code), code.replace("+", " ")}:
        assert "abcd" not in scrub(f"no access with {spelling}", "", keys)


@pytest.mark.parametrize(
    ("url", "more"),
    [
        (f"htps://host/v1?key={PLAIN_KEY}", {}), (f"htps://user:{PLAIN_KEY}@host/v1", {}),
        (f"https://user:{PLAIN_KEY}@host/v1", {}), (f"https://host/v1?key={PLAIN_KEY}", {"model": ""}),
        (f"user:{PLAIN_KEY}@host/v1", {}), (f"https://user:{PLAIN_KEY}?@host/v1", {"model": ""}),
        (f"https://host/v1?key={PLAIN_KEY}", {"api_key_env": "NO_SUCH_VARIABLE"}),
    ],
)  # fmt: skip
def test_an_impossible_url_is_refused_without_what_may_be_secret_in_it(url: str, more: dict[str, Any]) -> None:
    with pytest.raises(ConfigError) as caught:
        OpenAICompatible(EndpointSpec(**{"base_url": url, "model": "m", **more}))
    assert not [text for text in everything(caught.value) if PLAIN_KEY in text]


def test_blanks_around_a_header_are_not_sent() -> None:
    with ChatServer(reply(completion())) as server:
        spec = EndpointSpec(server.base_url, "m", headers={"x-team": " red ", "authorization": "Bearer abc "})
        list(OpenAICompatible(spec).start({"messages": [], "extra_headers": {"x-more": "b "}}).chunks())
    headers = server.seen[0].headers
    assert (headers["x-team"], headers["authorization"], headers["x-more"]) == ("red", "Bearer abc", "b")


@pytest.mark.parametrize("framework", ["langchain", "llamaindex"])
def test_the_frameworks_models_show_no_key_of_the_url(framework: str) -> None:
    url = f"http://127.0.0.1:9/v1?api-version=7&key={PLAIN_KEY}"
    if framework == "langchain":
        from langchain_core.load import dumps

        from langchain_router import ChatEndpoint

        chat = ChatEndpoint(base_url=url, model="m")
        shown = [repr(chat), dumps(chat), str(chat._identifying_params), str(chat.model_dump()), str(chat)]
        copied, made = chat.model_copy().client.url, ChatEndpoint(**chat.model_dump()).client.url
    else:
        from llamaindex_router import EndpointLLM

        llm = EndpointLLM(base_url=url, model="m")
        shown = [repr(llm), str(llm.to_dict()), str(llm.model_dump()), str(llm), str(pickle.dumps(llm))]
        assert "api-version=7" in shown[-1]
        copied = pickle.loads(pickle.dumps(llm))._client.url  # noqa: S301 - our own
        made = EndpointLLM.from_dict(llm.to_dict())._client.url
    assert not [text for text in shown if PLAIN_KEY in text]
    assert PLAIN_KEY.encode() in copied.target
    assert made.target == b"/v1/chat/completions?api-version=7"
