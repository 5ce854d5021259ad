"""A short run over real HTTP, beside the same run in virtual time: ChatRouter over the built-in endpoint.

Providers and requests are HURRY times as fast in both, so that it takes seconds; nobody has limits, and the cheapest
good model answers 500 for a while. What is told in seconds is what it would be without the hurry. The table is written
into docs/approaches.md where all figures agree: where they don't, the machine was too busy, or something is wrong.
"""

from __future__ import annotations

import asyncio
import logging
import sys
import time
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.approaches import fitting
from benchmarks.approaches.approach import (
    ADAPTIVE,
    RULES,
    SETTINGS,
    SINGLE,
    UNLIMITED,
    Approach,
    RunSetup,
    approaches,
)
from benchmarks.approaches.loopback import Loopback
from benchmarks.approaches.provider import Outage, RecordedProvider
from benchmarks.approaches.recorded_simulation import RecordedSimulation
from benchmarks.approaches.sheet import RequestLine, RunSheet, sheet
from benchmarks.approaches.workload import PosedQuestion
from benchmarks.page import machine, part, spliced, written
from capability_router.errors import RouterError
from capability_router.routing import routing
from langchain_router import ChatRouter

HURRY, LENGTH_S = 2.0, 60.0


class Agreement(NamedTuple):
    """A figure by HTTP and in virtual time; `most`: what they may differ by, as a share or (`points`) as it is."""

    what: str
    real: float
    virtual: float
    most: float
    points: bool

    @property
    def holds(self) -> bool:
        apart = abs(self.real - self.virtual)
        return apart <= (self.most if self.points else self.most * self.virtual)

    def line(self) -> str:
        most = f"{self.most:g}" if self.points else f"{self.most:.0%}"
        return f"| {self.what} | {self.real:.4g} | {self.virtual:.4g} | {most} | {'yes' if self.holds else '**no**'} |"


def compared(ground: RunSetup, seed: int, page: Path | None) -> int:
    """Print both, and whether they agree; 1 where they don't.

    Where they do, `page` gets the table, unless it is None; raises LookupError where it has no part for it.
    """
    logging.getLogger("capability_router").setLevel(logging.ERROR)
    if page is not None:
        part(page.read_text(encoding="utf-8"), "http")  # before a minute is spent
    fitting.prepared(ground)
    where, lines, agreed = machine(), list[str](), True
    for line, agrees in _lines(ground, seed):
        print(line, flush=True)
        lines.append(line)
        agreed = agreed and agrees
    if page is not None and agreed:
        command = f"`python -m benchmarks.approaches --shared ../shared --http --first-seed {seed}`: {where}"
        text = "\n".join([command, "", *lines])
        written(page, spliced(page.read_text(encoding="utf-8"), "http", text))
    elif page is not None:
        print(f"NOT WRITTEN: figures differ; the table of {page} is left as it was", file=sys.stderr)
    return int(not agreed)


def _lines(ground: RunSetup, seed: int) -> Iterator[tuple[str, bool]]:
    """Each with whether it agrees, as Markdown, as it is measured."""
    asked = [p._replace(at=p.at / HURRY) for p in ground.workload.posed(seed, LENGTH_S)]
    away = [Outage(_cheap(ground), "broken", 0.4 * LENGTH_S / HURRY, 0.6 * LENGTH_S / HURRY)]
    yield f"Seed {seed}, {len(asked)} requests in {LENGTH_S / HURRY:g} s, {away[0].model} away for a fifth of it", True
    yield from (
        ("", True),
        ("| figure | HTTP | virtual | may differ by | agrees |", True),
        ("|---|---|---|---|---|", True),
    )
    for approach in [a for a in approaches(ground) if a.name in (SINGLE, RULES, ADAPTIVE)]:
        virtual = _virtual(ground, approach, asked, away, seed)
        real = asyncio.run(_real(ground, approach, asked, away, seed))
        yield from ((each.line(), each.holds) for each in _agreements(approach.name, real, virtual, away))


