"""What a router adds to a chat model that answers at once: python -m benchmarks.overhead [--rounds 15] [--peers]

A fake chat model asked directly, behind `with_fallbacks`, and behind `ChatRouter(models=[it])`, with the child run
that the router opens for it; once with a handler that is told of all runs. The ways take turns, round after round; each
figure is the median over the rounds, each ratio the median of the rounds' own ratios, so that a busy machine weighs on
all alike. CPU of this process.

`--peers`: then the same of each peer, beside what it stands before, in its own process and environment, which are
installed where they are missing; ours in that of LangChain's own, in the same way (overhead_of_peers.py).
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import os
import subprocess
import time
from collections.abc import Callable, Iterator
from itertools import chain
from statistics import median
from typing import Any

from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

from benchmarks.overhead_of_peers import PEERS
from benchmarks.peers.environment import ROOT, install, python
from benchmarks.peers.peer import peers
from benchmarks.peers.process import QUIET
from langchain_router import ChatRouter

PROMPT = "What is the capital of France, and why is it known for its museums? Please be brief."
CALLS, AT_ONCE, CHUNKS = 200, 50, 100
MOST_RATIO, MOST_CHUNK_US = 2.5, 20.0
USED = {"input_tokens": 20, "output_tokens": 8, "total_tokens": 28}


class Parrot(BaseChatModel):
    """Answers at once; its stream has 100 chunks, the last with usage and terminal reason."""

    @property
    def _llm_type(self) -> str:
        return "parrot"

    def _generate(self, messages: list[BaseMessage], stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        message = AIMessage("Paris.", usage_metadata=dict(USED), response_metadata={"finish_reason": "stop"})
        return ChatResult(generations=[ChatGeneration(message=message)])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        return self._generate(messages)

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        for _ in range(CHUNKS - 1):
            yield ChatGenerationChunk(message=AIMessageChunk("Paris "))
        told = {"finish_reason": "stop"}
        yield ChatGenerationChunk(message=AIMessageChunk("", usage_metadata=dict(USED), response_metadata=told))

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        for chunk in self._stream(messages):
            yield chunk


def invoked(model: Any) -> None:
    for _ in range(CALLS):
        model.invoke(PROMPT)


class Listener(BaseCallbackHandler):
    """Hears of every run, and does nothing about it."""

    run_inline = True


def heard(model: Any) -> None:
    config = {"callbacks": [Listener()]}
    for _ in range(CALLS):
        model.invoke(PROMPT, config)


def ainvoked(model: Any) -> None:
    async def waves() -> None:
        for _ in range(CALLS // AT_ONCE):
            await asyncio.gather(*(model.ainvoke(PROMPT) for _ in range(AT_ONCE)))

    asyncio.run(waves())


def streamed(model: Any) -> None:
    for _ in range(CALLS // 10):
        for _ in model.stream(PROMPT):
            pass


def astreamed(model: Any) -> None:
    async def all_streams() -> None:
        for _ in range(CALLS // 10):
            async for _ in model.astream(PROMPT):
                pass

    asyncio.run(all_streams())


ROWS: tuple[tuple[str, Callable[[Any], None], int], ...] = (
    ("invoke", invoked, CALLS),
    ("invoke, a handler hears of it", heard, CALLS),
    (f"ainvoke, {AT_ONCE} at once", ainvoked, CALLS),
    (f"stream, {CHUNKS} chunks", streamed, CALLS // 10),
    (f"astream, {CHUNKS} chunks", astreamed, CALLS // 10),
)


def cpu_us(use: Callable[[Any], None], model: Any, calls: int) -> float:
    """CPU microseconds of one call."""
    gc.collect()
    before = time.process_time_ns()
    use(model)
    return (time.process_time_ns() - before) / calls / 1_000


def measured(use: Callable[[Any], None], calls: int, models: dict[str, Any], rounds: int) -> dict[str, list[float]]:
    """By way, its figure in each round."""
    seen: dict[str, list[float]] = {name: [] for name in models}
    for turn in range(rounds + 1):
        for name, model in models.items():
            figure = cpu_us(use, model, calls)
            if turn:  # the first round warms up
                seen[name].append(figure)
    return seen


def told(name: str, seen: dict[str, list[float]]) -> str:
    """One row of the table, as Markdown."""
    bare = seen["bare"]
    cells = [f"{median(bare):.0f}"]
    for way in ("with_fallbacks", "ChatRouter"):
        ratio = median(mine / own for mine, own in zip(seen[way], bare, strict=True))
        cells += [f"{median(seen[way]):.0f}", f"{ratio:.2f} x"]
    added = median(mine - own for mine, own in zip(seen["ChatRouter"], bare, strict=True))
    cells.append(f"{added / CHUNKS:.1f} a chunk" if "stream" in name else f"{added:.0f}")
    return f"| {name} | {' | '.join(cells)} |"


def table(rounds: int) -> Iterator[str]:
    """CPU microseconds of a call, line by line as they are measured."""
    parrot = Parrot()
    models = {"bare": parrot, "with_fallbacks": parrot.with_fallbacks([Parrot()]), "ChatRouter": ChatRouter([parrot])}
    yield "| us of work | bare | `with_fallbacks` | / bare | `ChatRouter` | / bare | added |"
    yield "|---|---|---|---|---|---|---|"
    for name, use, calls in ROWS:
        yield told(name, measured(use, calls, models, rounds))


def peers_table(rounds: int) -> Iterator[str]:
    """What each adds to what it stands before: in turn with that, in a process of its own."""
    install([peer for peer in peers() if peer.environment in {home for home, _ in PEERS.values()}])
    heads = ("", "`invoke` / bare", "added, us", "`ainvoke` / bare", "added, us", "import, s", "MiB then, at the end")
    yield f"| {' | '.join(heads)} |"
    yield "|---|---|---|---|---|---|---|"
    for name, (home, _) in PEERS.items():
        seen = of_peer(name, home, rounds)
        cells = []
        for what in ("invoke", "ainvoke"):
            bare, through = seen[what]
            cells += [f"{through / bare:.2f} x", f"{seen[f'{what}_added']:.0f}"]
        memory = f"{seen['rss_mib']:.0f}, {seen['rss_after_mib']:.0f}"
        yield f"| {name} | {' | '.join(cells)} | {seen['import_s']:.2f} | {memory} |"


def of_peer(name: str, home: str, rounds: int) -> dict[str, Any]:
    """Its figures, from its own process."""
    _told(name, home, 1)  # writes the bytecode of what it imports, as every later start finds it
    found: dict[str, Any] = json.loads(_told(name, home, rounds))
    return found


def _told(name: str, home: str, rounds: int) -> str:
    script = str(ROOT / "benchmarks" / "overhead_of_peers.py")
    ours = f"{ROOT}{os.pathsep}{ROOT / 'shared'}"  # not installed there
    quiet = {**os.environ, **QUIET, "PYTHONPATH": ours, "PYTHONDONTWRITEBYTECODE": ""}
    done = subprocess.run(  # noqa: S603 - a file of ours
        [python(home), script, name, str(rounds)], check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
        text=True, env=quiet,
    )  # fmt: skip
    return done.stdout


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--peers", action="store_true")
    given = parser.parse_args()
    print(f"Targets: ChatRouter <= {MOST_RATIO} x, <= {MOST_CHUNK_US:g} us added a chunk\n", flush=True)
    lines = chain(table(given.rounds), [""], peers_table(given.rounds)) if given.peers else table(given.rounds)
    for line in lines:
        print(line, flush=True)


if __name__ == "__main__":
    main()
