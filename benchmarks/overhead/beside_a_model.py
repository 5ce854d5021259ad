"""The table of what is added to a chat model that answers at once."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from benchmarks.overhead.parrot import CHUNKS, StreamingParrot
from benchmarks.overhead.samples import Rounds, added, mean, measured, ratio
from benchmarks.overhead.uses import (
    AT_ONCE,
    astreamed,
    first_of_astream,
    first_of_stream,
    heard,
    invoked,
    streamed,
    waves,
)
from langchain_router import ChatRouter

ROWS: tuple[tuple[str, Callable[[Any], list[float]], int], ...] = (
    ("invoke", invoked, 1),
    ("invoke, a handler hears of it", heard, 1),
    (f"ainvoke, {AT_ONCE} at once", waves, 1),
    (f"stream, {CHUNKS} chunks", streamed, CHUNKS),
    (f"astream, {CHUNKS} chunks", astreamed, CHUNKS),
    ("stream, until the first chunk", first_of_stream, 1),
    ("astream, until the first chunk", first_of_astream, 1),
)
"""What is asked, how, and in how many parts the added work is told."""
HEADS = (
    "us of work", "bare", "`with_fallbacks`", "/ bare", "`ChatRouter`", "/ bare", "added, p50", "p95", "calls a second",
)  # fmt: skip


def table(rounds: int) -> Iterator[str]:
    """Line by line as it is measured, as Markdown."""
    parrot = StreamingParrot()
    ways = {
        "bare": parrot,
        "with_fallbacks": parrot.with_fallbacks([StreamingParrot()]),
        "ChatRouter": ChatRouter([parrot]),
    }
    yield f"| {' | '.join(HEADS)} |"
    yield f"|{'---|' * len(HEADS)}"
    for name, use, parts in ROWS:
        yield _row(name, measured(use, ways, rounds), parts)


def _row(name: str, seen: dict[str, Rounds], parts: int) -> str:
    bare, ours = seen["bare"], seen["ChatRouter"]
    cells = [f"{mean(bare):.0f}"]
    for way in ("with_fallbacks", "ChatRouter"):
        cells += [f"{mean(seen[way]):.0f}", f"{ratio(seen[way], bare):.2f} x"]
    cells += [_part(added(ours, bare, share), parts) for share in (0.5, 0.95)]
    cells.append(f"{1e6 / mean(ours):,.0f}")
    return f"| {name} | {' | '.join(cells)} |"


def _part(us: float, parts: int) -> str:
    return f"{us:.0f}" if parts == 1 else f"{us / parts:.1f} a chunk"
