"""Choosing one of the labels that a prompt names."""

from __future__ import annotations

import re

from capability_router.simulator.reading.prose import words

_LISTS = (
    re.compile(r"\b(?:one of|among|labels?|categories|classes|options|choices)\b[^:\n]{0,40}:\s*([^\n.]+)", re.I),
    re.compile(
        r"\b(?:one of|as|either|into|is it)\s+((?:[\w'\" -]{1,30},\s*)*[\w'\" -]{1,30}\s+or\s+[\w'\"-]{1,30})", re.I
    ),
    re.compile(r"[(\[{]([\w' -]{1,30}(?:\s*[|/,]\s*[\w' -]{1,30})+)[)\]}]"),
    re.compile(r"\bone of\s+((?:[\w'\"-]{1,30},\s*)+(?:and\s+)?[\w'\"-]{1,30})", re.I),
)
_SPLIT = re.compile(r"\s*(?:,|\||/|\bor\b|\band\b)\s*")
_FEELING = {
    "positive": frozenset(
        words("good great love loved excellent happy best wonderful fantastic enjoy perfect fast nice helpful amazing")
    ),
    "negative": frozenset(
        words("bad terrible hate hated awful broken slow worst poor angry disappointing useless refund never late rude")
    ),
}
_ISSUES = {
    "bill": "invoice charge charged payment refund price subscription card",
    "technic": "error crash bug broken install password login fail failed screen",
    "ship": "delivery package parcel arrived late tracking courier",
    "urgent": "immediately asap outage down critical now",
}


def labels(text: str) -> list[str]:
    """The labels the prompt offers, as written; empty when it names none."""
    for pattern in _LISTS:
        found = pattern.search(text)
        names = [n.strip(" '\"[]().`*") for n in _SPLIT.split(found.group(1))] if found else []
        names = [n for n in names if n]
        if len(names) >= 2 and all(len(n) <= 40 for n in names):
            return names
    if re.search(r"\bsentiment\b", text, re.I):
        return ["positive", "negative", "neutral"]
    return []


def choose(names: list[str], text: str) -> str:
    """The label nearest to the text; without any sign the neutral or last one."""
    bag = set(words(_subject(text, names)))
    best = max(names, key=lambda name: _signs(name, bag))
    if _signs(best, bag):
        return best
    return next((n for n in names if n.lower() in ("neutral", "other", "unknown")), names[-1])


def _subject(text: str, names: list[str]) -> str:
    """The text without the lines that list the labels."""
    lines = [line for line in text.splitlines() if sum(n.lower() in line.lower() for n in names) < 2]
    return "\n".join(lines) or text


def _signs(name: str, bag: set[str]) -> int:
    feeling = _FEELING.get(name.lower(), frozenset())
    own = words(name)
    kin = [w for stem, more in _ISSUES.items() if any(o.startswith(stem) for o in own) for w in words(more)]
    return len(bag & feeling) + len(bag & set(kin)) + 2 * len(bag & set(own))
