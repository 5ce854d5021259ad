"""What a peer adds to a model that answers at once: run by `benchmarks.overhead --peers`, in the peer's environment.

    PYTHON -m benchmarks.overhead.peer NAME ROUNDS

Prints one JSON line: microseconds of processor time that are added to a call, p50 and p95, and the ratio, for `invoke`,
for awaited waves, and until a stream's first text; calls a second; seconds to import the peer, and MiB of resident
memory after import and after 1,000 calls. A round asks both in turn. Nothing of the core is imported but by the two
rows that are ours: "ChatRouter", and "Router, endpoint", which is the core without a framework, over its built-in
client and loopback HTTP.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import cache
from typing import Any, NamedTuple

from benchmarks.overhead.memory import resident_mib
from benchmarks.overhead.prompt import PROMPT
from benchmarks.overhead.samples import added, mean, measured, ratio
from benchmarks.overhead.server import running

CALLS, AT_ONCE, WAVES, STREAMS, REMEMBERED = 100, 50, 8, 20, 1_000


class PeerCalls(NamedTuple):
    """A model, bare or through a peer: a call, an awaitable one, and the texts of a stream."""

    call: Callable[[], Any]
    acall: Callable[[], Any]
    stream: Callable[[], Iterator[str]]


def of_chat_model(model: Any, streaming: Callable[[], Any]) -> PeerCalls:
    """`streaming`: the same over a model that can stream; the calls are asked of one that cannot."""
    return PeerCalls(
        lambda: model.invoke(PROMPT), lambda: model.ainvoke(PROMPT),
        lambda: (str(chunk.content) for chunk in streaming().stream(PROMPT)),
    )  # fmt: skip


def over_parrots(made: Callable[[Any], Any]) -> tuple[PeerCalls, PeerCalls]:
    """A model that answers at once, bare and through what is made of it.

    What streams is made when it is first asked: it has no part in the time of the import, and in the memory.
    """
    from benchmarks.overhead.parrot import Parrot, StreamingParrot

    model = Parrot()
    bare, through = cache(StreamingParrot), cache(lambda: made(StreamingParrot()))
    return of_chat_model(model, bare), of_chat_model(made(model), through)


def model_router() -> tuple[PeerCalls, PeerCalls]:
    from langchain_model_router import ChatRouter

    return over_parrots(lambda model: ChatRouter(routes={"a": model}, strategy=lambda _: "a", default_route="a"))


DIRECT = {"model": "openai/parrot", "api_key": "made-up", "mock_response": "Paris."}
"""What litellm is asked for: its own mock answers at once."""


def litellm_over(models: int) -> tuple[Any, Any]:
    """The library, and its router over so many deployments of one name."""
    import litellm

    litellm.telemetry, litellm.suppress_debug_info = False, True
    deployed = (
        {"model_name": "parrot", "litellm_params": dict(DIRECT), "model_info": {"id": f"m{n}"}} for n in range(models)
    )
    return litellm, litellm.Router(model_list=list(deployed))


def litellm_router() -> tuple[PeerCalls, PeerCalls]:
    """`litellm.completion` is what its router stands before."""
    litellm, router = litellm_over(1)
    said: Any = [{"role": "user", "content": PROMPT}]
    direct = {**DIRECT, "messages": said}
    return (
        PeerCalls(
            lambda: litellm.completion(**direct), lambda: litellm.acompletion(**direct),
            lambda: _texts(litellm.completion(**direct, stream=True)),
        ),
        PeerCalls(
            lambda: router.completion("parrot", said), lambda: router.acompletion("parrot", said),
            lambda: _texts(router.completion("parrot", said, stream=True)),
        ),
    )  # fmt: skip


def _texts(chunks: Any) -> Iterator[str]:
    return (chunk.choices[0].delta.content or "" for chunk in chunks)


def chat_litellm_router() -> tuple[PeerCalls, PeerCalls]:
    """Bare: langchain-litellm's own model, over the same mock."""
    bare, through = chat_litellm_over(1)
    return of_chat_model(bare, lambda: bare), of_chat_model(through, lambda: through)


def chat_litellm_over(models: int) -> tuple[Any, Any]:
    from langchain_litellm import ChatLiteLLM, ChatLiteLLMRouter

    _, router = litellm_over(models)
    bare = ChatLiteLLM(model="openai/parrot", api_key="made-up", model_kwargs={"mock_response": "Paris."})
    return bare, ChatLiteLLMRouter(router=router, model="parrot")


