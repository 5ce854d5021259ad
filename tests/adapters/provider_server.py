"""A loopback server that speaks Anthropic's Messages, Gemini's generateContent and Ollama's /api/chat.

Which format is told by the path; how it goes by the model's name, or by a folder before the path, for clients that
know their models' names (`http://host/fail`): `fail-` answers 429, `over-` each provider's "overloaded", `late-`
states it (Anthropic, Ollama) within a stream that has begun, `cut-` ends its stream cleanly after what precedes the
first text, `half-` after the first text, `bare-` ends Gemini's without parts. Without a schema it says "a b c",
with one what fits it; with tools and a last message from the user it calls the first tool. No real model, stdlib only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from adapters.langchain.openai_server import example

INPUT, CACHED, OUTPUT = 10, 4, 3
"""Tokens of every answer, whatever it holds; CACHED are part of INPUT where the format knows a cache."""
WORDS = ("a", " b", " c")
WINDOW = 32_768
FOLDERS = ("ok", "fail", "over", "late", "cut", "half", "bare")


class Tool(NamedTuple):
    """A tool call that is to be made."""

    name: str
    args: dict[str, Any]


class Answer(NamedTuple):
    """What a model is to give: a tool call, or else its words."""

    model: str
    tool: Tool | None
    words: tuple[str, ...] = WORDS


class Format(NamedTuple):
    """One wire format: its answer, its stream's pieces, its errors, and how a piece is framed."""

    whole: Callable[[Answer], dict[str, Any]]
    pieces: Callable[[Answer], Iterator[dict[str, Any]]]
    errors: dict[str, tuple[int, dict[str, Any]]]
    frame: Callable[[dict[str, Any]], str]
    media: str
    before_text: int  # how many pieces precede the first text


# -- Anthropic ------------------------------------------------------------------------------------


def _claude_error(kind: str) -> dict[str, Any]:
    return {"type": "error", "error": {"type": kind, "message": "scripted"}, "request_id": "req_1"}


def _claude(answer: Answer) -> dict[str, Any]:
    tool = answer.tool
    used = {"type": "tool_use", "id": "toolu_1", "name": tool.name, "input": tool.args} if tool else None
    return {
        "id": "msg_1", "type": "message", "role": "assistant", "model": answer.model,
        "content": [used or {"type": "text", "text": "".join(answer.words)}],
        "stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None,
        "usage": {
            "input_tokens": INPUT - CACHED, "cache_read_input_tokens": CACHED, "cache_creation_input_tokens": 0,
            "output_tokens": OUTPUT,
        },
    }  # fmt: skip


def _claude_pieces(answer: Answer) -> Iterator[dict[str, Any]]:
    whole, tool = _claude(answer), answer.tool
    usage = {**whole["usage"], "output_tokens": 1}
    yield {"type": "message_start", "message": {**whole, "content": [], "stop_reason": None, "usage": usage}}
    (block,) = whole["content"]
    empty = {**block, "input": {}} if tool else {"type": "text", "text": ""}
    yield {"type": "content_block_start", "index": 0, "content_block": empty}
    yield {"type": "ping"}
    for piece in _halves(json.dumps(tool.args)) if tool else answer.words:
        delta = {"type": "input_json_delta", "partial_json": piece} if tool else {"type": "text_delta", "text": piece}
        yield {"type": "content_block_delta", "index": 0, "delta": delta}
    yield {"type": "content_block_stop", "index": 0}
    ended = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    yield {"type": "message_delta", "delta": ended, "usage": whole["usage"]}  # cumulative, all of it
    yield {"type": "message_stop"}


