"""Whether a reply that ended without an exception is an answer."""

from __future__ import annotations

import re

from capability_router.faults.kinds import Fault
from capability_router.request import Finish, Reply

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_.]{0,63}")
_FILTERED = {Finish.CONTENT_FILTER: "content_filtered", Finish.REFUSAL: "refusal"}
_BROKEN = {Finish.ERROR: "server_error", Finish.OVERLOADED: "overloaded"}


def judge(reply: Reply, *, streaming: bool, gives_reason: bool, on_content_filter: str = "return") -> Fault | None:
    """What is wrong with a reply that came to its end; None = it is an answer.

    `gives_reason`: the model is known to say why it stopped, so that silence means an answer cut short.
    `on_content_filter`: "return" hands a filtered or refused reply to the caller, "fallback" makes it a fault.
    A reply from a cache (`reply.cached`) is judged by its content only where no model is to blame: never as
    truncated or empty. Output that reached its length limit is an answer; `reply.finish` is the flag. An end that
    the provider itself calls an error is one, whatever came before it.
    """
    if reply.finish is Finish.STOP and reply.text and not _odd(reply):  # as most
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
    """Whether there is anything beside its text that has to be looked at."""
    return bool(reply.malformed_tool_calls or reply.parse_error or reply.hollow) or reply.text.isspace()


def _said(reply: Reply, streaming: bool) -> bool:
    """Whether the missing reason is what is wrong: a whole reply of nothing, or of no object, is that in any case."""
    return not reply.mute and (streaming or not (reply.empty or reply.parse_error))


def _empty(reply: Reply, streaming: bool) -> Fault | None:
    """Empty although nothing cut it short. A stream that gave neither content nor reason stays a success:

    callers of LlamaIndex rely on empty streams, and a model known to give reasons was judged truncated.
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
"""What an answer of nothing at all is that was cut short, by why it was."""


def _bare(reply: Reply) -> bool:
    """Not even reasoning, shown or counted: the limit was spent on that, or there is content of another kind."""
    return not reply.carried and not (reply.usage and reply.usage.reasoning_tokens)


def _malformed(reply: Reply, streaming: bool) -> Fault | None:
    """Only when no call can be used: beside a sound one, the caller gets both and decides.

    A stream's caller can't: what puts the chunks together repairs arguments that break off.
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
    """The parser's message quotes the answer, so that only a bare class name of it is kept."""
    if not reply.parse_error:
        return None
    return Fault("unparsable", reply.parse_error if _IDENTIFIER.fullmatch(reply.parse_error) else "")
