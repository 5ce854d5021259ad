"""The built-in catalog and the names under which it is asked."""

from __future__ import annotations

import gzip
import subprocess
import sys
from importlib import resources

import pytest

from capability_router.catalog.aliases import canonical, provider_of, spellings
from capability_router.catalog.card import ModelCard
from capability_router.catalog.known import document, snapshot
from capability_router.catalog.prices import price_of
from capability_router.catalog.registry import Registry
from capability_router.request import Need, Usage

DATA = resources.files("capability_router.catalog") / "data"


@pytest.fixture(scope="module")
def stored():
    return {name: snapshot.builtin().models(name) for name in snapshot.builtin().providers}


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
    assert price.as_of == snapshot.builtin().sources["litellm"].as_of
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


def stands_in(monkeypatch, models, **beside):
    part = {"models": models, **beside}
    sources = {"s": {"as_of": "2026-11-01"}}
    stated = {"schema": 2, "as_of": "2026-11-01", "sources": sources, "providers": {"acme": part}}
    monkeypatch.setattr(snapshot, "documents", lambda: (document.parsed(stated, "test"),))


@pytest.fixture
def fresh():
    snapshot.forget()
    yield
    for held in (snapshot.find, snapshot.lookup):
        held.cache_clear()


@pytest.mark.usefixtures("fresh")
def test_latest_is_the_newest_dated_one(monkeypatch):
    models = {"m-2401": {"context_window": 1}, "m-2512": {"context_window": 2}, "m-big-2601": {"context_window": 3}}
    stands_in(monkeypatch, models)
    assert snapshot.lookup("acme", "m-latest")["context_window"] == 2
    assert snapshot.lookup("acme", "n-latest") is None


@pytest.mark.usefixtures("fresh")
def test_a_name_in_other_case_or_with_dashes_for_dots_is_known_unless_two_could_be_meant(monkeypatch):
    models = {"Mini-M2.1": {"context_window": 1}, "a.b": {"context_window": 2}, "a-b": {"context_window": 3}}
    stands_in(monkeypatch, models, aliases={"mini": "Mini-M2.1", "lost": "nothing"})
    for name in ("mini-m2.1", "MINI-M2-1", "mini-m2.1-2026-01-01", "mini"):
        assert snapshot.lookup("acme", name)["context_window"] == 1
    assert snapshot.lookup("acme", "a.b")["context_window"] == 2
    assert snapshot.lookup("acme", "A.B") is None
    assert snapshot.lookup("acme", "lost") is None


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
    assert len(stored) >= 24
    for provider, models in stored.items():
        assert canonical(provider) == provider
        for name in models:
            fields = snapshot.lookup(provider, name)
            card = ModelCard(**{"id": f"{provider}/{name}", "provider": provider, "model": name, **fields})
            if card.price is not None:
                assert card.price.estimate(1_000_000, 1_000_000)
            if card.max_input_tokens:
                assert card.max_input_tokens < card.context_window


def test_every_field_of_a_stored_model_has_a_source_with_a_day(stored):
    for provider, models in stored.items():
        for name in models:
            found = snapshot.find(provider, name)
            assert found.model == name
            assert all(found.as_of(field) for field in found.known.fields), (provider, name)
            for field in found.known.doubts:
                assert found.known.confidence(field) == "conflict"


def test_every_alias_leads_to_a_model(stored):
    for provider in stored:
        aliases = snapshot.builtin().parts[provider].get("aliases", {})
        assert all(target in stored[provider] for target in aliases.values())
    assert sum(len(snapshot.builtin().parts[p].get("aliases", {})) for p in stored) > 20
    assert snapshot.find("xai", "grok-4").model == "grok-4-0709"


@pytest.mark.parametrize(
    "provider", ["openai", "anthropic", "google", "mistral", "groq", "deepseek", "xai", "cohere", "bedrock", "azure"]
)
def test_the_providers_people_use_are_there_with_prices(stored, provider):
    priced = [fields for fields in stored[provider].values() if "price" in fields and "context_window" in fields]
    assert len(priced) >= 5


def test_the_files_are_small_and_say_where_they_are_from():
    files = [part.read_bytes() for part in DATA.iterdir() if part.name.endswith(".json")]
    assert len(files) == len(snapshot.builtin().providers) + 1
    assert sum(len(gzip.compress(part)) for part in files) <= 100_000
    assert max(map(len, files)) <= 200_000  # a look-up parses one of them
    told = snapshot.builtin()
    assert told.sources.keys() >= {"litellm", "langchain-openai", "genai-prices"}
    assert "MIT" in (DATA / "NOTICE").read_text("utf-8")
    assert sum(len(told.models(provider)) for provider in told.providers) > 2_000


def test_only_the_asked_providers_part_is_read_and_nothing_before():
    code = (
        "from capability_router.catalog import registry\n"
        "from capability_router.catalog.known import snapshot\n"
        "assert snapshot.builtin.cache_info().currsize == 0\n"
        "registry.Registry.build(['openai:gpt-5-mini'])\n"
        "assert snapshot.builtin().parts.keys() == {'openai'}\n"
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


RESOLD = (
    "cohere:command-a-reasoning-08-2025", "cohere:command-a-vision-07-2025", "deepseek:deepseek-v4.1-flash",
    "alibaba:qwen3.6-plus", "zhipu:glm-5-turbo", "xiaomi:mimo-v2.5", "inception:mercury-3", "tencent:hy3",
    "meta:muse-spark-open",
)  # fmt: skip


@pytest.mark.parametrize("name", RESOLD)
def test_a_model_that_only_resellers_list_has_a_window_and_what_it_can_but_no_price(name):
    provider, model = name.split(":")
    (entry,) = Registry.build([name])
    assert entry.card.context_window
    assert entry.card.price is None
    assert entry.sources["context_window"].endswith(", resold")
    found = snapshot.find(provider, model)
    assert found.known.confidence("context_window") == "resold"
    assert found.as_of("context_window")
