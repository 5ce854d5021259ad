"""LiteLLM configurations become a router.yaml that builds, and that routes as LiteLLM itself does.

`expected/` holds what the command wrote for each of `configs/`, looked over by hand. `litellm_routes.json` is what the
real LiteLLM did with them (`scripts/litellm_routes.py`).
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from capability_router import Request, Router
from capability_router.cli.main import main
from capability_router.migration.litellm import ImportResult, imported
from capability_router.migration.page import page, variables
from capability_router.routing import Routing
from langchain_router import ChatRouter

HERE = Path(__file__).parent
CONFIGS = sorted(path for path in (HERE / "configs").iterdir() if path.name != "more_models.yaml")
WILD = {"wildcards.yaml": ("claude-opus-4-6",)}
ROUTES: Mapping[str, Any] = json.loads((HERE / "litellm_routes.json").read_text(encoding="utf-8"))["configs"]
NAMED = [(path, name) for path in CONFIGS for name in ROUTES.get(path.name, ())]
ELSEWHERE = {"clouds.yaml"}  # LangChain's packages for Bedrock and Vertex are no part of the tests' environment


def read(path: Path, **options: Any) -> ImportResult:
    return imported(path, models=WILD.get(path.name, ()), **options)


def command(*words: str | Path) -> Result:
    return CliRunner().invoke(main, ["import", "litellm", *map(str, words)], catch_exceptions=False)


@pytest.fixture
def written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Writes what was imported, with the variables that it reads set."""
    monkeypatch.chdir(tmp_path)

    def write(found: ImportResult) -> Path:
        for name in variables(found.settings):
            odd = "https://variable.example" if ("BASE" in name or "GPU" in name) and "KEY" not in name else "made-up"
            monkeypatch.setenv(name, odd)
        target = tmp_path / "router.yaml"
        target.write_text(page(found), encoding="utf-8")
        return target

    return write


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_each_becomes_the_file_that_was_looked_over(path: Path) -> None:
    assert page(read(path)) == (HERE / "expected" / f"{path.stem}.yaml").read_text(encoding="utf-8")


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.name)
def test_what_is_written_builds_and_passes_check(path: Path, written: Any) -> None:
    target = written(read(path))
    router = Router.from_config(target)
    assert list(router.registry.entries) == [model["id"] for model in read(path).settings["models"]]
    if path.name not in ELSEWHERE:
        assert set(ChatRouter.from_config(target).router.registry.entries) == set(router.registry.entries)
    found = CliRunner().invoke(main, ["check", "--config", str(target), "--json"], catch_exceptions=False)
    told = json.loads(found.stdout)
    failing = {row["what"] for row in told["findings"] if row["fails"]}
    excused = {"price missing", "price conflict", "retired"} | (
        {"out of reach"} if "store" in read(path).settings else set()
    )  # no Redis is there
    assert path.name in ELSEWHERE or failing <= excused


def steps_of(found: ImportResult, name: str) -> list[set[str]]:
    """The models of each step by which a name is tried."""
    policy = found.settings["policy"]
    rules = policy["rules"] if isinstance(policy, dict) else []
    rule = next((rule for rule in rules if rule["when"]["require_tags"] == name), None)
    steps: list[set[str]] = []
    for step in rule["then"] if rule else found.names[name]:
        inner = [step] if isinstance(step, str) else next(iter(step.values()))
        steps.append({found.origins[id] for id in inner})
    return steps


