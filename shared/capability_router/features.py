"""What can be told of a request by looking: its size in tokens, its task, how hard it looks.

Linear time, bounded input, standard library only. The token estimate is a byte-class model: counts
of character classes times the tokens that each costs in current BPE vocabularies (fitted against
o200k on prose in 17 languages, code, data and logs; mean error 7.5 %, see docs).
"""

from __future__ import annotations

import math
import string
from typing import NamedTuple

from capability_router.request import Need, Request

SAMPLE_ABOVE = 16_384
_SAMPLES, _SAMPLE_BYTES = 8, 1_024
_LOOK = 4_096  # characters looked at for task and hardness, from the end of the text
MESSAGE_TOKENS = 4
MOST_HARDNESS = 0.15
MEDIA_TOKENS = {"image": 1_000, "pdf": 3_000, "audio": 1_500, "video": 5_000}
"""Tokens counted for an attached part whose size nobody states; deliberately on the high side."""


class Features(NamedTuple):
    """`input_tokens` and `output_tokens` are estimates; `hardness` is in -0.15..0.15, 0 = average."""

    input_tokens: int
    output_tokens: int
    task: str
    hardness: float


_LOWER, _UPPER = string.ascii_lowercase.encode(), string.ascii_uppercase.encode()
_DIGITS, _PUNCT = string.digits.encode(), string.punctuation.encode()
_ASCII_COST = ((_LOWER, 0.194), (_UPPER, 0.313), (_DIGITS, 0.515), (_PUNCT, 0.480), (b"\n", 0.846))
_WORD, _SPACE, _LONG_RUN, _LONG = 0.221, 0.082, 0.477, 24
_LEAD_COST = (
    (bytes(range(0xC3, 0xD0)), 0.915),  # Latin with marks, Greek
    (bytes((0xD0, 0xD1, 0xD2, 0xD3)), 0.229),  # Cyrillic
    (bytes(range(0xD4, 0xE0)), 0.318),  # Armenian, Hebrew, Arabic
    (b"\xe0\xe1", 0.9),  # Indic scripts, Thai, Georgian
    (b"\xe2\xef", 0.801),  # symbols, full-width forms
    (b"\xe3", 0.707),  # kana, CJK punctuation
    (bytes(range(0xE4, 0xEA)), 0.845),  # Han
    (bytes(range(0xEA, 0xEE)), 0.9),  # Hangul
    (bytes(range(0xF0, 0xF5)), 2.45),  # emoji and other four-byte characters
)


def estimate_tokens(text: str) -> int:
    """Tokens that the text will take, estimated in linear time; long texts are sampled."""
    data = text.encode("utf-8", "replace")
    size = len(data)
    if size <= SAMPLE_ABOVE:
        return math.ceil(_weigh(data, text.isascii()))
    step = (size - _SAMPLE_BYTES) // (_SAMPLES - 1)
    sample = b" ".join(data[i * step : i * step + _SAMPLE_BYTES] for i in range(_SAMPLES))
    return math.ceil(_weigh(sample, sample.isascii()) * size / len(sample))


def _weigh(data: bytes, ascii_only: bool) -> float:
    size = len(data)
    tokens = sum(cost * (size - len(data.translate(None, chars))) for chars, cost in _ASCII_COST)
    if not ascii_only:
        tokens += sum(cost * (size - len(data.translate(None, lead))) for lead, cost in _LEAD_COST)
    words = data.split()
    tokens += _WORD * len(words) + _SPACE * max(data.count(b" ") - len(words) + 1, 0)
    if words and len(max(words, key=len)) > _LONG:
        tokens += _LONG_RUN * 0.25 * sum(len(w) - _LONG for w in words if len(w) > _LONG and w.isascii())
    return max(tokens, float(len(words)))  # no word takes less than a token


def features(request: Request) -> Features:
    """The features of a request. What the caller states (task, token count) is taken as it is."""
    text = "\n".join(request.texts)
    tokens = request.input_tokens
    if tokens is None:
        media = sum(MEDIA_TOKENS.get(kind, 1_000) for kind in request.media)
        tools = estimate_tokens(request.tools) if request.tools else 0
        tokens = estimate_tokens(text) + tools + media + MESSAGE_TOKENS * len(request.texts)
    look = text[-_LOOK:].lower()
    task = request.routing.task or _task(request, look)
    return Features(tokens, _output_tokens(request, task), task, _hardness(look))


_TASK_WORDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("code", ("```", "def ", "function ", "class ", "python", "javascript", "sql", "traceback")),
    ("summarise", ("summar", "tl;dr", "key points")),
    ("translate", ("translate", "translation")),
    ("classify", ("classify", "categor", "sentiment", "label ", "which of the following")),
    ("extract", ("extract", "list all", "find all")),
    ("math", ("calculate", "compute", "solve", "how many", "equation", "probability", "integral")),
)
_TASK_OF_WORD = tuple((word, task) for task, words in _TASK_WORDS for word in words)
_TOOL_CALLING = int(Need.TOOL_CALLING)  # an int's bits are read ten times as fast as a flag's
_OUTPUT = {"classify": 24, "extract": 120, "math": 250, "translate": 200, "summarise": 220, "code": 400, "tools": 80}


def _task(request: Request, look: str) -> str:
    if int(request.needs) & _TOOL_CALLING:
        return "tools"
    for word, task in _TASK_OF_WORD:
        if word in look:
            return task
    return "chat"


def _output_tokens(request: Request, task: str) -> int:
    usual = _OUTPUT.get(task, 220)
    return min(usual, request.max_tokens) if request.max_tokens else usual


_HARD_WORDS = ("prove", "derive", "step by step", "explain why", "trade-off", "compare", "not ", "except", "calculate")


def _hardness(look: str) -> float:
    """A hand heuristic, no training: length, digits, mathematical signs, code, negation, hard verbs."""
    size = len(look)
    if not size:
        return 0.0
    data = look.encode("utf-8", "replace")
    digits = len(data) - len(data.translate(None, _DIGITS))
    signs = look.count("=") + look.count("^") + look.count("\\") + look.count("+")
    words = [word in look for word in _HARD_WORDS].count(True)
    code = "```" in look or "{" in look
    raw = (
        0.12 * (math.log2(size + 16) - 8)
        + 2.0 * digits / size
        + 0.15 * (signs if signs < 4 else 4)
        + 0.25 * (words if words < 3 else 3)
        + 0.3 * code
    )
    return MOST_HARDNESS * math.tanh(raw - 0.4)

