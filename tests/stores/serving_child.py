"""An app under uvicorn, which ends by the signal that it was sent: python serving_child.py URL PORT

A GET makes one call of the router; the end of the app's lifespan closes it. It prints "ready" once it can be asked.
"""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from capability_router.clock import SystemClock
from capability_router.testing import ask, scripted_router

router = scripted_router(
    {"a": ["ok:an answer"]}, clock=SystemClock(), store=sys.argv[1], budgets=[{"scope": "global", "limit_usd": 1.0}],
    cards={"a": {"max_output_tokens": 100}},
)  # fmt: skip


@asynccontextmanager
async def lifespan(_: Starlette) -> AsyncIterator[None]:
    print("ready", flush=True)
    yield
    await router.aclose()


async def asked(_: Request) -> PlainTextResponse:
    return PlainTextResponse(ask(router).answer)


uvicorn.run(Starlette(routes=[Route("/", asked)], lifespan=lifespan), fd=int(sys.argv[2]), log_level="warning")
