"""Every call of a query engine finds its model, on the simulator. Run it: python examples/rag_query_engine.py

Four things to see: a small prompt goes to the cheapest model; a long one only where it fits, and the plan says why;
the window that engines are told decides how many calls they make; a failing model costs an attempt, not the answer.
"""

from __future__ import annotations

from pathlib import Path

from llama_index.core import Document
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.node_parser import TokenTextSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.response_synthesizers import ResponseMode
from llama_index.core.schema import BaseNode
from llama_index.retrievers.bm25 import BM25Retriever

from capability_router import Plan
from capability_router.simulator import Fleet
from llamaindex_router import RouterEventHandler, RouterLLM

ROOT = Path(__file__).resolve().parents[1]
FEW, MANY = 3, 80
QUESTION = "What happens to a stream that breaks before its first text?"


def cut() -> list[BaseNode]:
    """This project's pages and some of its core's source, in passages of 256 tokens."""
    folders = ("", "docs/", "shared/capability_router/execution/", "shared/capability_router/health/")
    files = [file for folder in folders for file in sorted(ROOT.glob(f"{folder}*.*")) if file.suffix in (".md", ".py")]
    documents = [Document(text=file.read_text(encoding="utf-8"), metadata={"file": file.name}) for file in files]
    return TokenTextSplitter(chunk_size=256, chunk_overlap=16).get_nodes_from_documents(documents)


def engine(llm: RouterLLM, nodes: list[BaseNode], mode: ResponseMode, passages: int = MANY) -> RetrieverQueryEngine:
    found = BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=passages)
    return RetrieverQueryEngine.from_args(found, llm=llm, response_mode=mode)


def asked(costs: RouterEventHandler, title: str, engine: RetrieverQueryEngine) -> None:
    """Ask, then show each call that the engine made of it."""
    before = len(costs.calls)
    answer = str(engine.query(QUESTION))
    calls = costs.calls[before:]
    print(f"\n{title}: {len(calls)} calls, ${sum(call['cost_usd'] or 0 for call in calls):.6f}")
    for call in calls:
        tokens = f"{call['input_tokens']:7,} in {call['output_tokens']:4} out"
        print(f"  {call['model']:22}{tokens}  ${call['cost_usd']:.6f}  {call['attempts']} attempts  {call['reason']}")
    print(f"  > {' '.join(answer.split())[:110]}")


def shown(title: str, plan: Plan) -> None:
    print(f"\n{title}: {plan.chosen.id if plan.chosen else 'none'}")
    for refusal in plan.refusals:
        print(f"  not {refusal.model:22}{refusal.rule}: {refusal.detail}")


def main() -> None:
    costs, nodes = RouterEventHandler(), cut()
    compact = ResponseMode.COMPACT
    get_dispatcher().add_event_handler(costs)
    with Fleet.from_config() as fleet:
        llm = RouterLLM.from_config(fleet.router_config(), policy="cheapest")
        told = llm.metadata
        print(f"Engines are told {told.context_window:,} tokens, of which {told.num_output:,} for the answer")

        asked(costs, f"{FEW} passages", engine(llm, nodes, compact, FEW))
        asked(costs, f"{MANY} passages", engine(llm, nodes, compact))
        shown("Why not a cheaper one? The plan for 24,000 words", llm.explain("word " * 24_000))

        small = RouterLLM(router=llm.router, context_window="min")  # the same models, books and health
        asked(costs, f'{MANY} passages, context_window="min"', engine(small, nodes, compact))
        asked(costs, '... and response_mode="tree_summarize"', engine(small, nodes, ResponseMode.TREE_SUMMARIZE))

        fleet.fault("429:elder,retry_after=60")
        asked(costs, f"{FEW} passages, while elder is at its limit", engine(llm, nodes, compact, FEW))

        print("\nThe bill by model")
        for (model,), total in llm.router.ledger.total(by=("model",)).items():
            print(f"  {model:22}{total.calls:3} calls{total.input_tokens:10,} in  ${total.cost_usd:f}")


if __name__ == "__main__":
    main()
