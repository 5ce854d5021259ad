"""What a peer adds to a model that answers at once: run by `benchmarks.overhead --peers`, in the peer's environment.

    PYTHON benchmarks/overhead_of_peers.py NAME ROUNDS

Prints one JSON line: CPU microseconds of a call, bare and through the peer, for `invoke` and for awaited waves; seconds
to import the peer, and MiB of resident memory after import and after the calls. A round asks both in turn; each figure
is the median over the rounds. Nothing of the core is imported, but for "ChatRouter", which is ours.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

PROMPT = "What is the capital of France, and why is it known for its museums? Please be brief."
CALLS, AT_ONCE = 100, 50


class Way(NamedTuple):
    """A model, bare or through a peer: a call, and an awaitable one."""

    call: Callable[[], Any]
    acall: Callable[[], Any]


def of_chat_model(model: Any) -> Way:
    return Way(lambda: model.invoke(PROMPT), lambda: model.ainvoke(PROMPT))


def parrot() -> Any:
    """The same as in overhead.py, without the core."""
    from langchain_core.language_models import BaseChatModel
    from langchain_core.messages import AIMessage
    from langchain_core.outputs import ChatGeneration, ChatResult

    class Parrot(BaseChatModel):
        @property
        def _llm_type(self) -> str:
            return "parrot"

        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            used: Any = {"input_tokens": 20, "output_tokens": 8, "total_tokens": 28}
            message = AIMessage("Paris.", usage_metadata=used, response_metadata={"finish_reason": "stop"})
            return ChatResult(generations=[ChatGeneration(message=message)])

        async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            return self._generate(messages)

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


def fallbacks() -> tuple[Way, Way]:
    model = parrot()
    return of_chat_model(model), of_chat_model(model.with_fallbacks([parrot()]))


PEERS: dict[str, tuple[str, Callable[[], tuple[Way, Way]]]] = {
    "ChatRouter": ("langchain", ours), "with_fallbacks": ("langchain", fallbacks),
    "langchain-model-router": ("langchain", model_router),
    "litellm.Router": ("litellm", litellm_router), "ChatLiteLLMRouter": ("litellm", chat_litellm_router),
}  # fmt: skip
"""By name: the environment that it is run in, and what makes it."""


def invoked(way: Way) -> None:
    for _ in range(CALLS):
        way.call()


def ainvoked(way: Way) -> None:
    async def waves() -> None:
        for _ in range(CALLS // AT_ONCE):
            await asyncio.gather(*(way.acall() for _ in range(AT_ONCE)))

    asyncio.run(waves())


def cpu_us(use: Callable[[Way], None], way: Way) -> float:
    gc.collect()
    before = time.process_time_ns()
    use(way)
    return (time.process_time_ns() - before) / CALLS / 1_000


def resident_mib() -> float:
    gc.collect()
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE") / 2**20


def measured(name: str, rounds: int) -> dict[str, Any]:
    began = time.process_time()
    bare, through = PEERS[name][1]()
    told: dict[str, Any] = {"import_s": time.process_time() - began, "rss_mib": resident_mib()}
    for what, use in (("invoke", invoked), ("ainvoke", ainvoked)):
        pairs = [(cpu_us(use, bare), cpu_us(use, through)) for _ in range(rounds + 1)][1:]  # the first warms up
        told[what] = [median(pair[0] for pair in pairs), median(pair[1] for pair in pairs)]
        told[f"{what}_added"] = median(pair[1] - pair[0] for pair in pairs)
    return {**told, "rss_after_mib": resident_mib()}


if __name__ == "__main__":
    out = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what libraries print goes to stderr
    out.write(json.dumps(measured(sys.argv[1], int(sys.argv[2]))) + "\n")
