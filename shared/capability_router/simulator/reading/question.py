"""What a prompt asks and the material it gives to answer from."""

from __future__ import annotations

import re
from dataclasses import dataclass

from capability_router.simulator.prompt import Prompt
from capability_router.simulator.reading.arithmetic import expression
from capability_router.simulator.reading.prose import LOOK, words

_LABELLED = re.compile(
    r"(?:^|\n)[ \t]*(?:user |final |original |input )?(?:query|question|follow[- ]up (?:input|question))[ \t]*:"
    r"[ \t]*([^\n]+)",
    re.I,
)
_ORIGINAL = re.compile(r"the original query is as follows: ([^\n]+)", re.I)
_REPHRASE = re.compile(r"\bstandalone question\b|\brephrase the (?:follow|question|query)", re.I)
_SUMMARY = re.compile(r"\b(?:summari[sz]e|summary|tl;dr|key points|in short)\b", re.I)
_CLASSIFY = re.compile(
    r"\b(?:classify|categori[sz]e|sentiment|which (?:of|category|label)|label (?:the|this)|one of)\b", re.I
)
_MATHS = re.compile(r"\b(?:calculate|compute|solve|how much|sum|add|multiply|divide|subtract|times|plus|minus)\b", re.I)
_CODE = re.compile(r"```|\bdef \w+\(|\bfunction\b.*\(|\b(?:python|javascript|sql)\b", re.I)
_HEADED = re.compile(r"\n[ \t]*(?:(?:original|existing|new|refined)? ?answer|(?:new )?context)[ \t]*:", re.I)
_SENTENCE = re.compile(r"[^.!?\n。！？]*[?？]")


@dataclass(frozen=True, slots=True)
class PromptQuestion:
    """`question` in a line or so, `material` to answer from (may be empty), `task` as the features name it.

    `whole` is the last user message, `found` what tools have returned since.
    """

    question: str
    material: str
    task: str
    whole: str
    found: str = ""


def asked(prompt: Prompt) -> PromptQuestion:
    """Reads the last user message, and what stands before it as material."""
    text = prompt.last_user.strip()
    question = _question(text)
    task = _task(prompt, text, question)
    found = "\n".join(m.text for m in prompt.since_user if m.role in ("tool", "function"))
    return PromptQuestion(question, _material(prompt, text, question), task, text[-LOOK:], found[-LOOK:])


def _question(text: str) -> str:
    labelled = _ORIGINAL.findall(text) or _LABELLED.findall(text)
    if labelled:
        return str(labelled[-1]).strip()
    asking = [s.strip() for s in _SENTENCE.findall(text[-4_000:]) if words(s)]
    if asking and len(text) > 400:
        return str(asking[-1])
    return text if len(text) <= 400 else _first_or_last(text)


def _first_or_last(text: str) -> str:
    """Of a long text without a question mark: the shorter of its first and last line is the instruction."""
    lines = [line.strip() for line in text.splitlines() if words(line)] or [text]
    return min(lines[0], lines[-1], key=len)[:400]


def _material(prompt: Prompt, text: str, question: str) -> str:
    before = [m.text for m in prompt.messages if m.role in ("system", "developer", "user") and m.text.strip() != text]
    own = _HEADED.sub("\n\n", text.replace(question, " ", 1)) if len(text) > len(question) else ""
    return "\n\n".join((*before, own))[-LOOK:]


def _task(prompt: Prompt, text: str, question: str) -> str:
    if prompt.tools:
        return "tools"
    head = f"{text[:300]}\n{text[-300:]}"
    for task, pattern in (("rephrase", _REPHRASE), ("summarise", _SUMMARY), ("classify", _CLASSIFY)):
        if pattern.search(question if task == "summarise" and len(question) > 40 else head):
            return task
    if expression(question) and (len(words(re.sub(r"\d", "", question))) <= 4 or _MATHS.search(question)):
        return "math"
    return "code" if _CODE.search(head) else "chat"
