"""The corpus's answers, served over loopback to the real clients and wrappers: what they raise is classified alike."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar

import pytest
from unit.faults.shapes import CASES, NOW

from capability_router.faults import Fault, classify, is_programming_error, passes_through

pytestmark = [
    pytest.mark.filterwarnings("ignore"),  # the clients' own, at import and when a socket is collected
    pytest.mark.usefixtures("forgotten_clients"),
]

Call = Callable[[], Any]


class Answering(BaseHTTPRequestHandler):
    """Answers every POST with the answer that is set."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else headers and body 40 ms apart
    answer: ClassVar[dict[str, Any]] = {}

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers.get("content-length") or 0))
        body = self.answer["body"]
        told = body.encode() if isinstance(body, str) else json.dumps(body).encode()
        self.send_response(self.answer["status_code"])
        for name, value in {**self.answer["headers"], "content-length": str(len(told))}.items():
            self.send_header(name, value)
        if not any(name.lower() == "content-type" for name in self.answer["headers"]):
            self.send_header("content-type", "text/html" if isinstance(body, str) else "application/json")
        self.end_headers()
        self.wfile.write(told)

    def log_message(self, *_: object) -> None:
        """Quiet."""


@pytest.fixture(scope="module")
def base_url() -> Iterator[str]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Answering)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


@cache
def _openai(url: str) -> Call:
    import openai

    client = openai.OpenAI(api_key="k", base_url=f"{url}/v1", max_retries=0)
    return lambda: client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])


@cache
def _langchain_openai(url: str) -> Call:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="m", api_key="k", base_url=f"{url}/v1", max_retries=0)
    return lambda: model.invoke("hi")


@cache
def _langchain_openai_stream(url: str) -> Call:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="m", api_key="k", base_url=f"{url}/v1", max_retries=0)
    return lambda: list(model.stream("hi"))


@cache
def _llamaindex_openai(url: str) -> Call:
    from llama_index.llms.openai import OpenAI

    model = OpenAI(model="gpt-4o", api_key="k", api_base=f"{url}/v1", max_retries=0)
    return lambda: model.complete("hi")


@cache
def _anthropic(url: str) -> Call:
    import anthropic

    client = anthropic.Anthropic(api_key="k", base_url=url, max_retries=0)
    return lambda: client.messages.create(model="m", max_tokens=9, messages=[{"role": "user", "content": "hi"}])


@cache
def _langchain_anthropic(url: str) -> Call:
    from langchain_anthropic import ChatAnthropic

    model = ChatAnthropic(model="m", api_key="k", base_url=url, max_retries=0)
    return lambda: model.invoke("hi")


@cache
def _langchain_anthropic_stream(url: str) -> Call:
    from langchain_anthropic import ChatAnthropic

    model = ChatAnthropic(model="m", api_key="k", base_url=url, max_retries=0)
    return lambda: list(model.stream("hi"))


@cache
def _langchain_google(url: str) -> Call:
    from langchain_google_genai import ChatGoogleGenerativeAI

    model = ChatGoogleGenerativeAI(model="gemini-2.5-flash", google_api_key="k", base_url=url, max_retries=1)
    return lambda: model.invoke("hi")


@cache
def _langchain_mistral(url: str) -> Call:
    from langchain_mistralai import ChatMistralAI

    model = ChatMistralAI(model="m", api_key="k", endpoint=f"{url}/v1", max_retries=0)
    return lambda: model.invoke("hi")


@cache
def _langchain_groq(url: str) -> Call:
    from langchain_groq import ChatGroq

    model = ChatGroq(model="m", api_key="k", base_url=url, max_retries=0)
    return lambda: model.invoke("hi")


@cache
def _langchain_ollama(url: str) -> Call:
    from langchain_ollama import ChatOllama

    model = ChatOllama(model="m", base_url=url)
    return lambda: model.invoke("hi")


