"""Verbs that do as a plain chat model's do, also where something is wrong."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from fakes import Scripted
from langchain_core.messages import HumanMessage
from pydantic import BaseModel

from langchain_router import AllCandidatesFailed, ChatRouter


class Joke(BaseModel):
    """A joke."""

    setup: str


async def test_v3_of_parsed_values_is_refused_before_a_model_is_asked() -> None:
    model = Scripted()
    router = ChatRouter(models=[model])
    structured: Any = router.with_structured_output(Joke)
    with pytest.raises(NotImplementedError, match="v3"):
        structured.stream_events("x", version="v3")
    with pytest.raises(NotImplementedError, match="v3"):
        await structured.astream_events("x", version="v3")
    assert model.calls == []
    assert router.router.ledger.calls() == []


async def test_agenerate_waits_for_every_prompt_before_it_raises() -> None:
    class Slow(Scripted):
        async def _agenerate(self, messages: Any, *args: Any, **kwargs: Any) -> Any:
            if messages[0].content == "bad":
                raise ConnectionError("down")
            for _ in range(200):
                await asyncio.sleep(0)
            return await super()._agenerate(messages, *args, **kwargs)

    model = Slow()
    with pytest.raises(AllCandidatesFailed):
        await ChatRouter(models=[model], max_retries=0).agenerate([[HumanMessage("bad")], [HumanMessage("good")]])
    assert [messages[0].content for messages in model.calls] == ["good"]
