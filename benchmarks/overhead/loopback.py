"""What clients and routers take over loopback HTTP: python -m benchmarks.overhead.loopback [--rounds 15] [WAY ...]

Each way is a process of its own, the server is another; the ways take turns, round after round. First the ratios that
have targets, then: one call at a time, with its time by the clock (p50 and p95 of all rounds), its processor time, and
the time until a stream's first text; and 50 awaited calls at once, to a server that thinks for 5 ms, with the processor
time of a call and calls a second (client and server side by side). Ratios are medians of the rounds' own. Memory:
resident, when made and after 1,000 calls. `/ direct` is to ChatOpenAI, or to LlamaIndex's OpenAI for RouterLLM, over
plain httpx; `–` where that one is not among the chosen ways.
"""

from __future__ import annotations

import argparse
import json
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

from benchmarks.option import above_nothing, at_least_one
from benchmarks.overhead.samples import Rounds, percentile, ratio
from benchmarks.overhead.server import running
from benchmarks.overhead.ways import AIOHTTP, CHAT_OPENAI, LLAMA_OPENAI, LLAMA_ROUTER, ROUTER, WAYS

ROOT = Path(__file__).parents[2]
ORDERS = (("call", 100, 5), ("first", 40, 5), ("at_once", 500, 50))
"""What is asked of a client in a round, how often, and how often at least."""


class ClientProcess:
    """A process that runs client.py."""

    def __init__(self, process: subprocess.Popen[str]) -> None:
        self._process = process
        self.made_mib = self._answer()["mib"]

    def ask(self, order: str, count: int = 0) -> dict[str, Any]:
        """Its figures; RuntimeError when it has ended."""
        assert self._process.stdin is not None
        self._process.stdin.write(f"{order} {count}\n")
        self._process.stdin.flush()
        return self._answer()

    def _answer(self) -> dict[str, Any]:
        assert self._process.stdout is not None
        line = self._process.stdout.readline()
        if not line:
            raise RuntimeError(f"a client has ended, its error stands above: {self._process.args!r}")
        found: dict[str, Any] = json.loads(line)
        return found


@contextmanager
def client(name: str, url: str) -> Iterator[ClientProcess]:
    """A way's process as long as the block runs."""
    command = [sys.executable, "-m", "benchmarks.overhead.client", name, url]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True, cwd=ROOT) as process:  # noqa: S603 - a module of ours
        try:
            yield ClientProcess(process)
        finally:
            process.terminate()


class WayTimings(NamedTuple):
    """Of one way: by order and round the times of calls, the work of a call, and calls a second; MiB made and after."""

    took: dict[str, Rounds]
    work: dict[str, list[float]]
    per_s: list[float]
    mib: tuple[float, float]


def measured(names: Iterable[str], rounds: int, scale: float) -> dict[str, WayTimings]:
    with ExitStack() as stack:
        url = stack.enter_context(running())
        clients = {name: stack.enter_context(client(name, url)) for name in names}
        memory = {name: (each.made_mib, each.ask("memory")["mib"]) for name, each in clients.items()}
        found = {name: WayTimings({}, {}, [], memory[name]) for name in clients}
        for turn in range(rounds + 1):
            for name, each in clients.items():
                _round(each, found[name], name, scale, keep=turn > 0)
    return found


def _round(asked: ClientProcess, seen: WayTimings, name: str, scale: float, *, keep: bool) -> None:
    """The first one warms up, and is not kept."""
    for order, count, least in ORDERS:
        if order != "at_once" and WAYS[name].awaits_only:
            continue
        figures = asked.ask(order, max(round(count * scale), least))
        if keep:
            seen.took.setdefault(order, []).append(figures["took"])
            seen.work.setdefault(order, []).append(figures["work"])
            if "per_s" in figures:
                seen.per_s.append(figures["per_s"])


