"""What is traced: an answer of a LangChain chain or a LlamaIndex query engine, after a fallback over loopback HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

from adapters.otel_fleet import ANSWER, Fleet
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from llama_index.core import QueryBundle
from llama_index.core.instrumentation import get_dispatcher
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.core.retrievers import BaseRetriever
from llama_index.core.schema import NodeWithScore, TextNode

NAMES = ("house-small", "house-large")
QUESTION = "How long are gift cards valid?"


class Shelf(BaseRetriever):
    """Finds the same passage whatever is asked."""

    def _retrieve(self, query_bundle: QueryBundle) -> list[NodeWithScore]:
        return [NodeWithScore(node=TextNode(text="Gift cards are valid for three years."), score=1.0)]


@asynccontextmanager
async def fleet_of(kind: str) -> AsyncIterator[Fleet]:
    """Its models answer under the name of a version, as providers' do."""
    made = Fleet(kind, NAMES, told=f"{NAMES[1]}-2026-10-01")
    try:
        yield made
    finally:
        await made.close()


def chain(llm: Any) -> Runnable[Any, str]:
    return ChatPromptTemplate.from_template("{question}") | llm | StrOutputParser()


def asked(fleet: Fleet, llm: Any, config: Any = None) -> None:
    """One question, as its framework's users put it."""
    fleet.second.script[:] = [fleet.answer("whole")]
    if fleet.kind == "langchain":
        said = chain(llm).invoke({"question": QUESTION}, {"run_name": "an answer", **(config or {})})
    else:
        said = str(RetrieverQueryEngine.from_args(Shelf(), llm=llm).query(QUESTION))
    assert said == ANSWER
    assert llm.router.flush()


@contextmanager
def switched_on(instrumentor: Any, provider: Any) -> Iterator[None]:
    """An instrumentor at work; LlamaIndex's dispatcher is put back as it was."""
    root = get_dispatcher()
    spans, events = list(root.span_handlers), list(root.event_handlers)
    instrumentor.instrument(tracer_provider=provider, skip_dep_check=True)
    try:
        yield
    finally:
        instrumentor.uninstrument()
        root.span_handlers, root.event_handlers = spans, events
