"""The readers of other people's lists: each format in the words of our cards."""

from __future__ import annotations

from datetime import date

import pytest
from unit.catalog.lists import LITELLM, MODELS_DEV, OPENROUTER

from capability_router.catalog.known import document
from capability_router.catalog.updates.catalog_update import offered
from capability_router.catalog.updates.revision import revised
from capability_router.catalog.updates.sources import litellm, models_dev, openrouter
from capability_router.catalog.updates.sources.formats import listing
from capability_router.catalog.updates.sources.listing import mtok
from capability_router.errors import ConfigError
from capability_router.money.price import Price


@pytest.mark.parametrize(
    ("data", "name"), [(LITELLM, "litellm"), (MODELS_DEV, "models.dev"), (OPENROUTER, "openrouter")]
)
def test_a_list_is_known_by_its_form(data, name):
    found = listing(data, "x", "2026-11-25")
    assert (found.source, found.as_of) == (name, "2026-11-25")
    for models in found.models.values():
        for fields in models.values():
            if "price" in fields:
                assert Price.parse(fields["price"]).known


@pytest.mark.parametrize(
    ("data", "told"),
    [
        ([], "x: no list of models"),
        ("text", "x: no list of models"),
        ({"a": 1}, "mapping with 'a'"),
        ({}, "with nothing"),
        ({"data": []}, "no list of models"),
        ({"a": {"litellm_provider": "openai", "mode": "embedding"}}, "format of litellm, but without a chat model"),
        (
            {"data": [{"id": "a", "pricing": {}, "architecture": {"output_modalities": ["image"]}}]},
            "without a chat model",
        ),
    ],
)
def test_what_is_no_list_is_told_with_the_formats(data, told):
    with pytest.raises(ConfigError, match=told):
        listing(data, "x", "2026-11-25")


def test_litellms_rates_tiers_and_services():
    models = litellm.read(LITELLM)
    assert models["openai"] == {
        "gpt-5-mini": {
            "window": 272_000,
            "max_output_tokens": 128_000,
            "tool_calling": True,
            "image_inputs": True,
            "structured_output": True,
            "retires": "2027-01-31",
            "price": {
                "input_mtok": 0.3,
                "output_mtok": 2.4,
                "cache_read_mtok": 0.03,
                "services": {"batch": {"input_mtok": 0.15, "output_mtok": 1.2, "cache_read_mtok": 0.03}},
            },
        }
    }
    assert models["anthropic"]["anthropic-like-1"] == {
        "window": 200_000,
        "max_output_tokens": 64_000,
        "pdf_inputs": True,
        "image_inputs": True,
        "streaming": True,
        "parallel_tool_calling": False,
        "reasoning_effort_levels": ["low", "high"],
        "price": {
            "input_mtok": 3,
            "output_mtok": 15,
            "cache_read_mtok": 0.3,
            "cache_write_mtok": 3.75,
            "cache_write_1h_mtok": 6,
            "tiers": [
                {
                    "above": 200_000,
                    "price": {
                        "input_mtok": 6,
                        "output_mtok": 15,
                        "cache_read_mtok": 0.3,
                        "cache_write_mtok": 3.75,
                        "cache_write_1h_mtok": 12,
                    },
                }
            ],
        },
    }


def test_litellms_audio_image_and_service_tiers_and_its_own_word_before_a_resellers():
    fields = litellm.read(LITELLM)["google"]["gemini-like-1"]
    special = {"input_audio_mtok": 1, "cache_audio_read_mtok": 0.1, "output_image_mtok": 30}
    assert fields["window"] == 1_048_576
    assert fields["price"] == {
        "input_mtok": 0.3,
        "output_mtok": 2.5,
        **special,
        "services": {
            "flex": {"input_mtok": 0.15, "output_mtok": 1.25, **special},
            "priority": {"input_mtok": 0.54, "output_mtok": 4.5, **special},
        },
    }


def test_a_write_for_an_hour_changes_in_a_service_tier_as_the_plain_write_does():
    write, plain = "cache_creation_input_token_cost", {"input_cost_per_token": 3e-6, "output_cost_per_token": 1.5e-5}
    row = {
        "litellm_provider": "anthropic", "mode": "chat", **plain, write: 3.75e-6, f"{write}_above_1hr": 6e-6,
        f"{write}_above_200k_tokens": 7.5e-6, f"{write}_above_1hr_above_200k_tokens": 1.2e-5,
        "input_cost_per_token_batches": 1.5e-6, f"{write}_batches": 1.875e-6,
        f"{write}_above_200k_tokens_batches": 3e-6, "input_cost_per_token_priority": 6e-6,
    }  # fmt: skip
    services = litellm.read({"m": row})["anthropic"]["m"]["price"]["services"]
    assert services["batch"]["cache_write_1h_mtok"] == 3
    assert services["batch"]["tiers"][0]["price"]["cache_write_1h_mtok"] == 4.8
    assert services["priority"]["cache_write_1h_mtok"] == 6


