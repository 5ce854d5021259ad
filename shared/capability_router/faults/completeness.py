"""Whether a reply that ended without an exception is an answer.

A stream that closes cleanly without a terminal reason raises nothing in any wrapper, so it is judged
here; likewise an empty answer, a filtered one, a tool call that can't be read.
"""

from __future__ import annotations

from capability_router.faults.kinds import Fault
from capability_router.request import Finish, Reply


def judge(reply: Reply, *, streaming: bool, gives_reason: bool, on_content_filter: str = "return") -> Fault | None:
    """The fault in a whole reply, or None. `gives_reason`: this model is known to give terminal reasons.

    Cut at the output limit is a success, told by `Reply.finish`. An empty stream without a terminal
    reason stays empty: a model that gives none may have had nothing to say.
    """
    if reply.cached:
        return None
    if reply.parse_error:
        return Fault("unparsable", reply.parse_error)
    if streaming and reply.finish is None and gives_reason:
        return Fault("truncated")
    if reply.finish is Finish.CONTENT_FILTER:
        return Fault("content_filtered") if on_content_filter == "fallback" else None
    if reply.malformed_tool_calls and not reply.tool_calls:
        return Fault("malformed_tool_call", f"{reply.malformed_tool_calls} of its calls can't be read")
    ended_by_itself = reply.finish is Finish.STOP or (reply.finish is None and not streaming)
    return Fault("empty") if reply.empty and ended_by_itself else None
