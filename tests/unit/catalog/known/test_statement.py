"""Several sources' statements of one model, settled."""

from __future__ import annotations

import pytest

from capability_router.catalog.known.statement import ModelFacts, Statement, is_copy, settle, unsettled
from capability_router.catalog.updates.sources import litellm, models_dev, openrouter
from capability_router.money.price import AMOUNTS


def said(**fields: list[tuple[str, object]]) -> dict[str, list[Statement]]:
    return {name: [Statement(*one) for one in told] for name, told in fields.items()}


def test_who_agrees_is_named_and_who_differs_is_kept():
    known = settle(said(max_output_tokens=[("a", 100), ("b", 99), ("c", 50)]))
    assert known.fields == {"max_output_tokens": 100}
    assert known.sources("max_output_tokens") == ("a", "b")
    assert known.doubts == {"max_output_tokens": {"c": 50}}
    assert known.confidence("max_output_tokens") == "conflict"
    assert known.confidence("price") == "unknown"


@pytest.mark.parametrize(
    ("votes", "value", "doubts"),
    [
        ([("a", True), ("b", True)], True, {}),
        ([("a", True), ("b", False)], None, {"a": True, "b": False}),
        ([("a", True), ("b", False), ("c", False)], False, {"a": True}),
    ],
)
def test_a_flag_goes_by_the_majority(votes, value, doubts):
    known = settle(said(image_inputs=votes))
    assert known.fields.get("image_inputs") is value
    assert known.doubts.get("image_inputs", {}) == doubts


def test_a_disputed_choice_of_tools_is_no_and_is_told():
    known = settle(said(tool_choice=[("a", True), ("b", False)]))
    assert (known.fields, known.origins) == ({"tool_choice": False}, {"tool_choice": "b"})
    assert known.doubts == {"tool_choice": {"a": True}}


def test_of_a_price_the_rates_that_differ_are_kept():
    ours = {"input_mtok": 1, "output_mtok": 2, "cache_read_mtok": 0.1}
    near = {"input_mtok": 1.001, "output_mtok": 2, "cache_write_mtok": 9}
    known = settle(said(price=[("a", ours), ("b", near), ("c", {"input_mtok": 1, "output_mtok": 3})]))
    assert known.sources("price") == ("a", "b")
    assert known.doubts["price"] == {"c": {"output_mtok": 3}}


def test_a_price_is_completed_by_who_agrees_with_it_and_by_nobody_else():
    tiers = [{"above": 5, "price": {"input_mtok": 2, "output_mtok": 4}}]
    agrees = {"input_mtok": 1, "output_mtok": 2, "cache_read_mtok": 0.1, "tiers": tiers}
    differs = {"input_mtok": 9, "output_mtok": 2, "cache_write_mtok": 7}
    plain = {"input_mtok": 1, "output_mtok": 2}
    known = settle(said(price=[("a", plain), ("b", agrees), ("c", differs)]))
    assert known.fields["price"] == {**plain, "cache_read_mtok": 0.1, "tiers": tiers}


@pytest.mark.parametrize(
    ("statements", "fields"),
    [
        (said(window=[("litellm", 100)]), {"context_window": 100}),
        (said(window=[("litellm", 272), ("langchain-openai", 400)]), {"context_window": 400, "max_input_tokens": 272}),
        (said(window=[("litellm", 100), ("langchain-openai", 99)]), {"context_window": 99}),
        (said(window=[("litellm", 272)], context_window=[("models.dev", 400)]),
         {"context_window": 400, "max_input_tokens": 272}),
        (said(window=[("litellm", 400)], context_window=[("models.dev", 400)], max_input_tokens=[("models.dev", 300)]),
         {"context_window": 400, "max_input_tokens": 300}),
        (said(max_input_tokens=[("a", 300)]), {"max_input_tokens": 300}),
    ],
)  # fmt: skip
def test_the_whole_window_and_its_input_part(statements, fields):
    known = settle(statements)
    assert known.fields == fields
    assert settle(unsettled(known)).fields == fields