@cache
def _bedrock(url: str) -> Call:
    import boto3
    from botocore.config import Config

    client = boto3.client(
        "bedrock-runtime", region_name="eu-west-1", endpoint_url=url, aws_access_key_id="k", aws_secret_access_key="k",
        config=Config(retries={"total_max_attempts": 1}),
    )  # fmt: skip
    return lambda: client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])


def _speaks_openai(case: dict[str, Any]) -> bool:
    return "response" in case["raised"] and case["raised"]["classes"][-2] == "openai:OpenAIError"


def _of(case: dict[str, Any], wrapper: str) -> bool:
    return bool(case["wrapper"] == wrapper)


CLIENTS: dict[str, tuple[str, Callable[[str], Call], Callable[[dict[str, Any]], bool]]] = {
    "openai": ("openai", _openai, _speaks_openai),
    "langchain-openai": ("langchain_openai", _langchain_openai, _speaks_openai),
    "langchain-openai-stream": ("langchain_openai", _langchain_openai_stream, lambda case: _of(case, "openai")),
    "llamaindex-openai": ("llama_index.llms.openai", _llamaindex_openai, lambda case: _of(case, "openai")),
    "anthropic": ("anthropic", _anthropic, lambda case: _of(case, "anthropic")),
    "langchain-anthropic": ("langchain_anthropic", _langchain_anthropic, lambda case: _of(case, "anthropic")),
    "langchain-google": ("langchain_google_genai", _langchain_google, lambda case: _of(case, "google-genai")),
    "langchain-mistral": (
        "langchain_mistralai", _langchain_mistral, lambda case: _of(case, "langchain-mistralai"),
    ),
    "langchain-groq": ("langchain_groq", _langchain_groq, lambda case: _of(case, "groq")),
    "langchain-ollama": ("langchain_ollama", _langchain_ollama, lambda case: _of(case, "ollama")),
}  # fmt: skip
SERVED = [
    (name, case)
    for name, (_, _, takes) in CLIENTS.items()
    for case in CASES
    if takes(case) and case["raised"].get("response", {}).get("status_code", 0) >= 400
]


def _raised(client: Call, answer: dict[str, Any]) -> Exception:
    Answering.answer = answer
    with pytest.raises(Exception) as caught:
        client()
    return caught.value


def _agrees(fault: Fault, case: dict[str, Any]) -> None:
    expected = case["expect"]
    assert fault.kind == expected["kind"], fault
    assert fault.window == expected.get("window")
    assert fault.again is expected.get("again", True)
    assert fault.retry_after_s == (pytest.approx(expected["retry_after_s"]) if "retry_after_s" in expected else None)


@pytest.mark.parametrize(("name", "case"), SERVED, ids=[f"{name}:{case['id']}" for name, case in SERVED])
def test_what_a_real_client_raises(name: str, case: dict[str, Any], base_url: str) -> None:
    module, connect, _ = CLIENTS[name]
    pytest.importorskip(module)
    error = _raised(connect(base_url), case["raised"]["response"])
    _agrees(classify(error, NOW), case)
    assert classify(error, NOW).status == case["expect"]["status"]
    assert not passes_through(error)
    assert not is_programming_error(error)


AWS = [case for case in CASES if case["wrapper"] == "bedrock" and case["expect"].get("status")]


@pytest.mark.parametrize("case", AWS, ids=[case["id"] for case in AWS])
def test_what_botocore_raises(case: dict[str, Any], base_url: str) -> None:
    pytest.importorskip("boto3")
    told = case["raised"]["attrs"]["response"]
    answer = {
        "status_code": told["ResponseMetadata"]["HTTPStatusCode"],
        "headers": {**told["ResponseMetadata"]["HTTPHeaders"], "x-amzn-errortype": told["Error"]["Code"]},
        "body": {"message": told["Error"]["Message"]},
    }
    _agrees(classify(_raised(_bedrock(base_url), answer), NOW), case)


