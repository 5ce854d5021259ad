"""router.yaml, mappings and keywords: what they say, and what is said when they are wrong."""

from __future__ import annotations

import math
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router.catalog.card import ModelCard
from capability_router.catalog.registry import Registry
from capability_router.config import Settings, load
from capability_router.errors import ConfigError
from capability_router.execution.effects import Timeouts
from capability_router.money.budget.cap import BudgetSpec
from capability_router.policies.rules import RuleSpec
from capability_router.router import Router

SECRET = "sk-not-a-real-key-123456"

FULL = """\
name: shop
models:
  - openai:gpt-5-mini
  - id: local
    endpoint: {base_url: "http://127.0.0.1:9/v1", model: m, api_key_env: LOCAL_KEY}
    price: {input_mtok: 1e-3, output_mtok: 0.01}
    tags: [prod]
policy: {name: adaptive, quality_target: 0.9, cost_weight: 0.5, exploration: 0.02, seed: 7}
health: {consecutive: 3, open_s: 500ms, max_open_s: 2m, window_s: 1e1}
retry: {attempts: 3, per_target: 0, budget_ratio: 0.1, wait: {fixed: 250ms}, max_wait_s: 5}
timeouts: {connect: 2s, first_token: 20, total: 1m}
deadline_s: 90s
hedge: {on: true, extra: 0.03}
budgets:
  - {scope: "tenant:acme", limit_usd: 5, window: day, on_exceed: degrade}
on_content_filter: fallback
unknown: refuse
on_partial: raise
store: sqlite:///router.db
telemetry: {jsonl: decisions.jsonl, log: yes}
annotate: false
tenants: {acme: [local, "openai:gpt-5-mini"], no: local}
"""


@pytest.fixture
def file(tmp_path: Path):
    def write(text: str) -> Path:
        path = tmp_path / "router.yaml"
        path.write_text(text, encoding="utf-8")
        return path

    return write


def wrong(source, **overrides) -> str:
    with pytest.raises(ConfigError) as caught:
        load(source, **overrides)
    return str(caught.value)


def wrong_keywords(**keywords) -> str:
    with pytest.raises(ConfigError) as caught:
        Settings.from_keywords(**keywords)
    return str(caught.value)


# ------------------------------------------------------------------ what is said


def test_a_whole_file(file):
    found = load(file(FULL))
    assert (found.name, len(found.models), found.unknown, found.on_partial) == ("shop", 2, "refuse", "raise")
    assert (found.policy.name, found.policy.quality_target, found.policy.seed) == ("adaptive", 0.9, 7)
    assert (found.health.consecutive, found.health.open_s, found.health.max_open_s) == (3, 0.5, 120.0)
    assert found.health.window_s == 10.0
    assert (found.retry.attempts, found.retry.per_target, found.retry.wait(2)) == (3, 0, 0.25)
    assert found.timeouts == Timeouts(2.0, 20.0, None, 60.0)
    assert (found.deadline_s, found.hedge.on, found.hedge.after_s) == (90.0, True, None)
    assert found.budgets == (BudgetSpec("tenant:acme", 5.0, "day", "degrade"),)
    assert (found.on_content_filter, found.store, found.annotate) == ("fallback", "sqlite:///router.db", False)
    told = found.telemetry
    assert (told.jsonl, told.log, told.capture_content) == ("decisions.jsonl", True, False)
    assert found.tenants == {"acme": ("local", "openai:gpt-5-mini"), "no": ("local",)}


def test_nothing_said_means_the_documented_defaults():
    found = Settings.from_keywords()
    assert (found.policy.name, found.retry.attempts, found.retry.per_target) == ("adaptive", 4, 1)
    assert (found.retry.budget_ratio, found.retry.budget_floor) == (0.2, 3)
    assert (found.on_content_filter, found.unknown, found.store) == ("return", "prefer_known", "memory://")
    assert (found.hedge.on, found.annotate, found.telemetry.capture_content) == (False, True, False)
    assert found.timeouts == Timeouts()
    assert found.deadline_s is None
    assert found.warnings == ()


