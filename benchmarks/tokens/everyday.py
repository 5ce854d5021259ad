"""Everyday prose in many languages: sentences of news and other pages of the web, and single ones that spaCy brings.

Those of the web are of as many pages as there are sentences; for each language a half of them is fitted on. The halves
are the seed's: of costs that were fitted with seed 7, only seed 7 judges by these sentences. spaCy's are only judged.
"""

from __future__ import annotations

import ast
import random
import re
from collections import Counter
from collections.abc import Iterator
from itertools import accumulate
from pathlib import Path

from benchmarks.tokens.sample import FIT, JUDGE, Sample

EVERYDAY, USUAL, EXAMPLES = "everyday", "usual words", "examples"  # begin the kinds, the language ends them
_WEB = "wheels/eld/eld/tests/data/big-test.txt"
_SPACY = "wheels/spacy/spacy/lang/*/examples.py"
_SIZES = (120, 600)  # characters
_PIECES = 32
_RARE = 0.15  # of a sentence of usual words
_FEW = 10  # plain sentences: of fewer no pieces are made
_WORD, _DIGIT = re.compile(r"[^\W\d_]+"), re.compile(r"\d")
_LEAST = 20  # characters of a sentence


def everyday(dice: random.Random, root: Path) -> Iterator[Sample]:
    """Pieces of a few sentences."""
    for lang, said in _web(root / _WEB).items():
        dice.shuffle(said)
        half = len(said) // 2
        for side, some in ((FIT, said[:half]), (JUDGE, said[half:])):
            yield from _pieces(f"{EVERYDAY} {lang}", f"{side}web", some, dice)
            yield from _pieces(f"{USUAL} {lang}", f"{side}web", _usual(some, said), dice)
    for path in sorted(root.glob(_SPACY)):
        parts = [n.value for n in ast.walk(ast.parse(path.read_text())) if isinstance(n, ast.Constant)]
        said = [part for part in parts if isinstance(part, str) and ">>>" not in part and len(part) >= _LEAST]
        if sum(map(len, said)) >= _SIZES[0]:
            yield Sample(f"{EXAMPLES} {path.parent.name}", f"{JUDGE}spaCy", " ".join(said)[: _SIZES[1]])


def _web(path: Path) -> dict[str, list[str]]:
    """By language."""
    found: dict[str, list[str]] = {}
    for line in path.read_text().splitlines() if path.is_file() else ():
        lang, _, said = line.partition("\t")
        if len(said) >= _LEAST:
            found.setdefault(lang, []).append(said.strip())
    return found


def _usual(said: list[str], known: list[str]) -> list[str]:
    """Sentences without numbers, whose words most often stand in others too: messages are of such, news is not."""
    texts = [set(_WORD.findall(text.lower())) for text in known]
    times = Counter(word for words in texts for word in words)
    return [text for text in said if _DIGIT.search(text) is None and _rare(text, times) < _RARE]


def _rare(text: str, times: Counter[str]) -> float:
    """The share of its words that no other sentence has."""
    words = _WORD.findall(text.lower())
    return sum(times[word] < 2 for word in words) / max(len(words), 1)


def _pieces(kind: str, source: str, said: list[str], dice: random.Random) -> Iterator[Sample]:
    """Some sentences, one after the other up to a size drawn evenly on a logarithmic scale."""
    low, high = _SIZES
    for _ in range(_PIECES if len(said) >= _FEW else 0):
        size, parts = low * (high / low) ** dice.random(), dice.sample(said, min(len(said), 40))
        some = sum(length < size for length in accumulate(map(len, parts)))
        yield Sample(kind, source, " ".join(parts[: some + 1])[: 2 * high])
