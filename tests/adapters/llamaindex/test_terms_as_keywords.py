"""A routing term among a call's keywords is told before anything is sent; what models' calls take passes."""

from __future__ import annotations

from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from llamaindex_router import ConfigError, RouterLLM

HI = [ChatMessage(content="hi")]
HOW = r"tenant is a routing term.*say `with routing\(tenant=\.\.\.\):` around the call$"


class Place(BaseModel):
    """A place."""

    name: str


def note(text: str) -> str:
    """Note a text."""
    return text


@pytest.mark.parametrize("way", ["chat", "stream_chat", "complete", "stream_complete", "chat_with_tools"])
def test_it_is_refused_with_what_to_say(pair: RouterLLM, server: ChatServer, way: str) -> None:
    tools = [FunctionTool.from_defaults(note)]
    given: dict[str, tuple[Any, ...]] = {"chat_with_tools": (tools, "hi")}
    asked = given.get(way) or ("hi" if "complete" in way else HI,)
    with pytest.raises(ConfigError, match=HOW):
        getattr(pair, way)(*asked, tenant="acme")
    assert server.requests == []


async def test_so_it_is_in_async(pair: RouterLLM, server: ChatServer) -> None:
    for call in (pair.achat(HI, tenant="acme"), pair.astream_complete("hi", tenant="acme")):
        with pytest.raises(ConfigError, match=HOW):
            await call
    assert server.requests == []


def test_a_prompt_may_have_a_variable_of_that_name(pair: RouterLLM, server: ChatServer) -> None:
    def fitting(body: dict[str, Any]) -> Say:
        return Say(tools=(("Place", {"name": "x"}),)) if body.get("tools") else Say('{"name": "x"}')

    server.script("a", fitting)
    assert pair.structured_predict(Place, PromptTemplate("Where is {tenant}?"), tenant="acme") == Place(name="x")
    with pytest.raises(ConfigError, match=HOW):
        pair.structured_predict(Place, PromptTemplate("Where?"), llm_kwargs={"tenant": "acme"})


def test_keywords_of_models_pass(pair: RouterLLM, server: ChatServer) -> None:
    pair.chat(HI, user="u", seed=1, service_tier="auto")
    (body,) = server.requests
    assert (body["user"], body["seed"], body["service_tier"]) == ("u", 1, "auto")


def test_where_an_integration_refuses_such_a_word_its_error_says_it_too(like: Any) -> None:
    with pytest.raises(TypeError, match="session") as caught:
        RouterLLM(models=[like("a")]).chat(HI, session="x")
    assert caught.value.__notes__ == ["if the router is meant: say `with routing(session=...):` around the call"]
