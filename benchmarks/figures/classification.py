"""Figure 11, classification: the golden corpus of provider errors, each rebuilt as it was raised, and no SDK loaded."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from capability_router.faults import classify

from .figure_result import FigureResult

TESTS = Path(__file__).parents[2] / "tests"
LEAST_CASES, MOST_UNKNOWN = 200, 0.01
SDKS = (
    "openai", "anthropic", "google.genai", "mistralai", "groq", "botocore", "ollama", "langchain_core", "llama_index",
)  # fmt: skip
LOADED = (
    "import sys; from capability_router.faults import classify; classify(ConnectionError('reset'), 0.0); "
    f"print(*[name for name in {SDKS} if name in sys.modules])"
)


def corpus() -> Any:
    """The cases and what rebuilds them, which live with the tests."""
    sys.path.insert(0, str(TESTS))
    from unit.faults import shapes

    return shapes


def measure(scale: float, seed: int) -> Iterator[FigureResult]:
    del scale, seed  # the corpus is what it is
    shapes = corpus()
    wrong, unknown = [], 0
    for case in shapes.CASES:
        fault = classify(shapes.build(case["raised"]), shapes.NOW)
        unknown += fault.kind == "unknown" != case["expect"]["kind"]
        if any(getattr(fault, name) != value for name, value in case["expect"].items() if name != "retry_after_s"):
            wrong.append(case["id"])
    count = len(shapes.CASES)
    yield FigureResult(
        "classification", f"{count - len(wrong)} of {count} bodies {' '.join(wrong)}, {unknown} taken for unknown",
        f"all of >= {LEAST_CASES}, unknown <= {MOST_UNKNOWN:.0%}",
        not wrong and count >= LEAST_CASES and unknown <= MOST_UNKNOWN * count, "none",
    )  # fmt: skip
    run = subprocess.run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True)  # noqa: S603 - this interpreter
    yield FigureResult("SDKs loaded to classify", run.stdout.strip() or "0", "0", not run.stdout.strip(), "none")
