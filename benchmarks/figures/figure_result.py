"""What a measurement found: the promise, the figure, the target, whether it was met, from which seed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

REGRESSIONS = Path(__file__).parents[2] / "tests" / "simulation" / "regressions.json"


class FigureResult(NamedTuple):
    """One figure. `seed`: what to give to get the same run again."""

    promise: str
    figure: str
    target: str
    met: bool
    seed: str

    def line(self) -> str:
        mark = "met   " if self.met else "MISSED"
        return f"{mark}  {self.promise}: {self.figure}  (target: {self.target}; seed {self.seed})"


def scaled(count: int, scale: float, least: int = 1) -> int:
    """A count at this scale of the whole figure."""
    return max(int(count * scale), least)


def save_regression(case: Mapping[str, Any]) -> None:
    """Keep a failing case; the tests play all of them again."""
    cases = regressions()
    if case not in cases:
        REGRESSIONS.parent.mkdir(parents=True, exist_ok=True)
        REGRESSIONS.write_text(json.dumps([*cases, dict(case)], indent=1) + "\n")


def regressions() -> list[dict[str, Any]]:
    """The kept cases."""
    return json.loads(REGRESSIONS.read_text()) if REGRESSIONS.exists() else []
