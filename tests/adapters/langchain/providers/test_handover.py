"""A conversation moves to another provider without what only its first provider understands."""

from __future__ import annotations

import httpx
from fakes import Recorder, Scripted, metadata
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage

from langchain_router import ChatRouter
from langchain_router.messages.handover import converted_history

CALL = {"name": "add", "args": {"a": 1}, "id": "c1", "type": "tool_call"}
TURN = AIMessage(
    content=[{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "I add"}],
    tool_calls=[CALL],
    response_metadata={"model_provider": "anthropic"},
)
HISTORY = [HumanMessage("1+2?"), TURN, ToolMessage("3", tool_call_id="c1")]


def test_foreign_reasoning_is_left_out_and_all_else_stays() -> None:
    messages, dropped = converted_history(HISTORY, "openai")
    assert dropped == 1
    assert messages[1].content == [{"type": "text", "text": "I add"}]
    assert messages[1].tool_calls == [CALL]
    assert messages[0] is HISTORY[0]
    assert len(TURN.content) == 2


def test_a_providers_own_turns_stay_as_they_were() -> None:
    assert converted_history(HISTORY, "anthropic") == (HISTORY, 0)
    google = AIMessage(content=[{"type": "thinking"}], response_metadata={"model_provider": "google_genai"})
    assert converted_history([google], "google")[1] == 0
    assert converted_history([AIMessage(content=[{"type": "thinking"}])], "openai")[1] == 0  # nobody says whose it is


def test_the_trace_says_what_was_left_out_on_the_attempt_that_moved() -> None:
    class Claude(Scripted):
        def _get_ls_params(self, stop=None, **kwargs):
            return {"ls_provider": "anthropic", "ls_model_name": "claude", "ls_model_type": "chat"}

    first, second, tracer = Claude(script=[httpx.ConnectError("x")]), Scripted(), Recorder()
    ChatRouter(models=[first, second], policy="single").invoke(HISTORY, {"callbacks": [tracer]})
    assert first.calls[0][1].content == TURN.content
    assert second.calls[0][1].content == [{"type": "text", "text": "I add"}]
    told = [metadata(run).get("router_left_out", "") for run in tracer.roots[0].child_runs]
    assert told[0] == ""
    assert told[1].startswith("1 blocks")
