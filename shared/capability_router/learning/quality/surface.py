"""Thirty-four numbers for how a request looks: lengths, kinds of characters, telling words, attachments."""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np

from capability_router.learning.quality.words import Array, HashedWords, Hashes, pairs, word_hash
from capability_router.request import Need, Request

TELLING: dict[str, tuple[str, ...]] = {
    "negation": ("not", "except", "never", "least", "false", "incorrect", "without", "cannot", "t"),
    "calculation": ("calculate", "compute", "find", "solve", "evaluate", "how many", "how much", "what value", "sum"),
    "reason": ("prove", "explain", "why", "derive", "show", "because", "therefore", "justify", "show that"),
    "choice": ("which of", "the following", "of these", "following statements", "best describes", "answer choices"),
    "conditional": ("if", "suppose", "assume", "given", "let", "when", "then", "each"),
    "writing": ("write", "describe", "summarize", "summarise", "translate", "rewrite", "essay", "story", "list"),
    "code": ("def", "return", "function", "class", "import", "python", "assert", "print", "code", "` `"),
    "numeral": ("one", "two", "three", "four", "five", "half", "twice", "percent", "times", "per", "more than"),
}
_SHARES = ("0123456789", "ABCDEFGHIJKLMNOPQRSTUVWXYZ", ".,;:!?", "=+-*/<>^", "()[]{}", "\"'`", " \t")
_COUNTS = ("\\", "$", "?", "\n", "_", "%")
NAMES = (
    "characters", "words", "word length", "longest word", "different words", "numbers", "line length", "options",
    "beyond ascii", *(f"share of {signs[:3]}" for signs in _SHARES), *(f"count of {sign!r}" for sign in _COUNTS),
    *TELLING, "tools", "schema", "media", "turns",
)  # fmt: skip
SIZE = len(NAMES)
_NEWLINE, _DOT, _BRACKET = 10, 46, 41


def surface(request: Request, found: HashedWords) -> Array:
    """The numbers of NAMES, unscaled; `found` are the words of its text."""
    counts = np.bincount(found.plain, minlength=256).astype(np.float64)
    size = max(len(found.plain), 1)
    return np.concatenate(
        (
            _of_words(found, size, counts),
            (counts @ _SHARE_OF_BYTE) / size,
            np.log1p(counts[_COUNTED]),
            _telling(found.hashes),
            _beside(request),
        )
    )


def _of_words(found: HashedWords, size: int, counts: Array) -> Array:
    number, lengths = max(len(found.hashes), 1), found.lengths
    different = len(set(found.hashes.tolist())) / number
    return np.array(
        [
            np.log(size + 1.0), np.log(number + 1.0), lengths.sum() / number,
            np.log1p(lengths.max(initial=0)), different, np.log1p(_numbers(found)),
            np.log(size / (counts[_NEWLINE] + 1.0) + 1.0), np.log1p(_options(found)), counts[128:].sum() / size,
        ]
    )  # fmt: skip


def _numbers(found: HashedWords) -> int:
    """Runs of digits."""
    digit = (found.plain >= 48) & (found.plain <= 57)
    return int(digit[:1].sum() + (digit[1:] & ~digit[:-1]).sum())


def _options(found: HashedWords) -> int:
    """Lines that begin with a letter from A to J and a dot or a bracket, as multiple-choice answers do."""
    at = np.flatnonzero(found.plain[:-2] == _NEWLINE)
    letter, sign = found.plain[at + 1], found.plain[at + 2]
    return int(((letter >= 65) & (letter <= 74) & ((sign == _DOT) | (sign == _BRACKET))).sum())


def _telling(hashes: Hashes) -> Array:
    """log(1 + number) of the words and pairs of words of each kind of TELLING."""
    every = np.concatenate((hashes, pairs(hashes)))
    at = np.minimum(np.searchsorted(_KNOWN, every), len(_KNOWN) - 1)
    kinds = _KIND_OF_KNOWN[at[_KNOWN[at] == every]]
    return np.log1p(np.bincount(kinds, minlength=len(TELLING)))


def _beside(request: Request) -> Array:
    schema = bool(int(request.needs) & int(Need.STRUCTURED_OUTPUT | Need.JSON_MODE))
    return np.array([np.log1p(len(request.tools)), float(schema), float(len(request.media)), np.log1p(request.turns)])


def _byte_table(groups: Iterable[str]) -> Array:
    columns = [np.bincount(np.frombuffer(group.encode(), np.uint8), minlength=256) for group in groups]
    return np.array(columns, np.float64).T


_SHARE_OF_BYTE = _byte_table(_SHARES)
_COUNTED = np.array([ord(sign) for sign in _COUNTS])
_PAIRED = sorted((word_hash(word), kind) for kind, group in enumerate(TELLING.values()) for word in group)
_KNOWN = np.array([key for key, _ in _PAIRED], np.uint64)
_KIND_OF_KNOWN = np.array([kind for _, kind in _PAIRED])
