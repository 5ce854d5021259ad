"""Figure 13, sync = async: the same scripts under every verb of the core and of both frameworks, attempt for attempt.

Each verb has a router of its own, and all are led through the same random scripts, so that breakers, budgets
of repetitions and learned reasons must keep in step as well, from the first script to the last.
"""

from __future__ import annotations

import asyncio
import inspect
from collections.abc import Awaitable, Callable, Iterator
from functools import partial
from random import Random
from typing import Any

from capability_router.clock import ManualClock
from capability_router.errors import RouterError
from capability_router.request import Outcome, Request
from capability_router.router import Router
from capability_router.testing import assert_books_balanced
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

from .figure_result import FigureResult, scaled
from .ground.fake_models import FakeChat, FakeLLM, home

NAMES = ("a", "b", "c")
STEPS = (
    "ok", "ok", "ok", "500", "529", "429", "408", "401", "404", "400", "cut:0", "cut:1", "cut:3", "stop:0", "stop:2",
)  # fmt: skip
RESET_EVERY = 4
LANGCHAIN = {False: ("invoke", "ainvoke"), True: ("stream", "astream")}
LLAMAINDEX = {
    False: ("chat", "achat", "complete", "acomplete"),
    True: ("stream_chat", "astream_chat", "stream_complete", "astream_complete"),
}


class Verb:
    """One way to ask, with a router of its own. `trace` of a script: attempts, text and error."""

    def __init__(
        self, name: str, router: Router, models: list[Any], ask: Callable[[list[str]], Awaitable[None]]
    ) -> None:  # fmt: skip
        self.name, self.router, self._models, self._ask = name, router, models, ask
        self._outcome: Outcome | None = None
        router._dispatch.finish_reason_models.update(router.registry.entries)
        router.on_outcome(self._heard)

    def _heard(self, _: Request, outcome: Outcome) -> None:
        self._outcome = outcome

    async def trace(self, script: list[list[str]], at: float) -> tuple[Any, ...]:
        for model, steps in zip(self._models, script, strict=True):
            model.steps.steps, model.steps.calls = steps, 0
        clock: Any = self.router.clock
        clock.advance(max(at - clock.now(), 0.0))
        given: list[str] = []
        told, self._outcome = "", None
        try:
            await self._ask(given)
        except RouterError as error:
            told = type(error).__name__
        attempts = () if self._outcome is None else self._outcome.attempts
        launched = tuple((a.index, a.model, a.fault, round(a.started_s, 6)) for a in attempts)
        return launched, "".join(given), told

    def reset(self) -> None:
        for id in self.router.registry.entries:
            self.router.board.reset(id, self.router.clock.now())


def _settings() -> dict[str, Any]:
    return {"policy": {"name": "single", "seed": 7}, "clock": ManualClock(), "retry": {"wait": {"fixed": 0.5}}}


def langchain(name: str) -> Verb:
    models = [FakeChat(name_=n, base_url=home(n)) for n in NAMES]
    made = ChatRouter(models=[(m, {"id": m.name_}) for m in models], **_settings())
    return Verb(name, made.router, models, partial(_asked, getattr(made, name), lambda c: str(c.text), name))


def llamaindex(name: str) -> Verb:
    models = [FakeLLM(name_=n, api_base=home(n)) for n in NAMES]
    made = RouterLLM(models=[(m, {"id": m.name_}) for m in models], **_settings())
    chat = "chat" in name
    text = _delta if "stream" in name else (lambda r: r.message.content) if chat else (lambda r: r.text)
    method = getattr(made, name)
    call = (lambda prompt: method(_messages(prompt))) if chat else method
    return Verb(name, made.router, models, partial(_asked, call, text, name))


def _delta(response: Any) -> str:
    return response.delta or ""


def _messages(prompt: str) -> list[Any]:
    from llama_index.core.base.llms.types import ChatMessage

    return [ChatMessage(content=prompt)]


async def _asked(call: Callable[[str], Any], text: Callable[[Any], str], name: str, given: list[str]) -> None:
    """Any of the twelve verbs: a value or chunks, now or awaited."""
    found = call("hi")
    if inspect.iscoroutine(found):
        found = await found
    if "stream" not in name:
        given.append(text(found))
    elif name.startswith("a"):
        async for chunk in found:
            given.append(text(chunk))  # noqa: PERF401 - what came before an error must be kept
    else:
        for chunk in found:
            given.append(text(chunk))  # noqa: PERF401 - as above


async def compared(scripts: int, seed: int) -> tuple[int, int, list[str]]:
    """How many traces were compared, with how many attempts, and the scripts on which two verbs differed."""
    chance, compared, attempts, odd = Random(seed), 0, 0, []
    for streamed in (False, True):
        verbs = [langchain(name) for name in LANGCHAIN[streamed]]
        verbs += [llamaindex(name) for name in LLAMAINDEX[streamed]]
        at = 0.0
        for n in range(scripts):
            script = [[chance.choice(STEPS) for _ in range(chance.randint(1, 2))] for _ in NAMES]
            at += chance.choice((0.1, 1.0, 20.0))
            seen = {verb.name: await verb.trace(script, at) for verb in verbs}
            compared += len(seen)
            attempts += sum(len(trace[0]) for trace in seen.values())
            if len(set(seen.values())) > 1:
                odd.append(f"script {n} {script}: {seen}")
            if n % RESET_EVERY == 0:
                for verb in verbs:
                    verb.reset()
        for verb in verbs:
            assert_books_balanced(verb.router)
    return compared, attempts, odd


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    scripts = scaled(10_000, scale)
    traces, attempts, odd = asyncio.run(compared(scripts, seed))
    yield FigureResult(
        "sync = async",
        f"{traces:,} traces ({attempts:,} attempts) of {scripts:,} scripts, unary under 6 and streamed under 6 verbs: "
        f"{len(odd)} scripts differ{': ' + odd[0] if odd else ''}",
        "identical on 10,000 scripts", not odd, str(seed),
    )  # fmt: skip
