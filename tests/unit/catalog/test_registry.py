"""Entries, ids, fill order and names."""

from __future__ import annotations

import pytest

from capability_router.address import Address, fingerprint
from capability_router.catalog.card import ModelCard
from capability_router.catalog.known import snapshot
from capability_router.catalog.registry import ModelDescription, Registry
from capability_router.errors import ConfigError
from capability_router.money.price import Price

SECRET = "sk-not-a-real-key-123456"


class FakeChat:
    def __init__(self, model: str = "fake-1") -> None:
        self.model = model

    def invoke(self) -> None: ...


class Nameless(FakeChat):
    pass


def describe(obj: object) -> ModelDescription | None:
    if isinstance(obj, Nameless):
        return ModelDescription({}, Address("sdk:Nameless", ""))
    if isinstance(obj, FakeChat):
        fields = {"provider": "acme", "model": obj.model, "context_window": 8_000, "tool_calling": True}
        return ModelDescription(fields, Address("https://acme.test", obj.model))
    return None


@pytest.fixture
def catalog(monkeypatch):
    known = {
        ("openai", "gpt-x"): {
            "context_window": 400_000, "tool_calling": True, "image_inputs": True,
            "price": {"input_mtok": 1, "output_mtok": 2, "as_of": "2026-11-01"},
        },
        ("acme", "fake-1"): {"context_window": 1, "tool_calling": False, "pdf_inputs": True},
    }  # fmt: skip
    monkeypatch.setattr(snapshot, "lookup", lambda provider, model: known.get((provider, model)))


def only(item, **kw):
    (entry,) = Registry.build([item], **kw)
    return entry


# ------------------------------------------------------------------ forms


def test_a_string_gets_provider_slash_model():
    entry = only("openai:gpt-5-mini")
    assert (entry.card.id, entry.card.provider, entry.card.model) == ("openai/gpt-5-mini", "openai", "gpt-5-mini")
    assert entry.source == "openai:gpt-5-mini"
    assert entry.address[:2] == ("sdk:openai", "gpt-5-mini")


def test_colons_after_the_first_belong_to_the_model():
    assert only("ollama:llama3:8b").card.model == "llama3:8b"


