from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner, Result
from langchain_core.language_models import FakeListChatModel
from langchain_openai import ChatOpenAI

from capability_router.catalog.registry import Registry
from capability_router.cli import environment
from capability_router.cli.main import main
from langchain_router.chat_model import ChatRouter
from langchain_router.review import review
from llamaindex_router.review import review as review_llamaindex

OWN = {
    "id": "own", "price": {"input_mtok": 1, "output_mtok": 2, "as_of": "2999-01-01"}, "context_window": 9_000,
    "max_output_tokens": 1_000, "tool_calling": True, "structured_output": True, "image_inputs": False,
    "pdf_inputs": False, "audio_inputs": False, "video_inputs": False, "reasoning_output": False,
}  # fmt: skip
ENDPOINT = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.endswith("_API_KEY")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("COLUMNS", "100")


def run(tmp_path: Path, *more: str, **config: Any) -> Result:
    path = tmp_path / "router.yaml"
    path.write_text(yaml.safe_dump({"models": [{**OWN, "endpoint": ENDPOINT}], **config}), encoding="utf-8")
    return CliRunner().invoke(main, ["check", "--config", str(path), *more])


def rows(result: Result) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = json.loads(result.stdout)["findings"]
    return found


def test_a_configuration_without_a_fault_passes(tmp_path: Path) -> None:
    result = run(tmp_path)
    assert (result.exit_code, result.stdout, result.stderr) == (
        0,
        "1 model: nothing would fail (!), nothing to know\n",
        "",
    )


def test_a_key_that_is_not_there_is_told_once_and_by_its_name(tmp_path: Path) -> None:
    result = run(tmp_path, "--json", models=[{**OWN, "endpoint": {**ENDPOINT, "api_key_env": "OF_MINE"}}])
    assert rows(result) == [
        {"where": "own", "what": "key missing", "detail": "the environment variable OF_MINE is not set", "fails": True}
    ]
    assert result.exit_code == 1


def test_the_models_are_made_as_the_frameworks_make_them(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "sk-not-to-be-shown")
    result = run(tmp_path, models=[{**OWN, "model": "openai:gpt-5-mini"}])
    assert (result.exit_code, "sk-not" in result.output) == (0, False)
    assert "those of ChatOpenAI itself are switched off" in " ".join(result.stdout.split())
    unknown = run(tmp_path, "--json", models=[{**OWN, "model": "nobody:knows"}])
    assert {row["what"] for row in rows(unknown) if row["fails"]} == {"LangChain", "LlamaIndex"}