def test_a_mapping_says_the_same_as_the_file(file):
    import yaml

    said = yaml.safe_load(FULL.replace("on: true", '"on": true').replace("no: local", '"no": local'))
    from_dict, from_file = load(said), load(file(FULL))
    assert from_dict.health == from_file.health
    assert from_dict.budgets == from_file.budgets
    assert from_dict.tenants == from_file.tenants


def test_a_key_is_text_whatever_yaml_makes_of_it(file):
    found = load(file("models: [openai:a]\nhedge: {on: true}\ntenants: {no: openai:a, 42: openai:a, on: openai:a}\n"))
    assert set(found.tenants) == {"no", "42", "on"}


def test_keywords_lie_over_the_file_block_by_block(file):
    found = load(file(FULL), policy="cheapest", health={"open_s": 1}, name=None, models=["openai:x"])
    assert (found.policy.name, found.policy.quality_target) == ("cheapest", 0.9)
    assert (found.health.open_s, found.health.consecutive) == (1.0, 3)
    assert (found.name, found.models) == ("shop", ("openai:x",))
    assert "policy.quality_target has no effect with policy 'cheapest'" in found.warnings


def test_a_key_without_a_value_counts_as_not_written(file):
    found = load(file("models: [openai:a]\nhealth:\npolicy: {name: adaptive, min_quality: }\n"))
    assert found.health.consecutive == 5
    assert found.policy.min_quality is None


def test_rules_become_specs():
    when = {"task": "code", "needs": "tool_calling", "min_input_tokens": 10}
    rules = [{"when": when, "then": "a"}, {"then": ["b", "c"]}]
    found = Settings.from_keywords(policy={"name": "rules", "rules": rules})
    assert found.rules == (
        RuleSpec({"task": ("code",), "needs": ("tool_calling",), "min_input_tokens": 10}, ("a",)),
        RuleSpec({}, ("b", "c")),
    )


@pytest.mark.parametrize(
    ("written", "seconds"),
    [(5, 5), (0.25, 0.25), ("5s", 5), ("500ms", 0.5), ("2m", 120), (" 1.5 h ", 5400), ("7", 7), ("3min", 180)],
)
def test_durations(written, seconds):
    assert Settings.from_keywords(deadline_s=written).deadline_s == pytest.approx(seconds)


@given(st.floats(1e-3, 1e6), st.sampled_from([("ms", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)]))
def test_any_duration_with_a_unit(amount, unit):
    found = Settings.from_keywords(deadline_s=f"{amount!r}{unit[0]}").deadline_s
    assert found == pytest.approx(amount * unit[1])


@given(st.one_of(st.text(max_size=8), st.floats(), st.integers(), st.booleans(), st.lists(st.integers())))
def test_a_duration_is_a_finite_number_above_0_or_a_config_error(value):
    with suppress(ConfigError):
        found = Settings.from_keywords(deadline_s=value).deadline_s
        assert found is not None
        assert 0 < found < math.inf


def test_settings_are_frozen():
    found = Settings.from_keywords()
    with pytest.raises(AttributeError):
        found.name = "x"  # type: ignore[misc]
    with pytest.raises(ValueError, match="frozen"):
        found.policy.name = "x"
    with pytest.raises(TypeError):
        found.tenants["x"] = ()  # type: ignore[index]


# ------------------------------------------------------------------ what is wrong


def test_an_unknown_key_names_the_nearest_and_where(file):
    told = wrong(file("models: [openai:a]\npolicy: {quality_targt: 0.9}\n"))
    assert told == "router.yaml: policy.quality_targt: unknown key; did you mean 'quality_target'?"
    assert wrong_keywords(polciy="single") == "polciy: unknown key; did you mean 'policy'?"
    assert wrong_keywords(budgets=[{"scope": "global", "limit": 1, "limit_usd": 1}]).startswith(
        "budgets[0].limit: unknown"
    )


