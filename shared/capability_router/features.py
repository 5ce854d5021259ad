"""Features of a request: its size in tokens, its task, how hard it looks.

Linear time, bounded input, standard library only. How tokens are estimated: `tokens/estimate.py`.
"""

from __future__ import annotations

import math
import string
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache

from capability_router.request import Need, Request
from capability_router.tokens.attached import AttachedPart
from capability_router.tokens.estimate import estimate_tokens, measure
from capability_router.tokens.families import media_tokens

_LOOK = 4_096  # characters looked at for task and hardness, from the end of the text
MESSAGE_TOKENS, REPLY_TOKENS = 4, 3  # around each message; that open the answer (OpenAI's form, others are near it)
MOST_HARDNESS = 0.15


@dataclass(slots=True)
class Features:
    """`input_tokens` and `output_tokens` are estimates; `hardness` is in -0.15..0.15, 0 = average.

    Of the input, `text_tokens` are the messages, `tool_tokens` the tools' JSON; the rest is attached. `bucket`: the
    kind of text, "" = the caller counted the input exactly.
    """

    input_tokens: int
    output_tokens: int
    task: str
    hardness: float
    text_tokens: int = 0
    tool_tokens: int = 0
    bucket: str = ""


def framing(request: Request) -> int:
    """Tokens of the messages' framing."""
    return MESSAGE_TOKENS * len(request.counted) + REPLY_TOKENS


def features(request: Request, count: Callable[[Request], int | None] | None = None) -> Features:
    """The features of a request. A task or token count that the caller states is taken as it is.

    `count` counts the messages instead of the estimate; it returns None if it can't.
    """
    text = "\n".join(request.texts)
    look = text[-_LOOK:].lower()
    task = request.routing.task or _task(request, look)
    output = _output_tokens(request, task)
    if request.input_tokens is not None:
        return Features(request.input_tokens, output, task, _hardness(look), request.input_tokens)
    tokens, bucket = measure("\n".join(request.counted) if request.own_prompt else text)
    counted = None if count is None else count(request)
    texts = math.ceil(tokens) + framing(request) if counted is None else counted
    tools = _tool_tokens(request.tools) if request.tools else 0
    media = media_tokens(attached_parts(request), "other", "") if request.media else 0
    return Features(texts + tools + media, output, task, _hardness(look), texts, tools, bucket)


_tool_tokens = lru_cache(maxsize=64)(estimate_tokens)  # each call of an agent has the same tools


def attached_parts(request: Request) -> tuple[AttachedPart, ...]:
    """The attached parts, with their sizes as far as known."""
    return request.attached or tuple(AttachedPart(kind) for kind in request.media)


_TASK_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("code", ("```", "def ", "function ", "class ", "python", "javascript", "sql", "traceback")),
    ("summarise", ("summar", "tl;dr", "key points")),
    ("translate", ("translate", "translation")),
    ("classify", ("classify", "categor", "sentiment", "label ", "which of the following")),
    ("extract", ("extract", "list all", "find all")),
    ("math", ("calculate", "compute", "solve", "how many", "equation", "probability", "integral")),
)
_TASK_OF_WORD = {word: task for task, words in _TASK_WORDS for word in words}
_WORDS = tuple(_TASK_OF_WORD)
_TOOL_CALLING = int(Need.TOOL_CALLING)  # an int's bits are read ten times as fast as a flag's
_OUTPUT = {"classify": 24, "extract": 120, "math": 250, "translate": 200, "summarise": 220, "code": 400, "tools": 80}


def _task(request: Request, look: str) -> str:
    if int(request.needs) & _TOOL_CALLING:
        return "tools"
    for word in _WORDS:
        if word in look:
            return _TASK_OF_WORD[word]
    return "chat"


def _output_tokens(request: Request, task: str) -> int:
    usual = _OUTPUT.get(task, 220)
    return min(usual, request.max_tokens) if request.max_tokens else usual


_DIGITS = string.digits.encode()
_NEGATIONS, _SIGNS = (" not ", "n't ", "except", " least ", "false", "incorrect"), ("=", "^", "\\", "+")
_USUAL_RAW = 0.15  # a request of average hardness
_MATERIAL = 600  # characters; what a prompt has beyond them is mostly material, which makes it no harder


def _hardness(look: str) -> float:
    """A hand heuristic, no training: length first, then negation, reasoning, calculation, signs, digits and code.

    The weights were set once, on training parts of public outcomes (docs/measured/learning.md, row 4, tells what it is
    worth). Written out, because each request comes by here.
    """
    size = len(look)
    if not size:
        return 0.0
    data, count = look.encode("utf-8", "replace"), look.count
    bytes_, digits = len(data), len(data) - len(data.translate(None, _DIGITS))
    negations = signs = 0
    for word in _NEGATIONS:
        if word in look:  # mostly false, and faster than counting
            negations += count(word)
    for sign in _SIGNS:
        if sign in look:
            signs += count(sign)
    reasoning = (
        ("prove" in look) + ("derive" in look) + ("explain" in look) + ("why " in look) + ("compare" in look)
        + ("describe" in look) + ("analy" in look) + ("step by step" in look)
    )  # fmt: skip
    calculation = ("calculate" in look) + ("compute" in look) + ("evaluate" in look) + ("solve" in look)
    code = "```" in look or "{" in look or "def " in look or "return " in look
    raw = (
        0.2 * (math.log2((size if size < _MATERIAL else _MATERIAL) + 16) - 8)
        + 0.1 * (negations if negations < 3 else 3)
        + 0.2 * (reasoning if reasoning < 3 else 3)
        + 0.2 * (calculation if calculation < 2 else 2)
        + 0.06 * (signs if signs < 4 else 4)
        + 0.05 * (digits > 0.015 * size)
        + 0.3 * code
        + (0.1 if bytes_ > 1.1 * size else (bytes_ - size) / size)
    )
    return MOST_HARDNESS * math.tanh(raw - _USUAL_RAW)
