"""Deadlines and cancellation."""

from __future__ import annotations

import asyncio
import socket
from typing import Any

import pytest
from fakes import Scripted
from langchain_core import exceptions as core
from routers import router

from langchain_router import ChatEndpoint, routing


def test_the_deadline_reaches_the_built_in_client() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        child = ChatEndpoint(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1", model="m")
        with pytest.raises(core.ModelTimeoutError):
            router(child, timeout=0.1).invoke("hi")


async def test_async_deadlines_are_kept_by_the_router() -> None:
    class Sleepy(Scripted):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(30)

    with routing(deadline_s=0.05), pytest.raises(core.ModelTimeoutError):
        await router(Sleepy()).ainvoke("hi")


async def test_cancellation_is_no_fault_of_the_model() -> None:
    class Sleepy(Scripted):
        async def _agenerate(self, *args: Any, **kwargs: Any) -> Any:
            await asyncio.sleep(30)

    model = router(Sleepy(), Scripted(name_="y"))
    task = asyncio.create_task(model.ainvoke("hi"))
    await asyncio.sleep(0.05)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert [c.model for c in model.router.ledger.calls()] == ["fake/scripted"]
    rows = {row["model"]: row for row in model.router.health()}
    assert (rows["fake/scripted"]["failed"], rows["fake/scripted"]["neutral"]) == (0, 1)
