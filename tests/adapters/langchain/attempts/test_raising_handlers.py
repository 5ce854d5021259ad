"""A callback handler with `raise_error` stops a call, with a router as without one."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain_core.callbacks import BaseCallbackHandler
from pydantic import BaseModel

from langchain_router import ChatRouter


class Joke(BaseModel):
    """A joke."""

    setup: str


def stopper(event: str, error: Exception) -> BaseCallbackHandler:
    def stop(self: Any, *args: Any, **kwargs: Any) -> None:
        raise error

    return type("Stopper", (BaseCallbackHandler,), {"raise_error": True, event: stop})()


def routed() -> tuple[ChatRouter, Scripted]:
    spare = Scripted(name_="y")
    return ChatRouter(models=[Scripted(name_="x"), spare], policy="single"), spare


@pytest.mark.parametrize("error", [ConnectionError("over budget"), ValueError("over budget")], ids=repr)
@pytest.mark.parametrize("event", ["on_chat_model_start", "on_llm_new_token", "on_llm_end"])
async def test_what_a_handler_raises_reaches_the_caller_and_no_other_model_is_asked(
    event: str, error: Exception
) -> None:
    router, spare = routed()
    config: Any = {"callbacks": [stopper(event, error)]}
    with pytest.raises(type(error), match="over budget"):
        list(router.stream("x", config))
    with pytest.raises(type(error), match="over budget"):
        [chunk async for chunk in router.astream("x", config)]
    if event != "on_llm_new_token":
        with pytest.raises(type(error), match="over budget"):
            router.invoke("x", config)
    assert spare.calls == []
    assert router.invoke("x").response_metadata["router"]["model"] == "fake/x"  # its health heard nothing of it


@pytest.mark.parametrize("event", ["on_llm_end", "on_chain_end"])
def test_a_handler_that_raises_is_no_answer_that_does_not_parse(event: str) -> None:
    router, spare = routed()
    with pytest.raises(LookupError, match="stop"):
        router.with_structured_output(Joke).invoke("x", {"callbacks": [stopper(event, LookupError("stop"))]})
    assert spare.calls == []
