"""A loopback server whose answers bring whatever counts, service tier and headers the test names.

Chat Completions, whole and streamed, Anthropic's Messages, Gemini's generateContent. WIRES are the counts of
several providers as they come, with what they mean. Stdlib only.
"""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, NamedTuple

from capability_router import Price, Usage

PRICE = Price.parse({
    "input_mtok": 1, "output_mtok": 10, "cache_read_mtok": 0.1, "cache_write_mtok": 1.25, "cache_write_1h_mtok": 2,
    "input_audio_mtok": 40, "output_audio_mtok": 80, "cache_audio_read_mtok": 4,
    "input_image_mtok": 5, "output_image_mtok": 30, "cache_image_read_mtok": 0.5,
    "services": {"flex": {"input_mtok": 0.5, "output_mtok": 5}, "priority": {"input_mtok": 3, "output_mtok": 30}},
})  # fmt: skip
"""A price that tells every kind of token apart."""


class Wire(NamedTuple):
    """What comes over the wire, what it means, and what the provider itself says it costs (None = nothing)."""

    counts: Mapping[str, Any]
    usage: Usage
    bill: Decimal | None = None
    tier: str | None = None
    headers: Mapping[str, str] = {}
    repeats: bool = False  # with every chunk of a stream, growing

    def costs(self, *, stream: bool = False) -> Decimal:
        """The cost in USD that a call with these counts is to be booked with."""
        by_price = Decimal(PRICE.cost(self.usage) or 0) / 10**12
        return by_price if self.bill is None or (stream and self.headers) else self.bill


def _upstream(cost: float) -> dict[str, float]:
    half = cost / 2
    return {
        "upstream_inference_cost": cost, "upstream_inference_prompt_cost": half,
        "upstream_inference_completions_cost": half,
    }  # fmt: skip


_PLAIN = {"prompt_tokens": 1_000, "completion_tokens": 500, "total_tokens": 1_500}
WIRES = {
    "openai": Wire(
        {**_PLAIN, "prompt_tokens_details": {"cached_tokens": 300, "audio_tokens": 100},
         "completion_tokens_details": {"reasoning_tokens": 50, "audio_tokens": 70}},
        Usage(1_000, 500, 300, 0, 50, 100, 70),
    ),
    "openai, written": Wire(
        {**_PLAIN, "prompt_tokens_details": {"cached_tokens": 300, "cache_write_tokens": 200}},
        Usage(1_000, 500, 300, 200),
    ),
    "openai, priority": Wire(
        {**_PLAIN, "prompt_tokens_details": {"cached_tokens": 300}}, Usage(1_000, 500, 300, service_tier="priority"),
        tier="priority",
    ),
    "openai, flex": Wire(_PLAIN, Usage(1_000, 500, service_tier="flex"), tier="flex"),
    "openai, default": Wire(_PLAIN, Usage(1_000, 500), tier="default"),
    "xai": Wire(
        {**_PLAIN, "total_tokens": 1_900, "completion_tokens_details": {"reasoning_tokens": 400},
         "cost_in_usd_ticks": 94_000_000},
        Usage(1_000, 900, reasoning_tokens=400), bill=Decimal("0.0094"),
    ),
    "openrouter": Wire(
        {**_PLAIN, "cost": 0.0123, "is_byok": False, "cost_details": _upstream(0.0123)},
        Usage(1_000, 500), bill=Decimal("0.0123"),
    ),
    "openrouter, own key": Wire(
        {**_PLAIN, "cost": 0.001, "is_byok": True, "cost_details": _upstream(0.02)},
        Usage(1_000, 500), bill=Decimal("0.021"),
    ),
    "litellm's proxy": Wire(
        _PLAIN, Usage(1_000, 500), bill=Decimal("0.0456"), headers={"x-litellm-response-cost": "0.0456"}
    ),
    "litellm's proxy, passing on": Wire(
        {**_PLAIN, "cost": 0.03}, Usage(1_000, 500), bill=Decimal("0.0456"),
        headers={"x-litellm-response-cost": "0.0456"},
    ),
    "free": Wire({**_PLAIN, "cost": 0}, Usage(1_000, 500), bill=Decimal(0)),
    "nonsense": Wire({**_PLAIN, "cost": "free of charge"}, Usage(1_000, 500)),
}  # fmt: skip
"""What any client of Chat Completions passes on, if it passes on what came."""

