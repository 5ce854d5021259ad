"""Which of the offered tools would help with the question, and how they are called."""

from __future__ import annotations

from dataclasses import dataclass

from capability_router.simulator.prompt import Prompt, Tool
from capability_router.simulator.reading.arithmetic import expression
from capability_router.simulator.reading.prose import words
from capability_router.simulator.reading.question import PromptQuestion
from capability_router.simulator.reading.schema import Filler
from capability_router.simulator.tokens import compact

_SUMS = frozenset(words("calculate calculator calculation compute math maths arithmetic add multiply sum expression"))
_DULL = frozenset(words("input output value result return string number text tool function call name argument data"))


@dataclass(frozen=True, slots=True)
class SimulatedToolCall:
    """One call; `arguments` is JSON text (broken when a fault makes it so)."""

    name: str
    arguments: str


def tool_calls(prompt: Prompt, asked: PromptQuestion, *, wrong: bool = False) -> tuple[SimulatedToolCall, ...]:
    """The calls to make now; empty when the answer is to be text. Each tool is called once per question."""
    if not prompt.tools or prompt.tool_choice == "none":
        return ()
    chosen = _chosen(prompt, asked)
    return tuple(SimulatedToolCall(t.name, _arguments(t, asked, wrong)) for t in chosen)


def _chosen(prompt: Prompt, asked: PromptQuestion) -> list[Tool]:
    called = {name for message in prompt.since_user for name in message.calls}
    fresh = [t for t in prompt.tools if t.name not in called]
    if prompt.tool_choice == "auto":
        useful = [t for t in fresh if _use(t, asked.question) > 0]
        return useful if prompt.parallel else useful[:1]
    if prompt.tool_choice == "required":
        return [max(fresh or prompt.tools[-1:], key=lambda t: _use(t, asked.question))]
    return [t for t in prompt.tools if t.name == prompt.tool_choice]


def _use(tool: Tool, question: str) -> float:
    """How much of the question the tool is about: its name counts double, its description half."""
    wanted = set(words(question)) - _DULL
    named = set(words(tool.name.replace("_", " ").replace("-", " ")))
    told = set(words(tool.description)) - _DULL
    score = 2.0 * len(wanted & named) + 0.5 * len(wanted & told)
    if tool.name.lower() in question.lower():
        score += 5
    return score + 2.0 * bool((named | told) & _SUMS and expression(question))


def _arguments(tool: Tool, asked: PromptQuestion, wrong: bool) -> str:
    return compact(Filler(asked, tool.parameters, wrong=wrong).fill({"type": "object", **tool.parameters}))