def ours() -> tuple[PeerCalls, PeerCalls]:
    from langchain_router import ChatRouter

    return over_parrots(lambda model: ChatRouter([model]))


def core_router() -> tuple[PeerCalls, PeerCalls]:
    """No framework is loaded. Bare: the built-in client, over the same connection to a server that answers at once."""
    from capability_router import Router
    from capability_router.endpoints.chat import request_from_chat
    from capability_router.endpoints.chat_completions_endpoint import ChatCompletionsEndpoint
    from capability_router.endpoints.openai_compatible import client_for

    endpoint = {"base_url": f"{SERVERS.enter_context(running())}/v1", "model": "parrot", "api_key": "made-up"}
    router, client = Router([{"id": "parrot", "endpoint": endpoint}]), client_for(endpoint)

    def calls(**more: Any) -> tuple[Any, Any]:
        request = request_from_chat(PROMPT, **more)
        return request, ChatCompletionsEndpoint(request, {"parrot": client})

    def bare(**more: Any) -> Any:
        return client.start({"messages": [{"role": "user", "content": PROMPT}]}, **more)

    return (
        PeerCalls(
            lambda: list(bare().chunks()), lambda: _gathered(bare().achunks()),
            lambda: (delta.text for delta in bare(stream=True).chunks()),
        ),
        PeerCalls(
            lambda: list(router.start(*calls())), lambda: _gathered(router.start(*calls())),
            lambda: (delta.text for delta in router.start(*calls(stream=True))),
        ),
    )  # fmt: skip


async def _gathered(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


SERVERS = ExitStack()
"""Ends with the process."""


def fallbacks() -> tuple[PeerCalls, PeerCalls]:
    return over_parrots(lambda model: model.with_fallbacks([type(model)()]))


CORE = "Router, endpoint"
PEERS: dict[str, tuple[str, Callable[[], tuple[PeerCalls, PeerCalls]]]] = {
    "ChatRouter": ("langchain", ours), CORE: (".", core_router), "with_fallbacks": ("langchain", fallbacks),
    "langchain-model-router": ("langchain", model_router),
    "litellm.Router": ("litellm", litellm_router), "ChatLiteLLMRouter": ("litellm", chat_litellm_router),
}  # fmt: skip
"""By name: the environment that it is run in, and what makes it."""


def invoked(way: PeerCalls) -> list[float]:
    taken = []
    for _ in range(CALLS):
        before = time.process_time_ns()
        way.call()
        taken.append((time.process_time_ns() - before) / 1_000)
    return taken


def ainvoked(way: PeerCalls) -> list[float]:
    """Of each wave, the work of a call."""

    async def waves() -> list[float]:
        return [await _wave_us(way) for _ in range(WAVES)]

    return asyncio.run(waves())


async def _wave_us(way: PeerCalls) -> float:
    before = time.process_time_ns()
    await asyncio.gather(*(way.acall() for _ in range(AT_ONCE)))
    return (time.process_time_ns() - before) / AT_ONCE / 1_000


def first_texts(way: PeerCalls) -> list[float]:
    """The work until a stream's first text; the others are read, too, but not measured."""
    taken = []
    for _ in range(STREAMS):
        before, texts = time.process_time_ns(), way.stream()
        while not next(texts):
            pass
        taken.append((time.process_time_ns() - before) / 1_000)
        for _ in texts:
            pass
    return taken


def figures(name: str, rounds: int) -> dict[str, Any]:
    began = time.process_time()
    bare, through = PEERS[name][1]()
    told: dict[str, Any] = {"import_s": time.process_time() - began, "rss_mib": resident_mib()}
    for _ in range(REMEMBERED):
        through.call()
    told["rss_after_mib"] = resident_mib()
    for what, use in (("invoke", invoked), ("ainvoke", ainvoked), ("first", first_texts)):
        seen = measured(use, {"bare": bare, "through": through}, rounds)
        own, mine = seen["bare"], seen["through"]
        told[what] = {
            "ratio": ratio(mine, own), "p50": added(mine, own, 0.5), "p95": added(mine, own, 0.95),
            "per_s": 1e6 / mean(mine),
        }  # fmt: skip
    return told


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to stderr
    with SERVERS:
        out.write(json.dumps(figures(sys.argv[1], int(sys.argv[2]))) + "\n")
