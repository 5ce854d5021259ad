"""What `adaptive` knows beforehand: learned from the other part of the questions as `train` learns."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path
from unittest.mock import patch

from benchmarks.approaches.workload import PosedQuestion, Workload
from capability_router.learning.comparison.held_out import trained_model
from capability_router.learning.learner import Learner
from capability_router.learning.logs.training_log import read
from capability_router.learning.quality.state import dumped


def train(workload: Workload, folder: Path) -> Path:
    """Write the log and learn from it; the file for `policy: {state: ...}`."""
    log, state = folder / f"{workload.mix.name}.jsonl", folder / f"{workload.mix.name}.state.json"
    with log.open("w", encoding="utf-8") as file:
        for posed in workload.taught():
            print(json.dumps(_row(posed, workload.models)), file=file)
    state.write_text(dumped(trained_model(read([log]).rows)), encoding="utf-8")
    log.unlink()
    return state


def _row(posed: PosedQuestion, models: list[str]) -> dict[str, object]:
    """A line of a table of outcomes. The tag is what the application says of its requests."""
    answers = posed.question.answers
    outcomes = {m: {"score": answers[m].score, "output_tokens": answers[m].written} for m in models}
    return {
        "id": posed.question.id, "prompt": posed.text, "routing": {"tags": [posed.kind]}, "outcomes": outcomes,
    }  # fmt: skip


_open = cache(Learner.open)


@contextmanager
def read_once() -> Iterator[None]:
    """A state file is read once for all runs of this process: two seconds each, and nothing is learned in them."""
    with patch.object(Learner, "open", _open):
        yield
