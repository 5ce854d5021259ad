"""The script that makes the snapshot, on two small wheels."""

from __future__ import annotations

import importlib.util
import json
import zipfile
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[3] / "scripts" / "build_catalog.py"

PRICES = {
    "sample_spec": {"mode": "chat"},
    "big": {
        "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 272_000, "max_output_tokens": 128_000,
        "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06, "cache_read_input_token_cost": 2.5e-08,
        "cache_creation_input_token_cost": 0.0, "input_cost_per_token_flex": 1e-9,
        "input_cost_per_token_above_200k_tokens": 5e-07, "input_cost_per_token_above_200k_tokens_flex": 1e-9,
        "cache_creation_input_token_cost_above_1hr": 1e-3,
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

PRICES["big-2025-08-07"] = PRICES["big"]
PRICES["big-2026-08-07"] = {**PRICES["big"], "output_cost_per_token": 3e-06}

PROFILES = '''
"""Profiles."""
from typing import Any
_PROFILES: dict[str, dict[str, Any]] = {
    "big": {"max_input_tokens": 400000, "tool_calling": True, "tool_choice": False, "image_inputs": False,
            "pdf_inputs": True, "text_outputs": True},
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


@pytest.fixture
def built(script, tmp_path):
    with zipfile.ZipFile(tmp_path / "litellm-1.2.3-py3-none-any.whl", "w") as wheel:
        wheel.writestr("litellm/model_prices_and_context_window_backup.json", json.dumps(PRICES))
    with zipfile.ZipFile(tmp_path / "langchain_openai-4.5.6-py3-none-any.whl", "w") as wheel:
        wheel.writestr("langchain_openai/data/_profiles.py", PROFILES)
    return script.build(tmp_path, "2026-11-23")


def test_prices_become_usd_per_million_tokens_with_whole_request_tiers(built):
    assert built["models"]["openai"]["big"]["price"] == {
        "input_mtok": 0.25, "output_mtok": 2, "cache_read_mtok": 0.025,
        "tiers": [{"above": 200_000, "price": {"input_mtok": 0.5, "output_mtok": 2, "cache_read_mtok": 0.025}}],
    }  # fmt: skip
    assert built["models"]["openai"]["steps"]["price"] == {
        "input_mtok": 1, "output_mtok": 2, "tiers": [{"above": 32_000, "price": {"input_mtok": 3, "output_mtok": 4}}],
    }  # fmt: skip


def test_a_price_of_nothing_or_of_one_side_is_no_price(built):
    assert built["models"]["openai"]["free"] == {"context_window": 10}
    assert built["models"]["openai"]["half"] == {"context_window": 10}


def test_the_larger_window_is_the_total_and_the_smaller_the_input(built):
    big = built["models"]["openai"]["big"]
    assert (big["context_window"], big["max_input_tokens"]) == (400_000, 272_000)


def test_flags_agree_or_are_unknown_and_a_disputed_tool_choice_is_no(built):
    big = built["models"]["openai"]["big"]
    assert (big["tool_calling"], big["pdf_inputs"], big["tool_choice"]) == (True, True, False)
    assert "image_inputs" not in big


def test_what_only_a_profile_knows_is_kept_and_what_writes_no_text_is_not(built):
    openai = built["models"]["openai"]
    assert openai["only-here"] == {"context_window": 8_000, "max_output_tokens": 100, "audio_inputs": False}
    assert "painter" not in openai
    assert list(built["models"]["google"]) == ["g"]


def test_a_date_is_kept_only_when_it_differs(built):
    openai = built["models"]["openai"]
    assert "big-2025-08-07" not in openai
    assert openai["big-2026-08-07"]["price"]["output_mtok"] == 3


def test_a_region_is_kept_only_when_it_differs(built):
    assert set(built["models"]["bedrock"]) == {"p.m-v1:0", "eu.p.m-v1:0"}


def test_the_text_is_json_with_one_model_per_line(script, built):
    lines = list(script.lines(built))
    assert json.loads("\n".join(lines)) == built
    assert any(line.startswith('"big": {') for line in "\n".join(lines).splitlines())
    assert built["sources"] == {"litellm": "1.2.3", "langchain-openai": "4.5.6"}
