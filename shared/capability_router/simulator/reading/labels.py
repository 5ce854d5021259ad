"""Choosing one of the labels that a prompt names."""

from __future__ import annotations

import re

from capability_router.simulator.reading.prose import words

_LISTS = (  # each bounded, so that no text makes the search slow
    re.compile(
        r"\b(?:one of|among|labels?|categories|classes|options|choices)\b[^:\n]{0,40}:\s{0,4}([^\n.]{3,200})", re.I
    ),
    re.compile(r"\b(?:one of|as|either|into|is it)\s{1,4}([^\n.:?]{3,200})", re.I),
    re.compile(r"[(\[{]([^()\[\]{}\n]{3,200})[)\]}]"),
)
_LOOK, _SUBJECT = 2_000, 16_384
_SPLIT = re.compile(r",|\||/|\bor\b|\band\b")
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
    look = text if len(text) <= 2 * _LOOK else f"{text[:_LOOK]}\n{text[-_LOOK:]}"
    for pattern in _LISTS:
        for found in pattern.finditer(look):
            names = [n for part in _SPLIT.split(found.group(1)) if (n := part.strip(" '\"[]().`*"))]
            if len(names) >= 2 and all(len(n.split()) <= 3 for n in names):
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
    lines = [line for line in text[-_SUBJECT:].splitlines() if sum(n.lower() in line.lower() for n in names) < 2]
    return "\n".join(lines) or text


def _signs(name: str, bag: set[str]) -> int:
    feeling = _FEELING.get(name.lower(), frozenset())
    own = words(name)
    kin = [w for stem, more in _ISSUES.items() if any(o.startswith(stem) for o in own) for w in words(more)]
    return len(bag & feeling) + len(bag & set(kin)) + 2 * len(bag & set(own))
