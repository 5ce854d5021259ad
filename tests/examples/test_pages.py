"""What the frameworks' pages show of costs, run as it stands there, on simulated models."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from capability_router.routing import routing
from capability_router.simulator import Fleet

DOCS = Path(__file__).resolve().parents[2] / "docs"


def block(page: str, heading: str) -> str:
    """The first Python block under a heading."""
    text = (DOCS / page).read_text(encoding="utf-8").partition(f"\n## {heading}\n")[2]
    found = re.search(r"^```python\n(.*?)^```$", text, re.MULTILINE | re.DOTALL)
    assert found
    return found[1]


@pytest.fixture
def settings() -> Iterator[dict[str, Any]]:
    with Fleet.from_config(time_scale=0) as fleet:
        yield fleet.router_config()


def test_what_a_langchain_chain_cost(settings: dict[str, Any]) -> None:
    from langchain_core.prompts import ChatPromptTemplate

    from langchain_router import ChatRouter

    chain = ChatPromptTemplate.from_template("{question}") | ChatRouter.from_config(settings)
    names: dict[str, Any] = {"chain": chain}
    with routing(tenant="acme"):
        exec(block("langchain.md", "What did this chain cost?"), names)  # noqa: S102 - our own page
    costs = names["costs"]
    assert len(costs.calls) == 1
    assert costs.total_cost_usd > 0
    assert costs.by("tenant") == {"acme": costs.total_cost_usd}


def test_what_a_llamaindex_engine_cost(settings: dict[str, Any]) -> None:
    from llama_index.core import Document, SummaryIndex
    from llama_index.core.instrumentation import get_dispatcher

    from llamaindex_router import RouterLLM

    llm, root = RouterLLM.from_config(settings), get_dispatcher()
    before = list(root.event_handlers)

    class Index:
        def as_query_engine(self) -> Any:
            return SummaryIndex.from_documents([Document(text="Gift cards are valid.")]).as_query_engine(llm=llm)

    names: dict[str, Any] = {"index": Index()}
    try:
        with routing(tenant="acme"):
            exec(block("llamaindex.md", "What did this chain cost?"), names)  # noqa: S102 - our own page
    finally:
        root.event_handlers[:] = before
    costs = names["costs"]
    assert len(costs.calls) == 1
    assert costs.total_cost_usd > 0
    assert costs.by("tenant") == {"acme": costs.total_cost_usd}
