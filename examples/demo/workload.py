"""The requests of the demonstration: what each asks, on whose account, when it comes, and what is right."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import partial
from operator import eq
from typing import Any

from examples.demo import agent, chain, rag
from examples.demo.corpus import Corpus
from examples.demo.material import (
    CUSTOMER_QUESTIONS,
    ERRANDS,
    MESSAGES,
    ORDERS,
    PICTURE_QUESTIONS,
    RULES,
    letter,
)
from examples.demo.questions import BY_CORPUS

_TENANTS: tuple[Mapping[str, Any], ...] = (
    {"tenant": "acme"},
    {"tenant": "globex", "data": {"regions": ["eu"]}},  # their texts stay in the European Union
    {"tenant": "initech", "tags": ["trial"]},
)
_LONG = (30_000, 60_000, 90_000)  # characters


@dataclass(frozen=True)
class Apps:
    """The applications, built on one LangChain model and one LlamaIndex LLM; they know nothing of routing."""

    chains: Mapping[str, Any]
    agent: Any
    engine: Any
    streaming_engine: Any

    @classmethod
    def on(cls, chat: Any, llm: Any, found: Any) -> Apps:
        """Everything that the requests need."""
        kinds = (chain.classification, chain.summary, chain.reply, chain.extraction, chain.picture)
        engines = (rag.query_engine(llm, found), rag.query_engine(llm, found, streaming=True))
        return cls({kind.__name__: kind(chat) for kind in kinds}, agent.stock_agent(chat), *engines)


@dataclass(frozen=True)
class Item:
    """One request. `at` is its place in the run, 0 to 1; `right` checks the answer where only one is right."""

    id: str
    kind: str
    call: Callable[[Apps], Any]
    right: Callable[[Any], bool] | None = None
    terms: Mapping[str, Any] = field(default_factory=dict)
    at: float = 0.0


def items(corpus: Corpus, quick: bool = False) -> list[Item]:
    """All requests, the kinds mixed evenly; a quarter of them when `quick`."""
    kinds = (
        _classifications(), _replies(), _orders(), _summaries(corpus), _pictures(), _errands(), _questions(corpus)
    )  # fmt: skip
    kept = [kind[:: 4 if quick else 1] for kind in map(list, kinds)]
    mixed = sorted(((i + 0.5) / len(kind), n, item) for n, kind in enumerate(kept) for i, item in enumerate(kind))
    return [_placed(item, number, len(mixed)) for number, (_, _, item) in enumerate(mixed)]


def _placed(item: Item, number: int, count: int) -> Item:
    terms = {**_TENANTS[number % len(_TENANTS)], **item.terms}
    return Item(f"{number:03d}-{item.kind}", item.kind, item.call, item.right, terms, number / count)


def _chained(kind: str, values: Mapping[str, str]) -> Callable[[Apps], Any]:
    return lambda apps: apps.chains[kind].invoke(dict(values))


def _streamed(kind: str, values: Mapping[str, str]) -> Callable[[Apps], str]:
    return lambda apps: "".join(apps.chains[kind].stream(dict(values)))


def _classifications() -> Iterable[Item]:
    for message, expected in MESSAGES:
        call = _chained("classification", {"message": message})
        yield Item("", "classify", call, partial(_is_label, expected), {"task": "classify"})


def _is_label(expected: str, said: str) -> bool:
    return said.strip().lower() == expected


def _replies() -> Iterable[Item]:
    for number, question in enumerate(CUSTOMER_QUESTIONS):
        way = _streamed if number % 2 else _chained
        yield Item("", "reply", way("reply", {"rules": RULES, "question": question}))


def _orders() -> Iterable[Item]:
    for customer, quantity, product, city in ORDERS:
        call = _chained("extraction", {"letter": letter(customer, quantity, product, city)})
        expected = chain.Order(customer=customer, quantity=quantity, city=city)
        yield Item("", "extract", call, partial(eq, expected), {"task": "extract"})


def _summaries(corpus: Corpus) -> Iterable[Item]:
    everything = "\n\n".join(page.text for page in corpus.pages)
    for number in range(8):
        size = min(_LONG[number % 3], len(everything) // 2)
        begin = number * (len(everything) - size) // 8
        call = _streamed("summary", {"text": everything[begin : begin + size]})
        yield Item("", "summarise", call, terms={"task": "summarise"})


def _pictures() -> Iterable[Item]:
    for question in PICTURE_QUESTIONS:
        yield Item("", "picture", _chained("picture", {"question": question}), terms={"data": {}})


def _errands() -> Iterable[Item]:
    for question, expected in ERRANDS:
        yield Item("", "agent", partial(_errand, question), partial(_names, expected))


def _errand(question: str, apps: Apps) -> str:
    return agent.ask(apps.agent, question)


def _names(expected: str, said: str) -> bool:
    return expected in said.split("is: ")[-1].split()


def _questions(corpus: Corpus) -> Iterable[Item]:
    ways: Sequence[tuple[str, Callable[[str, Apps], str]]] = (
        ("query", lambda question, apps: rag.ask(apps.engine, question)),
        ("query, streamed", lambda question, apps: rag.ask(apps.streaming_engine, question)),
        ("query, async", lambda question, apps: asyncio.run(rag.aask(apps.engine, question))),
    )
    for number, question in enumerate(2 * BY_CORPUS[corpus.name]):
        kind, ask = ways[number % 3]
        yield Item("", kind, partial(ask, question), terms={"task": "question"})
