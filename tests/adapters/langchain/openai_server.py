"""A loopback server that speaks Chat Completions: stdlib only, one thread per connection, no real model.

What it answers is told by the request: a model whose name starts with `fail-` answers 429, `dead-` 500,
`cut-` breaks its stream off after the first, empty chunk, `half-` after its first text, `bad-` answers
schemas with what fits none, `filtered-` and `long-` end with these reasons.
With tools bound and the last message from the user, or a forced
tool_choice, it calls a tool with arguments made from the tool's schema.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

FAILURES = {"fail": (429, "rate_limit_exceeded"), "dead": (500, "server_error"), "auth": (401, "invalid_api_key")}
REASONS = {"filtered": "content_filter", "long": "length"}
USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}


def example(schema: dict[str, Any], defs: dict[str, Any] | None = None) -> Any:
    """A value that fits a JSON schema. Integers are 3."""
    defs = defs or schema.get("$defs") or schema.get("definitions") or {}
    if "$ref" in schema:
        return example(defs[schema["$ref"].rpartition("/")[2]], defs)
    for word in ("anyOf", "oneOf", "allOf"):
        if schema.get(word):
            return example(schema[word][0], defs)
    if schema.get("enum"):
        return schema["enum"][0]
    if "const" in schema:
        return schema["const"]
    kind = schema.get("type", "object" if "properties" in schema else "string")
    kind = kind[0] if isinstance(kind, list) else kind
    if kind == "object":
        return {name: example(inner, defs) for name, inner in schema.get("properties", {}).items()}
    plain: dict[str, Any] = {"integer": 3, "number": 3.0, "boolean": True, "null": None, "string": "test"}
    return [example(schema.get("items", {"type": "string"}), defs)] if kind == "array" else plain[kind]


def _text(content: Any) -> str:
    parts = content if isinstance(content, list) else [content]
    return " ".join(p.get("text", "") if isinstance(p, dict) else str(p or "") for p in parts)


def _wanted_tool(body: dict[str, Any]) -> dict[str, Any] | None:
    tools, choice = body.get("tools"), body.get("tool_choice")
    if not tools or choice == "none":
        return None
    if isinstance(choice, dict):
        name = choice["function"]["name"]
        return next(t["function"] for t in tools if t["function"]["name"] == name)
    if choice == "required" or body["messages"][-1]["role"] == "user":
        return tools[0]["function"]
    return None


def _answer(body: dict[str, Any]) -> dict[str, Any]:
    prompt = " ".join(_text(m.get("content")) for m in body["messages"])
    tool, wanted = _wanted_tool(body), (body.get("response_format") or {}).get("type")
    broken = body["model"].startswith("bad-")
    if tool is not None:
        arguments = example(tool.get("parameters") or {"type": "object"})
        foreign = "".join(c for c in prompt if not c.isascii())
        if foreign:
            arguments = {name: foreign if isinstance(v, str) else v for name, v in arguments.items()}
        text = '{"' if broken else json.dumps(arguments, ensure_ascii=False)
        function = {"name": tool["name"], "arguments": text}
        return {"tool_calls": [{"id": "call_1", "type": "function", "function": function}]}
    if wanted == "json_schema":
        schema = body["response_format"]["json_schema"]["schema"]
        return {"content": "not json" if broken else json.dumps(example(schema))}
    if wanted == "json_object":
        return {"content": "not json" if broken else '{"setup": "test", "punchline": "test"}'}
    return {"content": "a b c"}


class Server:
    """Runs until `close`. `seen` holds (model, body) of every request; `url` is the base URL."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else headers and body 40 ms apart

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.seen.append((body["model"], body))
                owner.answer(self, body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def calls(self, model: str) -> int:
        return sum(name == model for name, _ in self.seen)

    def answer(self, http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        kind = body["model"].partition("-")[0]
        if kind in FAILURES:
            status, code = FAILURES[kind]
            _send(http, status, {"error": {"message": "scripted", "type": code, "code": code}})
        elif body.get("stream"):
            _stream(http, body, kind)
        else:
            message = {"role": "assistant", "content": None, **_answer(body)}
            reason = REASONS.get(kind) or ("tool_calls" if message.get("tool_calls") else "stop")
            choice = {"message": message, "finish_reason": reason, "logprobs": None}
            choices = [{"index": i, **choice} for i in range(body.get("n") or 1)]
            details = {"prompt_tokens_details": {"cached_tokens": 4, "audio_tokens": 0}} if body.get("n") else {}
            _send(http, 200, {**_head(body, "chat.completion"), "choices": choices, "usage": {**USAGE, **details}})


def _head(body: dict[str, Any], kind: str) -> dict[str, Any]:
    return {"id": "chatcmpl-1", "object": kind, "created": 1, "model": body["model"], "system_fingerprint": "fp"}


def _send(http: BaseHTTPRequestHandler, status: int, value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    http.send_response(status)
    http.send_header("Content-Type", "application/json")
    http.send_header("Content-Length", str(len(data)))
    http.end_headers()
    http.wfile.write(data)


def _stream(http: BaseHTTPRequestHandler, body: dict[str, Any], kind: str) -> None:
    http.send_response(200)
    http.send_header("Content-Type", "text/event-stream")
    http.send_header("Connection", "close")
    http.end_headers()
    http.close_connection = True
    with suppress(ConnectionError):  # a client may leave early
        for event in _events(body, kind):
            http.wfile.write(f"data: {event}\n\n".encode())
            http.wfile.flush()


def _events(body: dict[str, Any], kind: str) -> Iterator[str]:
    head = _head(body, "chat.completion.chunk")

    def chunk(delta: dict[str, Any], reason: str | None = None) -> str:
        return json.dumps({**head, "choices": [{"index": 0, "delta": delta, "finish_reason": reason}]})

    yield chunk({"role": "assistant", "content": ""})
    if kind == "cut":
        return
    message = _answer(body)
    for call in message.get("tool_calls", ()):
        function = call["function"]
        yield chunk({"tool_calls": [{"index": 0, **call, "function": {"name": function["name"], "arguments": ""}}]})
        middle = len(function["arguments"]) // 2
        for piece in (function["arguments"][:middle], function["arguments"][middle:]):
            yield chunk({"tool_calls": [{"index": 0, "function": {"arguments": piece}}]})
    words = (message.get("content") or "").split(" ")
    for i, word in enumerate(words):
        yield chunk({"content": word if i == 0 else f" {word}"})
        if kind == "half":
            return
    yield chunk({}, REASONS.get(kind) or ("tool_calls" if message.get("tool_calls") else "stop"))
    if (body.get("stream_options") or {}).get("include_usage"):
        yield json.dumps({**head, "choices": [], "usage": USAGE})
    yield "[DONE]"
