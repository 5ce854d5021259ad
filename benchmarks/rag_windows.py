"""What `context_window` does to a query engine's calls and costs: python -m benchmarks.rag_windows [PASSAGES ...]

Flask's documentation (or its substitute, said so), BM25, the built-in simulator fleet, no faults. Each
line is a fresh fleet and a fresh RouterLLM asked the same questions. Calls and US cents are per question,
with their ratio to "auto"; "s" is the sum of the calls' simulated seconds per question (which don't grow with
the prompt); "in" is thousands of input tokens of the largest call; "others" is how many further models could
have taken that call; "models" are the answering models with their calls.
"""

from __future__ import annotations

import argparse
import logging
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode

from capability_router.simulator import Fleet
from examples.demo.corpus import load
from examples.demo.questions import BY_CORPUS
from examples.demo.rag import retriever
from llamaindex_router import RouterEventHandler, RouterLLM

WINDOWS = ("auto", "min", "max", "primary")
MODES = (ResponseMode.COMPACT, ResponseMode.TREE_SUMMARIZE, ResponseMode.REFINE)
POLICIES: tuple[tuple[str, Any], ...] = (
    ("cheapest", "cheapest"),
    ("adaptive, quality_target 0.85", {"name": "adaptive", "quality_target": 0.85}),
)
FLEETS = ("all six models", "without the two of 200k")
QUESTIONS = 5
PASSAGES = (10, 60, 250)
REFINED = 60  # above, refine is left out: one call per passage in every setting, and nothing new to see


@dataclass(frozen=True)
class BlockSetup:
    """What stays the same over a block of lines."""

    fleet: str
    policy: Any
    questions: tuple[str, ...]


@dataclass(frozen=True)
class Row:
    """One setting's questions together; `others` counts candidates beside the chosen one."""

    calls: int
    usd: float
    seconds: float
    largest: int
    others: int
    models: Counter[str]


def config_of(fleet: Fleet, which: str) -> dict[str, Any]:
    config = fleet.router_config()
    kept = [model for model in config["models"] if which == FLEETS[0] or model["context_window"] < 200_000]
    return {**config, "models": kept}


def seconds(fleet: Fleet, call: dict[str, Any]) -> float:
    provider, _, name = call["model"].partition("/")
    model = next(p for p in fleet.settings.providers if p.name == provider).model(name)
    assert model is not None
    return model.ttft_s + call["output_tokens"] / model.tokens_per_s


def measured(found: Any, asked: BlockSetup, mode: ResponseMode, window: Any) -> Row:
    costs, root = RouterEventHandler(), get_dispatcher()
    with Fleet.from_config(time_scale=0) as fleet:
        llm = RouterLLM.from_config(config_of(fleet, asked.fleet), policy=asked.policy, context_window=window)
        engine = RetrieverQueryEngine.from_args(retriever=found, llm=llm, response_mode=mode)
        root.event_handlers.append(costs)
        try:
            for question in asked.questions:
                engine.query(question)
        finally:
            root.event_handlers.remove(costs)
    largest = max(call["input_tokens"] for call in costs.calls)
    room = largest + llm.metadata.num_output
    others = sum((card.context_window or 0) >= room for card in llm.router.registry.cards) - 1
    models = Counter(call["model"].partition("/")[2] for call in costs.calls)
    spent = sum(seconds(fleet, call) for call in costs.calls)
    return Row(len(costs.calls), costs.total_cost_usd, spent, largest, others, models)


def lines(found: Any, asked: BlockSetup, mode: ResponseMode) -> Iterator[str]:
    base, count = None, len(asked.questions)
    for window in WINDOWS:
        row = measured(found, asked, mode, window)
        base = base or row
        models = ", ".join(f"{name} {calls}" for name, calls in row.models.most_common())
        yield (
            f"{mode.value:15}{window:8}{row.calls / count:6.1f}{row.calls / base.calls:7.2f} x"
            f"{100 * row.usd / count:9.4f}{row.usd / base.usd:7.2f} x{row.seconds / count:7.1f}"
            f"{row.largest / 1000:7.1f}{row.others:7}  {models}"
        )


def blocks(questions: tuple[str, ...]) -> Iterator[tuple[str, BlockSetup]]:
    for fleet in FLEETS:
        for name, policy in POLICIES:
            yield f"{fleet}, policy {name}", BlockSetup(fleet, policy, questions)


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benchmarks.rag_windows", description=__doc__)
    parser.add_argument(
        "passages", nargs="*", type=int, metavar="PASSAGES", help=f"how many are read ({', '.join(map(str, PASSAGES))})"
    )
    sizes = parser.parse_args().passages or PASSAGES
    logging.getLogger("llamaindex_router").setLevel(logging.ERROR)  # "min" warns of windows far apart
    corpus = load()
    questions = BY_CORPUS[corpus.name][:QUESTIONS]
    print(f"{corpus.about}; {len(questions)} questions; simulated models. {corpus.trouble}")
    print(f"{'mode':15}{'window':8}{'calls':>6}{'':9}{'cents':>9}{'':9}{'s':>7}{'in':>7}{'others':>7}  models")
    for size in sizes:
        found = retriever(corpus, size)
        for title, asked in blocks(questions):
            print(f"-- {size} passages, {title}")
            for mode in MODES if size <= REFINED else MODES[:2]:
                for line in lines(found, asked, mode):
                    print(line, flush=True)


if __name__ == "__main__":
    main()
