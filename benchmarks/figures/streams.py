"""Figure 9, the commit rule: streams cut anywhere are replaced or raise; never mixed, never silently short."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterator
from random import Random
from typing import Any, NamedTuple

from capability_router.errors import AllCandidatesFailed, StreamInterrupted
from capability_router.request import Request
from capability_router.testing import ScriptedEndpoint, ScriptedModel, scripted_router
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

from .figure_result import FigureResult, scaled
from .ground.fake_models import PIECES, FakeChat, FakeLLM, home

NAMES = ("a", "b", "c")
NEVER_OPEN = {"consecutive": 10**9, "failure_rate": 1.0, "min_calls": 10**9}
SETTINGS: dict[str, Any] = {"policy": "single", "health": NEVER_OPEN, "retry": {"wait": "none", "per_target": 0}}


class StreamCuts(NamedTuple):
    """Where the streams of the three models end: a step for each."""

    steps: tuple[str, ...]

    @classmethod
    def drawn(cls, chance: Random) -> StreamCuts:
        """The first is always cut, by a lost connection or without a word; the others now and then."""
        kinds = [f"{chance.choice(('cut', 'stop'))}:{chance.randrange(PIECES + 1)}" for _ in NAMES]
        return cls((kinds[0], *(kind if chance.random() < 0.5 else "ok" for kind in kinds[1:])))

    def whole(self, name: str) -> bool:
        return self.steps[NAMES.index(name)] == "ok"


class CutTally:
    """What became of each cut stream."""

    def __init__(self) -> None:
        self.seen: Counter[str] = Counter()

    def judge(self, cut: StreamCuts, given: str, error: BaseException | None) -> None:
        words = given.split()
        self.seen["streams"] += 1
        self.seen["mixed"] += len(set(words)) > 1
        if error is None:
            silent = not words or not cut.whole(words[0]) or len(words) != PIECES
            self.seen["silent" if silent else "replaced"] += 1
        elif isinstance(error, StreamInterrupted):
            self.seen["raised with the partial text" if error.partial == given and given else "raised without it"] += 1
        else:
            # Nothing was given and no model could give it: what the caller must hear is that all failed.
            self.seen["all failed" if isinstance(error, AllCandidatesFailed) and not given else "lost"] += 1


Play = Callable[[StreamCuts], AsyncIterator[str]]


async def _played(play: Play, cut: StreamCuts, tally: CutTally) -> None:
    given: list[str] = []
    caught: BaseException | None = None
    try:
        async for text in play(cut):
            given.append(text)  # noqa: PERF401 - what came before an error is what counts
    except AllCandidatesFailed as error:  # StreamInterrupted is one of them
        caught = error
    tally.judge(cut, "".join(given), caught)


def core(*, asynchronous: bool) -> Play:
    """The core's own run, iterated in either way."""
    texts = {name: ("", *[f"{name} "] * PIECES) for name in NAMES}
    router = scripted_router({n: ScriptedModel(["ok"], chunks=texts[n]) for n in NAMES}, **SETTINGS)
    models = router.scripted  # type: ignore[attr-defined]  # set by scripted_router
    router._dispatch.finish_reason_models.update(NAMES)

    async def play(cut: StreamCuts) -> AsyncIterator[str]:
        for name, step in zip(NAMES, cut.steps, strict=True):
            kind, _, count = step.partition(":")
            models[name].steps, models[name].calls = [f"{kind}:{int(count) + 1}" if count else kind], 0
        run = router.start(Request(("hi",), stream=True), ScriptedEndpoint(models, router.clock, stream=True))
        if asynchronous:
            async for chunk in run:
                yield chunk
        else:
            for chunk in run:
                yield chunk

    return play


def _scripted(models: list[Any], cut: StreamCuts) -> None:
    for model, step in zip(models, cut.steps, strict=True):
        model.steps.steps, model.steps.calls = [step], 0


def langchain(*, asynchronous: bool) -> Play:
    """ChatRouter over LangChain models."""
    models = [FakeChat(name_=name, base_url=home(name)) for name in NAMES]
    router = ChatRouter(models=models, **SETTINGS)
    router.router._dispatch.finish_reason_models.update(router.router.registry.entries)

    async def play(cut: StreamCuts) -> AsyncIterator[str]:
        _scripted(models, cut)
        if asynchronous:
            async for chunk in router.astream("hi"):
                yield str(chunk.text)
        else:
            for chunk in router.stream("hi"):
                yield str(chunk.text)

    return play


def llamaindex(*, asynchronous: bool) -> Play:
    """RouterLLM over LlamaIndex LLMs."""
    models = [FakeLLM(name_=name, api_base=home(name)) for name in NAMES]
    llm = RouterLLM(models=models, **SETTINGS)
    llm.router._dispatch.finish_reason_models.update(llm.router.registry.entries)

    async def play(cut: StreamCuts) -> AsyncIterator[str]:
        _scripted(models, cut)
        if asynchronous:
            async for chunk in await llm.astream_complete("hi"):
                yield chunk.delta or ""
        else:
            for chunk in llm.stream_complete("hi"):
                yield chunk.delta or ""

    return play


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    shares = {core: 40_000, langchain: 5_000, llamaindex: 5_000}
    tally, chance = CutTally(), Random(seed)

    async def all_of(play: Play, count: int) -> None:
        for _ in range(count):
            await _played(play, StreamCuts.drawn(chance), tally)

    for make, count in shares.items():
        for asynchronous in (False, True):
            asyncio.run(all_of(make(asynchronous=asynchronous), scaled(count, scale)))
    seen = tally.seen
    bad = sum(seen[name] for name in ("mixed", "silent", "lost", "raised without it"))
    told = ", ".join(f"{seen[n]:,} {n}" for n in ("replaced", "raised with the partial text", "all failed"))
    yield FigureResult(
        "commit rule",
        f"{seen['streams']:,} cut streams: {seen['mixed']} mixed, {seen['silent']} silent, {seen['lost']} lost, {told}",
        "100,000 cut: 0 mixed, 0 silent, all after the first text raise with the partial text",
        bad == 0 and seen["raised with the partial text"] > 0, str(seed),
    )  # fmt: skip
