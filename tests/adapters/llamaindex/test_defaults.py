"""The defaults of a router's calls reach the models, also those of a copy and of a router within a router."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from pydantic import BaseModel

from llamaindex_router import ConfigError, RouterLLM

HI = [ChatMessage(content="hi")]
STATED: dict[str, Any] = {"temperature": 0.7, "max_tokens": 9}


class City(BaseModel):
    """A city."""

    name: str


def test_of_a_copy_and_of_a_router_around_another(child: Callable[..., Any], server: ChatServer) -> None:
    inner = RouterLLM(models=[child("a")])
    copied = inner.model_copy(update={**STATED, "context_window": 5_000})
    for llm in (copied, RouterLLM(models=[inner], **STATED), inner):
        llm.chat(HI)
    told = [{name: body.get(name) for name in STATED} for body in server.requests]
    assert told[:2] == [STATED] * 2
    assert told[2]["max_tokens"] is None
    assert copied.router is inner.router
    assert (copied.metadata.context_window, copied.metadata.num_output) == (5_000, 9)


@pytest.mark.parametrize("nested", [False, True])
def test_the_way_to_a_structured_answer(child: Callable[..., Any], server: ChatServer, nested: bool) -> None:
    server.script("a", Say('{"name": "Paris"}'))
    models = [RouterLLM(models=[child("a")])] if nested else [child("a")]
    llm = RouterLLM(models=models, pydantic_program_mode="llm")
    assert llm.structured_predict(City, PromptTemplate("Tell about {place}."), place="Paris") == City(name="Paris")
    (body,) = server.requests
    assert not {"tools", "response_format"} & body.keys()
    with pytest.raises(ConfigError, match="pydantic_program_mode went into"):
        llm.pydantic_program_mode = PydanticProgramMode.FUNCTION
