"""Beside every instrumentor that there is for the frameworks and for OpenAI's SDK, each call has one span."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

TESTS = Path(__file__).parents[1]
OPENINFERENCE, TRACELOOP, OWN = (
    "openinference.instrumentation", "opentelemetry.instrumentation", "opentelemetry.instrumentation.genai",
)  # fmt: skip
SDKS = [(f"{maker}.openai", "OpenAIInstrumentor") for maker in (OPENINFERENCE, TRACELOOP, OWN)]
CASES = {
    "langchain": [
        (f"{OPENINFERENCE}.langchain", "LangChainInstrumentor"), (f"{TRACELOOP}.langchain", "LangchainInstrumentor"),
        (f"{OWN}.langchain", "LangChainInstrumentor"), *SDKS,
    ],
    "llamaindex": [
        (f"{OPENINFERENCE}.llama_index", "LlamaIndexInstrumentor"),
        (f"{TRACELOOP}.llamaindex", "LlamaIndexInstrumentor"), (f"{OWN}.llama_index", "LlamaIndexInstrumentor"), *SDKS,
    ],
}  # fmt: skip
LEAVES_CALLS = f"{OWN}.llama_index"
"""To the instrumentors of the providers' SDKs: where there is none, they are the router's to tell."""


@pytest.mark.parametrize(
    ("kind", "module", "name"), [(kind, *which) for kind, cases in CASES.items() for which in cases]
)
def test_each_call_has_one_span_and_the_decision_is_told(kind: str, module: str, name: str) -> None:
    for came in _beside(kind, module, name):
        assert came["tokens"] == [came["ledger"]], came
        assert came["calls"] == (["chat house-small", "chat house-large"] if module == LEAVES_CALLS else []), came
        assert came["traces"] == 1, came
        assert came["said"], came
        assert "house-large" in came["answered by"], came


def test_the_decision_is_below_opentelemetrys_own_span_of_the_run() -> None:
    for came in _beside("langchain", f"{OWN}.langchain", "LangChainInstrumentor"):
        assert came["routes below"] == [f"{OWN}.langchain"], came


def _beside(*words: str) -> list[dict[str, Any]]:
    done = subprocess.run(  # noqa: S603 - our own words
        [sys.executable, "-m", "backends.beside", *words], cwd=TESTS, capture_output=True, encoding="utf-8",
        timeout=300, env={**os.environ, "CAPABILITY_ROUTER_CATALOG": "off", "PYTHONPATH": str(TESTS)},
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-2_000:]
    found = [json.loads(line) for line in done.stdout.splitlines() if line.startswith("{")]
    assert len(found) == 4
    return found
