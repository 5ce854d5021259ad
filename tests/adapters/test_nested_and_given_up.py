"""A router within a router, in blocking calls: what it holds is free again when its attempt is given up."""

from __future__ import annotations

import time
from collections.abc import Iterator
from threading import Event
from typing import Any

import pytest
from langchain_core.language_models import FakeListChatModel
from langchain_core.language_models.fake_chat_models import SimpleChatModel
from langchain_core.outputs import ChatGenerationChunk
from llama_index.core.llms import ChatMessage, MockLLM

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

PATIENCE_S = 30.0
CARD = {"id": "silent", "price": {"input_mtok": 1, "output_mtok": 2}, "max_output_tokens": 1_000}
LIMITS = [{"timeouts": {"first_token": 0.2}}, {"timeouts": {"total": 0.2}}, {"hedge": {"after_s": 0.1, "extra": 1.0}}]


class Silent(SimpleChatModel):
    """It answers when the test has ended."""

    until: Any

    @property
    def _llm_type(self) -> str:
        return "silent"

    def _call(self, *_: Any, **__: Any) -> str:
        self.until.wait(2 * PATIENCE_S)
        return "late"

    def _stream(self, *_: Any, **__: Any) -> Iterator[ChatGenerationChunk]:
        self.until.wait(2 * PATIENCE_S)
        yield from ()


@pytest.fixture
def until() -> Iterator[Event]:
    event = Event()
    yield event
    event.set()


def held(router: Any) -> tuple[int, float]:
    """Its calls in flight and its reserved money."""
    rows = router.router.budgets.rows()
    return sum(row["in_flight"] for row in router.router.health()), sum(row["reserved_usd"] for row in rows)


def ask(router: Any) -> str:
    if isinstance(router, RouterLLM):
        return "".join(part.delta or "" for part in router.stream_chat([ChatMessage("hi")]))
    return "".join(str(part.content) for part in router.stream("hi"))


@pytest.mark.parametrize("limits", LIMITS, ids=["first_token", "total", "hedge"])
@pytest.mark.parametrize("kind", [ChatRouter, RouterLLM])
def test_a_silent_inner_stream_is_let_go_of(kind: type[Any], limits: dict[str, Any], until: Event) -> None:
    inner = kind(models=[(Silent(until=until), CARD)], budgets=[{"scope": "global", "limit_usd": 9}])
    beside = MockLLM() if kind is RouterLLM else FakeListChatModel(responses=["well"])
    outer = kind(models=[(inner, {"id": "inner"}), (beside, {"id": "beside"})], policy="single", **limits)
    assert ask(outer) in ("well", "user: hi\nassistant: ")
    end = time.monotonic() + PATIENCE_S
    while held(inner) != (0, 0) and time.monotonic() < end:
        time.sleep(0.01)
    assert held(inner) == (0, 0)