RAW_WIRES = {
    "perplexity": Wire(
        {**_PLAIN, "cost": {"input_tokens_cost": 0.001, "output_tokens_cost": 0.005, "total_cost": 0.0111}},
        Usage(1_000, 500), bill=Decimal("0.0111"), repeats=True,
    ),
    "perplexity, research": Wire(
        {**_PLAIN, "citation_tokens": 200, "reasoning_tokens": 4_000, "num_search_queries": 5},
        Usage(1_000, 4_700, reasoning_tokens=4_000),
    ),
    "google": Wire({**_PLAIN, "total_tokens": 1_600}, Usage(1_000, 600, reasoning_tokens=100)),
    "images": Wire(
        {**_PLAIN, "prompt_tokens_details": {
            "cached_tokens": 300, "image_tokens": 400, "audio_tokens": 30,
            "cached_tokens_details": {"image_tokens": 50, "audio_tokens": 20},
        }, "completion_tokens_details": {"image_tokens": 90}},
        Usage(1_000, 500, 300, input_audio_tokens=30, cache_audio_read_tokens=20, cache_image_read_tokens=50,
              input_image_tokens=400, output_image_tokens=90),
    ),
}  # fmt: skip
"""What only a client shows that keeps the counts as they came."""

PROXY_WIRES = {
    "litellm's proxy, an hour": Wire(
        {**_PLAIN, "prompt_tokens_details": {
            "cached_tokens": 300, "cache_creation_tokens": 200,
            "cache_creation_token_details": {"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50},
        }},
        Usage(1_000, 500, 300, 200, cache_creation_1h_tokens=50),
    ),
    "deepseek": Wire(
        {**_PLAIN, "prompt_cache_hit_tokens": 300, "prompt_cache_miss_tokens": 700}, Usage(1_000, 500, 300)
    ),
    "moonshot": Wire({**_PLAIN, "cached_tokens": 300}, Usage(1_000, 500, 300)),
}  # fmt: skip
"""Dialects that the built-in client knows."""

CLAUDE = Wire(
    {"input_tokens": 500, "cache_read_input_tokens": 300, "cache_creation_input_tokens": 200, "output_tokens": 500,
     "cache_creation": {"ephemeral_5m_input_tokens": 150, "ephemeral_1h_input_tokens": 50}, "service_tier": "standard"},
    Usage(1_000, 500, 300, 200, cache_creation_1h_tokens=50),
)  # fmt: skip
GEMINI = Wire(
    {"promptTokenCount": 900, "toolUsePromptTokenCount": 100, "cachedContentTokenCount": 300,
     "candidatesTokenCount": 400, "thoughtsTokenCount": 100, "totalTokenCount": 1_500,
     "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 600}, {"modality": "AUDIO", "tokenCount": 200},
                             {"modality": "IMAGE", "tokenCount": 60}, {"modality": "DOCUMENT", "tokenCount": 40}],
     "cacheTokensDetails": [{"modality": "TEXT", "tokenCount": 200}, {"modality": "AUDIO", "tokenCount": 100}],
     "candidatesTokensDetails": [{"modality": "TEXT", "tokenCount": 330}, {"modality": "IMAGE", "tokenCount": 70}]},
    Usage(1_000, 500, 300, 0, 100, 200, cache_audio_read_tokens=100, input_image_tokens=100, output_image_tokens=70),
)  # fmt: skip


