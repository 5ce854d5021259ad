"""What is said of a model that the catalog does not have: a likely meaning, or nothing."""

from __future__ import annotations

import pytest

from capability_router.catalog.hint import hint


@pytest.mark.parametrize(("name", "meant"), [
    ("openai:gpt-5-minni", "openai:gpt-5-mini"),
    ("openai:gpt5-mini", "openai:gpt-5-mini"),
    ("openai/gpt-5-minni", "openai:gpt-5-mini"),
    ("anthropic:claude-sonet-4-5", "anthropic:claude-sonnet-4-5"),
    ("antropic:claude-sonnet-4-5", "anthropic:claude-sonnet-4-5"),
    ("gemni:gemini-2.5-por", "google:gemini-2.5-pro"),
    ("deepseek-chta", "deepseek:deepseek-chat"),
    ("mistral-lrage-latest", "mistral:mistral-large-latest"),
    ("opnai", "openai"),
    ("googel", "google"),
])  # fmt: skip
def test_a_misspelt_name_has_its_likely_meaning(name: str, meant: str) -> None:
    assert hint(name) == f"; did you mean {meant!r}?"


@pytest.mark.parametrize(("name", "meant"), [
    ("anthropic:claude-4.5-sonnet", "anthropic:claude-sonnet-4-5"),
    ("claude-4-5-sonnet", "anthropic:claude-sonnet-4-5"),
    ("google:gemini-pro-2.5", "google:gemini-2.5-pro"),
])  # fmt: skip
def test_the_same_words_in_another_order_go_before_a_name_of_other_words(name: str, meant: str) -> None:
    assert hint(name) == f"; did you mean {meant!r}?"


def test_a_model_of_another_provider_is_told_with_its_provider() -> None:
    assert hint("anthropic:gpt-5-mini") == "; openai and azure have it: 'openai:gpt-5-mini'"
    assert hint("openai:sonar-pro") == "; perplexity has it: 'perplexity:sonar-pro'"
    assert hint("openai:claude-sonnet-4-5").startswith("; anthropic")
    assert hint("acme:gpt-5-mini") == hint("anthropic:gpt-5-mini")


@pytest.mark.parametrize("name", [
    "banana", "foobar", "my-model", "house-1", "xyzzy", "hello-world", "test-model", "gpt-99-turbo-of-dreams",
    "claude-of-tomorrow", "unicorn-9000", "model-1", "best-model", "llama-of-tibet", "nothing-here", "max-pro", "acme",
    "openai:banana", "openai:gpt-99-turbo-of-dreams", "acme:house-1", "acme:banana", "anthropic:", ":banana", ":", "",
    "/", "東京", "a" * 5_000, "openai:" + "-".join("x" * 999),
])  # fmt: skip
def test_a_name_like_none_has_no_meaning(name: str) -> None:
    assert hint(name) == ""
