"""Reading by counting words: sentences of a text, the ones nearest to a question, the central ones."""

from __future__ import annotations

import math
import re
from collections import Counter
from collections.abc import Iterable, Sequence
from functools import lru_cache
from typing import NamedTuple

LOOK = 65_536
"""Characters of a text that are read, from its end."""
_BLOCK = re.compile(r"\n\s*\n|(?<=:)\n|\n(?=[ \t]*(?:[-*•|#]|\d{1,3}[.)])\s)")
_FENCE = re.compile(r"```.*?(?:```|\Z)", re.S)
_END = re.compile(r"(?<=[.!?])[\"')\]]?\s+(?=[\"'(\[`*]?[A-Z0-9])|(?<=[。！？])")
_NOISE = re.compile(
    r"^\s*(?:#|\|[\s|:-]*$|={3,}|-{3,}|\.\. |<[^>]*>\s*$"
    r"|(?:file_path|file_name|page_label|source|title|url|id)\s*:)",
    re.I,
)
_INSTRUCTION = re.compile(
    r"^(?:given the context|context information|you are |always |never |avoid |use (?:only )?the (?:following|provided"
    r"|context)|answer (?:the|only|using|based|any|each|in|with)|some rules|keep the answer|if you (?:don't|do not)"
    r"|based on (?:the|only)|question:|query:|the following is a friendly|the assistant is|if the assistant"
    r"|here are the relevant|instruction:|please |\*\*(?:rewrite|repeat)\*\*|when in doubt)",
    re.I,
)
_WORD = re.compile(r"[^\W_]+(?:['’][^\W_]+)?")
_MARK = re.compile(r"^\s*(?:[-*•>]|\d{1,3}[.)])\s+")
_CELLS = re.compile(r" ?(?<!\\)\| ?")  # a table's row is read as a sentence
_CJK = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af]+")
_STOP = frozenset(
    word
    for line in (
        "a an the this that these those it its they them their he she his her we you your our my me i of to in on",
        "at by for from with without as is are was were be been being do does did done has have had can could will",
        "would should may might must and or but not no nor so if then than when while where which who whom whose",
        "what why how there here about into over under between out up down please tell give show explain describe",
        "using use used any all some each every much many more most very just also only let get make does's what's",
    )
    for word in line.split()
)


class Scored(NamedTuple):
    """A sentence, its place in the text and how near it is to the question."""

    score: float
    place: int
    text: str


def words(text: str) -> list[str]:
    """Content words, lower-case and cut to their stems; each CJK character pair is a word."""
    plain = [_stem(w) for w in _WORD.findall(text.lower()) if w not in _STOP and not _CJK.search(w)]
    return plain + [run[i : i + 2] for run in _CJK.findall(text) for i in range(max(len(run) - 1, 1))]


@lru_cache(maxsize=32_768)
def _stem(word: str) -> str:
    for ending, rest in (("ies", "y"), ("ing", ""), ("ed", ""), ("es", ""), ("s", ""), ("ly", ""), ("e", "")):
        if word.endswith(ending) and len(word) - len(ending) >= 3:
            return word[: len(word) - len(ending)] + rest
    return word


def sentences(text: str) -> list[str]:
    """The sentences of a text, line breaks mended; headings, tables, code, metadata and instructions left out."""
    found: list[str] = []
    for block in _BLOCK.split(_FENCE.sub("\n\n", text[-LOOK:])):
        kept = " ".join(line.strip() for line in block.splitlines() if not _NOISE.match(line))
        found += [s for part in _END.split(kept) if (s := _tidy(part))]
    return list(dict.fromkeys(found))


def _tidy(sentence: str) -> str:
    sentence = _MARK.sub("", " ".join(sentence.split())).strip(" |")
    sentence = _CELLS.sub("; ", sentence)
    readable = sum(c.isalpha() for c in sentence) >= 0.5 * len(sentence)
    odd = _INSTRUCTION.match(sentence) or sentence.endswith(("?", ":")) or "->" in sentence or "<-" in sentence
    return sentence if 8 <= len(sentence) <= 600 and readable and not odd else ""


def nearest(question: str, choices: Sequence[str]) -> list[Scored]:
    """The sentences that share words with the question, best first; rare words weigh more."""
    wanted = set(words(question))
    bags = [set(words(s)) for s in choices]
    known = Counter(w for bag in bags for w in bag)
    weight = {w: math.log(1 + len(bags) / known[w]) for w in wanted if known[w]}
    scored = [
        Scored(sum(weight[w] for w in wanted & bag) / (8 + len(bag)) ** 0.35, place, text)
        for place, (bag, text) in enumerate(zip(bags, choices, strict=True))
    ]
    return sorted((s for s in scored if s.score > 0), key=lambda s: (-s.score, s.place))


def passage(question: str, choices: Sequence[str]) -> list[str]:
    """The one to three sentences that answer best, in the order of the text."""
    ranked = nearest(question, choices)[:3]
    chosen = [s for s in ranked if s.score >= 0.62 * ranked[0].score]
    return [s.text for s in sorted(chosen, key=lambda s: s.place)]


def summary(choices: Sequence[str]) -> list[str]:
    """The first sentence and the two that share most words with the rest."""
    if len(choices) <= 2:
        return list(choices)
    counts = Counter(w for s in choices for w in set(words(s)))
    centre = sorted(range(1, len(choices)), key=lambda i: (-_centrality(choices[i], counts), i))[:2]
    return [choices[i] for i in (0, *sorted(centre))]


def _centrality(sentence: str, counts: Counter[str]) -> float:
    bag = set(words(sentence))
    return sum(counts[w] - 1 for w in bag) / (4 + len(bag))


def keywords(text: str) -> list[str]:
    """The three longest content words, in the order of the text, as they are written."""
    seen = dict.fromkeys(w for w in _WORD.findall(text) if w.lower() not in _STOP and len(w) > 2)
    kept = set(sorted(seen, key=lambda w: (-len(w), w))[:3])
    return [w for w in seen if w in kept]


def cjk_runs(text: str) -> list[str]:
    """The runs of CJK characters."""
    return _CJK.findall(text)


def joined(parts: Iterable[str]) -> str:
    """Sentences as one text."""
    return " ".join(p if p.endswith((".", "!", "?", "。", "！", "？")) else p + "." for p in parts)