def test_litellms_effort_levels_are_taken_from_flags_when_each_is_told():
    flags = {f"supports_{name}_reasoning_effort": name != "minimal" for name in ("none", "minimal", "xhigh", "max")}
    row = {"litellm_provider": "openai", "mode": "chat", "supports_reasoning": True, **flags}
    part = {name: value for name, value in row.items() if name != "supports_max_reasoning_effort"}
    models = litellm.read({"m": row, "part": part, "no": {**row, "supports_low_reasoning_effort": False}})["openai"]
    assert models["m"]["reasoning_effort_levels"] == ["none", "low", "medium", "high", "xhigh", "max"]
    assert models["no"]["reasoning_effort_levels"] == ["none", "medium", "high", "xhigh", "max"]
    assert "reasoning_effort_levels" not in models["part"]


def test_models_devs_windows_modalities_and_effort_levels():
    models = models_dev.read(MODELS_DEV)
    assert list(models["openai"]) == ["gpt-5-mini"]
    assert models["openai"]["gpt-5-mini"] == {
        "context_window": 400_000,
        "max_input_tokens": 272_000,
        "max_output_tokens": 128_000,
        "tool_calling": True,
        "reasoning_output": True,
        "structured_output": True,
        "image_inputs": True,
        "pdf_inputs": False,
        "audio_inputs": False,
        "video_inputs": False,
        "reasoning_effort_levels": ["minimal", "low", "medium", "high"],
        "price": {"input_mtok": 0.25, "output_mtok": 2, "cache_read_mtok": 0.025},
    }


def test_models_devs_tiers_in_the_new_form_and_the_old():
    models = models_dev.read(MODELS_DEV)
    assert models["google"]["gemini-like-1"]["price"] == {
        "input_mtok": 1.25,
        "output_mtok": 10,
        "input_audio_mtok": 2,
        "tiers": [{"above": 200_000, "price": {"input_mtok": 2.5, "output_mtok": 15, "input_audio_mtok": 2}}],
    }
    assert models["elsewhere"]["m"]["price"]["tiers"] == [
        {"above": 200_000, "price": {"input_mtok": 3, "output_mtok": 4}}
    ]


def test_openrouters_texts_and_lists():
    models = openrouter.read(OPENROUTER)["openrouter"]
    assert models["acme/large-1"] == {
        "context_window": 200_000,
        "max_output_tokens": 64_000,
        "tool_calling": True,
        "tool_choice": True,
        "parallel_tool_calling": False,
        "structured_output": False,
        "json_mode": True,
        "reasoning_output": False,
        "image_inputs": True,
        "pdf_inputs": True,
        "audio_inputs": False,
        "video_inputs": False,
        "reasoning_effort_levels": ["low", "medium", "high"],
        "retires": "2027-02-01",
        "price": {
            "input_mtok": 3,
            "output_mtok": 15,
            "cache_read_mtok": 0.3,
            "cache_write_mtok": 3.75,
            "per_request": 0.01,
            "tiers": [
                {
                    "above": 200_000,
                    "price": {"input_mtok": 6, "output_mtok": 15, "cache_read_mtok": 0.3, "cache_write_mtok": 3.75},
                }
            ],
        },
    }
    assert "acme/painter" not in models


def test_a_free_model_costs_nothing_and_one_without_a_fixed_price_is_unknown():
    models = openrouter.read(OPENROUTER)["openrouter"]
    assert models["acme/small-1:free"]["price"] == {"input_mtok": 0, "output_mtok": 0}
    assert "tool_calling" not in models["acme/small-1:free"]
    assert "price" not in models["openrouter/auto"]


@pytest.mark.parametrize(
    ("value", "rate"),
    [
        (2.5e-07, 0.25),
        ("0.0000003", 0.3),
        (1, 1_000_000),
        (0, 0),
        (-1, None),
        ("-1", None),
        ("x", None),
        (True, None),
        (None, None),
        (float("nan"), None),
        (float("inf"), None),
        ([], None),
        (1e9, None),
    ],
)
def test_a_rate_is_an_amount_or_nothing(value, rate):
    assert mtok(value) == rate