def test_a_key_of_a_block_written_outside_it_is_sent_home():
    assert "belongs in policy; write policy: {quality_target: ...}" in wrong_keywords(quality_target=0.9)


def test_everything_wrong_is_told_at_once():
    told = wrong_keywords(polciy=1, deadline_s=-1, health={"open_s": "soon"})
    assert all(part in told for part in ("polciy", "deadline_s must be", "health.open_s must be"))


@pytest.mark.parametrize(
    ("keywords", "told"),
    [
        ({"policy": "adptive"}, "policy.name must be one of .* did you mean 'adaptive'"),
        ({"policy": 5}, "policy must be a mapping with keys such as name"),
        ({"policy": "rules"}, "needs rules"),
        ({"policy": {"rules": [{"when": {"tsk": 1}, "then": "a"}]}}, r"policy.rules\[0\].when .* did you mean 'task'"),
        ({"policy": {"rules": [{"when": {"needs": "tools"}, "then": "a"}]}}, "unknown need 'tools'"),
        ({"policy": {"rules": [{"when": {"max_input_tokens": -1}, "then": "a"}]}}, "max_input_tokens must be a whole"),
        ({"policy": {"rules": [{"when": {}}]}}, r"policy.rules\[0\].then is missing"),
        ({"policy": {"quality_target": 1.5}}, "policy.quality_target must be a number, 0 or more and at most 1"),
        ({"policy": {"cost_target_usd": 0}}, "policy.cost_target_usd must be a finite number, above 0"),
        ({"policy": {"latency_target_s": -1}}, "policy.latency_target_s must be a duration above 0"),
        ({"policy": {"quality_target": 0.8, "cost_target_usd": 0.01}}, "policy has quality_target and cost_target_usd"),
        ({"policy": {"budget_pacing": True}}, "policy.budget_pacing needs a global cap whose window ends"),
        (
            {"policy": {"budget_pacing": True}, "budgets": [{"scope": "tenant:a", "limit_usd": 1, "window": "day"}]},
            "policy.budget_pacing needs a global cap",
        ),
        (
            {
                "canary": {"name": "adaptive", "share": 0.5, "budget_pacing": True},
                "budgets": [{"scope": "global", "limit_usd": 1, "window": "total"}],
            },
            "canary.budget_pacing needs a global cap",
        ),
        (
            {
                "policy": {"quality_target": 0.8, "budget_pacing": True},
                "budgets": [{"scope": "global", "limit_usd": 1, "window": "day"}],
            },
            "policy has quality_target and budget_pacing",
        ),
        ({"policy": {"min_quality": math.nan}}, "policy.min_quality"),
        ({"policy": {"cost_weight": -1}}, "policy.cost_weight"),
        ({"policy": {"weights": {"qality": 1}}}, "did you mean 'quality'"),
        ({"policy": {"weights": {"quality": -1}}}, "policy.weights.quality"),
        ({"health": {"consecutive": 1.5}}, "health.consecutive must be a whole number"),
        ({"health": {"failure_rate": 0}}, "health.failure_rate must be a number, above 0 and at most 1"),
        ({"health": {"open_s": 9, "max_open_s": 8}}, "health has max_open_s 8 below open_s 9"),
        ({"health": {"disabled_s": "2h"}}, "health has max_disabled_s 3600 below disabled_s 7200"),
        ({"retry": {"attempts": 0}}, "retry.attempts must be a whole number from 1"),
        ({"retry": {"budget_ratio": 2}}, "retry.budget_ratio"),
        ({"retry": {"wait": {"exponetial": {}}}}, "did you mean 'exponential'"),
        ({"retry": {"wait": {"fixed": {"wiat": 1}}}}, "fixed has no argument 'wiat'; known: wait"),
        ({"retry": {"wait": {"fixed": -1}}}, "retry.wait must be a duration above 0"),
        ({"retry": {"wait": lambda state: 1 / 0}}, "does not work as a tenacity wait"),
        ({"timeouts": {"first_token": 0}}, "timeouts.first_token must be a duration above 0"),
        ({"timeouts": {"total": math.inf}}, "timeouts.total"),
        ({"timeouts": {"total": True}}, "timeouts.total"),
        ({"budgets": [{"scope": "tenant:a"}]}, r"budgets\[0\].limit_usd is missing"),
        ({"budgets": [{"scope": "global", "limit_usd": -1}]}, r"budgets\[0\].limit_usd must be a finite number"),
        ({"budgets": [{"scope": "global", "limit_usd": "nan"}]}, r"budgets\[0\].limit_usd"),
        ({"budgets": [{"scope": "tnant:a", "limit_usd": 1}]}, r"budgets\[0\] budget scope 'tnant:a'"),
        ({"budgets": [{"scope": "global", "limit_usd": 1, "window": "fortnight"}]}, "budget window 'fortnight'"),
        ({"budgets": [{"scope": "global", "limit_usd": 1, "on_exceed": "warm"}]}, "did you mean 'warn'"),
        ({"budgets": {"scope": "global"}}, "budgets must be a list"),
        ({"on_content_filter": "retrun"}, "did you mean 'return'"),
        ({"unknown": "maybe"}, "unknown must be one of prefer_known, allow, refuse"),
        ({"store": "router.db"}, "store.url must be a URL"),
        ({"annotate": "yes"}, "annotate must be true or false"),
        ({"tenants": {"a": 5}}, "tenants.a must be a text or a list"),
        ({"telemetry": {"jsonl": ""}}, "telemetry.jsonl must be a text"),
        ({"hedge": {"extra": 2}}, "hedge.extra"),
        ({"models": "openai:a"}, "models must be a list"),
        ({"models": 5}, "models must be a list"),
        ({"name": 5}, "name must be a text"),
    ],
)
def test_wrong_values_are_told_in_our_own_words(keywords, told):
    with pytest.raises(ConfigError, match=told) as caught:
        Settings.from_keywords(**keywords)
    assert not any(word in str(caught.value) for word in ("pydantic", "Value error", "validation error", "input_value"))
    assert caught.value.__cause__ is None


