"""What a listener raises is logged without what the call had met: that may quote the key and the prompt."""

from __future__ import annotations

import logging
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import Request
from capability_router.request import Outcome
from capability_router.testing import scripted_router


def broken(event: Any) -> None:
    raise ZeroDivisionError("PROMPT")


class Broken:
    def __call__(self, request: Request, outcome: Outcome) -> None:
        raise KeyError("PROMPT")


def test_by_class_and_place_without_message_and_context(caplog: pytest.LogCaptureFixture) -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[{"scope": "global", "limit_usd": 1e-9, "on_exceed": "warn"}])
    router.on_health(broken)
    router.on_outcome(Broken())
    with caplog.at_level(logging.WARNING):
        try:
            raise ValueError("sk-KEY PROMPT")
        except ValueError:
            router.isolate("a")
            router.reset("a")
        endpoint = GatedEndpoint({"a": GatedModel(("hi",))}, stream=False)
        list(router.start(Request(("hi",)), endpoint))
    told = [record.getMessage() for record in caplog.records if "listener" in record.getMessage()]
    assert len(told) >= 3
    assert told[0].startswith("listener broken failed: ZeroDivisionError at ")
    assert "test_listener.py:" in told[0]
    assert any("listener Broken failed: KeyError at " in line for line in told)
    assert "PROMPT" not in caplog.text
    assert "sk-KEY" not in caplog.text
