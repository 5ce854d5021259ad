"""What an update makes of a user's catalog."""

from __future__ import annotations

from datetime import date
from typing import Any

import pytest
from unit.catalog.lists import LITELLM, MODELS_DEV

from capability_router.catalog.known import document
from capability_router.catalog.known.document import CatalogDocument
from capability_router.catalog.updates.catalog_update import CatalogUpdate, offered
from capability_router.catalog.updates.revision import Revision, check_size, revised
from capability_router.errors import ConfigError

TODAY = date(2026, 11, 25)
BUILTIN = document.parsed(
    {
        "schema": 2, "as_of": "2026-11-20",
        "sources": {"litellm": {"version": "1.0", "as_of": "2026-11-20"}, "langchain-openai": {"as_of": "2026-11-04"}},
        "providers": {"openai": {
            "origins": {"context_window": "langchain-openai", "max_input_tokens": "litellm", "price": "litellm"},
            "models": {
                "gpt-5-mini": {"context_window": 400_000, "max_input_tokens": 272_000,
                               "price": {"input_mtok": 0.25, "output_mtok": 2}, "retires": "2026-12-11"},
                "gpt-gone": {"context_window": 8_000, "price": {"input_mtok": 1, "output_mtok": 1}},
            },
        }},
    },
    "built in",
)  # fmt: skip


def offer(data: Any, as_of: str = "2026-11-25") -> CatalogUpdate:
    return offered(data, "test", date.fromisoformat(as_of), TODAY)


def stored(made: Revision) -> CatalogDocument:
    import json

    return document.parsed(json.loads(document.text("2026-11-25", made.sources.values(), made.book)), "stored")


def test_a_source_that_speaks_again_replaces_itself_and_others_stay():
    made = revised(offer({"gpt-5-mini": LITELLM["gpt-5-mini"]}), None, BUILTIN)
    known = made.book["openai"]["gpt-5-mini"]
    assert (known.fields["context_window"], known.fields["max_input_tokens"]) == (400_000, 272_000)
    assert known.sources("context_window") == ("langchain-openai",)
    assert known.fields["price"]["input_mtok"] == 0.3
    assert known.doubts == {}
    assert known.retires == "2027-01-31"
    (change, unlisted) = made.changes
    assert (change.kind, change.fields["price.input_mtok"]) == ("changed", (0.25, 0.3))
    assert change.fields["retires"] == ("2026-12-11", "2027-01-31")
    assert (unlisted.model, unlisted.kind) == ("gpt-gone", "unlisted")
    assert made.sources["litellm"].as_of == "2026-11-25"


def test_another_source_that_is_newer_is_taken_and_the_older_is_a_doubt():
    cost = {"input": 0.5, "output": 2}
    data = {
        "openai": {
            "id": "openai",
            "models": {"gpt-5-mini": {**MODELS_DEV["openai"]["models"]["gpt-5-mini"], "cost": cost}},
        }
    }
    known = revised(offer(data), None, BUILTIN).book["openai"]["gpt-5-mini"]
    assert known.fields["price"] == {"input_mtok": 0.5, "output_mtok": 2}
    assert known.doubts["price"] == {"litellm": {"input_mtok": 0.25}}
    assert known.sources("max_input_tokens") == ("models.dev", "litellm")
    older = revised(offer(data, "2026-10-01"), None, BUILTIN).book["openai"]["gpt-5-mini"]
    assert older.fields["price"] == {"input_mtok": 0.25, "output_mtok": 2}
    assert older.doubts["price"] == {"models.dev": {"input_mtok": 0.5}}
    assert older.fields["tool_calling"] is True


def test_saying_the_same_confirms_and_renews_the_day():
    row = {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 272_000, "deprecation_date": "2026-12-11",
           "input_cost_per_token": 2.5e-07, "output_cost_per_token": 2e-06}  # fmt: skip
    made = revised(offer({"gpt-5-mini": row}), None, BUILTIN)
    assert [change.kind for change in made.changes] == ["unlisted"]
    assert made.confirmed == 1
    doc = stored(made)
    assert doc.day(doc.known("openai", "gpt-5-mini")) == "2026-11-25"


def test_a_dated_name_that_says_the_same_is_not_written():
    row = LITELLM["gpt-5-mini"]
    made = revised(offer({"gpt-5-mini": row, "gpt-5-mini-2025-08-07": row, "gpt-gone-2025-08-07": {
        "litellm_provider": "openai", "mode": "chat", "max_input_tokens": 8_000, "input_cost_per_token": 1e-06,
        "output_cost_per_token": 1e-06}}), None, BUILTIN)  # fmt: skip
    assert set(made.book["openai"]) == {"gpt-5-mini"}


def test_a_new_dated_name_keeps_what_is_known_of_the_plain_one():
    row = {**LITELLM["gpt-5-mini"], "output_cost_per_token": 5e-06}
    made = revised(offer({"gpt-5-mini-2027-01-01": row}), None, BUILTIN)
    known = made.book["openai"]["gpt-5-mini-2027-01-01"]
    assert (known.fields["context_window"], known.fields["price"]["output_mtok"]) == (400_000, 5)
    assert ("gpt-5-mini-2027-01-01", "added") in {(change.model, change.kind) for change in made.changes}


