"""Errors of an estimate against a tokenizer, by kind of text and by group of kinds."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean

from benchmarks.tokens.everyday import EVERYDAY, EXAMPLES, USUAL
from benchmarks.tokens.formats import KINDS as FORMATS
from benchmarks.tokens.found import FILES, LANGUAGES
from benchmarks.tokens.generated import KINDS
from benchmarks.tokens.odd import KINDS as ODD
from benchmarks.tokens.odd import SHORT
from benchmarks.tokens.packages import CODE, PACKED
from benchmarks.tokens.sample import Sample

Errors = Mapping[str, Sequence[float]]
EVERYDAYS = (EVERYDAY, USUAL, EXAMPLES)
"""Groups of everyday prose; each kind of them is a language."""
GROUPS = (
    "prose", "English documents", "code", "data and markup", "generated", "unlike text", "short",
    *dict.fromkeys(LANGUAGES.values()),
)  # fmt: skip
OTHERS = (
    "other code", "packed sources", "English books", "formulas", "rare words", "messages", "declaration",
    "mixed with English", "dialogs", "emoji", "other formats", "blanks and repetitions",
)  # fmt: skip
"""Groups of the texts that downloaded packages and other generators give."""

_OTHER = {
    **dict.fromkeys(CODE, "other code"), **dict.fromkeys(PACKED, "packed sources"),
    **dict.fromkeys(("LaTeX", "drawn formulas", "molecules"), "formulas"), "sentences": "dialogs",
    **dict.fromkeys(("named emoji", "only emoji"), "emoji"),
    **dict.fromkeys(("runs of blanks", "runs of a sign", "repetitions"), "blanks and repetitions"),
}  # fmt: skip
_PROSE = ("markdown", "restructured text", "plain text", "change logs", "manuals en")
_CODE = ("python", "python stubs", "javascript", "typescript", "C", "perl", "shell", "vimscript", "cmake", "SQL", "CSS")


def group(kind: str) -> str:
    """The group of a kind."""
    head = kind.partition(",")[0]
    if name := next((name for name in EVERYDAYS if kind.startswith(f"{name} ")), None):
        return name
    if kind in _OTHER or head in OTHERS or kind in FORMATS:
        return _OTHER.get(kind, "other formats" if kind in FORMATS else head)
    if kind in _PROSE:
        return "English documents"
    if kind in ODD or (kind.startswith(SHORT) and kind not in KINDS):
        return "unlike text" if kind in ODD else "short"
    if kind.startswith("prose "):
        return "prose"
    if kind in _CODE:
        return "code"
    if kind in FILES:
        return "data and markup"
    return "generated" if kind in KINDS else LANGUAGES[kind.removeprefix("manuals ")]


def errors(samples: Sequence[Sample], estimates: Sequence[float], tokens: Sequence[int]) -> dict[str, list[float]]:
    """Relative errors by kind; below zero where too few were estimated."""
    found: dict[str, list[float]] = {}
    for sample, guess, true in zip(samples, estimates, tokens, strict=True):
        found.setdefault(sample.kind, []).append(guess / true - 1)
    return found


def lines(by_kind: Errors) -> list[str]:
    """A line for each kind, each group, and all."""
    told = [f"{'kind':26}{'n':>6}{'mean':>8}{'bias':>8}{'p95':>8}{'worst under':>13}"]
    for groups, total in ((GROUPS, "ALL OF THE MACHINE"), (OTHERS, "ALL OTHERS"), (EVERYDAYS, "ALL EVERYDAY")):
        told += _section(by_kind, groups, total)
    return [*told, _line("ALL", [e for found in by_kind.values() for e in found])]


def _section(by_kind: Errors, groups: Sequence[str], total: str) -> list[str]:
    told: list[str] = []
    for name in groups:
        kinds = sorted(kind for kind in by_kind if group(kind) == name)
        if not kinds:
            told.append(f"{name.upper():26} MISSING: no text of this group was found on the machine")
            continue
        told += [_line(f"  {kind}", by_kind[kind]) for kind in kinds]
        told.append(_line(name.upper(), [e for kind in kinds for e in by_kind[kind]]))
    known = [e for kind, found in by_kind.items() if group(kind) in groups for e in found]
    return [*told, _line(total, known)] if known else told


def mean(by_kind: Errors) -> float:
    """The mean absolute error over all samples."""
    return fmean(abs(e) for found in by_kind.values() for e in found)


def _line(name: str, found: Sequence[float]) -> str:
    sizes = sorted(map(abs, found))
    p95 = sizes[min(int(0.95 * len(sizes)), len(sizes) - 1)]
    figures = (fmean(sizes), fmean(found), p95, min(*found, 0.0))
    return f"{name:26}{len(found):6}" + "".join(
        f"{100 * f:{w}.1f}" for f, w in zip(figures, (8, 8, 8, 13), strict=True)
    )
