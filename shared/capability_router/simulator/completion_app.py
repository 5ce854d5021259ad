"""One request from its arrival to its row in the books."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from typing import Any

from starlette.types import Receive, Scope, Send

from capability_router.request import Usage
from capability_router.simulator.answers import SimulatedAnswer, answer
from capability_router.simulator.books import LogRow, cost_pico
from capability_router.simulator.fault import ScriptedFault
from capability_router.simulator.fault_effects import (
    REPLACES,
    faulted_answer,
    overflow,
    refuse,
    replace_reply,
    status_of,
)
from capability_router.simulator.http.delivery import Delivery
from capability_router.simulator.http.error_reply import HttpErrorReply, bad_request, unknown_model, wrong_key
from capability_router.simulator.http.reply_sender import ReplySender
from capability_router.simulator.http.wire import Envelope, completion, events
from capability_router.simulator.prompt import Prompt, parse_prompt
from capability_router.simulator.provider import ServedModel, ServedProvider
from capability_router.simulator.unsupported import refuse_unsupported

_CLIENT_LEFT = 499


class CompletionApp:
    """Serves one chat completion; an ASGI application of one use. Writes exactly one row."""

    def __init__(self, provider: ServedProvider, authorization: str, raw: bytes) -> None:
        self._provider, self._authorization, self._raw = provider, authorization, raw
        self._id, self._started_s = provider.new_id(), provider.script.now_s
        self._model, self._prompt = "", None
        self._fault: ScriptedFault | None = None
        self._said: SimulatedAnswer | None = None
        self._usage, self._settled = Usage(), False
        self._delivery: Delivery | None = None

    _prompt: Prompt | None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serves until the reply is out or the client has left."""
        stage = ReplySender(scope, send)
        work = asyncio.ensure_future(self._serve(stage))
        left = asyncio.ensure_future(_left(receive))
        try:
            await asyncio.wait((work, left), return_when=asyncio.FIRST_COMPLETED)
            if stage.ended:
                await work
        finally:
            work.cancel()
            left.cancel()
            outcome, _ = await asyncio.gather(work, left, return_exceptions=True)
        if isinstance(outcome, Exception):
            raise outcome

    async def _serve(self, stage: ReplySender) -> None:
        try:
            await self._perform(stage)
        except HttpErrorReply as refusal:
            self._settle(refusal.status, code=refusal.code)
            await stage.json(refusal.status, refusal.body, {**refusal.headers, **self._headers()})
        except asyncio.CancelledError:
            tokens = self._delivery.tokens if self._delivery else 0
            self._settle(_CLIENT_LEFT, tokens)
            raise

    async def _perform(self, stage: ReplySender) -> None:
        body = self._body()
        self._model = str(body.get("model") or "")
        wrong = self._read(body)
        self._fault = self._provider.script.pick(self._provider.profile.name, self._model)
        if self._fault is not None:
            refuse(self._fault, self._model)
            if self._fault.kind in REPLACES:
                return await self._replace(self._fault, stage)
        self._check_key()
        served = self._provider.served.get(self._model)
        if served is None:
            raise unknown_model(self._model[:100])
        if wrong is not None or self._prompt is None:
            raise wrong or bad_request("The request could not be read.")
        return await self._admit(stage, served, self._prompt)

    def _read(self, body: Mapping[str, Any]) -> HttpErrorReply | None:
        """Parses the prompt; what is wrong with it is told only after the faults and the key."""
        try:
            self._prompt = parse_prompt(body)
        except HttpErrorReply as wrong:
            return wrong
        return None

    async def _replace(self, fault: ScriptedFault, stage: ReplySender) -> None:
        if fault.kind != "hang":
            self._settle(status_of(fault))
        await replace_reply(fault, stage)

    def _body(self) -> Mapping[str, Any]:
        try:
            body = json.loads(self._raw)
        except ValueError:
            body = None
        if not isinstance(body, dict):
            raise bad_request("We could not parse the JSON body of your request.")
        return body

    def _check_key(self) -> None:
        key = self._provider.profile.api_key
        if key is not None and self._authorization != f"Bearer {key}":
            raise wrong_key()

    async def _admit(self, stage: ReplySender, served: ServedModel, prompt: Prompt) -> None:
        overflow(self._fault, prompt, served.profile.context_window)
        refuse_unsupported(prompt, served.profile)
        served.meter.admit(prompt.input_tokens)
        async with served.seats:
            await self._speak(stage, served, prompt)

    async def _speak(self, stage: ReplySender, served: ServedModel, prompt: Prompt) -> None:
        said = self._said = faulted_answer(answer(prompt, served.profile, self._provider.seed), self._fault)
        usage = self._usage = Usage(
            prompt.input_tokens, said.output_tokens, cache_read_tokens=served.cache.cached_tokens(prompt),
            reasoning_tokens=said.reasoning_tokens,
        )  # fmt: skip
        served.meter.spend(usage.output_tokens)
        pace = self._provider.pace(served.profile, prompt.key, self._id)
        self._delivery = Delivery(stage, pace, self._provider.clock, self._fault, self._headers(), self._delivered)
        envelope = Envelope(self._id, self._model, int(self._provider.clock.unix()))
        if prompt.stream:
            await self._delivery.stream(events(envelope, said, usage, include_usage=prompt.include_usage))
        else:
            await self._delivery.whole(completion(envelope, said, usage), usage.output_tokens)

    def _headers(self) -> dict[str, str]:
        served = self._provider.served.get(self._model)
        return {"x-request-id": self._id, **(served.meter.headers() if served else {})}

    def _delivered(self, tokens: int, complete: bool) -> None:
        self._settle(200, tokens, complete=complete)

    def _settle(self, status: int, tokens: int = 0, *, complete: bool = False, code: str | None = None) -> None:
        """Writes the row, once. What was generated before a break is billed; what never began is not."""
        if self._settled:
            return
        self._settled = True
        usage, prompt, said = _generated(self._usage, tokens), self._prompt, self._said
        served = self._provider.served.get(self._model)
        billed = served is not None and said is not None
        self._provider.books.write(
            LogRow(
                id=self._id, provider=self._provider.profile.name, model=self._model,
                prompt=prompt.key if prompt else "",
                status=status, fault=self._fault.kind if self._fault else code, usage=usage,
                cost_pico=cost_pico(served.profile.price, usage) if served and billed else 0,
                correct=said.correct and complete if said else None, complete=complete,
                streamed=bool(prompt and prompt.stream), user=prompt.user if prompt else "",
                started_s=self._started_s, ended_s=self._provider.script.now_s,
            )
        )  # fmt: skip


def _generated(usage: Usage, tokens: int) -> Usage:
    return Usage(
        usage.input_tokens, tokens, cache_read_tokens=usage.cache_read_tokens,
        reasoning_tokens=min(usage.reasoning_tokens, tokens),
    )  # fmt: skip


async def _left(receive: Receive) -> None:
    """Returns when the client has closed its end (or the reply is complete)."""
    while (await receive())["type"] != "http.disconnect":
        pass