def test_a_model_that_is_wrong_is_told_with_file_and_position(file):
    assert wrong(file("models: [openai:a, gpt-5]\n")).startswith(
        "router.yaml: models[1]: 'gpt-5' does not name a model"
    )
    told = wrong(file("models:\n  - {id: x, model: openai:a}\n  - {id: x, model: openai:b}\n"))
    assert "models[0] and models[1] both have the id 'x'" in told
    assert "did you mean 'context_window'" in wrong(file("models: [{model: openai:a, contextwindow: 5}]\n"))
    for empty in ("models: []\n", "models:\n", "name: x\n"):
        assert "models is empty" in wrong(file(empty))


# ------------------------------------------------------------------ files


def test_what_is_no_source_is_told():
    with pytest.raises(ConfigError, match=r"a path of a router\.yaml or a mapping, got a list"):
        load([])


def test_a_missing_file_is_named(tmp_path):
    assert "there is no file nowhere.yaml (looked in " in wrong("nowhere.yaml")
    assert "can't be read: Is a directory" in wrong(tmp_path)


@pytest.mark.parametrize(
    ("text", "line", "column"),
    [("models: [openai:a\nname: x\n", 2, 5), ("models:\n\t- a\n", 2, 1), ("a: 'x\n", 2, 1), ("a: &x\nb: *y\n", 2, 4)],
)
def test_a_syntax_error_has_line_and_column(file, text, line, column):
    told = wrong(file(text))
    assert f"router.yaml, line {line}, column {column}: not valid YAML" in told


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("name: 2024-02-30\n", "day is out of range for month; a text that looks like a date needs quotes"),
        (f"name: {'1' * 5_000}\n", "not valid YAML: Exceeds the limit"),
        ("name: 0x_\n", "not valid YAML: invalid literal"),
        (f"name: {'[' * 5_000}\n", "nested too deep"),
        ("models: &models [*models]\n", "settings are nested too deep, or one is within itself"),
    ],
)  # fmt: skip
def test_what_yaml_itself_stumbles_over_is_told(file, text, told):
    with pytest.raises(ConfigError) as failed:
        load(file(text))
    assert told in str(failed.value)
    assert "router.yaml" in str(failed.value)


