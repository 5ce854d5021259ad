"""The script that makes the snapshot, on three small wheels."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from datetime import date
from pathlib import Path

import pytest

from capability_router.catalog.known import document

SCRIPT = Path(__file__).parents[3] / "scripts" / "build_catalog.py"

PRICES = {
    "sample_spec": {"mode": "chat"},
    "big": {
        "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 272_000, "max_output_tokens": 128_000,
        "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06, "cache_read_input_token_cost": 2.5e-08,
        "cache_creation_input_token_cost": 0.0, "input_cost_per_token_flex": 1e-9,
        "input_cost_per_token_above_200k_tokens": 5e-07, "input_cost_per_token_above_200k_tokens_flex": 2e-9,
        "supports_function_calling": True, "supports_tool_choice": True, "supports_vision": True,
    },
    "free": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 0, "output_cost_per_token": 0.0,
             "max_input_tokens": 10},
    "half": {"litellm_provider": "openai", "mode": "chat", "input_cost_per_token": 1e-6, "max_tokens": 10},
    "steps": {
        "litellm_provider": "openai", "mode": "chat",
        "tiered_pricing": [
            {"range": [0, 32_000], "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6},
            {"range": [32_000, 128_000], "input_cost_per_token": 3e-6, "output_cost_per_token": 4e-6},
        ],
    },
    "painter": {"litellm_provider": "openai", "mode": "image_generation"},
    "gemini/g": {"litellm_provider": "gemini", "mode": "chat", "max_input_tokens": 5},
    "p.m-v1:0": {"litellm_provider": "bedrock", "mode": "chat", "max_input_tokens": 5},
    "us.p.m-v1:0": {"litellm_provider": "bedrock_converse", "mode": "chat", "max_input_tokens": 5},
    "eu.p.m-v1:0": {"litellm_provider": "bedrock_converse", "mode": "chat", "max_input_tokens": 6},
}  # fmt: skip

MERCURY = {
    "litellm_provider": "openrouter", "mode": "chat", "max_input_tokens": 1_000, "max_output_tokens": 900,
    "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6, "supports_function_calling": True,
    "supports_vision": False, "supports_tool_choice": True, "supports_response_schema": True,
    "reasoning_effort_levels": ["low"], "deprecation_date": "2027-01-01",
}  # fmt: skip
RESOLD = ("mercury-8", "mercury-8-2026-10-01", "mercury-9", "mercury-9:free", "mercury-9.1-preview", "mercury-10",
          "mercury-10-05-2026", "coder-9")  # fmt: skip
PRICES |= {f"openrouter/inception/{name}": MERCURY for name in RESOLD}
PRICES |= {f"openrouter/{name}": MERCURY for name in ("acme/mercury-9", "mercury-9", "google/gemma-9")}
PRICES["inception/mercury-8"] = {"litellm_provider": "inception", "mode": "chat", "max_input_tokens": 5}
PRICES["oci/cohere.command-a-9-08-2026"] = {**MERCURY, "litellm_provider": "oci", "max_input_tokens": 7}

PRICES["big-2025-08-07"] = PRICES["big"]
PRICES["big-2026-08-07"] = {**PRICES["big"], "output_cost_per_token": 3e-06}

PROFILES = '''
"""Profiles."""
from typing import Any
_PROFILES: dict[str, dict[str, Any]] = {
    "big": {"max_input_tokens": 400000, "tool_calling": True, "tool_choice": False, "image_inputs": False,
            "pdf_inputs": True, "text_outputs": True, "reasoning_effort_levels": ["low", "high"]},
    "only-here": {"max_input_tokens": 8000, "max_output_tokens": 100, "audio_inputs": False},
    "painter": {"text_outputs": False, "max_input_tokens": 7},
}
'''


@pytest.fixture(scope="module")
def script():
    spec = importlib.util.spec_from_file_location("build_catalog", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


SECOND_OPINION = '''
"""Data."""
from decimal import Decimal
from .types import *
providers: list[Provider] = [
    Provider(id="openai", name="OpenAI", models=[
        ModelInfo(
            id="big", match=ClauseOr(or_=[ClauseEquals(equals="big"), ClauseEquals(equals="big-old-name")]),
            context_window=5, prices=[
                ConditionalPrice(prices=ModelPrice(input_mtok=Decimal("9"), output_mtok=Decimal("9"))),
                ConditionalPrice(
                    constraint=StartDateConstraint(start_date=datetime.date(2026, 1, 1)),
                    prices=ModelPrice(input_mtok=Decimal("0.25"), output_mtok=Decimal("2.5")),
                ),
                ConditionalPrice(
                    constraint=StartDateConstraint(start_date=datetime.date(2027, 1, 1)),
                    prices=ModelPrice(input_mtok=Decimal("7"), output_mtok=Decimal("7")),
                ),
            ],
        ),
        ModelInfo(
            id="theirs", match=ClauseStartsWith(starts_with="theirs"), context_window=8000,
            prices=ModelPrice(
                input_mtok=TieredPrices(base=Decimal("1"), tiers=[Tier(start=200000, price=Decimal("2"))]),
                output_mtok=Decimal("3"),
            ),
            price_variants=[PriceVariant(
                when={"processing": "batch"}, prices=ModelPrice(input_mtok=Decimal("0.5")), constraint=None,
            )],
        ),
        ModelInfo(id="BIG-2026-08-07", match=ClauseEquals(equals="x"),
                  prices=ModelPrice(input_mtok=Decimal("1"), output_mtok=Decimal("1"))),
        ModelInfo(id="gone", match=ClauseEquals(equals="gone"), deprecated=True,
                  prices=ModelPrice(input_mtok=Decimal("1"), output_mtok=Decimal("1"))),
        ModelInfo(id="text-embedding", match=ClauseContains(contains="embed"),
                  prices=ModelPrice(input_mtok=Decimal("1"), output_mtok=Decimal("1"))),
    ]),
]
'''


@pytest.fixture
def wheels(tmp_path):
    with zipfile.ZipFile(tmp_path / "litellm-1.2.3-py3-none-any.whl", "w") as wheel:
        wheel.writestr("litellm/model_prices_and_context_window_backup.json", json.dumps(PRICES))
    with zipfile.ZipFile(tmp_path / "langchain_openai-4.5.6-py3-none-any.whl", "w") as wheel:
        wheel.writestr("langchain_openai/data/_profiles.py", PROFILES)
    with zipfile.ZipFile(tmp_path / "genai_prices-0.1-py3-none-any.whl", "w") as wheel:
        wheel.writestr("genai_prices/data.py", SECOND_OPINION)
    return tmp_path


@pytest.fixture
def built(script, wheels):
    found = script.wheels_in(wheels)
    prices = script.second_opinion.Prices(found["genai_prices"].path, date(2026, 11, 23))
    return script.book(script.gathered(found), prices)


def test_prices_become_usd_per_million_tokens_with_tiers_and_service_tiers(built):
    assert built["openai"]["big"].fields["price"] == {
        "input_mtok": 0.25, "output_mtok": 2, "cache_read_mtok": 0.025,
        "tiers": [{"above": 200_000, "price": {"input_mtok": 0.5, "output_mtok": 2, "cache_read_mtok": 0.025}}],
        "services": {"flex": {
            "input_mtok": 0.001, "output_mtok": 2, "cache_read_mtok": 0.025,
            "tiers": [{"above": 200_000, "price": {"input_mtok": 0.002, "output_mtok": 2, "cache_read_mtok": 0.025}}],
        }},
    }  # fmt: skip
    assert built["openai"]["steps"].fields["price"] == {
        "input_mtok": 1, "output_mtok": 2, "tiers": [{"above": 32_000, "price": {"input_mtok": 3, "output_mtok": 4}}],
    }  # fmt: skip


def test_a_price_of_nothing_or_of_one_side_is_no_price(built):
    assert built["openai"]["free"].fields == {"context_window": 10}
    assert built["openai"]["half"].fields == {"context_window": 10}


def test_the_larger_window_is_the_total_and_the_smaller_the_input(built):
    big = built["openai"]["big"]
    assert (big.fields["context_window"], big.fields["max_input_tokens"]) == (400_000, 272_000)
    assert (big.origins["context_window"], big.origins["max_input_tokens"]) == ("langchain-openai", "litellm")


def test_flags_agree_or_are_unknown_and_a_disputed_tool_choice_is_no(built):
    big = built["openai"]["big"]
    assert (big.fields["tool_calling"], big.fields["pdf_inputs"], big.fields["tool_choice"]) == (True, True, False)
    assert (big.origins["tool_calling"], big.origins["pdf_inputs"]) == ("litellm+langchain-openai", "langchain-openai")
    assert "image_inputs" not in big.fields
    assert big.doubts["image_inputs"] == {"litellm": True, "langchain-openai": False}
    assert big.confidence("image_inputs") == "conflict"


def test_effort_levels_come_from_the_profile(built):
    assert built["openai"]["big"].fields["reasoning_effort_levels"] == ["low", "high"]


def test_the_second_opinion_of_today_is_heard_on_the_price_alone(built):
    big = built["openai"]["big"]
    assert big.doubts["price"] == {"genai-prices": {"output_mtok": 2.5}}
    assert big.confidence("price") == "conflict"
    assert "genai-prices" not in big.origins["context_window"]


def test_what_only_the_second_opinion_knows_is_added_with_tiers_and_batch(built):
    theirs = built["openai"]["theirs"]
    assert theirs.fields == {"context_window": 8_000, "price": {
        "input_mtok": 1, "output_mtok": 3, "tiers": [{"above": 200_000, "price": {"input_mtok": 2, "output_mtok": 3}}],
        "services": {"batch": {"input_mtok": 0.5, "output_mtok": 3}},
    }}  # fmt: skip
    assert theirs.origins["price"] == "genai-prices"
    assert not {"gone", "text-embedding", "BIG-2026-08-07"} & built["openai"].keys()


def test_what_only_a_profile_knows_is_kept_and_what_writes_no_text_is_not(built):
    only = built["openai"]["only-here"].fields
    assert only == {"context_window": 8_000, "max_output_tokens": 100, "audio_inputs": False}
    assert "painter" not in built["openai"]
    assert list(built["google"]) == ["g"]


def test_a_date_is_kept_only_when_it_differs(built):
    openai = built["openai"]
    assert "big-2025-08-07" not in openai
    assert openai["big-2026-08-07"].fields["price"]["output_mtok"] == 3
    assert openai["big-2026-08-07"].fields["pdf_inputs"] is True


def test_a_region_is_kept_only_when_it_differs(built):
    assert set(built["bedrock"]) == {"p.m-v1:0", "eu.p.m-v1:0"}


def test_a_model_that_only_a_reseller_names_is_in_its_maker_s_part_with_what_is_true_of_it_anywhere(built):
    assert set(built["inception"]) == {"mercury-8", "mercury-9", "mercury-9.1-preview", "mercury-10-05-2026"}
    nine = built["inception"]["mercury-9"]
    assert nine.fields == {"context_window": 1_000, "tool_calling": True}
    assert nine.retires == ""
    assert nine.origins["context_window"] == "resold:litellm"
    assert (nine.sources("context_window"), nine.confidence("context_window")) == (("litellm",), "resold")
    assert nine.confidence("price") == "unknown"
    assert built["cohere"]["command-a-9-08-2026"].fields == {"context_window": 7, "tool_calling": True}
    assert built["openrouter"]["inception/mercury-9"].fields["price"]["input_mtok"] == 1


def test_what_a_maker_s_part_has_is_not_taken_from_a_reseller(built):
    eight = built["inception"]["mercury-8"]
    assert eight.fields == {"context_window": 5}
    assert eight.confidence("context_window") == "single"
    assert "gemma-9" not in built["google"]
    assert "acme" not in built


def test_what_a_reseller_says_is_never_a_part_s_usual_source(script, built):
    part = document.stored(built["inception"])
    assert part["origins"] == {"context_window": "litellm"}
    assert part["models"]["mercury-9"]["origins"]["context_window"] == "resold:litellm"


def test_a_provider_is_a_file_with_one_model_per_line_and_reads_back_as_it_was(script, wheels, built, monkeypatch):
    out = wheels / "out"
    monkeypatch.setattr("sys.argv", ["build_catalog.py", str(wheels), "--as-of", "2026-11-23", "--out", str(out),
                                     "--published", "litellm=2026-11-20"])  # fmt: skip
    script.main()
    text = (out / "openai.json").read_text("utf-8")
    assert any(line.startswith('"big": {') for line in text.splitlines())
    assert json.loads(text)["aliases"] == {"big-old-name": "big"}
    index = json.loads((out / "index.json").read_text("utf-8"))
    assert index["sources"]["litellm"] == {"version": "1.2.3", "as_of": "2026-11-20", "models": 23}
    assert index["sources"]["langchain-openai"]["as_of"] == "2026-11-23"
    whole = {**index, "providers": {name: json.loads((out / f"{name}.json").read_text("utf-8")) for name in built}}
    assert document.parsed(whole, "test").book() == built
