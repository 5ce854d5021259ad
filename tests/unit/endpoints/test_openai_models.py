"""The options and schemas that OpenAI's models take."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router.endpoints.openai_models import may_be_strict, one_call, options_for

THINKING = ["gpt-5", "gpt-5.4-mini", "GPT-5.4", "o1", "o3-mini-2025-01-31", "ft:o4-mini:acme::id"]
OTHERS = ["gpt-4o", "gpt-35-turbo", "gpt-oss-120b", "openai/gpt-5.4", "o200k", "omni-7b", "qwen3", "ft:gpt-4o:acme::id"]


@pytest.mark.parametrize("model", THINKING)
def test_a_thinking_model_gets_its_limit_under_its_own_name_and_no_temperature(model: str) -> None:
    assert options_for(model, {"max_tokens": 9, "temperature": 0, "seed": 1}) == {"max_completion_tokens": 9, "seed": 1}


@pytest.mark.parametrize("model", OTHERS)
def test_any_other_model_gets_what_is_set(model: str) -> None:
    settings = {"max_tokens": 9, "temperature": 0}
    assert options_for(model, settings) == settings


def test_what_is_asked_later_overrides_a_limit_of_the_other_name() -> None:
    assert options_for("o3", {"max_tokens": 9}, {"max_completion_tokens": 5}) == {"max_completion_tokens": 5}
    assert options_for("o3", {"max_completion_tokens": 9}, {"max_tokens": 5}) == {"max_completion_tokens": 5}
    assert options_for("o3", {"max_tokens": 9, "max_completion_tokens": 5}) == {"max_completion_tokens": 5}


def test_a_temperature_that_the_call_states_is_sent_to_any_model() -> None:
    assert options_for("o3", {"temperature": 0}, {}, {"temperature": 0.5}) == {"temperature": 0.5}


@pytest.mark.parametrize(
    ("model", "settings"),
    [
        ("o3", {"temperature": 1}),
        ("o3", {"temperature": 1.0}),
        ("gpt-5-chat-latest", {"temperature": 0}),
        ("gpt-5.4", {"temperature": 0, "reasoning_effort": "none"}),
    ],
)
def test_a_temperature_that_the_model_takes_is_sent(model: str, settings: dict[str, Any]) -> None:
    assert options_for(model, settings) == settings


NUMBER: dict[str, Any] = {"type": "integer"}


def thing(**properties: Any) -> dict[str, Any]:
    return {"type": "object", "properties": properties, "required": [*properties]}


@pytest.mark.parametrize(
    "schema",
    [
        thing(a=NUMBER),
        {
            **thing(a=NUMBER, b=thing(c={"enum": ["x"]})),
            "additionalProperties": False,
            "description": "d",
            "title": "t",
        },
        thing(a={"type": "array", "items": thing(b={"anyOf": [NUMBER, {"type": "null"}]})}),
    ],
)
def test_a_schema_of_closed_objects_may_be_strict(schema: dict[str, Any]) -> None:
    assert may_be_strict(schema)


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object"},
        {**thing(a=NUMBER), "required": []},
        thing(a={"type": "object", "additionalProperties": NUMBER}),
        {**thing(a=NUMBER), "additionalProperties": True},
        thing(a={**NUMBER, "default": 3}),
        thing(a={"type": "array", "items": {}}),
        thing(a={"description": "anything"}),
        thing(a={"anyOf": [NUMBER, {"type": "object"}]}),
        thing(a={"$ref": "#/$defs/a"}),
    ],
)
def test_a_schema_that_openai_may_reject_is_not_strict(schema: dict[str, Any]) -> None:
    assert not may_be_strict(schema)


def test_a_thinking_model_of_the_o_series_is_not_told_to_make_one_call() -> None:
    assert (one_call("o3-mini"), one_call("gpt-5.4")) == ({}, {"parallel_tool_calls": False})
