"""The command as a person runs it."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from capability_router.cli.main import main

CONFIG = """
policy: cheapest
models:
  - {id: small, endpoint: {base_url: "http://127.0.0.1:9/v1", model: s}, context_window: 4000, tool_calling: false,
     image_inputs: false, price: {input_mtok: 0.1, output_mtok: 0.1}}
  - {id: large, endpoint: {base_url: "http://127.0.0.1:9/v1", model: l}, context_window: 100000, tool_calling: true,
     image_inputs: true, price: {input_mtok: 1, output_mtok: 1}}
"""


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "router.yaml"
    path.write_text(CONFIG)
    return path


def run(config: Path, *words: str, given: str = "") -> Result:
    return CliRunner().invoke(main, ["explain", *words, "--config", str(config)], input=given)


def test_the_table_says_who_and_why(config: Path) -> None:
    told = run(config, "hello")
    assert told.exit_code == 0
    assert told.output.startswith("small  (cheapest: cheapest at $")


def test_json_is_the_plan(config: Path) -> None:
    plan = json.loads(run(config, "hello", "--tokens", "5000", "--json").output)
    assert plan["chosen"] == "large"
    assert plan["input_tokens"] == 5000
    assert plan["refusals"][0]["rule"] == "context_window"


def test_a_tag_may_be_required(tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(CONFIG.replace("{id: large,", "{id: large, tags: [group, eu],"))
    assert run(path, "hello", "--require-tag", "group", "--require-tag", "eu").output.startswith("large")
    assert run(path, "hello", "--require-tag", "us").exit_code == 1


def test_tools_and_images_are_needs(config: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([{"type": "function", "function": {"name": "add", "parameters": {}}}]))
    assert run(config, "hello", "--tools", str(tools)).output.startswith("large")
    assert run(config, "-", "--image", "1", given="what is this?").output.startswith("large")


def test_when_no_model_can_the_reasons_are_told_and_the_exit_code_says_so(config: Path) -> None:
    told = run(config, "hello", "--tokens", "1000000")
    assert told.exit_code == 1
    assert "small: context_window: needs 1,000,000 input tokens" in told.output


@pytest.mark.parametrize("content", ["{", "{}", "[1]"])
def test_a_wrong_tools_file_is_told_in_one_line(config: Path, tmp_path: Path, content: str) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(content)
    told = run(config, "hello", "--tools", str(tools))
    assert told.exit_code == 1
    assert "JSON list of tools" in told.output


def test_a_missing_config_is_told_in_one_line(tmp_path: Path) -> None:
    told = run(tmp_path / "none.yaml", "hello")
    assert told.exit_code == 1
    assert "none.yaml" in told.output
    assert "Traceback" not in told.output


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_what_is_told_fits(config: Path, columns: int) -> None:
    text = (
        CONFIG
        + '  - {id: a-model-with-a-long-name-of-its-own, endpoint: {base_url: "http://127.0.0.1:9/v1", model: l}}\n'
    )
    config.write_text(text + "budgets: [{scope: global, limit_usd: 1}]\n")
    command = ["explain", "hello", "--tokens", "5000", "--config", str(config)]
    shown = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, command)
    assert max(map(len, shown.stdout.splitlines())) <= columns
    words = shown.stdout.replace("\n", "").replace(" ", "")
    assert "small:context_window:needs5,000inputtokens" in words
