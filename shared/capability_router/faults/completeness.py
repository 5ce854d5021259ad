"""Judges whether a reply that ended without an exception is an answer."""

from __future__ import annotations

import re

from capability_router.faults.kinds import Fault
from capability_router.request import Finish, Reply

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
_FILTERED = {Finish.CONTENT_FILTER: "content_filtered", Finish.REFUSAL: "refusal"}
_BROKEN = {Finish.ERROR: "server_error", Finish.OVERLOADED: "overloaded"}


def judge(reply: Reply, *, streaming: bool, gives_reason: bool, on_content_filter: str = "return") -> Fault | None:
    """The fault of a reply that has ended; None = it is an answer.

    `gives_reason`: the model is known to give a terminal reason, so a missing one means that the answer was cut off.
    `on_content_filter`: "return" gives a filtered or refused reply to the caller, "fallback" makes it a fault.
    A cached reply (`reply.cached`) is never truncated or empty. A reply that reached its length limit is an answer; see
    `reply.finish`. One whose finish reason is an error is a fault, whatever it contains.
    """
    if reply.finish is Finish.STOP and reply.text and not _odd(reply):  # the usual case
        return None
    if gives_reason and reply.finish is None and not reply.cached and _said(reply, streaming):
        return Fault("truncated", f"the {'stream' if streaming else 'reply'} ended without a terminal reason")
    if streaming and reply.hollow and not reply.cached:
        return Fault("truncated", "the stream ended before any content and without a terminal reason")
    if reply.finish in _BROKEN:
        return Fault(_BROKEN[reply.finish], f"finish reason {reply.finish}")
    if reply.finish in _FILTERED:
        fault = Fault(_FILTERED[reply.finish], f"finish reason {reply.finish}")
        return fault if on_content_filter == "fallback" else None
    return _empty(reply, streaming) or _malformed(reply, streaming) or _unparsable(reply)


def _odd(reply: Reply) -> bool:
    """Whether the reply needs more than a look at its text."""
    return bool(reply.malformed_tool_calls or reply.parse_error or reply.hollow) or reply.text.isspace()


def _said(reply: Reply, streaming: bool) -> bool:
    """Whether a missing reason makes the reply truncated. A unary one that is empty or unparsable is judged as that."""
    return not reply.mute and (streaming or not (reply.empty or reply.parse_error))


def _empty(reply: Reply, streaming: bool) -> Fault | None:
    """The fault of an empty reply. A stream with neither content nor reason is none.

    Callers of LlamaIndex rely on empty streams, and if the model usually gives a reason, `judge` has said "truncated".
    """
    if reply.cached or not reply.empty or reply.parse_error:
        return None
    if reply.finish is Finish.TOOL_CALLS and not reply.carried:
        return Fault("malformed_tool_call", "an end for tool calls, and none")
    ended = reply.finish is Finish.STOP or (reply.finish is None and not streaming)
    if ended or (reply.finish in _NOTHING and _bare(reply)):
        return Fault(_NOTHING.get(reply.finish, "empty"), "no text and no tool call")
    return None


_NOTHING: dict[Finish | None, str] = {
    Finish.LENGTH: "empty", Finish.OTHER: "empty", Finish.MALFORMED_CALL: "malformed_tool_call",
}  # fmt: skip
"""The fault of an answer without any content, by its finish reason."""


def _bare(reply: Reply) -> bool:
    """Whether there is no content of any kind and no reasoning, shown or counted, that used up the limit."""
    return not reply.carried and not (reply.usage and reply.usage.reasoning_tokens)


def _malformed(reply: Reply, streaming: bool) -> Fault | None:
    """The fault of malformed tool calls. In a unary reply only if no call is valid, else the caller gets all of them.

    In a stream always: frameworks repair arguments that break off when they merge the chunks.
    """
    count = reply.malformed_tool_calls
    if count <= 0 or (reply.tool_calls and not streaming):
        return None
    return Fault("malformed_tool_call", f"{count} tool call{'s' if count > 1 else ''}, {_wrong(reply)}")


def _wrong(reply: Reply) -> str:
    if reply.unoffered_tool_calls:
        alone = reply.unoffered_tool_calls == reply.malformed_tool_calls
        return f"{'' if alone else 'broken or '}of no tool that was offered"
    return "with broken arguments" if reply.tool_calls else "none with valid arguments"


def _unparsable(reply: Reply) -> Fault | None:
    """The fault of an answer that does not fit its schema. Only a class name is kept, as messages quote the answer."""
    if not reply.parse_error:
        return None
    return Fault("unparsable", reply.parse_error if _IDENTIFIER.fullmatch(reply.parse_error) else "")