@pytest.mark.parametrize("said", [None, [], "text", {"mode": "chat"}, {"mode": "chat", "litellm_provider": 5}])
def test_a_row_that_is_no_row_is_passed_over(said):
    read = litellm.read({**LITELLM, "odd": said})
    assert "odd" not in read.get("openai", {})
    assert "gpt-5-mini" in read["openai"]


def test_odd_values_in_a_row_are_unknown_not_an_error():
    odd = {
        "litellm_provider": "openai",
        "mode": "chat",
        "max_input_tokens": "many",
        "supports_vision": "yes",
        "input_cost_per_token": "dear",
        "output_cost_per_token": {},
        "tiered_pricing": [{"range": None}],
    }
    assert litellm.read({"odd": odd})["openai"]["odd"] == {}
    rows = {"data": [{"id": "a", "pricing": None, "architecture": [], "top_provider": 5, "reasoning": "high"}]}
    assert openrouter.read(rows)["openrouter"]["a"] == {}
    assert models_dev.read({"p": {"id": "p", "models": {"m": {"limit": 5, "cost": [], "modalities": "text"}}}}) == {
        "p": {"m": {}}
    }


def test_of_two_providers_of_models_dev_that_are_one_of_ours_the_one_of_our_name_counts():
    def listed(window):
        return {"models": {"m": {"id": "m", "limit": {"context": window}}}}

    data = {
        "zhipuai": {"id": "zhipuai", **listed(1)},
        "zai": {"id": "zai", **listed(2)},
        "z-ai": {"id": "x", **listed(3)},
    }
    assert models_dev.read(data) == {"zai": {"m": {"context_window": 2}}}


ODD = (
    None, True, False, 0, -1, 1.5, 1e400, float("nan"), 10**30, "", "x", "1e-6", "2026-13-45", [], [1], ["x"], [None],
    [[]], [{}], {}, {"a": 1}, [{"range": "abc"}], [{"range": []}], [{"range": [None, 5]}],
    [{"tier": {"type": "context", "size": "x"}}],
)  # fmt: skip
HOUSE = {
    "context_window": 32768, "tool_calling": True, "reasoning_effort_levels": ["low"], "retires": "2027-01-01",
    "origins": {"price": "acme"}, "doubts": {"price": {"acme": {"input_mtok": 3}}, "tool_calling": {"acme": False}},
    "price": {"input_mtok": 0.1, "output_mtok": 0.2, "services": {"batch": {"input_mtok": 1, "output_mtok": 1}},
              "tiers": [{"above": 5, "price": {"input_mtok": 1, "output_mtok": 2}}]},
}  # fmt: skip
OWN = {
    "schema": 2, "as_of": "2026-11-25", "sources": {"acme": {"as_of": "2026-11-25", "version": "1", "models": 1}},
    "providers": {"acme": {"origins": {"tool_calling": "acme"}, "aliases": {"h": "house"}, "models": {"house": HOUSE}}},
}  # fmt: skip
STEPPED = {**LITELLM, "stepped": {
    "litellm_provider": "openai", "mode": "chat", "supported_modalities": ["text", "image"],
    "tiered_pricing": [{"range": [0, 5], "input_cost_per_token": 1e-6, "output_cost_per_token": 1e-6}],
}}  # fmt: skip


def spots(value, path=()):
    """Every place in a list, from the outside inwards."""
    yield path
    inner = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for key, part in inner:
        yield from spots(part, (*path, key))


def put(data, path, odd):
    """The list with something else at that place."""
    if not path:
        return odd
    made = data.copy()
    made[path[0]] = put(data[path[0]], path[1:], odd)
    return made


@pytest.mark.parametrize(
    "data", [STEPPED, MODELS_DEV, OPENROUTER, OWN], ids=["litellm", "models.dev", "openrouter", "own"]
)
def test_a_list_with_anything_anywhere_is_taken_or_refused_in_words(data):
    day, taken, told = date(2026, 11, 25), 0, []
    for path in spots(data):
        for odd in ODD:
            try:
                offer = offered(put(data, path, odd), "a list", day, day)
                book = revised(offer, None, document.parsed({**OWN, "providers": {}}, "none")).book
                document.text("2026-11-25", offer.sources.values(), book)
                taken += 1
            except ConfigError as error:
                told.append(str(error))
    assert taken > 100
    assert all("a list" in words for words in told)
