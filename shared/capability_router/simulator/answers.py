"""Plausible answers without a model: sentences from the given context, sums, labels, tool calls, JSON.

The same request to the same model always gets the same answer. A weaker model's wrong answers are visibly wrong, and
marked in the log.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

from capability_router.simulator.profile import SimulatedModel
from capability_router.simulator.prompt import Prompt
from capability_router.simulator.reading.arithmetic import expression, value, written
from capability_router.simulator.reading.labels import choose, labels
from capability_router.simulator.reading.prose import cjk_runs, joined, keywords, nearest, passage, sentences, summary
from capability_router.simulator.reading.question import PromptQuestion, asked
from capability_router.simulator.reading.schema import Filler
from capability_router.simulator.reading.toolcalls import SimulatedToolCall, tool_calls
from capability_router.simulator.seeded_random import answers_correctly, draw
from capability_router.simulator.tokens import compact, text_tokens

UNSURE = "I am not sure."
NOT_FOUND = "The given context does not say."
_GREETINGS = ("hello", "hi", "hey", "good morning", "good evening")


@dataclass(frozen=True, slots=True)
class SimulatedAnswer:
    """What the model says. `finish` is OpenAI's finish_reason, `correct` whether a perfect model would say the same."""

    text: str = ""
    calls: tuple[SimulatedToolCall, ...] = ()
    finish: str = "stop"
    correct: bool = True
    reasoning_tokens: int = 0

    @property
    def output_tokens(self) -> int:
        """Tokens that are billed as output."""
        spoken = text_tokens(self.text) + sum(text_tokens(c.name + c.arguments) for c in self.calls)
        return spoken + self.reasoning_tokens


def answer(prompt: Prompt, profile: SimulatedModel, seed: int = 0) -> SimulatedAnswer:
    """This model's answer to this prompt, cut at its stop words and output limit."""
    read = asked(prompt)
    right = answers_correctly(profile.skill_at(read.task), seed, profile.name, prompt.key)
    perfect = _compose(prompt, read, wrong=False)
    said = perfect if right else _compose(prompt, read, wrong=True)
    said = replace(said, correct=right or (said.text, said.calls) == (perfect.text, perfect.calls))
    thought = replace(said, reasoning_tokens=_thinking(prompt, profile))
    return _limited(_stopped(thought, prompt.stop), prompt, profile)


def _compose(prompt: Prompt, read: PromptQuestion, *, wrong: bool) -> SimulatedAnswer:
    calls = tool_calls(prompt, read, wrong=wrong)
    if calls:
        return SimulatedAnswer(calls=calls, finish="tool_calls")
    if prompt.form != "text":
        return SimulatedAnswer(_structured(prompt, read, wrong))
    results = [m.text for m in prompt.since_user if m.role in ("tool", "function")]
    if results:
        return SimulatedAnswer(UNSURE if wrong else _from_results(results))
    return SimulatedAnswer(_wrong_text(read) if wrong else _text(read))


def _structured(prompt: Prompt, read: PromptQuestion, wrong: bool) -> str:
    if prompt.schema is not None:
        return compact(Filler(read, prompt.schema, wrong=wrong).fill(prompt.schema))
    return compact({"answer": _wrong_text(read) if wrong else _text(read)})


def _from_results(results: list[str]) -> str:
    told = [r.strip() or "nothing" for r in results]
    if len(told) == 1:
        return f"The result is: {told[0]}"
    return "The results are: " + "; ".join(told)


def _text(read: PromptQuestion) -> str:
    if read.task == "math" and (found := expression(read.question)):
        return f"{found.strip()} = {written(value(found) or 0)}"
    if read.task == "rephrase":
        return read.question
    choices = sentences(read.material)
    if read.task == "classify" and (names := labels(read.whole)):
        return choose(names, read.whole)
    if read.task == "summarise" and (points := summary(choices or sentences(read.whole))):
        return joined(points)
    if choices:
        return joined(passage(read.question, choices)) or NOT_FOUND
    return _small_talk(read)


def _wrong_text(read: PromptQuestion) -> str:
    """What a model says that does not know: a wrong sum or label, a sentence beside the point, or that it is unsure."""
    if read.task == "math" and (found := expression(read.question)):
        return f"{found.strip()} = {written((value(found) or 0) + 1)}"
    names = labels(read.whole) if read.task == "classify" else []
    if names:
        right = choose(names, read.whole)
        return next((n for n in names if n != right), right)
    ranked = nearest(read.question, sentences(read.material))
    beside = [s.text for s in ranked[3:]]
    return joined(beside[-1:]) if beside and draw("beside", read.question) < 0.5 else UNSURE


def _small_talk(read: PromptQuestion) -> str:
    question = " ".join(read.question.split())[:240]
    if question.lower().rstrip("!. ") in _GREETINGS:
        return "Hello! How can I help?"
    about = cjk_runs(question) or keywords(question)
    topic = ", ".join(about) if about else "that"
    return f"This is a simulated answer about {topic}. You asked: {question}"


def _thinking(prompt: Prompt, profile: SimulatedModel) -> int:
    if not profile.reasoning_tokens:
        return 0
    effort = {"none": 0.0, "minimal": 0.1, "low": 0.5, "high": 2.0}.get(prompt.reasoning_effort or "", 1.0)
    return round(profile.reasoning_tokens * effort * (0.6 + 0.8 * draw("thinking", prompt.key)))


def _stopped(said: SimulatedAnswer, stops: tuple[str, ...]) -> SimulatedAnswer:
    places = [said.text.index(s) for s in stops if s and s in said.text]
    return replace(said, text=said.text[: min(places)]) if places else said


def _limited(said: SimulatedAnswer, prompt: Prompt, profile: SimulatedModel) -> SimulatedAnswer:
    """Cut at the output limit; thinking may take at most half of it."""
    limit = min(prompt.max_tokens or profile.max_output_tokens, profile.max_output_tokens)
    said = replace(said, reasoning_tokens=min(said.reasoning_tokens, limit // 2))
    room = limit - said.reasoning_tokens
    if said.output_tokens - said.reasoning_tokens <= room:
        return said
    if said.calls:
        first = said.calls[0]
        short = SimulatedToolCall(first.name, _cut(first.arguments, max(room - text_tokens(first.name), 0)))
        return replace(said, calls=(short,), finish="length", correct=False)
    return replace(said, text=_cut(said.text, room), finish="length", correct=False)


def _cut(text: str, tokens: int) -> str:
    return text.encode()[: 4 * tokens].decode("utf-8", "ignore")