@pytest.mark.parametrize(
    "keywords",
    [
        {"retry": {"attempts": 10**400}}, {"deadline_s": 10**400}, {"retry": {"wait": 10**400}},
        {"policy": {"weights": {"cost": 10**400}}}, {"deadline_s": -(10**5_000)},
    ],
)  # fmt: skip
def test_a_number_beyond_all_floats_is_wrong_and_no_crash(keywords):
    with pytest.raises(ConfigError, match=r"must be .* got"):
        load({"models": [], **keywords})


def test_a_seed_has_all_its_digits():
    models = [ModelCard(id="a", endpoint={"base_url": "http://127.0.0.1:9", "model": "a"})]
    assert load({"models": models, "policy": {"seed": 2**60 + 1}}).policy.seed == 2**60 + 1


@pytest.mark.parametrize("scale", [[0, math.inf], [-math.inf, 0], [math.nan, 1], [2, 1]])
def test_a_scale_has_two_ends(scale):
    with pytest.raises(ConfigError, match=r"scale: \[LOW, HIGH\], finite numbers, the lower first"):
        load({"models": [], "evaluate": {"scale": scale}})


def test_a_key_that_stands_twice_is_an_error_with_its_line(file):
    assert "line 3, column 1: not valid YAML: 'name' stands twice" in wrong(file("name: a\nmodels: []\nname: b\n"))


@pytest.mark.parametrize("text", ["", "- a\n", "5\n"])
def test_what_is_no_mapping_is_told(file, text):
    assert "settings must be a mapping with `models:`" in wrong(file(text))


def test_what_is_not_text_is_told(tmp_path):
    path = tmp_path / "router.yaml"
    path.write_bytes(b"\xff\xfe\x00")
    assert "not UTF-8 text" in wrong(path)
    path.write_bytes(b"models: \x00")
    assert "not valid YAML" in wrong(path)


def test_yaml_makes_no_objects(file):
    assert "line 1" in wrong(file("name: !!python/object/apply:os.getcwd []\n"))


# ------------------------------------------------------------------ variables


def test_variables_are_put_in(monkeypatch, file):
    monkeypatch.setenv("ROUTER_HOST", "127.0.0.1:9")
    monkeypatch.delenv("ROUTER_NAME", raising=False)
    models = 'models: [{endpoint: {base_url: "http://${ROUTER_HOST}/v1", model: m}}]\n'
    text = 'name: "${ROUTER_NAME:-shop} $${X} $5"\n' + models
    found = load(file(text))
    assert found.name == "shop ${X} $5"
    (entry,) = Registry.build(found.models)
    assert entry.address.base_url == "http://127.0.0.1:9/v1"


def test_a_variable_may_hold_a_number(monkeypatch):
    monkeypatch.setenv("ROUTER_CAP", "2.5")
    found = load({"models": ["openai:a"], "deadline_s": "${ROUTER_CAP}", "policy": {"cost_weight": "${ROUTER_CAP}"}})
    assert (found.deadline_s, found.policy.cost_weight) == (2.5, 2.5)


def test_a_missing_variable_is_named_with_its_place(monkeypatch, file):
    monkeypatch.delenv("ROUTER_NOWHERE", raising=False)
    told = wrong(file("models:\n  - endpoint: {base_url: '${ROUTER_NOWHERE}', model: m}\n"))
    assert told.startswith(
        "router.yaml: models[0].endpoint.base_url: the environment variable ROUTER_NOWHERE is not set"
    )


