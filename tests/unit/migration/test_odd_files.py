"""Malformed, odd and hostile files: a clear error that quotes nothing, or what can be used of them."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner
from hypothesis import example, given, settings
from hypothesis import strategies as st

from capability_router import ConfigError, Router
from capability_router.cli.main import main
from capability_router.migration.litellm import imported
from capability_router.migration.page import page, variables

GOOD = {"model_name": "chat", "litellm_params": {"model": "openai/gpt-5.4-mini", "api_key": "os.environ/K"}}


def written(folder: Path, content: Any) -> Path:
    path = folder / "config.yaml"
    text = content if isinstance(content, str) else yaml.safe_dump(content)
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "is empty; a configuration is a mapping with a `model_list`"),
        ("- a\n- b\n", "is a list; a configuration is a mapping"),
        ("just a text", "is a str"),
        ("model_list: [", "line 1, column 14: not valid YAML"),
        ("model_list:\n  - api_key: *sk-PLAINSECRET\n", "line 2, column 14: not valid YAML"),
        ("key: 'sk-PLAINSECRET\n", "not valid YAML"),
        ("model_list: {}\n", "model_list must be a list of deployments"),
        ("model_list: sk-PLAINSECRET\n", "model_list must be a list of deployments"),
        ("litellm_settings: {drop_params: true}\n", "has no models: a LiteLLM configuration has a `model_list`"),
        ("model_list: []\n", "has no models"),
        ("a: &a [*a]\n", "is nested deeper than 40 levels"),
        ("a: " + "[" * 400 + "]" * 400, "is nested deeper than 40 levels"),
        ('{"a": ' + "[" * 400 + "]" * 400 + "}", "is nested deeper than 40 levels"),
        ('{"model_list": [}', "not valid YAML"),
        ("a: !!python/object/apply:os.system ['true']\n", "not valid YAML"),
        ("? [a, b]\n: 1\n", "not valid YAML"),
        (
            "model_list:\n  - model_name: a\n",
            "none of its models can be carried over\n  line 2: model_list[0]: a deployment is",
        ),
        (
            "model_list:\n  - {model_name: a, litellm_params: {model: some-model}}\n",
            "its name tells no provider; write",
        ),
    ],
)
def test_a_file_that_is_none_is_told_and_nothing_of_it_quoted(tmp_path: Path, text: str, told: str) -> None:
    path = written(tmp_path, text)
    result = CliRunner().invoke(main, ["import", "litellm", str(path)], catch_exceptions=False)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "PLAINSECRET" not in result.output + result.stderr


def test_a_bomb_of_anchors_is_refused(tmp_path: Path) -> None:
    lines = ["a: &a [x, x, x, x, x, x, x, x, x]"] + [
        f"{new}: &{new} [{', '.join([f'*{old}'] * 9)}]" for old, new in zip("abcdefgh", "bcdefghi", strict=True)
    ]
    with pytest.raises(ConfigError, match="has more than 200,000 values"):
        imported(written(tmp_path, "\n".join(lines)))


def test_files_that_are_not_there_or_not_text_are_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="there is no file"):
        imported(tmp_path / "none.yaml")
    with pytest.raises(ConfigError, match="can't be read"):
        imported(tmp_path)
    (tmp_path / "bytes").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ConfigError, match="not UTF-8 text"):
        imported(tmp_path / "bytes")
    (tmp_path / "large").write_bytes(b"#" * 8_000_001)
    with pytest.raises(ConfigError, match="has 8,000,001 bytes"):
        imported(tmp_path / "large")


def test_a_file_that_is_there_is_not_written_over(tmp_path: Path) -> None:
    source, target = written(tmp_path, {"model_list": [GOOD]}), tmp_path / "router.yaml"
    target.write_text("mine", encoding="utf-8")
    words = ["import", "litellm", str(source), "-o", str(target)]
    refused = CliRunner().invoke(main, words, catch_exceptions=False)
    assert (refused.exit_code, target.read_text(encoding="utf-8")) == (1, "mine")
    assert "is there already; --force writes over it" in refused.stderr
    assert CliRunner().invoke(main, [*words, "--force"], catch_exceptions=False).exit_code == 0
    assert "openai" in target.read_text(encoding="utf-8")
    lost = CliRunner().invoke(main, [*words[:4], str(tmp_path / "no" / "where.yaml")], catch_exceptions=False)
    assert "can't be written" in lost.stderr


def test_strict_fails_when_something_is_left_out(tmp_path: Path) -> None:
    whole = written(tmp_path, {"model_list": [GOOD]})
    assert CliRunner().invoke(main, ["import", "litellm", str(whole), "--strict"]).exit_code == 0
    part = written(tmp_path, {"model_list": [GOOD], "litellm_settings": {"drop_params": True}})
    assert CliRunner().invoke(main, ["import", "litellm", str(part), "--strict"]).exit_code == 1


def test_names_that_nobody_knows_are_told_with_the_nearest(tmp_path: Path) -> None:
    path = written(tmp_path, {"model_list": [GOOD, {**GOOD, "model_name": "openai/*"}]})
    with pytest.raises(ConfigError, match="no group 'chta' was carried over; did you mean 'chat'"):
        imported(path, group="chta")
    with pytest.raises(ConfigError, match=re.escape("--model groq/x: no wildcard of the file fits it")):
        imported(path, models=["groq/x"])


def test_a_wildcard_for_everything_and_a_router_by_content_are_told(tmp_path: Path) -> None:
    every = {"model_name": "*", "litellm_params": {"model": "*"}}
    smart = {"model_name": "smart", "litellm_params": {"model": "auto_router/complexity_router"}}
    path = written(tmp_path, {"model_list": [every, GOOD, smart], "router_settings": {"default_fallbacks": ["chat"]}})
    notes = {note.what: note.told() for note in imported(path).notes}
    assert notes["model_list[0].model_name"].endswith("name the models that are used: --model NAME, once for each")
    assert "policy: adaptive" in notes["model_list[2].litellm_params.model"]
    found = imported(path, models=["groq/llama-3.3-70b-versatile"])
    assert found.settings["models"][1]["model"] == "groq:llama-3.3-70b-versatile"


def test_json_tells_settings_names_variables_and_notes(tmp_path: Path) -> None:
    path = written(tmp_path, {"model_list": [GOOD], "general_settings": {"master_key": "sk-1"}})
    told = json.loads(CliRunner().invoke(main, ["import", "litellm", str(path), "--json"]).stdout)
    assert told["names"] == {"chat": ["chat"]}
    assert told["variables"] == ["K"]
    assert told["settings"]["models"][0]["endpoint"]["api_key_env"] == "K"
    assert [note["what"] for note in told["notes"]] == ["general_settings.master_key"]
    assert set(told["notes"][0]) == {"kind", "line", "what", "why", "todo"}


ODD = st.one_of(
    st.none(), st.booleans(), st.integers(-5, 10**20), st.floats(), st.text(max_size=12), st.just("os.environ/NAME"),
    st.just("${HOME}"), st.just("os.environ/no good"), st.just("30d"), st.just("*"), st.just([]), st.just({}),
    st.lists(st.text(max_size=5), max_size=2), st.dictionaries(st.text(max_size=5), st.integers(), max_size=2),
)  # fmt: skip
PARAMS = (
    "api_key api_base api_version order weight rpm tpm max_parallel_requests timeout stream_timeout tags max_budget "
    "budget_duration input_cost_per_token output_cost_per_token extra_headers organization region_name custom_key "
    "litellm_credential_name custom_llm_provider"
)
INFO = "id mode base_model max_tokens max_input_tokens supports_vision team_id order blocked"
SETTINGS = (
    "fallbacks context_window_fallbacks content_policy_fallbacks default_fallbacks max_fallbacks model_group_alias "
    "num_retries retry_after timeout stream_timeout allowed_fails cooldown_time routing_strategy routing_groups "
    "provider_budget_config enable_tag_filtering default_max_parallel_requests redis_host redis_port redis_password "
    "redis_url redis_db default_litellm_params retry_policy"
)
LIBRARY = "max_budget budget_duration tag_budget_config cache cache_params request_timeout callbacks"


def some(words: str) -> st.SearchStrategy[dict[str, Any]]:
    return st.dictionaries(st.sampled_from(words.split()), ODD, max_size=4)


@settings(max_examples=60, deadline=None)
@example(params={}, info={}, router={}, library={}, name="\r", model="openai/m")
@example(params={"rpm": 10**16}, info={}, router={}, library={}, name="0", model="openai/m")
@example(params={}, info={}, router={"default_max_parallel_requests": 10**16}, library={}, name="0", model="openai/m")
@example(params={}, info={}, router={}, library={"max_budget": 1e61}, name="0", model="openai/m")
@example(params={"input_cost_per_token": 1e58}, info={}, router={}, library={}, name="0", model="openai/m")
@given(
    params=some(PARAMS), info=some(INFO), router=some(SETTINGS), library=some(LIBRARY),
    name=st.text(min_size=1, max_size=8),
    model=st.sampled_from(["openai/m", "azure/m", "ollama/m", "groq/m", "bedrock/m"]),
)  # fmt: skip
def test_whatever_values_stand_in_a_file_what_is_made_of_it_builds(
    tmp_path_factory: pytest.TempPathFactory, params: Any, info: Any, router: Any, library: Any, name: str, model: str
) -> None:
    folder = tmp_path_factory.mktemp("odd")
    odd = {"model_name": name, "litellm_params": {**params, "model": model}, "model_info": info}
    source = folder / "config.json"
    whole = {
        "model_list": [GOOD, odd],
        "router_settings": router,
        "litellm_settings": library,
        "credential_list": [params],
    }
    source.write_text(json.dumps(whole), encoding="utf-8")
    found = imported(source)
    target = folder / "router.yaml"
    target.write_text(page(found), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        for variable in variables(found.settings):
            patch.setenv(variable, "https://host.example" if variable in ("NAME", "AZURE_API_BASE") else "x")
        if "${NAME}" in str(found.settings.get("store")):
            return  # a store at whatever a variable holds
        Router.from_config(target).explain("hello")


@pytest.mark.parametrize("key", ["1", "on", "2024-01-01", "1.5", "null"])
def test_a_key_that_yaml_takes_for_something_else_is_told_as_it_is_written(tmp_path: Path, key: str) -> None:
    text = (
        "model_list:\n- model_name: chat\n"
        f"  litellm_params: {{model: openai/gpt-5.4-mini, {key}: x}}\n  model_info: {{{key}: x}}\n"
        f"router_settings: {{{key}: x}}\n{key}: x\n"
    )
    told = [note.what for note in imported(written(tmp_path, text)).notes]
    for place in ("model_list[0].litellm_params.", "model_list[0].model_info.", "router_settings.", ""):
        assert f"{place}{key}" in told


def test_a_span_beyond_all_numbers_is_none(tmp_path: Path) -> None:
    settings = {"max_budget": 1, "budget_duration": f"{'9' * 5_000}d"}
    found = imported(written(tmp_path, {"model_list": [GOOD], "litellm_settings": settings}))
    assert "budgets" not in found.settings
    assert any("it is no span" in note.told() for note in found.notes)
