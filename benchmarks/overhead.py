"""What a router adds to a chat model that answers at once: python -m benchmarks.overhead [--rounds 15]

A fake chat model asked directly, behind `with_fallbacks`, and behind `ChatRouter(models=[it])`, with the child run
that the router opens for it. The ways take turns, round after round; each figure is the median over the rounds,
each ratio the median of the rounds' own ratios, so that a busy machine weighs on all alike. CPU of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import time
from collections.abc import Callable, Iterator
from statistics import median
from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult

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
    """One row of the table."""
    bare = seen["bare"]
    cells = [f"{median(bare):8.0f}"]
    for way in ("with_fallbacks", "ChatRouter"):
        ratio = median(mine / own for mine, own in zip(seen[way], bare, strict=True))
        cells.append(f"{median(seen[way]):8.0f}{ratio:6.2f} x")
    added = median(mine - own for mine, own in zip(seen["ChatRouter"], bare, strict=True))
    per_chunk = f"{added / CHUNKS:8.1f} a chunk" if "stream" in name else ""
    return f"{name:22}{''.join(f'{cell:>18}' for cell in cells)}{per_chunk}"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15)
    rounds = parser.parse_args().rounds
    parrot = Parrot()
    models = {"bare": parrot, "with_fallbacks": parrot.with_fallbacks([Parrot()]), "ChatRouter": ChatRouter([parrot])}
    print(f"CPU microseconds of one call (target: ChatRouter <= {MOST_RATIO} x, <= {MOST_CHUNK_US:g} added a chunk)")
    print(f"{'':22}{'bare':>18}{'with_fallbacks':>18}{'ChatRouter':>18}")
    for name, use, calls in ROWS:
        print(told(name, measured(use, calls, models, rounds)), flush=True)


if __name__ == "__main__":
    main()
