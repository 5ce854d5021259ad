"""The built-in catalog and the names under which it is asked."""

from __future__ import annotations

import gzip
import json
import subprocess
import sys
from importlib import resources

import pytest

from capability_router.catalog import snapshot
from capability_router.catalog.aliases import canonical, provider_of, spellings
from capability_router.catalog.card import ModelCard
from capability_router.catalog.prices import price_of
from capability_router.catalog.registry import Registry
from capability_router.request import Need, Usage

DATA = resources.files("capability_router.catalog") / "data"


@pytest.fixture(scope="module")
def stored():
    return json.loads((DATA / "models.json").read_text("utf-8"))


def test_what_a_known_model_can_and_costs():
    known = snapshot.lookup("openai", "gpt-5-mini")
    assert known is not None
    assert (known["context_window"], known["max_input_tokens"], known["max_output_tokens"]) == (
        400_000,
        272_000,
        128_000,
    )
    assert known["tool_calling"] is True
    assert known["audio_inputs"] is False
    price = known["price"]
    assert (price.input_mtok, price.output_mtok, price.cache_read_mtok) == (0.25, 2, 0.025)
    assert price.as_of == snapshot.provenance().as_of
    assert price.source.startswith("litellm 1.")


def test_a_bare_string_becomes_a_full_card():
    (card,) = Registry.build(["openai:gpt-5-mini"]).cards
    assert card.can & Need.TOOL_CALLING
    assert card.cannot & Need.AUDIO_INPUTS
    assert card.price is not None
    assert card.price.cost(Usage(input_tokens=1_000_000, output_tokens=0, cache_read_tokens=1_000_000)) == 25 * 10**9


def test_a_long_prompt_is_priced_by_its_tier():
    price = price_of("google", "gemini-2.5-pro")
    assert price is not None
    assert price.estimate(200_000, 0) == 1_250_000 * 200_000
    assert price.estimate(200_001, 0) == 2_500_000 * 200_001


@pytest.mark.parametrize(
    ("provider", "model", "same"),
    [
        ("google_genai", "gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("google_genai", "models/gemini-2.5-pro", ("google", "gemini-2.5-pro")),
        ("mistralai", "mistral-large-latest", ("mistral", "mistral-large-latest")),
        ("OpenAI", "gpt-5-mini-2025-08-07", ("openai", "gpt-5-mini")),
        ("bedrock_converse", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0",
         ("bedrock", "jp.anthropic.claude-sonnet-4-5-20250929-v1:0")),
        ("anthropic", "claude-sonnet-4-5-latest", ("anthropic", "claude-sonnet-4-5")),
    ],
)  # fmt: skip
def test_one_model_under_many_names(provider, model, same):
    found = snapshot.lookup(provider, model)
    assert found is not None
    assert found == snapshot.lookup(*same)


def test_latest_is_the_newest_dated_one(monkeypatch):
    models = {"m-2401": {"context_window": 1}, "m-2512": {"context_window": 2}, "m-big-2601": {"context_window": 3}}
    monkeypatch.setattr(snapshot, "_read", lambda: {"as_of": "", "sources": {}, "models": {"acme": models}})
    snapshot.lookup.cache_clear()
    try:
        assert snapshot.lookup("acme", "m-latest")["context_window"] == 2
        assert snapshot.lookup("acme", "n-latest") is None
    finally:
        snapshot.lookup.cache_clear()


@pytest.mark.parametrize(
    ("provider", "model"),
    [("openai", "gpt-99"), ("nobody", "gpt-5-mini"), ("", "gpt-5-mini"), ("openai", ""), ("endpoint", "gpt-5-mini")],
)
def test_what_nobody_states_is_unknown(provider, model):
    assert snapshot.lookup(provider, model) is None
    assert price_of(provider, model) is None


def test_a_fine_tuned_model_never_has_its_bases_price():
    tuned = price_of("openai", "ft:gpt-4.1-mini-2025-04-14:acme::abc")
    base = price_of("openai", "gpt-4.1-mini-2025-04-14")
    assert tuned is not None
    assert base is not None
    assert tuned.input_mtok > base.input_mtok
    assert list(spellings("ft:unheard:acme::1")) == ["ft:unheard:acme::1", "ft:unheard"]


def test_a_look_up_can_not_be_changed():
    with pytest.raises(TypeError):
        snapshot.lookup("openai", "gpt-5-mini")["price"] = None


def test_every_stored_model_makes_a_card_and_no_price_is_free(stored):
    for provider, models in stored["models"].items():
        assert canonical(provider) == provider
        for name in models:
            fields = snapshot.lookup(provider, name)
            card = ModelCard(**{"id": f"{provider}/{name}", "provider": provider, "model": name, **fields})
            if card.price is not None:
                assert card.price.estimate(1_000_000, 1_000_000)
            if card.max_input_tokens:
                assert card.max_input_tokens < card.context_window


@pytest.mark.parametrize(
    "provider", ["openai", "anthropic", "google", "mistral", "groq", "deepseek", "xai", "cohere", "bedrock", "azure"]
)
def test_the_providers_people_use_are_there_with_prices(stored, provider):
    priced = [
        fields for fields in stored["models"][provider].values() if "price" in fields and "context_window" in fields
    ]
    assert len(priced) >= 5


def test_the_file_is_small_and_says_where_it_is_from(stored):
    assert len(gzip.compress((DATA / "models.json").read_bytes())) <= 60_000
    assert set(stored["sources"]) >= {"litellm", "langchain-openai"}
    assert "MIT" in (DATA / "NOTICE").read_text("utf-8")
    assert snapshot.provenance().models > 1_000


def test_nothing_is_read_before_the_first_look_up():
    code = (
        "from capability_router.catalog import registry, snapshot\n"
        "assert snapshot._read.cache_info().currsize == 0\n"
        "registry.Registry.build(['openai:gpt-5-mini'])\n"
        "assert snapshot._read.cache_info().currsize == 1\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)  # noqa: S603 - our own code


@pytest.mark.parametrize(
    ("url", "provider"),
    [
        ("https://api.openai.com/v1", "openai"),
        ("https://bedrock-runtime.eu-central-1.amazonaws.com", "bedrock"),
        ("https://me.openai.azure.com/openai/v1", "azure"),
        ("http://127.0.0.1:8000/v1", ""),
        ("https://notapi.openai.com.evil.test", ""),
        ("https://fakeapi.openai.com", ""),
    ],
)
def test_a_host_names_its_provider(url, provider):
    assert provider_of(url) == provider
