"""The existing LlamaIndex query engine over BM25; a function of the LLM: `OpenAILike` before, `RouterLLM` now."""

from __future__ import annotations

import re
from typing import Any

from llama_index.core import Document
from llama_index.core.llms import LLM
from llama_index.core.node_parser import SentenceSplitter
from llama_index.core.query_engine import RetrieverQueryEngine
from llama_index.retrievers.bm25 import BM25Retriever

from examples.demo.corpus import Corpus

_SENTENCE_END = re.compile(r"(?<=[.!?]\s)|(?<=\n\n)")


def _sentences(text: str) -> list[str]:
    """Plain sentence ends. (The splitter's default reads NLTK's data, which NLTK refuses where it is hard-linked.)"""
    return [piece for piece in _SENTENCE_END.split(text) if piece]


def retriever(corpus: Corpus, top_k: int = 3) -> BM25Retriever:
    """The corpus cut into passages and indexed."""
    documents = [Document(text=page.text, metadata={"file_name": page.source}) for page in corpus.pages]
    splitter = SentenceSplitter(chunk_size=512, chunk_overlap=40, chunking_tokenizer_fn=_sentences)
    nodes = splitter.get_nodes_from_documents(documents)
    return BM25Retriever.from_defaults(nodes=nodes, similarity_top_k=top_k)


def query_engine(llm: LLM, found: BM25Retriever, *, streaming: bool = False) -> RetrieverQueryEngine:
    """Answers questions from the passages that BM25 finds."""
    return RetrieverQueryEngine.from_args(retriever=found, llm=llm, streaming=streaming)


def ask(engine: Any, question: str) -> str:
    """The whole answer, its pieces joined when it is streamed."""
    response = engine.query(question)
    pieces = getattr(response, "response_gen", None)
    return "".join(pieces) if pieces is not None else str(response)


async def aask(engine: Any, question: str) -> str:
    """As `ask`, asynchronously."""
    return str(await engine.aquery(question))
