"""Figure 10, stall detection: real wrappers over loopback HTTP whose server goes silent, sync and async."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import aclosing, closing
from typing import Any

from langchain_anthropic import ChatAnthropic
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI

from langchain_router import AllCandidatesFailed, ChatEndpoint, ChatRouter, StreamInterrupted

from .figure_result import FigureResult, scaled
from .ground.loopback import Server

LIMIT_S, SLACK_S = 0.3, 0.1
WRAPPERS: dict[str, Callable[[str, str], Any]] = {
    "ChatOpenAI": lambda url, model: ChatOpenAI(model=model, base_url=f"{url}/v1", api_key="k"),
    "ChatAnthropic": lambda url, model: ChatAnthropic(model=model, base_url=url, api_key="k"),
    "ChatOllama": lambda url, model: ChatOllama(model=model, base_url=url),
    "built-in": lambda url, model: ChatEndpoint(model=model, base_url=f"{url}/v1", api_key="k"),
}


class Stall:
    """How long after the limit each wrapper's silence was noticed."""

    def __init__(self, child: Any, where: str) -> None:
        clocks = {"first_token": LIMIT_S, "between_tokens": LIMIT_S}
        never_open = {"consecutive": 10**9, "min_calls": 10**9, "failure_rate": 1.0, "slow_rate": 1.0}
        self._router = ChatRouter(models=[child], timeouts=clocks, retry={"attempts": 1}, health=never_open)
        self._where = where
        self._since = 0.0

    def sync(self) -> float:
        self._since = time.monotonic()
        try:
            with closing(self._router.stream("hi")) as chunks:
                for chunk in chunks:
                    self._heard(chunk)
        except AllCandidatesFailed as error:
            return self._late(error)
        raise AssertionError("a stream that stalls came to an end")

    async def unsync(self) -> float:
        self._since = time.monotonic()
        try:
            async with aclosing(self._router.astream("hi")) as chunks:
                async for chunk in chunks:
                    self._heard(chunk)
        except AllCandidatesFailed as error:
            return self._late(error)
        raise AssertionError("a stream that stalls came to an end")

    def _heard(self, chunk: Any) -> None:
        if chunk.text:
            self._since = time.monotonic()

    def _late(self, error: AllCandidatesFailed) -> float:
        found = time.monotonic() - self._since - LIMIT_S
        assert isinstance(error, StreamInterrupted) == (self._where == "between"), f"told as {error!r}"
        assert error.failures[0].fault == "timeout", f"told as {error.failures[0].fault}"
        return found


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    rounds = scaled(10, scale)
    server, runner = Server(), asyncio.Runner()  # one loop for all: a client lives in the loop of its first call
    try:
        for name, make in WRAPPERS.items():
            late: dict[str, list[float]] = {}
            for where in ("first", "between"):
                stall = Stall(make(server.url, f"{where}-m"), where)
                stall.sync()  # the client's first call builds it
                late[f"{where} sync"] = [stall.sync() for _ in range(rounds)]
                late[f"{where} async"] = runner.run(_repeated(stall, rounds))
            worst = {kind: max(times) for kind, times in late.items()}
            told = ", ".join(f"{kind} {seconds * 1e3:.0f} ms" for kind, seconds in worst.items())
            soonest, latest = min(min(times) for times in late.values()), max(worst.values())
            yield FigureResult(
                f"stalls of {name}", f"after the limit of {LIMIT_S:g} s by at most: {told}, {rounds} each",
                f"<= {SLACK_S * 1e3:.0f} ms, never early", soonest >= -0.02 and latest <= SLACK_S, str(seed),
            )  # fmt: skip
    finally:
        server.close()
        runner.close()


async def _repeated(stall: Stall, rounds: int) -> list[float]:
    await stall.unsync()
    return [await stall.unsync() for _ in range(rounds)]