def _events(*events: tuple[str, dict[str, Any]]) -> dict[str, Any]:
    body = "".join(f"event: {name}\ndata: {json.dumps(data)}\n\n" for name, data in events)
    return {"status_code": 200, "headers": {"content-type": "text/event-stream"}, "body": body}


@pytest.mark.parametrize("type_", ["overloaded_error", "api_error", "rate_limit_error"])
def test_an_error_event_in_a_good_stream_of_anthropic(type_: str, base_url: str) -> None:
    pytest.importorskip("langchain_anthropic")
    event = ("error", {"type": "error", "error": {"type": type_, "message": "no"}})
    fault = classify(_raised(_langchain_anthropic_stream(base_url), _events(event)), NOW)
    kinds = {"overloaded_error": "overloaded", "api_error": "server_error", "rate_limit_error": "rate_limited"}
    assert (fault.kind, fault.status, fault.code) == (kinds[type_], None, type_)


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        ({"message": "The server had an error", "type": "server_error"}, "server_error"),
        ({"message": "Rate limit reached", "type": "tokens", "code": "rate_limit_exceeded"}, "rate_limited"),
        ({"message": "too long", "code": "context_length_exceeded"}, "context_overflow"),
        ({"message": "Provider disconnected", "code": 502}, "server_error"),
    ],
)
def test_an_error_event_in_a_good_stream_of_openai(error: dict[str, Any], kind: str, base_url: str) -> None:
    pytest.importorskip("langchain_openai")
    answer = {**_events(), "body": f"data: {json.dumps({'error': error})}\n\n"}
    assert classify(_raised(_langchain_openai_stream(base_url), answer), NOW).kind == kind


def test_an_error_in_a_good_reply_of_openai(base_url: str) -> None:
    pytest.importorskip("langchain_openai")
    answer = {"status_code": 200, "headers": {}, "body": {"error": {"message": "upstream is busy", "code": 429}}}
    error = _raised(_langchain_openai(base_url), answer)
    assert classify(error, NOW).kind == "rate_limited"
    assert not is_programming_error(error)


@pytest.mark.parametrize("connect", [_openai, _langchain_openai, _anthropic, _langchain_anthropic, _langchain_groq])
def test_a_good_reply_that_is_no_json(connect: Callable[[str], Call], base_url: str) -> None:
    answer = {"status_code": 200, "headers": {"content-type": "application/json"}, "body": "<html>"}
    error = _raised(connect(base_url), answer)
    assert classify(error, NOW).kind == "server_error", error
    assert not is_programming_error(error)


CONNECTS = [_openai, _langchain_openai, _anthropic, _langchain_anthropic, _langchain_groq, _langchain_mistral,
            _langchain_google, _langchain_ollama, _llamaindex_openai, _bedrock]  # fmt: skip


@pytest.mark.parametrize("connect", CONNECTS, ids=lambda connect: connect.__wrapped__.__name__)
def test_a_refused_connection(connect: Callable[[str], Call]) -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), Answering) as free:
        port = free.server_address[1]
    with pytest.raises(Exception) as caught:
        connect(f"http://127.0.0.1:{port}")()
    fault = classify(caught.value, NOW)
    assert (fault.kind, fault.detail.partition(" (")[0]) == ("connection", "Connection refused"), fault
    assert not is_programming_error(caught.value)


@pytest.mark.parametrize("connect", CONNECTS, ids=lambda connect: connect.__wrapped__.__name__)
def test_a_server_that_speaks_no_tls(connect: Callable[[str], Call], base_url: str) -> None:
    with pytest.raises(Exception) as caught:
        connect(base_url.replace("http:", "https:"))()
    fault = classify(caught.value, NOW)
    assert fault.kind == "connection", fault
    assert fault.detail.startswith("it does not speak TLS at this port; check base_url (http:// or https://) ("), fault
