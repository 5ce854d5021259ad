"""What caches tell routers apart by: a dump that changes with the models' settings, and holds nothing secret."""

from __future__ import annotations

from typing import Any

import pytest
from adapters.processes import Processes
from langchain_openai import ChatOpenAI
from llama_index.core.extractors import SummaryExtractor
from llama_index.core.ingestion.pipeline import get_transformation_hash
from llama_index.core.schema import TextNode
from llama_index.llms.openai import OpenAI

from llamaindex_router import ConfigError, EndpointLLM, RouterLLM
from llamaindex_router.fleet.settings_fingerprint import mark_of

HERE = "http://127.0.0.1:9/v1"


def openai(**settings: Any) -> OpenAI:
    return OpenAI(**{"model": "gpt-4o", "api_key": "sk-1", "api_base": HERE, **settings})


def chained(**settings: Any) -> ChatOpenAI:
    return ChatOpenAI(**{"model": "gpt-4o", "api_key": "sk-1", "base_url": HERE, **settings})


def built_in(**settings: Any) -> EndpointLLM:
    return EndpointLLM(**{"model": "gpt-4o", "api_key": "sk-1", "base_url": HERE, **settings})


def nested(**settings: Any) -> RouterLLM:
    return RouterLLM(models=[openai(**settings)])


def key(llm: Any) -> str:
    """What an ingestion pipeline looks for in its cache."""
    return get_transformation_hash([TextNode(text="t", id_="1")], SummaryExtractor(llm=RouterLLM(models=[llm])))


MAKERS = pytest.mark.parametrize("make", [openai, chained, built_in, nested])


@MAKERS
@pytest.mark.parametrize("change", [{"temperature": 0.9}, {"max_tokens": 77}])
def test_a_pipelines_cache_tells_models_with_other_settings_apart(make: Any, change: dict[str, Any]) -> None:
    assert key(make()) == key(make())
    assert key(make(**change)) != key(make())


@pytest.mark.parametrize("make", [openai, built_in, nested])
def test_and_those_with_another_system_prompt(make: Any) -> None:
    assert key(make(system_prompt="A")) != key(make(system_prompt="B"))
    assert "Be brief." not in RouterLLM(models=[make(system_prompt="Be brief.")]).to_json()


@pytest.mark.parametrize(("make", "name"), [(openai, "api_base"), (chained, "base_url"), (built_in, "base_url")])
def test_and_those_at_another_address(make: Any, name: str) -> None:
    assert key(make(**{name: "http://127.0.0.1:8/v1"})) != key(make())


def test_a_mark_is_made_of_nothing_secret() -> None:
    said = {"api_base": "http://anna:pass@127.0.0.1:9/v1?sig=1", "api_key": "sk-2", "default_headers": {"x": "y"}}
    assert mark_of(openai(**said)) == mark_of(openai())
    assert mark_of(chained(api_key="sk-2")) == mark_of(chained())
    assert mark_of(openai(additional_kwargs={"token": "t"})) == mark_of(openai())


PROGRAM = """
import sys
from llama_index.llms.openai import OpenAI
from llamaindex_router.fleet.settings_fingerprint import mark_of
print(mark_of(OpenAI(model="gpt-4o", api_key="sk-1", api_base=sys.argv[1])))
"""


def test_a_mark_is_the_same_in_another_process(processes: Processes) -> None:
    ran = processes.run(PROGRAM, HERE)
    assert ran.stdout.strip() == mark_of(openai()), ran.stderr


def test_a_set_counts_by_what_is_in_it() -> None:
    assert mark_of({"stop": {"a", "b", "c"}}) == mark_of({"stop": {"c", "a", "b"}})
    assert mark_of({"stop": {"a"}}) != mark_of({"stop": {"b"}})


def test_a_router_is_not_made_of_its_dump() -> None:
    llm = RouterLLM(models=[openai()])
    with pytest.raises(ConfigError, match="from_config"):
        RouterLLM.from_dict(llm.to_dict())
    with pytest.raises(ConfigError, match="from_config"):
        RouterLLM.from_json(llm.to_json())