def test_what_the_router_warns_of_is_in_the_table_and_nowhere_else(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    result = run(tmp_path, budgets=[{"scope": "provider:nobody", "limit_usd": 1}])
    assert (result.exit_code, result.stderr, caplog.text) == (0, "", "")
    assert "provider:nobody names 'nobody'" in " ".join(result.stdout.split())
    assert run(tmp_path, "--strict", budgets=[{"scope": "provider:nobody", "limit_usd": 1}]).exit_code == 1


def test_what_warnings_and_the_catalog_both_know_is_one_row(tmp_path: Path) -> None:
    bare = {"id": "bare", "endpoint": ENDPOINT, "context_window": 9_000}
    priced = {**OWN, "id": "long", "endpoint": {**ENDPOINT, "model": "n"}, "max_output_tokens": None}
    found = rows(run(tmp_path, "--json", models=[bare, priced], budgets=[{"scope": "global", "limit_usd": 1}]))
    about = [(row["where"], row["what"]) for row in found if row["what"] != "unknown"]
    assert about == [("bare", "price missing"), ("settings", "warning")]
    (limit,) = [row["detail"] for row in found if row["what"] == "warning"]
    assert limit.startswith("long has no known output limit")


def test_labels_that_no_model_may_read_are_told(tmp_path: Path) -> None:
    told = " ".join(row["detail"] for row in rows(run(tmp_path, "--json", screen=["pii.email"])))
    assert "no model gives what 'pii.email' asks for (retention zero, training False)" in told


def test_a_label_that_is_misspelt_can_t_be_read(tmp_path: Path) -> None:
    result = run(tmp_path, screen={"labels": {"pii.emial": "block"}})
    assert result.exit_code == 2
    assert "did you mean 'pii.email'" in result.output


def test_old_prices_fail(tmp_path: Path) -> None:
    old = {**OWN, "endpoint": ENDPOINT, "price": {**OWN["price"], "as_of": "2020-01-01"}}
    (row,) = rows(run(tmp_path, "--json", models=[old]))
    assert (row["where"], row["what"], row["fails"]) == ("own", "price stale", True)
    assert run(tmp_path, "--max-age", "99999d", models=[old]).exit_code == 0
    assert "--max-age must be a duration" in run(tmp_path, "--max-age", "soon").output


def test_a_configuration_that_cannot_be_read_is_another_exit_code(tmp_path: Path) -> None:
    result = run(tmp_path, modls=[])
    assert (result.exit_code, result.stdout) == (2, "")
    assert "modls: unknown key; did you mean 'models'?" in result.stderr


def test_stores(tmp_path: Path) -> None:
    missing, broken = tmp_path / "none.db", tmp_path / "broken.db"
    (row,) = rows(run(tmp_path, "--json", store=f"sqlite:///{missing}"))
    assert (row["what"], row["fails"], missing.exists()) == ("not there yet", False, False)
    broken.write_text("no database", encoding="utf-8")
    told = run(tmp_path, store=f"sqlite:///{broken}").stdout
    assert told.endswith(
        "1 model: nothing would fail (!), nothing to know; around them: 1 would fail (!), nothing to know\n"
    )
    (row,) = rows(run(tmp_path, "--json", store=f"sqlite:///{broken}"))
    assert (row["what"], row["fails"]) == ("out of reach", True)
    away = rows(run(tmp_path, "--json", store="redis://127.0.0.1:1/0", ledger={"store": f"sqlite:///{missing}"}))
    assert [(row["what"], row["fails"]) for row in away] == [("out of reach", True)]


def test_a_log_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = run(tmp_path, telemetry={"jsonl": str(tmp_path)})
    assert (folder.exit_code, "is a folder; name a file in it" in folder.output) == (2, True)
    with monkeypatch.context() as patch:
        patch.setattr(os, "access", lambda place, *_, **__: Path(place) != tmp_path)
        (row,) = rows(run(tmp_path, "--json", telemetry={"jsonl": str(tmp_path / "log.jsonl")}))
    assert (row["where"], row["fails"]) == ("telemetry.jsonl", True)
    assert run(tmp_path, telemetry={"jsonl": str(tmp_path / "new" / "log.jsonl")}).exit_code == 0
    assert not (tmp_path / "new").exists()


def test_another_package_of_the_same_module_is_found() -> None:
    known = {"langchain_router": ["capability-router", "langchain-router"], "capability_router": ["capability_router"]}
    (found,) = environment.packages(known)
    assert (found.grave, "the package langchain-router installs a module langchain_router" in found.detail) == (
        True,
        True,
    )
    assert list(environment.packages({})) == []


def test_another_package_is_found_by_its_name_where_it_states_no_modules(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = tmp_path / "langchain_router-0.1.0.dist-info"
    told.mkdir()
    (told / "METADATA").write_text("Metadata-Version: 2.1\nName: langchain-router\nVersion: 0.1.0\n")
    monkeypatch.syspath_prepend(tmp_path)
    assert [finding.model for finding in environment.packages()] == ["langchain_router"]


def test_a_package_that_is_not_there_is_told_with_what_stands_in_for_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DEEPSEEK_API_KEY", "k")
    monkeypatch.setenv("DEEPSEEK_API_BASE", "https://gw.example/v1?key=secret")
    monkeypatch.setenv("OPENAI_API_KEY", "k")
    entries = [{"id": "bare", "model": "deepseek:m"}, {"id": "here", "model": "openai:gpt-5.4"}]
    registry = Registry.build(entries)
    stands_in = "is not installed, so the built-in client calls the provider's OpenAI-compatible server at https://gw.example/v1"
    for told, package in ((review, "langchain-deepseek"), (review_llamaindex, "llama-index-llms-deepseek")):
        found = [finding for finding in told(registry) if "not installed" in finding.detail]
        assert [(f.model, f.detail, f.grave) for f in found] == [("bare", f"{package} {stands_in}", False)]


class Retries(FakeListChatModel):
    """A class that nobody knows how to stop."""

    max_retries: int = 3


def test_retries_that_cannot_be_switched_off_are_told() -> None:
    silent = {"id": "known", "model": ChatOpenAI(model="m", api_key="k", max_retries=5)}
    router = ChatRouter(models=[silent, {"id": "odd", "model": Retries(responses=["x"])}])
    found = {finding.model: (finding.kind, finding.grave) for finding in review(Registry(router.router.registry))}
    assert found == {"known": ("retries", False), "odd": ("hidden retries", True)}


def test_a_log_in_the_home_folder_is_looked_for_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    taken = tmp_path / "taken"
    taken.touch()
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setattr(os, "access", lambda place, *_, **__: place != taken)
    (found,) = environment.log_file("~/taken")
    assert found.kind == "can't be written"
    assert list(environment.log_file("~/free.jsonl")) == []
