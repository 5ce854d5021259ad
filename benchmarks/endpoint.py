"""CPU per call of the built-in client beside the openai SDK and LangChain's ChatOpenAI, over loopback.

    python benchmarks/endpoint.py [--calls 1000] [--rounds 5]

Every stack is called in every round; the ratios are medians of same-round pairs, so that a machine
that slows down or speeds up does not count. The server runs in its own process; it answers blocking
calls at once and asyncio calls after 20 ms, so that 50 calls at once are 50 calls in flight. A model called "broken" is
answered with an error 500.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import statistics
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

CHUNKS = 20
THINKS_S = 0.02
MESSAGES = [{"role": "user", "content": "What is a capability?"}]
REPLY = {
    "id": "c1", "object": "chat.completion", "created": 1, "model": "gpt-5-mini",
    "choices": [{"index": 0, "message": {"role": "assistant", "content": "It is."}, "finish_reason": "stop"}],
    "usage": {"prompt_tokens": 9, "completion_tokens": 7, "total_tokens": 16},
}  # fmt: skip


def _chunk(content: str | None, finish: str | None) -> bytes:
    delta = {} if content is None else {"content": content}
    chunk = {**REPLY, "object": "chat.completion.chunk", "usage": None}
    chunk["choices"] = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return b"data: " + json.dumps(chunk).encode() + b"\n\n"


def _http(body: bytes, kind: bytes, status: bytes = b"200 OK") -> bytes:
    head = b"HTTP/1.1 %s\r\ncontent-type: %s\r\ncontent-length: %d\r\n\r\n" % (status, kind, len(body))
    return head + body


WHOLE = _http(json.dumps(REPLY).encode(), b"application/json")
STREAM = _http(
    b"".join([*(_chunk("word ", None) for _ in range(CHUNKS)), _chunk(None, "stop"), b"data: [DONE]\n\n"]),
    b"text/event-stream",
)
ERROR = {"error": {"message": "The server had an error.", "type": "server_error", "param": None, "code": None}}
FAILED = _http(json.dumps(ERROR).encode(), b"application/json", b"500 Internal Server Error")


class Server(asyncio.Protocol):
    def __init__(self) -> None:
        self.buffer = b""

    def connection_made(self, transport: Any) -> None:
        self.transport = transport

    def data_received(self, data: bytes) -> None:
        self.buffer += data
        head, mark, rest = self.buffer.partition(b"\r\n\r\n")
        size = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0] or 0)
        if mark and len(rest) >= size:
            streamed = b'"stream":true' in rest or b'"stream": true' in rest
            self.buffer = rest[size:]
            answer = STREAM if streamed else WHOLE
            if b'"model":"broken"' in rest:
                answer = FAILED
            if b'"n":1' in rest or b'"n": 1' in rest:  # a model that thinks, so that all calls really overlap
                asyncio.get_running_loop().call_later(THINKS_S, self.transport.write, answer)
            else:
                self.transport.write(answer)


async def serve() -> None:
    server = await asyncio.get_running_loop().create_server(Server, "127.0.0.1", 0, backlog=256)
    print(server.sockets[0].getsockname()[1], flush=True)
    await server.serve_forever()


Calls = dict[str, Callable[[], Any]]


def built_in(url: str) -> Calls:
    from capability_router.endpoints.openai_compatible import OpenAICompatible
    from capability_router.endpoints.spec import EndpointSpec

    client = OpenAICompatible(EndpointSpec(url, "gpt-5-mini", "k"))

    async def unary() -> None:
        async for _ in client.start({"messages": MESSAGES, "n": 1}).achunks():
            pass

    return {
        "unary": lambda: list(client.start({"messages": MESSAGES}).chunks()),
        "stream": lambda: list(client.start({"messages": MESSAGES}, stream=True).chunks()),
        "async": unary,
    }


def openai_sdk(url: str) -> Calls:
    import openai

    sync = openai.OpenAI(api_key="k", base_url=url, max_retries=0)
    async_client = openai.AsyncOpenAI(api_key="k", base_url=url, max_retries=0)
    body: dict[str, Any] = {"model": "gpt-5-mini", "messages": MESSAGES}
    return {
        "unary": lambda: sync.chat.completions.create(**body),
        "stream": lambda: list(sync.chat.completions.create(**body, stream=True)),
        "async": lambda: async_client.chat.completions.create(**body, n=1),
    }


def chat_openai(url: str) -> Calls:
    from langchain_openai import ChatOpenAI

    model = ChatOpenAI(model="gpt-5-mini", api_key="k", base_url=url, max_retries=0)
    text = str(MESSAGES[0]["content"])
    return {
        "unary": lambda: model.invoke(text),
        "stream": lambda: list(model.stream(text)),
        "async": lambda: model.ainvoke(text, n=1),
    }


def raw_httpx(url: str) -> Calls:
    import httpx

    sync, async_client = (
        httpx.Client(),
        httpx.AsyncClient(limits=httpx.Limits(max_connections=1000, max_keepalive_connections=100)),
    )
    request = {"url": f"{url}/chat/completions", "headers": {"authorization": "Bearer k"}}
    body = {"model": "gpt-5-mini", "messages": MESSAGES}
    return {
        "unary": lambda: sync.post(**request, json=body).json(),
        "stream": lambda: list(sync.post(**request, json={**body, "stream": True}).iter_lines()),
        "async": lambda: async_client.post(**request, json={**body, "n": 1}),
    }


STACKS: dict[str, Callable[[str], Calls]] = {
    "built-in": built_in, "openai SDK": openai_sdk, "ChatOpenAI": chat_openai, "raw httpx": raw_httpx,
}  # fmt: skip


def blocking(call: Callable[[], Any], count: int) -> float:
    for _ in range(20):
        call()
    start = time.process_time()
    for _ in range(count):
        call()
    return (time.process_time() - start) / count * 1e6


async def concurrent(call: Callable[[], Awaitable[Any]], count: int, width: int) -> float:
    async def worker(times: int) -> None:
        for _ in range(times):
            await call()

    await asyncio.gather(*(worker(2) for _ in range(width)))
    start = time.process_time()
    await asyncio.gather(*(worker(count // width) for _ in range(width)))
    return (time.process_time() - start) / count * 1e6


async def measure(url: str, count: int, rounds: int) -> dict[str, dict[str, list[float]]]:
    found: dict[str, dict[str, list[float]]] = {name: {} for name in STACKS}
    stacks = {name: make(url) for name, make in STACKS.items()}
    for _ in range(rounds):
        for name, calls in stacks.items():
            row = found[name]
            row.setdefault("unary", []).append(blocking(calls["unary"], count // 2))
            row.setdefault(f"stream of {CHUNKS}", []).append(blocking(calls["stream"], count // 4))
            row.setdefault("asyncio, 1 at a time", []).append(await concurrent(calls["async"], count // 2, 1))
            row.setdefault("asyncio, 50 at once", []).append(await concurrent(calls["async"], count, 50))
    return found


def show(found: dict[str, dict[str, list[float]]]) -> None:
    ours = found["built-in"]
    print("CPU µs per call, median of rounds (built-in / this stack, median of same-round ratios)\n")
    for what in ours:
        print(what)
        for name, row in found.items():
            ratio = statistics.median(a / b for a, b in zip(ours[what], row[what], strict=True))
            print(f"  {name:<12} {statistics.median(row[what]):8.0f}   {ratio:6.3f}")


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0] if __doc__ else "")
    parser.add_argument("--calls", type=int, default=1_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve:
        asyncio.run(serve())
        return
    with subprocess.Popen([sys.executable, __file__, "--serve"], stdout=subprocess.PIPE, text=True) as server:  # noqa: S603 - this very file
        try:
            assert server.stdout is not None
            url = f"http://127.0.0.1:{int(server.stdout.readline())}/v1"
            show(asyncio.run(measure(url, options.calls, options.rounds)))
        finally:
            server.terminate()


if __name__ == "__main__":
    main()
