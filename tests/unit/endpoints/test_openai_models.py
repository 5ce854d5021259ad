"""The options that OpenAI's thinking models take, and those of all other models."""

from __future__ import annotations

import pytest

from capability_router.endpoints.openai_models import options_for

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
def test_a_temperature_that_the_model_takes_is_sent(model: str, settings: dict[str, object]) -> None:
    assert options_for(model, settings) == settings
