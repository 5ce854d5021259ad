"""Gives Phoenix the prices of a router's models. Run it: python examples/phoenix_prices.py router.yaml http://127.0.0.1:6006

Phoenix works out what a call cost from a price list of its own, by the model's name; what a span says of its cost it
does not read. With a router's prices in that list its sums are those of the router's ledger. Prices count for spans
that come later, so run it first, and again when prices change.
"""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from typing import Any

import httpx

from capability_router import ModelCard
from langchain_router import ChatRouter

_KINDS = {
    ("input", "PROMPT"): "input_mtok", ("cache_read", "PROMPT"): "cache_read_mtok",
    ("cache_write", "PROMPT"): "cache_write_mtok", ("output", "COMPLETION"): "output_mtok",
}  # fmt: skip
"""Phoenix's kinds of tokens -> our prices. Tiers, images and sound have no place in its list."""

_VERSION = r"([-@]\d[\d-]*)?"
"""Providers answer under the name of a version, e.g. gpt-4o-mini-2024-07-18, and instrumentors tell that one."""

_KNOWN = "{ generativeModels { edges { node { id name kind } } } }"
_CREATE = "mutation($input: CreateModelMutationInput!) { createModel(input: $input) { model { id } } }"
_UPDATE = "mutation($input: UpdateModelMutationInput!) { updateModel(input: $input) { model { id } } }"


def put(cards: Iterable[ModelCard], url: str, headers: dict[str, str] | None = None) -> list[str]:
    """Enter the cards' prices; gives the names of those that have one. `headers`: where Phoenix wants a key."""
    with httpx.Client(base_url=url, headers=headers) as client:
        edges = _asked(client, _KNOWN)["generativeModels"]["edges"]
        known = {edge["node"]["name"]: edge["node"]["id"] for edge in edges if edge["node"]["kind"] == "CUSTOM"}
        entries = {entry["name"]: entry for entry in _entries(cards)}
        for name, entry in entries.items():
            if name in known:
                _asked(client, _UPDATE, {**entry, "id": known[name]})
            else:
                _asked(client, _CREATE, entry)
        return list(entries)


def _entries(cards: Iterable[ModelCard]) -> Iterator[dict[str, Any]]:
    for card in cards:
        costs = [
            {"tokenType": token, "kind": kind, "costPerMillionTokens": float(price)}
            for (token, kind), field in _KINDS.items()
            if (price := getattr(card.price, field, None)) is not None
        ]
        if {"input", "output"} <= {cost["tokenType"] for cost in costs}:
            name = card.model or card.id
            yield {"name": name, "provider": None, "namePattern": f"^{re.escape(name)}{_VERSION}$", "costs": costs}


def _asked(client: httpx.Client, query: str, entry: dict[str, Any] | None = None) -> Any:
    reply = client.post("/graphql", json={"query": query, "variables": {"input": entry} if entry else {}})
    told = reply.raise_for_status().json()
    if told.get("errors"):
        raise SystemExit(f"Phoenix says: {told['errors'][0]['message']}")
    return told["data"]


def main() -> None:
    path, url = sys.argv[1], sys.argv[2] if len(sys.argv) > 2 else "http://127.0.0.1:6006"
    router = ChatRouter.from_config(path).router
    for name in put(router.registry.cards, url):
        print(f"{name}: its price is in Phoenix's list")
    router.close()


if __name__ == "__main__":
    main()
