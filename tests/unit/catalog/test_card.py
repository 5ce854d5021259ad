import math

import pytest

from capability_router import ConfigError, ModelCard, Need, Price
from capability_router.routing import retention_days


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"id": ""}, "id"), ({"context_window": 0}, "context_window"), ({"context_window": -5}, "context_window"),
        ({"context_window": True}, "context_window"), ({"limits": {"rpm": -1}}, "limits.rpm"),
        ({"limits": {"tpm": 10**400}}, "limits.tpm is above 1,000,000,000,000,000; leave it out"),
        ({"limits": {"rmp": 1}}, "rmp"), ({"quality": {"default": float("nan")}}, "quality.default"),
        ({"quality": {"code": 1.5}}, "quality.code"), ({"latency": {"ttft_s": -1}}, "ttft_s"),
        ({"latency": {"ttft": 1}}, "ttft"), ({"data": {"region": "eu"}}, "region"),
        ({"price": {"input_mtok": -1, "output_mtok": 1}}, "input_mtok"), ({"provider": 3}, "provider must be a text"),
        ({"quality": 0.5}, "quality must be a mapping"), ({"latency": 3}, "latency must be a mapping"),
        ({"limits": [5]}, "limits must be a mapping"), ({"data": ["eu"]}, "data must be a mapping"),
        ({"data": {"regions": ["eu", 3]}}, "data.regions"), ({"data": {"regions": 3}}, "data.regions"),
        ({"data": {"training": "no"}}, "data.training"),
        ({"data": {"retention": "zreo"}}, "data.retention must be 'zero' or days .*; did you mean 'zero'"),
        ({"data": {"retention": -1}}, "data.retention"), ({"data": {"retention": "a year"}}, "data.retention"),
        ({"tool_calling": "flase"}, "tool_calling must be true or false"),
        ({"tags": 5}, "tags must be a list of texts"),
    ],
)  # fmt: skip
def test_impossible_cards_are_refused_with_the_field(fields: dict, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        ModelCard(**{"id": "m", **fields})


def test_none_in_place_of_a_list_or_a_text_is_none() -> None:
    card = ModelCard(id="m", tags=None, service_tier=None)  # type: ignore[arg-type]  # as a file or a keyword may say it
    assert (card.tags, card.service_tier) == ((), "")


def test_any_kind_of_set_is_a_list_of_texts() -> None:
    assert ModelCard(id="m", tags=frozenset({"prod"})).tags == ("prod",)  # type: ignore[arg-type]  # a set is taken, too


def test_unknown_field_names_the_nearest() -> None:
    with pytest.raises(ConfigError, match="did you mean 'tool_calling'"):
        ModelCard(id="m").overlaid({"tool_caling": True})


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("max_tokens", "give it to the model object or to the call"),
        ("temperature", "or to the router for all models"),
        ("seed", "give it to the model object or to the call$"),
        ("max_retries", "the router retries, not a model"),
        ("base_url", "belongs in `endpoint:"),
        ("api_key", "the provider's own variable"),
        ("name", "did you mean 'id'"),
    ],
)
def test_a_word_that_is_no_field_says_where_it_belongs(name: str, told: str) -> None:
    with pytest.raises(ConfigError, match=f"unknown card field '{name}'; .*{told}"):
        ModelCard(id="m").overlaid({name: "x"})


def test_none_never_hides_what_is_known() -> None:
    base = ModelCard(id="m", context_window=5, tool_calling=True)
    assert base.overlaid({"context_window": None, "tool_calling": False}).context_window == 5
    assert base.overlaid({"tool_calling": False}).tool_calling is False
    assert base.filled({"tool_calling": False, "model": "x"}) == base.overlaid({"model": "x"})


def test_what_is_implied_counts_but_is_not_stated() -> None:
    card = ModelCard(id="m", tool_calling=True, structured_output=True)
    assert card.can & Need.TOOL_CHOICE
    assert card.can & Need.JSON_MODE
    assert card.tool_choice is None
    assert not ModelCard(id="m", tool_calling=True, tool_choice=False).can & Need.TOOL_CHOICE


def test_unknown_lists_what_nobody_stated() -> None:
    assert "price" in ModelCard(id="m").unknown()
    assert "price" not in ModelCard(id="m", price=Price(1, 1)).unknown()


def test_retention_words() -> None:
    assert retention_days("zero") == 0 < retention_days("7d") < retention_days("30 days")
    assert retention_days("for ever") == math.inf


def test_one_region_may_be_written_as_a_text() -> None:
    assert ModelCard(id="m", data={"regions": "eu"}).data["regions"] == ("eu",)
