"""What a peer adds to a model that answers at once: run by `benchmarks.overhead --peers`, in the peer's environment.

    PYTHON -m benchmarks.overhead.peer NAME ROUNDS

Prints one JSON line: microseconds of processor time that are added to a call, p50 and p95, and the ratio, for `invoke`
and for awaited waves; calls a second; seconds to import the peer, and MiB of resident memory after import and after
1,000 calls. A round asks both in turn. Nothing of the core is imported but by the two rows that are ours: "ChatRouter",
and "Router, endpoint", which is the core without a framework, over its built-in client and loopback HTTP.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, NamedTuple

from benchmarks.overhead.memory import resident_mib
from benchmarks.overhead.prompt import PROMPT
from benchmarks.overhead.samples import added, mean, measured, ratio
from benchmarks.overhead.server import running

CALLS, AT_ONCE, WAVES, REMEMBERED = 100, 50, 8, 1_000


class Way(NamedTuple):
    """A model, bare or through a peer: a call, and an awaitable one."""

    call: Callable[[], Any]
    acall: Callable[[], Any]


def of_chat_model(model: Any) -> Way:
    return Way(lambda: model.invoke(PROMPT), lambda: model.ainvoke(PROMPT))


def parrot() -> Any:
    from benchmarks.overhead.parrot import Parrot

    return Parrot()


def model_router() -> tuple[Way, Way]:
    from langchain_model_router import ChatRouter

    model = parrot()
    router = ChatRouter(routes={"a": model}, strategy=lambda _: "a", default_route="a")
    return of_chat_model(model), of_chat_model(router)


def _litellm() -> tuple[Any, Any]:
    import litellm

    litellm.telemetry, litellm.suppress_debug_info = False, True
    params = {"model": "openai/parrot", "api_key": "made-up", "mock_response": "Paris."}
    return litellm, litellm.Router(model_list=[{"model_name": "parrot", "litellm_params": params}])


def litellm_router() -> tuple[Way, Way]:
    """Its own mock answers at once; `litellm.completion` is what its router stands before."""
    litellm, router = _litellm()
    said: Any = [{"role": "user", "content": PROMPT}]
    direct = {"model": "openai/parrot", "api_key": "made-up", "mock_response": "Paris.", "messages": said}
    return (
        Way(lambda: litellm.completion(**direct), lambda: litellm.acompletion(**direct)),
        Way(lambda: router.completion("parrot", said), lambda: router.acompletion("parrot", said)),
    )


def chat_litellm_router() -> tuple[Way, Way]:
    """Bare: langchain-litellm's own model, over the same mock."""
    from langchain_litellm import ChatLiteLLM, ChatLiteLLMRouter

    _, router = _litellm()
    bare = ChatLiteLLM(model="openai/parrot", api_key="made-up", model_kwargs={"mock_response": "Paris."})
    return of_chat_model(bare), of_chat_model(ChatLiteLLMRouter(router=router, model="parrot"))


def ours() -> tuple[Way, Way]:
    from langchain_router import ChatRouter

    model = parrot()
    return of_chat_model(model), of_chat_model(ChatRouter([model]))


def core_router() -> tuple[Way, Way]:
    """No framework is loaded. Bare: the built-in client, over the same connection to a server that answers at once."""
    from capability_router import Router
    from capability_router.endpoints.calls import ChatCalls
    from capability_router.endpoints.chat import request_from_chat
    from capability_router.endpoints.openai_compatible import client_for

    endpoint = {"base_url": f"{SERVERS.enter_context(running())}/v1", "model": "parrot", "api_key": "made-up"}
    router, client = Router([{"id": "parrot", "endpoint": endpoint}]), client_for(endpoint)

    def calls() -> tuple[Any, Any]:
        request = request_from_chat(PROMPT)
        return request, ChatCalls(request, {"parrot": client})

    def bare() -> Any:
        return client.start({"messages": [{"role": "user", "content": PROMPT}]})

    return (
        Way(lambda: list(bare().chunks()), lambda: _gathered(bare().achunks())),
        Way(lambda: list(router.start(*calls())), lambda: _gathered(router.start(*calls()))),
    )


async def _gathered(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


SERVERS = ExitStack()
"""Ends with the process."""


def fallbacks() -> tuple[Way, Way]:
    model = parrot()
    return of_chat_model(model), of_chat_model(model.with_fallbacks([parrot()]))


CORE = "Router, endpoint"
PEERS: dict[str, tuple[str, Callable[[], tuple[Way, Way]]]] = {
    "ChatRouter": ("langchain", ours), CORE: (".", core_router), "with_fallbacks": ("langchain", fallbacks),
    "langchain-model-router": ("langchain", model_router),
    "litellm.Router": ("litellm", litellm_router), "ChatLiteLLMRouter": ("litellm", chat_litellm_router),
}  # fmt: skip
"""By name: the environment that it is run in, and what makes it."""


def invoked(way: Way) -> list[float]:
    taken = []
    for _ in range(CALLS):
        before = time.process_time_ns()
        way.call()
        taken.append((time.process_time_ns() - before) / 1_000)
    return taken


def ainvoked(way: Way) -> list[float]:
    """Of each wave, the work of a call."""

    async def waves() -> list[float]:
        return [await _wave_us(way) for _ in range(WAVES)]

    return asyncio.run(waves())


async def _wave_us(way: Way) -> float:
    before = time.process_time_ns()
    await asyncio.gather(*(way.acall() for _ in range(AT_ONCE)))
    return (time.process_time_ns() - before) / AT_ONCE / 1_000


def figures(name: str, rounds: int) -> dict[str, Any]:
    began = time.process_time()
    bare, through = PEERS[name][1]()
    told: dict[str, Any] = {"import_s": time.process_time() - began, "rss_mib": resident_mib()}
    for _ in range(REMEMBERED):
        through.call()
    told["rss_after_mib"] = resident_mib()
    for what, use in (("invoke", invoked), ("ainvoke", ainvoked)):
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