def _targets(found: dict[str, WayTimings]) -> Iterator[str]:
    """The ratios first."""
    yield from _head("over the built-in endpoint", "`ChatRouter` / `ChatOpenAI`", "target", "`RouterLLM` / `OpenAI`")
    pairs = [(found[a], found[b]) for a, b in ((ROUTER, CHAT_OPENAI), (LLAMA_ROUTER, LLAMA_OPENAI))]
    for name, order, most in (("time of a call", "call", 1.0), ("time to the first text", "first", 1.0)):
        ours, llama = (f"{ratio(a.took[order], b.took[order], median):.2f} x" for a, b in pairs)
        yield f"| {name} | {ours} | {most:g} x | {llama} |"
    ours, llama = (f"{_quotient(a.work['at_once'], b.work['at_once']):.2f} x" for a, b in pairs)
    yield f"| processor time of a call, 50 at once | {ours} | 0.3 x | {llama} |"
    light = _quotient(found[ROUTER].work["at_once"], found[AIOHTTP].work["at_once"])
    yield f"| the same / the same with aiohttp | {light:.2f} x | | |"


def _quotient(mine: list[float], base: list[float]) -> float:
    return median(a / b for a, b in zip(mine, base, strict=True))


def _beside(found: dict[str, WayTimings], name: str, figure: Callable[[WayTimings, WayTimings], float]) -> str:
    """A way's ratio to the one that it is compared with, where that one was measured too."""
    base = found.get(WAYS[name].base)
    return "–" if base is None else f"{figure(found[name], base):.2f} x"


def _head(*names: str) -> tuple[str, str]:
    return f"| {' | '.join(names)} |", f"|{'---|' * len(names)}"


def _one_at_a_time(found: dict[str, WayTimings]) -> Iterator[str]:
    call, work = ("/ direct", "call, p50 us", "p95"), ("work / direct", "us of work")
    yield from _head("one at a time", *call, *work, "/ direct", "first text, p50 us", "p95")
    for name, seen in found.items():
        if not WAYS[name].awaits_only:
            worked = [_worked(found, name, "call"), f"{median(seen.work['call']):.0f}"]
            yield f"| {name} | {' | '.join([*_times(found, name, 'call'), *worked, *_times(found, name, 'first')])} |"


def _worked(found: dict[str, WayTimings], name: str, order: str) -> str:
    return _beside(found, name, lambda own, base: _quotient(own.work[order], base.work[order]))


def _times(found: dict[str, WayTimings], name: str, order: str) -> list[str]:
    times = [f"{percentile(found[name].took[order], share):.0f}" for share in (0.5, 0.95)]
    return [_beside(found, name, lambda own, base: ratio(own.took[order], base.took[order], median)), *times]


def _at_once(found: dict[str, WayTimings]) -> Iterator[str]:
    yield from _head(
        "50 at once", "work / direct", "us of work", "calls a second", "/ direct", "call, p50 ms", "p95",
        "MiB when made", "after 1,000 calls",
    )  # fmt: skip
    for name, seen in found.items():
        cells = [_worked(found, name, "at_once"), f"{median(seen.work['at_once']):.0f}", f"{median(seen.per_s):,.0f}"]
        cells.append(_beside(found, name, lambda own, base: _quotient(own.per_s, base.per_s)))
        cells += [f"{percentile(seen.took['at_once'], share) / 1_000:.1f}" for share in (0.5, 0.95)]
        yield f"| {name} | {' | '.join([*cells, *(f'{mib:.0f}' for mib in seen.mib)])} |"


def table(found: dict[str, WayTimings]) -> Iterator[str]:
    """As Markdown."""
    if {ROUTER, CHAT_OPENAI, LLAMA_ROUTER, LLAMA_OPENAI, AIOHTTP} <= set(found):
        yield from _targets(found)
        yield ""
    yield from _one_at_a_time(found)
    yield ""
    yield from _at_once(found)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.overhead.loopback", description=__doc__)
    parser.add_argument("ways", nargs="*", metavar="WAY", help=f"of: {'; '.join(WAYS)} (all)")
    parser.add_argument("--rounds", type=at_least_one, default=15)
    parser.add_argument("--scale", type=above_nothing, default=1.0, help="share of the calls of each round")
    given = parser.parse_args()
    if unknown := [name for name in given.ways if name not in WAYS]:
        parser.error(f"no way is called {', '.join(map(repr, unknown))}; choose of: {'; '.join(WAYS)}")
    for line in table(measured(given.ways or WAYS, given.rounds, given.scale)):
        print(line, flush=True)


if __name__ == "__main__":
    main()