def called(model: str) -> str:
    """LiteLLM's model, without a provider."""
    first, slash, rest = model.partition("/")
    return rest if slash and first not in ("Qwen",) else model


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: getattr(value, "name", value))
def test_a_failed_request_goes_on_as_in_litellm(path: Path, name: str) -> None:
    found, route = read(path), ROUTES[path.name][name]
    if "error" in route["firsts"]:  # a team's model: for LiteLLM, and here, it is there for that team alone
        assert name == "house"
        return
    if name not in found.names:
        told = {note.what for note in found.notes if note.kind == "left out"}
        assert told, f"{name} is gone without a word"
        return
    steps = steps_of(found, name)
    asked = [next(i for i, step in enumerate(steps) if called(model) in step) for model in route["asked"]]
    assert asked == sorted(asked)  # from step to step, never back
    assert sorted(set(asked)) == list(range(max(asked) + 1))  # and over none
    rest = {model for step in steps[max(asked) + 1 :] for model in step}
    team = {"qwen3-32b"} if path.name == "production.yaml" else set()
    others = {called(model) for each in ROUTES[path.name].values() for model in each["refused"]} | {
        "google/gemini-2.5-pro"
    }
    assert rest <= others | team | {"gpt-oss-120b"}  # what is only for certain errors comes last


@pytest.mark.parametrize(("path", "name"), NAMED, ids=lambda value: getattr(value, "name", value))
def test_requests_are_shared_as_in_litellm(path: Path, name: str, written: Any) -> None:
    found, firsts = read(path), ROUTES[path.name][name]["firsts"]
    if name not in found.names or "error" in firsts or "least_busy" in page(found) or "cheapest" in page(found):
        return
    router, counts = Router.from_config(written(found)), Counter[str]()
    terms = Routing(require_tags=(name,))
    for number in range(600):
        plan = router.explain(Request(("hello",), id=f"r{number}", routing=terms))
        assert {candidate.id for candidate in plan.candidates} <= set(found.names[name])
        counts[found.origins[plan.candidates[0].id]] += 1
    if "fastest" in page(found) and name == "fast":
        return  # it knows nothing of speeds yet, and neither does LiteLLM, which draws then
    expected: Counter[str] = Counter()
    for model, count in firsts.items():
        expected[called(model)] += count
    assert set(counts) == set(expected)
    for model in expected:
        assert counts[model] / 600 == pytest.approx(expected[model] / 2_000, abs=0.07)


def test_one_group_alone_becomes_a_router_for_it(written: Any) -> None:
    found = read(HERE / "configs" / "fallbacks.yaml", group="medium")
    router = Router.from_config(written(found))
    assert [candidate.id for candidate in router.explain("hello").candidates] == ["medium", "large", "last"]
    assert set(router.registry.entries) == {"medium", "large", "last"}
    assert not any(card.tags for card in router.registry.cards)


def test_a_group_may_be_one_of_tags(written: Any) -> None:
    router = Router.from_config(written(read(HERE / "configs" / "tags.yaml", group="chat+paid")))
    assert [candidate.id for candidate in router.explain("hello").candidates] == ["chat#2", "spare#2"]


def test_no_secret_of_the_source_is_written_shown_or_told(tmp_path: Path) -> None:
    seen = 0
    for path in CONFIGS:
        target = tmp_path / f"{path.stem}.yaml"
        wild = [word for name in WILD.get(path.name, ()) for word in ("--model", name)]
        results = [command(path, *wild), command(path, *wild, "--json"), command(path, *wild, "-o", target)]
        source = path.read_text(encoding="utf-8")
        seen += source.count("PLAINSECRET")
        for text in (target.read_text(encoding="utf-8"), *(result.output + result.stderr for result in results)):
            assert "PLAINSECRET" not in text
    assert seen > 15


def test_secrets_become_variables_one_for_each_and_none_that_is_taken(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        """
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-5.4, api_key: sk-one}}
  - {model_name: b, litellm_params: {model: openai/gpt-5.4, api_key: sk-two}}
  - {model_name: c, litellm_params: {model: openai/gpt-5.4, api_key: sk-one}}
  - {model_name: d, litellm_params: {model: openai/gpt-5.4, api_key: os.environ/OPENAI_API_KEY_2}}
  - {model_name: 9 odd name!, litellm_params: {model: hosted_vllm/m, api_base: "http://h/v1", api_key: sk-three}}
""",
        encoding="utf-8",
    )
    found = imported(config)
    endpoints = [model.get("endpoint", {}).get("api_key_env") for model in found.settings["models"]]
    assert endpoints == [None, "OPENAI_API_KEY_3", None, "OPENAI_API_KEY_2", "KEY_9_ODD_NAME_API_KEY"]
    assert variables(found.settings) == [
        "OPENAI_API_KEY",
        "OPENAI_API_KEY_3",
        "OPENAI_API_KEY_2",
        "KEY_9_ODD_NAME_API_KEY",
    ]