@pytest.mark.parametrize(
    "said",
    [
        {"store": "${ROUTER_SECRET}"},
        {"deadline_s": "${ROUTER_SECRET}"},
        {"annotate": "${ROUTER_SECRET}"},
        {"policy": "${ROUTER_SECRET}"},
        {"budgets": [{"scope": "${ROUTER_SECRET}", "limit_usd": 1}]},
        {"models": ["${ROUTER_SECRET}"]},
        {"models": [{"model": "openai:a", "quality": "${ROUTER_SECRET}"}]},
        {"models": [{"model": "openai:a", "context_window": "${ROUTER_SECRET}"}]},
        {"models": [{"model": "openai:a", "price": {"input_mtok": "${ROUTER_SECRET}"}}]},
        {"models": [{"endpoint": {"base_url": "${ROUTER_SECRET}", "model": "m"}}]},
        {"models": [{"endpoint": {"base_url": "http://h", "model": "m", "headers": "${ROUTER_SECRET}"}}]},
        {"models": [{"endpoint": {"base_url": "http://h", "model": "m", "key": "${ROUTER_SECRET}"}}]},
    ],
)
def test_what_comes_from_the_environment_is_never_shown(monkeypatch, said):
    monkeypatch.setenv("ROUTER_SECRET", SECRET)
    assert SECRET not in wrong({"models": ["openai:a"], **said})


def test_settings_show_no_secrets(monkeypatch):
    monkeypatch.setenv("ROUTER_SECRET", SECRET)
    endpoint = {"base_url": "http://h/v1", "model": "m", "api_key": "${ROUTER_SECRET}"}
    found = load({"models": [{"endpoint": endpoint}], "store": "redis://u:${ROUTER_SECRET}@h/0"})
    assert SECRET not in repr(found)
    assert found.store == f"redis://u:{SECRET}@h/0"
    assert found.models[0]["endpoint"]["api_key"] == SECRET


# ------------------------------------------------------------------ warnings


def test_a_cap_over_a_model_without_a_price_is_warned_of():
    local = {"id": "local", "endpoint": {"base_url": "http://h/v1", "model": "m"}}
    price = {"input_mtok": 1, "output_mtok": 2}
    priced = {**local, "id": "priced", "price": price, "max_output_tokens": 9}
    cap = {"scope": "global", "limit_usd": 1}
    (told,) = load({"models": [local, priced], "budgets": [cap]}).warnings
    assert "the price of local is unknown" in told
    assert load({"models": [local, priced]}).warnings == ()


def test_names_that_mean_no_model_are_warned_of():
    found = load({
        "models": [("openai:a", {"id": "a"})],
        "budgets": [{"scope": "model:b", "limit_usd": 1}],
        "policy": {"name": "rules", "rules": [{"then": ["a", "c"]}]},
        "tenants": {"acme": ["d", "openai:a"]},
    }, models=[{"id": "a", "model": "openai:a", "price": {"input_mtok": 1, "output_mtok": 1}}])  # fmt: skip
    assert [told.split(" names ")[1][:3] for told in found.warnings] == ["'b'", "'c'", "'d'"]


def test_models_that_are_objects_are_reviewed_by_the_router_that_knows_them():
    class Chat:
        def invoke(self) -> None: ...

    found = load({"models": [Chat()], "budgets": [{"scope": "global", "limit_usd": 1}]})
    assert found.warnings == ()
    (told,) = found.reviewed(Registry.build(found.models)).warnings
    assert "the price of Chat is unknown" in told


def test_a_setting_without_effect_says_so_and_the_router_tells_it(caplog):
    words = {"policy": {"exploration": 0.1}}
    Router([ModelCard(id="a", endpoint={"base_url": "http://127.0.0.1:9/v1", "model": "m"})], **words)
    told = [record.getMessage() for record in caplog.records]
    assert [text.partition(" is set")[0] for text in told] == ["policy.exploration"]
    assert told[0].endswith("but has no effect without policy.state")
