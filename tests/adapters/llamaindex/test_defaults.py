"""The defaults of a router's calls reach the models, also those of a copy and of a router within a router."""

from __future__ import annotations

import pickle
from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from adapters.processes import Processes
from langchain_openai import ChatOpenAI
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import MockLLM
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import PydanticProgramMode
from llama_index.llms.anthropic import Anthropic
from llama_index.llms.openai import OpenAI
from pydantic import BaseModel, ValidationError

from llamaindex_router import ConfigError, EndpointLLM, RouterLLM
from llamaindex_router.fleet.llm_fleet import prepared

HI = [ChatMessage(content="hi")]
STATED: dict[str, Any] = {"temperature": 0.7, "max_tokens": 9, "top_p": 0.5, "stop": ["END"]}


@pytest.mark.parametrize(("name", "value"), [("stop", 5), ("stop", [5]), ("top_p", "much"), ("max_tokens", 0)])
def test_a_default_of_the_wrong_kind_is_told_when_the_router_is_made(name: str, value: Any) -> None:
    with pytest.raises(ValidationError, match=rf"(?s)RouterLLM\n{name}"):
        RouterLLM(models=[MockLLM()], **{name: value})


@pytest.mark.parametrize(("name", "value"), STATED.items())
def test_a_default_that_the_models_have_can_not_be_set_later(name: str, value: Any) -> None:
    with pytest.raises(ConfigError, match=f"{name} went into the router's models"):
        setattr(RouterLLM(models=[MockLLM()]), name, value)


def test_a_number_that_is_given_as_text_is_sent_as_a_number(child: Callable[..., Any], server: ChatServer) -> None:
    told: dict[str, Any] = {"temperature": "0.7", "max_tokens": "9", "top_p": "0.5"}  # from the environment, say
    RouterLLM(models=[child("a")], **told).chat(HI)
    (body,) = server.requests
    assert {name: body[name] for name in told} == {"temperature": 0.7, "max_tokens": 9, "top_p": 0.5}


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


def test_a_way_to_structured_answers_that_there_is_not() -> None:
    told = "pydantic_program_mode must be one of default, openai, .*, got 'functoin'; did you mean 'function'"
    with pytest.raises(ConfigError, match=told):
        RouterLLM(models=[MockLLM()], pydantic_program_mode="functoin")
    with pytest.raises(ConfigError, match=told):
        RouterLLM(models=[MockLLM()]).model_copy(update={"pydantic_program_mode": "functoin"})


COPIED = """
import pickle, sys
from llama_index.core.llms import ChatMessage
llm = pickle.loads(sys.stdin.buffer.read())
llm.chat([ChatMessage(content="hi")])
print(llm.temperature, llm.router.settings.policy.name)
"""


def test_a_copy_of_a_router_from_a_file_opens_in_another_process(processes: Processes, server: ChatServer) -> None:
    entry = {"id": "e", "endpoint": {"base_url": server.url, "model": "e"}}
    copied = RouterLLM.from_config({"models": [entry], "policy": "single"}).model_copy(update={"temperature": 0.7})
    ran = processes.run(COPIED, stdin=pickle.dumps(copied))
    assert ran.stdout.split() == ["0.7", "single"], ran.stderr
    assert [body["temperature"] for body in server.requests] == [0.7]


def test_a_copy_makes_no_model_anew(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    llm = RouterLLM(models=["openai:gpt-5.4-nano"])
    monkeypatch.delenv("OPENAI_API_KEY")
    assert llm.model_copy(update={"temperature": 0}).temperature == 0


def test_a_copys_time_limit_and_way_to_a_structured_answer() -> None:
    mode = "pydantic_program_mode"
    own = (Waiting().model_copy(update={mode: PydanticProgramMode.OPENAI}), {"id": "a"})
    stated = RouterLLM(models=[own], timeout=1, pydantic_program_mode="llm")
    ((_, strict),) = stated._core.children
    assert (strict.timeout, strict.pydantic_program_mode) == (1, "llm")  # type: ignore[attr-defined]  # a Waiting
    ((_, freed),) = stated.model_copy(update={"timeout": 60, mode: PydanticProgramMode.DEFAULT})._core.children
    assert (freed.timeout, freed.pydantic_program_mode) == (60, PydanticProgramMode.OPENAI)  # type: ignore[attr-defined]  # likewise
    stated.timeout = 90
    assert [llm.timeout for _, llm in stated._core.children] == [90]  # type: ignore[attr-defined]  # likewise


class Waiting(MockLLM):
    """With a time limit, as clients have it."""

    timeout: float = 30.0


def test_retries_are_counted_as_models_read_them_and_others_are_told() -> None:
    assert RouterLLM(models=[MockLLM()], max_retries="2").router.settings.retry.attempts == 3  # type: ignore[arg-type]  # as it comes from the environment
    for given in (-1, 1.5, "two", 20):
        with pytest.raises(ConfigError, match="max_retries must be a whole number from 0 to 19, got"):
            RouterLLM(models=[MockLLM()], max_retries=given)  # type: ignore[arg-type]  # a mistake


def test_another_thing_in_the_place_of_a_router_is_told() -> None:
    with pytest.raises(ConfigError, match=r"got a RouterLLM; .* is its \.router"):
        RouterLLM(router=RouterLLM(models=[MockLLM()]))  # type: ignore[arg-type]  # a mistake


@pytest.mark.parametrize("name", ["gpt-5-mini", "gpt-4.1-mini"])
def test_a_temperature_that_the_class_sets_by_itself_stays(name: str, server: ChatServer) -> None:
    """OpenAI answers 400 to any but 1 for a model that thinks; the integration sees to it when an LLM is made."""
    given: dict[str, Any] = {"model": name, "api_base": server.url, "api_key": "k", "max_retries": 0}
    chained = ChatOpenAI(model=name, base_url=server.url, api_key="k")
    OpenAI(**given, temperature=0).chat(HI)
    for llm in (OpenAI(**given), chained):
        RouterLLM(models=[llm], temperature=0).chat(HI)
    plain, routed, by_langchain = (body.get("temperature") for body in server.requests)
    assert routed == plain == (1 if name == "gpt-5-mini" else 0)
    assert by_langchain == (None if name == "gpt-5-mini" else 0)


def test_the_built_in_client_sends_what_openais_thinking_models_take(server: ChatServer) -> None:
    model = EndpointLLM(base_url=server.url, model="gpt-5.4")
    RouterLLM(models=[model], temperature=0, max_tokens=9).chat(HI)
    RouterLLM(models=[model]).complete("hi", max_tokens=5, model="gpt-4o")
    asked = [{name: body.get(name) for name in LIMITS} for body in server.requests]
    assert asked == [dict(zip(LIMITS, values, strict=True)) for values in ((None, None, 9), (None, 5, None))]


LIMITS = ("temperature", "max_tokens", "max_completion_tokens")


def test_a_temperature_beside_extended_thinking_stays() -> None:
    llm = Anthropic(model="claude-sonnet-4-0", api_key="k", thinking_dict={"type": "enabled", "budget_tokens": 1024})
    assert prepared(llm, {"temperature": 0, "max_tokens": 9}).temperature == 1