def test_a_secret_takes_no_variables_name_that_another_deployment_means(tmp_path: Path) -> None:
    config = tmp_path / "config.yaml"
    config.write_text(
        """
model_list:
  - {model_name: a, litellm_params: {model: openai/gpt-5.4, api_key: sk-one}}
  - {model_name: b, litellm_params: {model: openai/gpt-5.4}}
  - {model_name: c, litellm_params: {model: groq/m, api_key: gsk-two}}
environment_variables: {GROQ_API_KEY: gsk-three}
router_settings: {redis_host: "user:PLAINSECRET@host", redis_db: {secret: PLAINSECRET}}
""",
        encoding="utf-8",
    )
    found = imported(config)
    assert variables(found.settings) == ["OPENAI_API_KEY", "OPENAI_API_KEY_2", "GROQ_API_KEY_2"]
    assert "model" in found.settings["models"][1]  # b goes on with what the environment has
    assert "PLAINSECRET" not in page(found)


def test_notes_tell_line_what_why_and_what_to_do() -> None:
    notes = read(HERE / "configs" / "production.yaml").notes
    assert [note.line for note in notes] == sorted(note.line for note in notes if note.line)
    told = {note.what: note for note in notes}
    policy = told["router_settings.retry_policy"]
    source = (HERE / "configs" / "production.yaml").read_text(encoding="utf-8").splitlines()
    assert policy.line is not None
    assert "retry_policy" in source[policy.line - 1]
    assert (policy.kind, policy.todo) == ("left out", "read docs/faults.md; `retry` sets how often")
    assert all(note.why for note in notes)
    block = [note for note in notes if note.what.startswith("general_settings")]
    assert len(block) == 4  # one for each key, also where the same is said of them


def test_every_setting_of_litellms_router_is_carried_over_or_told(tmp_path: Path) -> None:
    """`router_keywords.txt` has the parameters of `Router.__init__` of LiteLLM 1.106.2."""
    words = (HERE / "router_keywords.txt").read_text(encoding="utf-8").split()
    assert len(words) > 55
    from capability_router.migration.litellm_config import READ
    from capability_router.migration.remarks import ROUTER, SILENT

    assert [word for word in words if word not in READ | SILENT | set(ROUTER)] == []


@pytest.mark.parametrize(
    ("limits", "step"),
    [
        ([{"rpm": 900}, {"rpm": 100, "weight": 2}], {"share": {"g#1": 900, "g#2": 100}}),
        ([{"rpm": 900}, {"weight": 2}], {"share": ["g#1", "g#2"]}),
        ([{"rpm": 900, "tpm": 10_000}, {"tpm": 30_000}], {"share": {"g#1": 10_000, "g#2": 30_000}}),
    ],
)
def test_by_usage_weights_count_for_nothing_and_nobody_is_left_out(
    tmp_path: Path, limits: list[dict[str, int]], step: Any
) -> None:
    """As LiteLLM 1.110.2 does, which asks the one with the fewest tokens so far; `simple-shuffle` goes by weights."""
    path = tmp_path / "config.json"
    models = [
        {"model_name": "g", "litellm_params": {"model": f"openai/{name}", "api_key": "os.environ/KEY", **own}}
        for name, own in zip(("gpt-4o", "gpt-4o-mini"), limits, strict=True)
    ]
    said = {"model_list": models, "router_settings": {"routing_strategy": "usage-based-routing-v2"}}
    path.write_text(json.dumps(said), encoding="utf-8")
    assert imported(path).settings["policy"]["rules"][0]["then"] == [step]