def test_a_string_carries_the_mark_of_the_key_and_not_the_key(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", SECRET)
    entry = only("openai:gpt-5-mini")
    assert entry.address.credential == fingerprint(SECRET)
    assert SECRET not in repr(entry)
    assert SECRET not in repr(Registry([entry]))


def test_google_keys_are_looked_for_under_both_names(monkeypatch):
    monkeypatch.delenv("GOOGLE_API_KEY", raising=False)
    monkeypatch.setenv("GEMINI_API_KEY", SECRET)
    assert only("google_genai:gemini-3-pro").address.credential == fingerprint(SECRET)


def test_a_framework_object_is_described_by_its_adapter():
    model = FakeChat()
    entry = only(model, describe=describe)
    assert entry.card.id == "acme/fake-1"
    assert entry.source is model
    assert entry.address == Address("https://acme.test", "fake-1")


def test_a_nameless_object_is_called_by_its_class_and_has_an_address_of_its_own():
    first, second = Registry.build([Nameless(), Nameless()], describe=describe)
    assert (first.card.id, second.card.id) == ("Nameless", "Nameless#2")
    assert first.address != second.address


def test_without_an_adapter_a_chat_model_is_known_by_its_class():
    assert only(FakeChat()).card.id == "FakeChat"


def test_a_card_with_an_endpoint():
    card = ModelCard(id="local", context_window=9_000, endpoint={"base_url": "http://127.0.0.1:8000/v1/", "model": "m"})
    entry = only(card)
    assert entry.source is None
    assert entry.card.id == "local"
    assert (entry.card.provider, entry.card.model, entry.card.context_window) == ("endpoint", "m", 9_000)
    assert entry.card.endpoint["model"] == "m"
    assert entry.address[:2] == ("http://127.0.0.1:8000/v1", "m")


def test_a_card_with_provider_and_model_is_called_by_name():
    assert only(ModelCard(id="mini", provider="openai", model="gpt-5-mini")).source == "openai:gpt-5-mini"


def test_a_card_that_nothing_reaches_says_what_to_write():
    with pytest.raises(ConfigError, match=r"models\[0\] \(lost\).*endpoint"):
        Registry.build([ModelCard(id="lost")])


@pytest.mark.parametrize("said", [{"id": "best", "tags": ["prod"]}, ModelCard(id="best", tags=("prod",))])
def test_a_pair_lays_the_users_words_over_the_models(said):
    entry = only((FakeChat(), said), describe=describe)
    assert entry.card.id == "best"
    assert entry.card.tags == ("prod",)
    assert entry.card.context_window == 8_000


def test_a_mapping_as_in_yaml_with_a_name():
    entry = only({"id": "small", "model": "openai:gpt-5-mini", "price": {"input_mtok": 1, "output_mtok": 2}})
    assert entry.card.id == "small"
    assert entry.card.price == Price(1, 2)
    assert entry.source == "openai:gpt-5-mini"


def test_a_mapping_with_a_model_object():
    assert only({"id": "x", "model": FakeChat()}, describe=describe).card.provider == "acme"


def test_a_mapping_with_an_endpoint_takes_its_provider_from_the_host():
    endpoint = {"base_url": "https://api.groq.com/openai/v1", "model": "openai/gpt-oss-120b", "api_key_env": "NOPE_KEY"}
    entry = only({"endpoint": endpoint})
    assert entry.card.id == "groq/openai/gpt-oss-120b"
    assert entry.address.credential == ""


def test_an_endpoint_carries_the_mark_of_its_key(monkeypatch):
    monkeypatch.setenv("MY_KEY", SECRET)
    endpoint = {"base_url": "https://u:pw@host.test/v1?x=1", "model": "m", "api_key_env": "MY_KEY",
                "headers": {"authorization": SECRET}}  # fmt: skip
    entry = only({"provider": "mine", "endpoint": endpoint})
    assert entry.card.id == "mine/m"
    assert entry.address == Address("https://host.test/v1", "m", fingerprint(SECRET))
    assert not {SECRET, "pw"} & set(repr((entry, entry.card)).replace("'", " ").split())
    assert SECRET not in repr(entry) + repr(entry.card)


def test_a_key_in_a_header_tells_two_accounts_apart():
    endpoint = {"base_url": "http://h/v1", "model": "m"}
    entries = Registry.build([{"endpoint": {**endpoint, "headers": {"Authorization": key}}} for key in ("a", "b")])
    assert len({entry.address.credential for entry in entries} - {""}) == 2


def test_a_key_may_be_a_secret_object_or_a_callable():
    class Hidden:
        def get_secret_value(self) -> str:
            return SECRET

    endpoint = {"base_url": "http://h/v1", "model": "m"}
    hidden, called = Registry.build([{"endpoint": {**endpoint, "api_key": key}} for key in (Hidden(), lambda: SECRET)])
    assert hidden.address.credential == fingerprint(SECRET)
    assert called.address.credential not in ("", fingerprint(SECRET))


# ------------------------------------------------------------------ what is no entry


@pytest.mark.parametrize("item", [None, 5, object(), FakeChat, ("openai:x",), (1, 2, 3), ("openai:x", "y")])
def test_what_is_no_entry_is_named_by_type_and_position(item):
    with pytest.raises(ConfigError, match=r"models\[1\]"):
        Registry.build(["openai:a", item])


def test_an_object_of_another_framework_is_named_by_type():
    with pytest.raises(ConfigError, match=r"models\[0\] is of the class Other"):
        Registry.build([type("Other", (), {})()], describe=describe)


@pytest.mark.parametrize("name", ["gpt-5-mini", "openai/gpt-5-mini", "openai:", ":x", ""])
def test_a_name_without_provider_says_how_to_write_it(name):
    with pytest.raises(ConfigError, match="provider:model"):
        Registry.build([name])


def test_a_slash_for_a_colon_is_recognised():
    with pytest.raises(ConfigError, match="here openai:gpt-5-mini"):
        Registry.build(["openai/gpt-5-mini"])


@pytest.mark.parametrize("models", ["openai:x", {"id": "x"}, 5])
def test_models_must_be_a_list(models):
    with pytest.raises(ConfigError, match="must be a list"):
        Registry.build(models)


@pytest.mark.parametrize("api_key", [123, b"sk-secret", ["sk-secret"]])
@pytest.mark.parametrize("model", ["openai:x", {"endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "x"}}])
def test_a_key_that_is_no_text_is_told_and_not_shown(model, api_key):
    with pytest.raises(ConfigError, match=f"api_key must be a string.*got {type(api_key).__name__}") as caught:
        Registry.build([model], api_key=api_key)
    assert "secret" not in str(caught.value)


def test_no_models_says_what_to_give():
    with pytest.raises(ConfigError, match=r"empty.*provider:model"):
        Registry.build([])


@pytest.mark.parametrize(
    ("endpoint", "told"),
    [
        ("http://x", "must be a mapping"),
        ({"model": "m"}, "base_url must be a URL"),
        ({"base_url": "host/v1", "model": "m"}, "base_url must be a URL"),
        ({"base_url": "http://h/v1"}, "model must name"),
        ({"base_url": "http://h/v1", "model": "m", "header": {}}, "did you mean 'headers'"),
        ({"base_url": "http://h/v1", "model": "m", "headers": SECRET}, "headers must be a mapping"),
        ({"base_url": "http://h/v1", "model": "m", "api_key_env": 5}, "api_key_env must be a text"),
    ],
)
def test_a_wrong_endpoint_is_told_without_its_secrets(endpoint, told):
    with pytest.raises(ConfigError, match=told) as caught:
        Registry.build([{"id": "x", "endpoint": endpoint}])
    assert SECRET not in str(caught.value)


def test_a_model_and_an_endpoint_exclude_each_other():
    card = ModelCard(id="x", endpoint={"base_url": "http://h", "model": "m"})
    with pytest.raises(ConfigError, match="a model and an endpoint"):
        Registry.build([(FakeChat(), card)], describe=describe)


@pytest.mark.parametrize(
    ("fields", "told"),
    [
        ({"contxt_window": 1}, "did you mean 'context_window'"),
        ({"tool_calling": "yes"}, "tool_calling must be true or false"),
        ({"tags": 5}, "tags must be a list"),
        ({"quality": 0.5}, "quality must be a mapping"),
        ({"quality": {"default": float("nan")}}, "quality.default must be 0 to 1"),
        ({"context_window": -1}, "above 0"),
        ({"limits": {"rpm": -1}}, "limits.rpm"),
        ({"price": 3}, "price must be a mapping"),
        ({"price": {"input_mtok": -1, "output_mtok": 1}}, "price.input_mtok"),
        ({"price": {"input_mtok": float("nan"), "output_mtok": 1}}, "price.input_mtok"),
        ({"price": {"input_mtok": 1, "output_mtok": 1, "tiers": [{"abov": 5}]}}, "price.tiers"),
        ({"price": {"inptu_mtok": 1}}, "inptu_mtok"),
        ({"id": 5}, "id must be a text"),
    ],
)
def test_a_wrong_card_field_is_told_with_its_position(fields, told):
    with pytest.raises(ConfigError, match=told) as caught:
        Registry.build(["openai:a", ("openai:b", fields)])
    assert "models[1]" in str(caught.value)


# ------------------------------------------------------------------ ids


def test_derived_ids_are_made_distinct():
    registry = Registry.build(["openai:a", "openai:a", "openai:a"])
    assert list(registry.entries) == ["openai/a", "openai/a#2", "openai/a#3"]


def test_an_explicit_id_keeps_its_name_wherever_it_stands():
    registry = Registry.build(["openai:a", ("openai:b", {"id": "openai/a"})])
    assert [card.id for card in registry.cards] == ["openai/a#2", "openai/a"]


def test_two_explicit_equal_ids_are_an_error_naming_both():
    with pytest.raises(ConfigError, match=r"models\[0\] and models\[2\] both have the id 'x'"):
        Registry.build([("openai:a", {"id": "x"}), "openai:b", ("openai:c", {"id": "x"})])


# ------------------------------------------------------------------ fill order


@pytest.mark.usefixtures("catalog")
def test_the_user_comes_before_the_model_before_the_catalog():
    card = only((FakeChat(), {"context_window": 5_000}), describe=describe).card
    assert (card.context_window, card.tool_calling, card.pdf_inputs) == (5_000, True, True)
    assert card.image_inputs is None


@pytest.mark.usefixtures("catalog")
def test_each_field_says_where_it_is_from():
    entry = only((FakeChat(), {"context_window": 5_000, "tags": ["x"]}), describe=describe)
    assert entry.sources == {
        "context_window": "user", "tags": "user", "tool_calling": "profile", "pdf_inputs": "catalog",
    }  # fmt: skip


def test_the_catalogs_own_source_and_its_day_are_named():
    entry = only({"model": "openai:gpt-5-mini", "reasoning_effort_levels": ["low"]})
    source = snapshot.builtin().sources["litellm"]
    assert entry.sources["price"] == f"catalog litellm {source.version} ({source.as_of})"
    assert (entry.card.reasoning_effort_levels, entry.sources["reasoning_effort_levels"]) == (("low",), "user")
    assert only("openai:gpt-5-mini").card.reasoning_effort_levels == ("minimal", "low", "medium", "high")


@pytest.mark.usefixtures("catalog")
def test_a_stated_no_is_not_filled():
    card = only(("openai:gpt-x", {"tool_calling": False, "price": {"input_mtok": 9, "output_mtok": 9}})).card
    assert card.tool_calling is False
    assert card.image_inputs is True
    assert card.price == Price(9, 9)


@pytest.mark.usefixtures("catalog")
def test_a_stated_nothing_hides_nothing():
    card = only({"model": "openai:gpt-x", "tool_calling": None, "price": None, "tags": []}).card
    assert card.tool_calling is True
    assert card.price == Price(1, 2, as_of="2026-11-01")


@pytest.mark.usefixtures("catalog")
def test_a_model_of_the_same_name_elsewhere_is_not_that_model():
    card = only({"endpoint": {"base_url": "http://127.0.0.1:1/v1", "model": "gpt-x"}}).card
    assert card.price is None
    assert card.tool_calling is None


@pytest.mark.parametrize(("own", "stated", "kept"), [(1_050, None, 922), (500, None, 500), (1_050, 1_000, 1_000)])
def test_a_total_window_told_as_input_limit_gives_way_to_the_catalogs(monkeypatch, own, stated, kept):
    monkeypatch.setattr(snapshot, "lookup", lambda *_: {"context_window": 1_050, "max_input_tokens": 922})
    told = ModelDescription({"provider": "p", "model": "m", "max_input_tokens": own}, Address("sdk:p", "m"))
    card = only((FakeChat(), {"max_input_tokens": stated}), describe=lambda _: told).card
    assert (card.max_input_tokens, card.context_window) == (kept, 1_050)


# ------------------------------------------------------------------ names


def test_names_are_resolved_in_every_spelling():
    registry = Registry.build(["openai:gpt-5-mini", ("google_genai:gemini-3", {"id": "g"}), "groq:openai/gpt-oss"])
    for name in ("openai:gpt-5-mini", "openai/gpt-5-mini", "gpt-5-mini"):
        assert registry.resolve(name) == "openai/gpt-5-mini"
    for name in ("g", "google:gemini-3", "google_genai/gemini-3", "gemini:gemini-3", "gemini-3"):
        assert registry.resolve(name) == "g"
    assert registry.resolve("openai/gpt-oss") == "groq/openai/gpt-oss"
    assert registry.resolve("claude") is None
    assert "g" in registry
    assert "h" not in registry


def test_an_ambiguous_bare_name_is_nobodys_but_a_full_one_is_the_firsts():
    registry = Registry.build(["openai:m", "azure:m", ("openai:m", {"id": "again"})])
    assert registry.resolve("m") is None
    assert registry.resolve("openai:m") == "openai/m"
    assert registry.matches("openai:m") == ("openai/m", "again")
    assert registry.matches("openai/m") == ("openai/m",)


def test_an_id_wins_over_a_model_name():
    registry = Registry.build([("openai:a", {"id": "b"}), "openai:b"])
    assert registry.resolve("b") == "b"


def test_a_registry_is_a_sized_iterable_in_order():
    registry = Registry.build(["openai:b", "openai:a"])
    assert len(registry) == 2
    assert [e.card for e in registry] == list(registry.cards)
    assert registry.entry("openai/a").card.model == "a"
    assert repr(registry) == "<Registry openai/b, openai/a>"
    with pytest.raises(ConfigError, match="no model has the id 'x'; registered: openai/b"):
        registry.entry("x")


# ------------------------------------------------------------------ the constructor


def test_a_registry_is_made_of_models_or_of_entries():
    made = Registry(["openai:gpt-x", ModelCard(id="mine", endpoint={"base_url": "https://h/v1", "model": "m"})])
    assert list(made.entries) == ["openai/gpt-x", "mine"]
    assert list(Registry(made).entries) == ["openai/gpt-x", "mine"]
    assert len(Registry([])) == 0
    with pytest.raises(ConfigError, match=r"models\[0\]"):
        Registry([3])
    with pytest.raises(ConfigError, match=r"write models=\[...\]"):
        Registry("openai:gpt-x")


@pytest.mark.parametrize("entry", [{"id": "x", "endpont": {}}, {"id": "x", "modle": "openai:gpt-x"}])
def test_a_misspelt_key_is_told_before_what_is_missing_for_it(entry):
    with pytest.raises(ConfigError, match=r"did you mean '(endpoint|model)'"):
        Registry.build([entry])


def test_an_object_of_which_nobody_knows_where_it_calls_is_a_place_of_its_own():
    made = Registry.build([FakeChat(), FakeChat()], describe=lambda _: ModelDescription({}, Address("", "m", "", "")))
    assert [e.address.base_url for e in made] == ["object:FakeChat", "object:FakeChat#2"]
