"""Phoenix as a test asks it: what of a trace it shows, and what it makes of tokens and money."""

from __future__ import annotations

import time
from typing import Any

import httpx
from backends.drawn import Shown

_TRACE = """query($id: String!) { getTraceByOtelId(traceId: $id) {
  numSpans errorCount costSummary { prompt { tokens } completion { tokens } total { cost } }
  spans(first: 100) { edges { node {
    spanId parentId name spanKind statusCode startTime tokenCountPrompt tokenCountCompletion attributes
    costSummary { total { cost } } spanAnnotations { name score annotatorKind }
  } } } } }"""


class Phoenix:
    """Read through its GraphQL interface, which is what its own pages are made from."""

    def __init__(self, url: str) -> None:
        self.url = url

    def asked(self, query: str, **variables: Any) -> Any:
        reply = httpx.post(f"{self.url}/graphql", json={"query": query, "variables": variables}, timeout=30)
        told = reply.raise_for_status().json()
        assert not told.get("errors"), told["errors"]
        return told["data"]

    def trace(self, trace_id: int, spans: int) -> dict[str, Any]:
        """A trace, once this many spans of it are there and priced: what came is taken in by and by."""
        until = time.monotonic() + 60
        while True:
            found: dict[str, Any] | None = self.asked(_TRACE, id=f"{trace_id:032x}")["getTraceByOtelId"]
            if found is not None and found["numSpans"] >= spans and all(map(_priced, nodes(found))):
                return found
            assert time.monotonic() < until, f"Phoenix has of {spans} spans: {found}"
            time.sleep(0.3)


def _priced(node: dict[str, Any]) -> bool:
    return not node["tokenCountPrompt"] or bool(node["costSummary"] and node["costSummary"]["total"]["cost"])


def nodes(trace: dict[str, Any]) -> list[dict[str, Any]]:
    return [edge["node"] for edge in trace["spans"]["edges"]]


def shown(trace: dict[str, Any]) -> list[Shown]:
    return [
        Shown(
            node["spanId"], node["parentId"], node["name"], node["spanKind"], node["statusCode"], node["startTime"],
            (node["tokenCountPrompt"], node["tokenCountCompletion"] or 0) if node["tokenCountPrompt"] else None,
            node["costSummary"]["total"]["cost"] if node["costSummary"] else None,
        )
        for node in nodes(trace)
    ]  # fmt: skip