def _cheap(ground: RunSetup) -> str:
    """The one that most requests go to."""
    rules = next(a for a in approaches(ground) if a.name == RULES)
    name: str = rules.policy["rules"][-1]["then"][0]
    return name


def _agreements(
    name: str, real: Sequence[RequestLine], virtual: Sequence[RequestLine], away: Sequence[Outage]
) -> Iterator[Agreement]:  # fmt: skip
    one, other = sheet(real, away), sheet(virtual, away)
    same = {line.at: line.model for line in virtual}
    share = sum(same[line.at] == line.model for line in real) / len(real)
    yield Agreement(f"{name}: answered by the same model", share, 1.0, 0.1, True)
    yield Agreement(f"{name}: answered", one.answered, other.answered, 0.01, True)
    yield Agreement(f"{name}: success of all", one.overall, other.overall, 0.02, True)
    yield Agreement(f"{name}: USD per 1k requests", _usd(one), _usd(other), 0.1, False)
    for p, figures in (("P50", _p50), ("P95", _p95)):
        yield Agreement(f"{name}: {p}, s", figures(one), figures(other), 0.2, False)


def _usd(of: RunSheet) -> float:
    return 1_000 * of.usd_per_request


def _p50(of: RunSheet) -> float:
    return HURRY * of.p50_s


def _p95(of: RunSheet) -> float:
    return HURRY * of.p95_s


def _providers(ground: RunSetup, approach: Approach, away: Sequence[Outage], seed: int) -> list[RecordedProvider]:
    members = [m._replace(rpm=UNLIMITED) for m in ground.members(approach.models)]
    return [RecordedProvider(m, [o for o in away if o.model == m.name], seed, hurry=HURRY) for m in members]


def _virtual(
    ground: RunSetup, approach: Approach, asked: Sequence[PosedQuestion], away: Sequence[Outage], seed: int
) -> list[RequestLine]:  # fmt: skip
    policy = {**approach.policy, "seed": seed}
    return RecordedSimulation(_providers(ground, approach, away, seed), seed, policy=policy, **SETTINGS).play(asked)


async def _real(
    ground: RunSetup, approach: Approach, asked: Sequence[PosedQuestion], away: Sequence[Outage], seed: int
) -> list[RequestLine]:  # fmt: skip
    providers = {p.name: p for p in _providers(ground, approach, away, seed)}
    with Loopback(providers, {str(number): posed for number, posed in enumerate(asked)}) as server:
        cards = [
            replace(p.member.card(), endpoint={"base_url": f"{server.url}/v1", "model": p.name})
            for p in providers.values()
        ]
        chat = ChatRouter(models=cards, policy={**approach.policy, "seed": seed}, **SETTINGS)
        server.begin()
        began = time.monotonic()
        lines = await asyncio.gather(*(_one(chat, posed, began) for posed in asked))
        await chat.router.aclose()
    return list(lines)


async def _one(chat: ChatRouter, posed: PosedQuestion, began: float) -> RequestLine:
    await asyncio.sleep(max(began + posed.at - time.monotonic(), 0.0))
    sent = time.monotonic()
    told: dict[str, Any] = {}
    try:
        with routing(tags=[posed.kind]):
            async for chunk in chat.astream(posed.text):
                told = chunk.response_metadata.get("router") or told
    except RouterError as error:
        print(f"{type(error).__name__}: {error}"[:200], file=sys.stderr)
        return RequestLine(posed.at, posed.kind, None, 0.0, 0, 0.0, 0, 0, 0)
    took, answer = time.monotonic() - sent, posed.question.answers[told["model"]]
    tokens, pico = answer.entered + posed.extra + answer.written, round((told["cost_usd"] or 0.0) * 1e12)
    return RequestLine(posed.at, posed.kind, told["model"], answer.score, pico, took, tokens, 0, told["attempts"])
