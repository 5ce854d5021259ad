"""A Chat Completions server on loopback that answers by script: for tests of the adapter over real HTTP."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any


@dataclass
class Say:
    """Answer with this text, or with tool calls (name, arguments). `at_once`: a stream's events go out in one piece."""

    text: str = ""
    tools: tuple[tuple[str, dict[str, Any]], ...] = ()
    usage: tuple[int, int] = (100, 20)
    finish: str = ""
    reasoning: str = ""
    at_once: bool = False


@dataclass
class Refuse:
    """Answer with an error status."""

    status: int
    code: str = "error"
    headers: dict[str, str] = field(default_factory=dict)


@dataclass
class Cut:
    """Close the connection after this many text chunks of a stream (or at once)."""

    after: int = 0
    text: str = "one two three"


Step = Say | Refuse | Cut | Callable[[dict[str, Any]], Any]


class ChatServer:
    """Models by name, each with its steps; the last step repeats. `requests` are the bodies as sent."""

    def __init__(self) -> None:
        self.scripts: dict[str, list[Step]] = {}
        self.requests: list[dict[str, Any]] = []
        self.keys: list[str | None] = []
        self._lock = threading.Lock()
        self._server = QuietServer(("127.0.0.1", 0), type("Bound", (Handler,), {"chat": self}))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self._thread.start()

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_port}/v1"

    def script(self, model: str, *steps: Step) -> None:
        self.scripts[model] = list(steps)

    def of(self, model: str) -> list[dict[str, Any]]:
        return [body for body in self.requests if body["model"] == model]

    def step(self, body: dict[str, Any]) -> Any:
        with self._lock:
            self.requests.append(body)
            steps = self.scripts.get(body["model"], [Say("hello world")])
            step = steps.pop(0) if len(steps) > 1 else steps[0]
        return step(body) if callable(step) else step

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()


class QuietServer(ThreadingHTTPServer):
    def handle_error(self, *_: Any) -> None:
        """A client that has gone away is what some tests are about."""


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True  # else headers and body 40 ms apart
    chat: ChatServer

    def log_message(self, *_: Any) -> None:
        pass

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["content-length"])))
        self.chat.keys.append(self.headers["authorization"])
        step = self.chat.step(body)
        if isinstance(step, Refuse):
            error = {"message": "no", "code": step.code, "type": step.code}
            self._json(step.status, {"error": error}, step.headers)
        elif self.path.endswith("/messages"):
            self._messages(body, step)
        elif body.get("stream"):
            self._stream(body, step)
        elif isinstance(step, Cut):
            self.close_connection = True
        else:
            self._json(200, _whole(body["model"], step), {})

    def _json(self, status: int, value: Any, headers: dict[str, str]) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        for name, text in {"content-type": "application/json", "content-length": str(len(data)), **headers}.items():
            self.send_header(name, text)
        self.end_headers()
        self.wfile.write(data)

    def _messages(self, body: dict[str, Any], step: Say) -> None:
        """The same as Anthropic's Messages API has it."""
        if not body.get("stream"):
            self._json(200, _message(body["model"], step), {})
            return
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        for event in _events(body["model"], step):
            self.wfile.write(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n".encode())

    def _stream(self, body: dict[str, Any], step: Any) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/event-stream")
        self.send_header("connection", "close")
        self.end_headers()
        self.close_connection = True
        usage = bool((body.get("stream_options") or {}).get("include_usage"))
        events = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in _chunks(body["model"], step, usage)]
        if not isinstance(step, Cut):
            events.append(b"data: [DONE]\n\n")
        for piece in [b"".join(events)] if isinstance(step, Say) and step.at_once else events:
            self.wfile.write(piece)
        self.wfile.flush()


def _calls(step: Say, *, indexed: bool) -> list[dict[str, Any]]:
    return [
        {**({"index": i} if indexed else {}), "id": f"call_{name}_{i}", "type": "function",
         "function": {"name": name, "arguments": json.dumps(arguments)}}
        for i, (name, arguments) in enumerate(step.tools)
    ]  # fmt: skip


def _usage(step: Say) -> dict[str, int]:
    return {"prompt_tokens": step.usage[0], "completion_tokens": step.usage[1], "total_tokens": sum(step.usage)}


def _whole(model: str, step: Say) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": step.text or None}
    if step.tools:
        message["tool_calls"] = _calls(step, indexed=False)
    if step.reasoning:
        message["reasoning_content"] = step.reasoning
    finish = step.finish or ("tool_calls" if step.tools else "stop")
    return {
        "id": "r", "object": "chat.completion", "created": 1, "model": model, "usage": _usage(step),
        "choices": [{"index": 0, "message": message, "finish_reason": finish}],
    }  # fmt: skip


def _message(model: str, step: Say) -> dict[str, Any]:
    content: list[dict[str, Any]] = [{"type": "text", "text": step.text}] if step.text else []
    content += [{"type": "tool_use", "id": f"toolu_{n}", "name": n, "input": a} for n, a in step.tools]
    return {
        "id": "m", "type": "message", "role": "assistant", "model": model, "content": content,
        "stop_reason": "tool_use" if step.tools else "end_turn", "stop_sequence": None,
        "usage": {"input_tokens": step.usage[0] - 40, "output_tokens": step.usage[1], "cache_read_input_tokens": 40,
                  "cache_creation_input_tokens": 0},
    }  # fmt: skip


def _events(model: str, step: Say) -> list[dict[str, Any]]:
    whole = _message(model, step)
    start = {**whole, "content": [], "stop_reason": None, "usage": {**whole["usage"], "output_tokens": 1}}
    words = [w if i == 0 else f" {w}" for i, w in enumerate(step.text.split(" "))]
    return [
        {"type": "message_start", "message": start},
        {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
        *({"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": w}} for w in words),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": whole["usage"]},
        {"type": "message_stop"},
    ]


def _chunks(model: str, step: Say | Cut, usage: bool) -> list[dict[str, Any]]:
    def chunk(delta: dict[str, Any], finish: str | None = None) -> dict[str, Any]:
        choice = {"index": 0, "delta": delta, "finish_reason": finish}
        return {"id": "r", "object": "chat.completion.chunk", "created": 1, "model": model, "choices": [choice]}

    words = [w if i == 0 else f" {w}" for i, w in enumerate(step.text.split(" "))] if step.text else []
    out = [chunk({"role": "assistant", "content": ""})]
    if isinstance(step, Cut):
        return [*out, *(chunk({"content": w}) for w in words[: step.after])]
    out += [chunk({"reasoning_content": step.reasoning})] if step.reasoning else []
    out += [chunk({"content": w}) for w in words]
    out += [chunk({"tool_calls": [call]}) for call in _calls(step, indexed=True)]
    out.append(chunk({}, step.finish or ("tool_calls" if step.tools else "stop")))
    if usage:
        out.append({**chunk({}), "choices": [], "usage": _usage(step)})
    return out