def test_what_another_source_said_at_an_earlier_update_is_kept():
    first = stored(revised(offer(MODELS_DEV), None, BUILTIN))
    second = stored(revised(offer(LITELLM), first, BUILTIN))
    assert second.known("elsewhere", "m") == first.known("elsewhere", "m")
    assert second.known("somewhere_else", "m").fields["context_window"] == 9
    known = second.known("openai", "gpt-5-mini")
    assert known.sources("reasoning_effort_levels") == ("models.dev",)
    third = stored(revised(offer({"gpt-5-mini": LITELLM["gpt-5-mini"]}), second, BUILTIN))
    assert third.known("elsewhere", "m") == first.known("elsewhere", "m")
    assert "somewhere_else" not in third.providers


def test_a_catalog_of_our_own_is_taken_with_its_sources():
    own = {
        "schema": 2,
        "as_of": "2026-11-24",
        "sources": {"acme": {"as_of": "2026-11-24"}},
        "providers": {
            "acme": {"models": {"house-1": {"context_window": 8_000, "price": {"input_mtok": 1, "output_mtok": 2}}}}
        },
    }
    made = revised(offer(own), None, BUILTIN)
    known = made.book["acme"]["house-1"]
    assert known.fields == {"context_window": 8_000, "price": {"input_mtok": 1, "output_mtok": 2}}
    assert str(made.sources["acme"]) == "acme (2026-11-24)"


@pytest.mark.parametrize(
    ("change", "told"),
    [
        ({"sources": {"acme": {"as_of": "2030-01-01"}}}, r"acme \(2030-01-01\) is of a day in the future"),
        ({"sources": {}}, "no field has a source"),
        ({"sources": {"acme": {"as_of": "today"}}}, "a day is written 2026-11-25"),
        ({"schema": 1}, "its schema is 1"),
        (
            {"providers": {"p": {"models": {"m": {"contxt_window": 1}}}}},
            "p:m in test: contxt_window is no field.*'context_window'",
        ),
        ({"providers": {"p": {"models": {"m": {"tool_calling": "yes"}}}}}, "p:m in test: tool_calling can't be 'yes'"),
        (
            {"providers": {"p": {"models": {"m": {"price": {"input_mtok": 1, "output_mtok": -1}}}}}},
            "'p:m in test'.*output_mtok",
        ),
        ({"providers": {"p": {"models": {"m": {"doubts": {"price": {"x": 5}}}}}}}, "origins and doubts are mappings"),
        (
            {"providers": {"p": {"models": {"m": {"context_window": 1, "origins": {"context_window": "ghost"}}}}}},
            "ghost",
        ),
    ],
)
def test_a_catalog_of_our_own_that_can_not_be_taken_says_why(change, told):
    own = {"schema": 2, "as_of": "2026-11-24", "sources": {"acme": {"as_of": "2026-11-24"}},
           "providers": {"p": {"models": {"m": {"context_window": 1}}}}}  # fmt: skip
    with pytest.raises(ConfigError, match=told):
        offer({**own, **change})


def test_a_list_that_shrank_to_less_than_half_is_refused():
    old = stored(revised(offer({f"m{i}": LITELLM["gpt-5-mini"] for i in range(10)}), None, BUILTIN))
    check_size(offer({f"m{i}": LITELLM["gpt-5-mini"] for i in range(5)}), old)
    with pytest.raises(ConfigError, match=r"names 4 models, at the last update 10.*--allow-shrink"):
        check_size(offer({f"m{i}": LITELLM["gpt-5-mini"] for i in range(4)}), old)
    check_size(offer(MODELS_DEV), old)


def test_what_resellers_say_is_neither_lost_nor_no_longer_listed_by_an_update_that_is_silent_on_it():
    rows = {
        "big": {"context_window": 9_000, "tool_calling": True, "image_inputs": True},
        "other": {"context_window": 7_000},
    }
    resold = document.parsed(
        {
            "schema": 2, "as_of": "2026-11-20", "sources": {"litellm": {"version": "1.0", "as_of": "2026-11-20"}},
            "providers": {"openai": {"models": {
                name: {**row, "origins": dict.fromkeys(row, "resold:litellm")} for name, row in rows.items()
            }}},
        },
        "built in",
    )  # fmt: skip
    row = {"litellm_provider": "openai", "mode": "chat", "max_input_tokens": 10_000, "supports_vision": True,
           "input_cost_per_token": 1e-6, "output_cost_per_token": 2e-6}  # fmt: skip
    made = revised(offer({"big": row}), None, resold)
    (change,) = made.changes
    assert (change.model, change.kind) == ("big", "changed")
    assert change.fields == {
        "context_window": (9_000, 10_000), "price.input_mtok": (None, 1), "price.output_mtok": (None, 2),
    }  # fmt: skip
    known = made.book["openai"]["big"]
    assert known.confidence("image_inputs") == known.confidence("context_window") == "single"
    assert "tool_calling" not in known.fields, "it stays in the built-in catalog, as resold"