class BillingServer:
    """Answers everything with `wire`. `url` is a base URL for Chat Completions, `root` for the others."""

    def __init__(self) -> None:
        self.wire = WIRES["openai"]
        owner = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"
            disable_nagle_algorithm = True  # else headers and body 40 ms apart

            def log_message(self, *args: Any) -> None:
                """Quiet."""

            def do_POST(self) -> None:
                body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
                owner.answer(self, body)

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()
        self.root = f"http://127.0.0.1:{self._server.server_port}"
        self.url = f"{self.root}/v1"

    def close(self) -> None:
        self._server.shutdown()
        self._server.server_close()

    def answer(self, http: BaseHTTPRequestHandler, body: dict[str, Any]) -> None:
        stream = bool(body.get("stream")) or ":stream" in http.path
        frame = "data: {}\n\n"
        if "messages" in http.path:
            pieces, frame = list(_claude(self.wire, stream)), "event: {type}\ndata: {}\n\n"
        elif "generateContent" in http.path or "GenerateContent" in http.path:
            pieces = list(_gemini(self.wire, stream))
        else:
            pieces = list(_completions(self.wire, stream))
        texts = [frame.format(json.dumps(p), type=p.get("type")) for p in pieces] if stream else [json.dumps(pieces[0])]
        data = "".join(texts).encode()
        http.send_response(200)
        for name, value in self.wire.headers.items():
            http.send_header(name, value)
        http.send_header("Content-Type", "text/event-stream" if stream else "application/json")
        http.send_header("Content-Length", str(len(data)))
        http.send_header("Connection", "close")  # some clients leave theirs to the collector
        http.end_headers()
        http.close_connection = True
        http.wfile.write(data)


def _completions(wire: Wire, stream: bool) -> Iterator[dict[str, Any]]:
    kind = "chat.completion.chunk" if stream else "chat.completion"
    head = {"id": "c1", "object": kind, "created": 1, "model": "m", "system_fingerprint": None}
    tier = {} if wire.tier is None else {"service_tier": wire.tier}
    if not stream:
        choice = {"index": 0, "message": {"role": "assistant", "content": "a b"}, "finish_reason": "stop"}
        yield {**head, **tier, "choices": [choice], "usage": wire.counts}
        return
    for n, (text, reason) in enumerate((("a", None), (" b", None), ("", "stop")), 1):
        choice = {"index": 0, "delta": {"role": "assistant", "content": text}, "finish_reason": reason}
        grown = {k: v * n // 3 if isinstance(v, int) else v for k, v in wire.counts.items()}
        yield {**head, **tier, "choices": [choice], **({"usage": grown} if wire.repeats else {})}
    if not wire.repeats:
        yield {**head, **tier, "choices": [], "usage": wire.counts}


def _claude(wire: Wire, stream: bool) -> Iterator[dict[str, Any]]:
    whole = {
        "id": "msg_1", "type": "message", "role": "assistant", "model": "m", "stop_reason": "end_turn",
        "stop_sequence": None, "content": [{"type": "text", "text": "a b"}], "usage": wire.counts,
    }  # fmt: skip
    if not stream:
        yield whole
        return
    start = {**whole, "content": [], "stop_reason": None, "usage": {**wire.counts, "output_tokens": 1}}
    yield {"type": "message_start", "message": start}
    yield {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}}
    yield {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "a b"}}
    yield {"type": "content_block_stop", "index": 0}
    told = {k: v for k, v in wire.counts.items() if k not in ("cache_creation", "service_tier")}
    yield {"type": "message_delta", "delta": {"stop_reason": "end_turn", "stop_sequence": None}, "usage": told}
    yield {"type": "message_stop"}


def _gemini(wire: Wire, stream: bool) -> Iterator[dict[str, Any]]:
    for text, reason in (("a", None), (" b", "STOP")) if stream else (("a b", "STOP"),):
        candidate: dict[str, Any] = {"index": 0, "content": {"role": "model", "parts": [{"text": text}]}}
        yield {
            "candidates": [{**candidate, "finishReason": reason} if reason else candidate],
            "usageMetadata": wire.counts, "modelVersion": "m", "responseId": "r1",
        }  # fmt: skip
