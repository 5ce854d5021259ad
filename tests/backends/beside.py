"""One instrumentor at work beside a traced router, in a process of its own: some leave traces of themselves behind.

python -m backends.beside KIND MODULE CLASS prints, for each way to ask, what the spans came to.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import warnings
from importlib import import_module
from typing import Any

from adapters.otel_fleet import WAYS, Fleet
from backends.work import fleet_of
from telemetry.kept import Kept, below, kept, of, told

TOKENS = ("gen_ai.usage.input_tokens", "gen_ai.usage.prompt_tokens", "llm.token_count.prompt")


async def main(kind: str, module: str, name: str) -> None:
    otel = kept()
    getattr(import_module(module), name)().instrument(tracer_provider=otel.provider, skip_dep_check=True)
    for way in WAYS:
        async with fleet_of(kind) as fleet:
            print(json.dumps(await _came_to(otel.emptied(), fleet, way)))


async def _came_to(otel: Kept, fleet: Fleet, way: str) -> dict[str, Any]:
    llm = fleet.made()
    with otel.tracer.start_as_current_span("app"):
        await fleet.ask(llm, way)
    spans, own = otel.all(), otel.spans()
    said = [span for span in spans if "router_model" in str(told(span)) or told(span).get("outcome") == "fallback"]
    return {
        "way": way, "ledger": llm.router.ledger.total().input_tokens,
        "tokens": [told(span)[name] for span in spans for name in TOKENS if name in told(span)],
        "calls": [span.name for span in own if span.name.startswith("chat ")],
        "traces": len({span.context.trace_id for span in spans}),
        "said": sorted({of(span) for span in said}),
        "answered by": [name for name in fleet.names if name in str([told(span) for span in said])],
        "routes below": [of(span) for span in spans for child in below(span, own) if child.name.startswith("route ")],
    }  # fmt: skip


if __name__ == "__main__":
    logging.disable(logging.CRITICAL)
    warnings.simplefilter("ignore")
    asyncio.run(main(*sys.argv[1:]))