def _halves(text: str) -> tuple[str, str]:
    return text[: len(text) // 2], text[len(text) // 2 :]


# -- Gemini ---------------------------------------------------------------------------------------


def _gemini_error(code: int, status: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": "scripted", "status": status}}


def _gemini_piece(model: str, parts: list[dict[str, Any]], reason: str | None = None) -> dict[str, Any]:
    candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": parts}}
    usage = {"promptTokenCount": INPUT, "cachedContentTokenCount": CACHED, "totalTokenCount": INPUT}
    if reason:
        candidate["finishReason"] = reason
        usage.update(candidatesTokenCount=OUTPUT, totalTokenCount=INPUT + OUTPUT)
    return {"candidates": [candidate], "usageMetadata": usage, "modelVersion": model, "responseId": "r1"}


def _gemini(answer: Answer) -> dict[str, Any]:
    tool = answer.tool
    called = {"functionCall": {"name": tool.name, "args": tool.args}} if tool else None
    return _gemini_piece(answer.model, [called or {"text": "".join(answer.words)}], "STOP")


def _gemini_pieces(answer: Answer) -> Iterator[dict[str, Any]]:
    if answer.tool:
        yield _gemini(answer)
        return
    for word in answer.words:
        yield _gemini_piece(answer.model, [{"text": word}])
    yield _gemini_piece(answer.model, [{"text": ""}], "STOP")


# -- Ollama ---------------------------------------------------------------------------------------


def _ollama_piece(model: str, message: dict[str, Any], done: bool) -> dict[str, Any]:
    piece = {"model": model, "created_at": "2025-01-01T00:00:00Z", "done": done}
    piece["message"] = {"role": "assistant", "content": "", **message}
    if done:
        durations = dict.fromkeys(("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"), 1)
        piece.update(done_reason="stop", prompt_eval_count=INPUT, eval_count=OUTPUT, **durations)
    return piece


def _ollama_call(tool: Tool) -> dict[str, Any]:
    return {"tool_calls": [{"function": {"name": tool.name, "arguments": tool.args}}]}


def _ollama(answer: Answer) -> dict[str, Any]:
    message = _ollama_call(answer.tool) if answer.tool else {"content": "".join(answer.words)}
    return _ollama_piece(answer.model, message, True)


def _ollama_pieces(answer: Answer) -> Iterator[dict[str, Any]]:
    for message in [_ollama_call(answer.tool)] if answer.tool else [{"content": word} for word in answer.words]:
        yield _ollama_piece(answer.model, message, False)
    yield _ollama_piece(answer.model, {}, True)


# -- the server -----------------------------------------------------------------------------------

FORMATS = {
    "messages": Format(
        _claude, _claude_pieces,
        {"fail": (429, _claude_error("rate_limit_error")), "over": (529, _claude_error("overloaded_error"))},
        lambda piece: f"event: {piece['type']}\ndata: {json.dumps(piece)}\n\n", "text/event-stream", 3,
    ),
    "gemini": Format(
        _gemini, _gemini_pieces,
        {"fail": (429, _gemini_error(429, "RESOURCE_EXHAUSTED")), "over": (503, _gemini_error(503, "UNAVAILABLE"))},
        lambda piece: f"data: {json.dumps(piece)}\r\n\r\n", "text/event-stream", 0,
    ),
    "chat": Format(
        _ollama, _ollama_pieces,
        {"fail": (429, {"error": "too many requests"}), "over": (503, {"error": "server busy, please try again"})},
        lambda piece: json.dumps(piece) + "\n", "application/x-ndjson", 0,
    ),
}  # fmt: skip


class ProviderServer:
    """Runs until `close`. `seen` holds (model, body) of every request; `url` has no path."""

    def __init__(self) -> None:
        self.seen: list[tuple[str, dict[str, Any]]] = []
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def do_GET(self) -> None:
                """What Gemini tells of a model."""
                _send(self, 200, {"name": "models/m", "inputTokenLimit": WINDOW, "outputTokenLimit": 8_192})

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                if self.path.endswith("/api/show"):
                    _send(self, 200, {"model_info": {"llama.context_length": WINDOW}})
                else:
                    owner._answer(self, body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self._server.server_port}"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def calls(self, model: str) -> int:
        return sum(name == model for name, _ in self.seen)

    def _answer(self, http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        last = http.path.partition("?")[0].rpartition("/")[2]
        named, _, verb = last.partition(":")  # Gemini's path names the model and what is asked of it
        form = FORMATS["gemini" if verb else last]
        model = named if verb else body["model"]
        self.seen.append((model, body))
        folder = http.path.split("/")[1]
        kind, answer = folder if folder in FOLDERS else model.partition("-")[0], _answer(model, body)
        if kind in form.errors:
            _send(http, *form.errors[kind])
        elif verb == "streamGenerateContent" or body.get("stream"):
            _stream(http, form, _scripted(form, kind, answer))
        else:
            _send(http, 200, form.whole(answer))


def _answer(model: str, body: dict[str, Any]) -> Answer:
    tool, schema = _wanted(body), _schema(body)
    return Answer(model, tool, WORDS if tool or not schema else _halves(json.dumps(example(_lowered(schema)))))


def _schema(body: dict[str, Any]) -> dict[str, Any] | None:
    """The JSON schema of the answer, wherever the format has it."""
    told, stated = body.get("generationConfig") or {}, body.get("format")
    claude = (body.get("output_config") or {}).get("format") or body.get("output_format") or {}
    places = (told.get("responseSchema"), told.get("responseJsonSchema"), stated, claude.get("schema"))
    return next((schema for schema in places if isinstance(schema, dict)), None)


def _scripted(form: Format, kind: str, answer: Answer) -> Iterator[dict[str, Any]]:
    allowed = {"cut": form.before_text, "late": form.before_text, "half": form.before_text + 1}.get(kind)
    for i, piece in enumerate(form.pieces(answer)):
        if i == allowed:
            break
        yield _bare(piece) if kind == "bare" else piece
    if kind == "late":
        yield form.errors["over"][1]


def _bare(piece: dict[str, Any]) -> dict[str, Any]:
    (candidate,) = piece["candidates"]
    ending = candidate["content"]["parts"] == [{"text": ""}]
    return {**piece, "candidates": [{**candidate, "content": {"role": "model"}}]} if ending else piece


def _wanted(body: dict[str, Any]) -> Tool | None:
    """The first tool that has a schema, filled in by it, unless a tool has just answered."""
    turns = body.get("messages") or body["contents"]
    asked = turns[-1].get("role") == "user" and '"tool_result"' not in json.dumps(turns[-1])
    if not body.get("tools") or not asked or "functionResponse" in json.dumps(turns[-1]):
        return None
    for tool in body["tools"]:
        declared = tool.get("function") or (tool.get("functionDeclarations") or [tool])[0]
        for name in ("input_schema", "parameters", "parametersJsonSchema"):
            if name in declared:
                return Tool(declared["name"], example(_lowered(declared[name])))
    return None


def _lowered(schema: dict[str, Any]) -> dict[str, Any]:
    """Gemini writes its schema's types in capitals."""
    inner = {name: _lowered(value) for name, value in schema.get("properties", {}).items()}
    kind = schema.get("type")
    return {**schema, "properties": inner, "type": kind.lower() if isinstance(kind, str) else kind}


def _send(http: BaseHTTPRequestHandler, status: int, value: dict[str, Any]) -> None:
    data = json.dumps(value).encode()
    http.send_response(status)
    http.send_header("Content-Type", "application/json")
    http.send_header("Content-Length", str(len(data)))
    http.end_headers()
    http.wfile.write(data)


def _stream(http: BaseHTTPRequestHandler, form: Format, pieces: Iterator[dict[str, Any]]) -> None:
    http.send_response(200)
    http.send_header("Content-Type", form.media)
    http.send_header("Connection", "close")
    http.end_headers()
    http.close_connection = True
    with suppress(ConnectionError):  # a client may leave early
        for piece in pieces:
            http.wfile.write(form.frame(piece).encode())
            http.wfile.flush()
