"""The ways in which LangSmith's client sends runs, each with what stands at the other end."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any

from langchain_core.tracers.langchain import LangChainTracer
from langsmith_server import LangSmithServer
from langsmith_spans import Spans

Backend = LangSmithServer | Spans


def _compressing() -> LangSmithServer:
    server = LangSmithServer(zstd=True)
    for _ in range(500):  # the client learns in a thread of its own that it may compress
        if server.client.compressed_traces is not None:
            break
        time.sleep(0.01)
    return server


BACKENDS: dict[str, Callable[[], Backend]] = {
    "zstd": _compressing, "plain": lambda: LangSmithServer(zstd=False), "otel": Spans,
}  # fmt: skip


def traced(backend: Backend) -> Any:
    """A config whose runs go there."""
    return {"callbacks": [LangChainTracer(client=backend.client)], "metadata": {"user": "u"}}
