"""Recorded questions: what was asked, of which kind it is to an application, and what each model's answer was."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable, Mapping
from math import ceil
from pathlib import Path
from typing import Any, NamedTuple

from benchmarks.quality_table import cut

CLASSIFY, GENERATE, READ = "classify", "generate", "read"
UNTOLD = 256  # output tokens where the data have none; their costs assume the same
SAME = {"gemini-1.5-flash-002": "gemini-1.5-flash", "gemini-1.5-pro-002": "gemini-1.5-pro"}
"""Versions of one product that stand for each other, so that two sets have models in common."""
_CHOICES = frozenset({"mmlu", "openbook_qa", "arc_challenge", "commonsense_qa", "agentverse-logicgrid"})
_KINDS: Mapping[str, Callable[[str], str]] = {
    "mmlu_pro": lambda task: CLASSIFY,
    "zeroeval": lambda task: GENERATE,
    "llmrouter_uiuc": lambda task: CLASSIFY if task in _CHOICES else GENERATE,
}
"""An application knows which of its features asks: whether it wants one of several labels or a text."""


class RecordedAnswer(NamedTuple):
    """A model's recorded answer: its score from 0 to 1, tokens in and out."""

    score: float
    entered: int
    written: int


class Question(NamedTuple):
    """One row. `kind`: CLASSIFY or GENERATE."""

    id: str
    kind: str
    prompt: str
    answers: Mapping[str, RecordedAnswer]


class DataMissing(Exception):
    """The data are not there."""


def read(shared: Path, name: str) -> tuple[list[Question], list[Question]]:
    """The questions of a train file, cut in two by their stems: to learn from, and to be judged on."""
    path = shared / "data" / "routing" / f"{name}.train.jsonl.gz"
    if not path.is_file():
        raise DataMissing(f"no {path}")
    with gzip.open(path, "rt", encoding="utf-8") as file:
        learned, held = cut([json.loads(line) for line in file])
    return [_question(row, name) for row in learned], [_question(row, name) for row in held]


def _question(row: Mapping[str, Any], name: str) -> Question:
    answers = {SAME.get(model, model): _answer(told) for model, told in row["outcomes"].items()}
    return Question(row["id"], _KINDS[name](row["task"]), row["prompt"], answers)


def _answer(told: Mapping[str, Any]) -> RecordedAnswer:
    return RecordedAnswer(float(told["score"]), ceil(told["input_tokens"] or 0), ceil(told["output_tokens"] or UNTOLD))