def test_what_was_settled_can_be_heard_again():
    statements = said(
        window=[("litellm", 272), ("langchain-openai", 400)], tool_calling=[("litellm", True), ("x", False)],
        price=[("litellm", {"input_mtok": 1, "output_mtok": 2}), ("genai-prices", {"input_mtok": 1, "output_mtok": 3})],
        reasoning_effort_levels=[("x", ["low", "high"])], max_output_tokens=[("litellm", 5), ("x", 9)],
    )  # fmt: skip
    known = settle(statements)
    assert settle(unsettled(known)) == known
    again = settle(unsettled(ModelFacts({}, {}, {}, "2027-01-01")))
    assert again.retires == "2027-01-01"


PLAIN = {"input_mtok": 1, "output_mtok": 2}
TIER = {"above": 200_000, "price": {"input_mtok": 2, "output_mtok": 4}}
OTHERS: list[tuple[dict[str, object], dict[str, object]]] = [
    *(({rate: 5}, {rate: 50}) for rate in AMOUNTS),
    ({"tiers": [TIER]}, {"tiers": [{**TIER, "price": {"input_mtok": 2, "output_mtok": 5}}]}),
    ({"tiers": [TIER]}, {"tiers": [{**TIER, "above": 100_000}]}),
    ({"tiers": [TIER]}, {"tiers": [TIER, {**TIER, "above": 500_000}]}),
    ({"services": {"batch": PLAIN}}, {"services": {"batch": {**PLAIN, "output_mtok": 1}}}),
    ({"services": {"batch": {**PLAIN, "tiers": [TIER]}}},
     {"services": {"flex": PLAIN, "batch": {**PLAIN, "tiers": [{**TIER, "above": 5}]}}}),
]  # fmt: skip


@pytest.mark.parametrize(("ours", "theirs"), OTHERS)
def test_whatever_two_prices_differ_in_is_a_doubt(ours, theirs):
    known = settle(said(price=[("a", {**PLAIN, **ours}), ("b", {**PLAIN, **theirs})]))
    assert known.fields["price"] == {**PLAIN, **ours}
    assert known.doubts == {"price": {"b": theirs}}
    assert known.confidence("price") == "conflict"
    assert settle(unsettled(known)) == known


def test_what_only_one_of_two_prices_states_is_no_doubt():
    more = {**PLAIN, "tiers": [TIER], "services": {"batch": PLAIN}, "input_image_mtok": 5}
    near = {**PLAIN, "tiers": [{**TIER, "above": 200_001}], "services": {"flex": PLAIN}}
    known = settle(said(price=[("a", more), ("b", PLAIN), ("c", near)]))
    assert (known.doubts, known.confidence("price")) == ({}, "confirmed")


@pytest.mark.parametrize(
    ("names", "copy"),
    [(["m", "m-2026-01-02"], True), (["m-latest", "m-2026-01-02"], False), (["n", "m-2026-01-02"], False)],
)
def test_a_dated_name_of_which_nothing_else_is_said_is_a_copy(names, copy):
    same = said(price=[("a", PLAIN)])
    models = dict.fromkeys(names, same) | {"m-2026-01-02": {**same, **said(retires=[("a", "2027-01-01")])}}
    assert is_copy(models, "m-2026-01-02") is copy


@pytest.mark.parametrize("reader", [litellm, models_dev, openrouter])
def test_the_readers_rates_are_those_of_a_price(reader):
    assert set(reader._RATES.values()) <= set(AMOUNTS)


def test_what_is_said_of_a_resold_model_has_its_sources_and_stands_back_when_the_maker_s_is_spoken_of():
    origins = {"context_window": "resold:a+b", "tool_calling": "resold:a", "max_output_tokens": "c"}
    fields = {"context_window": 10, "tool_calling": True, "max_output_tokens": 5}
    known = ModelFacts(fields, origins, {"context_window": {"d": 7}, "image_inputs": {"c": True}})
    assert known.sources("context_window") == ("a", "b")
    assert [known.confidence(name) for name in fields] == ["conflict", "resold", "single"]
    assert unsettled(known) == said(max_output_tokens=[("c", 5)], image_inputs=[("c", True)])
