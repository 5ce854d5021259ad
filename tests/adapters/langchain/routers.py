"""What most tests of ChatRouter begin with."""

from __future__ import annotations

from typing import Any

import httpx

from langchain_router import ChatRouter

DOWN = httpx.ConnectError("no route")


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def router(*models: Any, **settings: Any) -> ChatRouter:
    """A router that tries the models in this order."""
    return ChatRouter(models=list(models), **{"policy": "single", **settings})
