"""What each scripted fault does to a request: reject it, replace the reply, or damage the answer."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from dataclasses import replace

from capability_router.simulator.answers import SimulatedAnswer
from capability_router.simulator.fault import ScriptedFault
from capability_router.simulator.http.error_reply import (
    HttpErrorReply,
    filtered,
    no_quota,
    server_failed,
    storm,
    too_long,
    wrong_key,
)
from capability_router.simulator.http.reply_sender import HTML, JSON, ReplySender
from capability_router.simulator.prompt import Prompt
from capability_router.simulator.reading.toolcalls import SimulatedToolCall

BREAKS = ("cut", "clean_truncation", "in_stream_error", "stall")
"""Faults that happen after some pieces of the answer."""
_PAGE = b"<!DOCTYPE html><html><head><title>Bad gateway</title></head><body><h1>Bad gateway</h1></body></html>\n"
_BROKEN = b'{"id": "chatcmpl-broken", "object": "chat.completion", "choices": [{"index": 0, "message": {"role": "assi'

_REFUSALS: dict[str, Callable[[ScriptedFault, str], HttpErrorReply]] = {
    "status": lambda fault, _: server_failed(fault.status),
    "429": lambda fault, model: storm(model, fault.retry_after_s),
    "401": lambda *_: wrong_key(),
    "quota": lambda *_: no_quota(),
}


def refuse(fault: ScriptedFault, model: str) -> None:
    """Raises the HttpErrorReply of a fault that is an error reply to anything; returns for the other faults."""
    if fault.kind in _REFUSALS:
        raise _REFUSALS[fault.kind](fault, model)
    if fault.kind == "content_filter" and fault.mode == "error":
        raise filtered()


def overflow(fault: ScriptedFault | None, prompt: Prompt, window: int) -> None:
    """Raises context_length_exceeded for a `context` fault: the model holds less than its card says."""
    if fault is not None and fault.kind == "context":
        used = prompt.input_tokens
        raise too_long(max(min(window, used - 1), 1), used, None)


REPLACES = ("outage", "reset", "hang", "html", "bad_json")


def status_of(fault: ScriptedFault) -> int:
    """The status that the log states for a replaced reply; 0 = none was sent."""
    return {"html": fault.status, "bad_json": 200}.get(fault.kind, 0)


async def replace_reply(fault: ScriptedFault, stage: ReplySender) -> None:
    """Carries out a fault that replaces the whole reply."""
    if fault.kind == "hang":
        await asyncio.Event().wait()
    elif fault.kind == "html":
        await stage.whole(fault.status, _PAGE, HTML, {})
    elif fault.kind == "bad_json":
        await stage.whole(200, _BROKEN, JSON, {})
    else:
        await stage.abort(reset=True)


def faulted_answer(said: SimulatedAnswer, fault: ScriptedFault | None) -> SimulatedAnswer:
    """The answer as changed by the fault."""
    if fault is None:
        return said
    if fault.kind == "empty":
        return replace(said, text="", calls=(), finish="stop", correct=False)
    if fault.kind == "content_filter":
        return replace(said, text=said.text[: len(said.text) // 3], calls=(), finish="content_filter", correct=False)
    if fault.kind == "malformed_tool_arguments" and said.calls:
        broken = tuple(SimulatedToolCall(c.name, c.arguments.rstrip("}") + ", oops") for c in said.calls)
        return replace(said, calls=broken, correct=False)
    return said
