"""The command as a person runs it."""

from __future__ import annotations

import json
import struct
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from capability_router.cli.main import main
from capability_router.router import Router

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
    own = Router.from_config(config).explain("hello", max_tokens=5000).to_dict()
    assert plan.keys() == own.keys()


def test_a_tag_may_be_required(tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(CONFIG.replace("{id: large,", "{id: large, tags: [group, eu],"))
    assert run(path, "hello", "--require-tag", "group", "--require-tag", "eu").output.startswith("large")
    assert run(path, "hello", "--require-tag", "us").exit_code == 1


def test_a_tool_that_must_be_called_is_one_of_those_offered(config: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([{"type": "function", "function": {"name": "search", "parameters": {}}}]))
    assert run(config, "hello", "--tools", str(tools), "--tool-choice", "search").output.startswith("large")
    assert run(config, "hello", "--tools", str(tools), "--tool-choice", "required").output.startswith("large")
    wrong = run(config, "hello", "--tools", str(tools), "--tool-choice", "serach")
    assert (wrong.exit_code, "did you mean 'search'?" in wrong.output) == (1, True), wrong.output
    assert "--tools has none" in run(config, "hello", "--tool-choice", "lookup").output


def test_tools_and_images_are_needs(config: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    tools.write_text(json.dumps([{"type": "function", "function": {"name": "add", "parameters": {}}}]))
    assert run(config, "hello", "--tools", str(tools)).output.startswith("large")
    assert run(config, "-", "--image", "1", given="what is this?").output.startswith("large")


def test_when_no_model_can_the_reasons_are_told_and_the_exit_code_says_so(config: Path) -> None:
    told = run(config, "hello", "--tokens", "1000000")
    assert told.exit_code == 1
    assert "small: context_window: needs 1,000,000 input tokens" in told.output


TOOLS: dict[str, tuple[str, str]] = {
    "no JSON": ("{", "Expecting property name"), "an object": ("{}", "not an object"),
    "numbers": ("[1]", "tool 1 of 1 is a number, no object"),
    "no function": ('[{"type": "function"}]', "no object \"function\" with a name"),
    "no name": ('[{"function": {"name": "add"}}, {"description": "x"}]', "tool 2 of 2 has no name"),
    "a schema that is none": ('[{"name": "add", "input_schema": 3}]', "(add) has parameters that are a number"),
    "too deep": ("[" * 100_000, "nested too deep"),
}  # fmt: skip


@pytest.mark.parametrize("name", TOOLS)
def test_a_wrong_tools_file_is_told_in_one_line(config: Path, tmp_path: Path, name: str) -> None:
    content, why = TOOLS[name]
    tools = tmp_path / "tools.json"
    tools.write_text(content)
    told = run(config, "hello", "--tools", str(tools))
    assert told.exit_code == 1
    assert "JSON list of tools" in told.output
    assert why in told.output
    assert len(told.output.splitlines()) == 1


def test_tools_of_other_shapes_and_those_that_run_at_their_provider_are_tools(config: Path, tmp_path: Path) -> None:
    tools = tmp_path / "tools.json"
    flat = {"name": "add", "description": "sums", "input_schema": {"type": "object"}}
    tools.write_text(json.dumps([flat, {"type": "web_search"}]), encoding="utf-8-sig")
    assert run(config, "hello", "--tools", str(tools)).output.startswith("large")


def picture(path: Path, width: int = 640, height: int = 480) -> Path:
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I4sIIBBBBB", 13, b"IHDR", width, height, 8, 2, 0, 0, 0) + b"...."
    )
    return path


def test_an_image_is_a_file_a_url_or_a_number_of_them(config: Path, tmp_path: Path) -> None:
    small, large = picture(tmp_path / "s.png", 100, 100), picture(tmp_path / "l.png", 2_000, 2_000)
    url = "https://example.invalid/never-fetched.png"
    plans = [json.loads(run(config, "hello", "--image", str(of), "--json").output) for of in (small, large, url, 1)]
    assert all(plan["chosen"] == "large" and plan["needs"] == ["image_inputs"] for plan in plans)
    costs = [plan["candidates"][0]["cost_usd"] for plan in plans]
    assert costs[0] < costs[1]
    assert costs[2] == costs[3]
    twice = run(config, "hello", "--image", str(small), "--image", str(large), "--json").output
    assert json.loads(twice)["candidates"][0]["cost_usd"] > costs[1]


@pytest.mark.parametrize("kind", ["image", "pdf"])
def test_a_file_that_is_none_of_the_kind_is_told(config: Path, tmp_path: Path, kind: str) -> None:
    other = tmp_path / "other"
    other.write_text("dear diary")
    assert f"--{kind} {other}: no P" in run(config, "x", f"--{kind}", str(other)).output
    assert "give a file, a URL, or how many" in run(config, "x", f"--{kind}", str(tmp_path / "none")).output
    assert "Is a directory" in run(config, "x", f"--{kind}", str(tmp_path)).output


def test_documents_and_sound_are_needs(config: Path, tmp_path: Path) -> None:
    document = tmp_path / "a.pdf"
    document.write_bytes(b"%PDF-1.4 /Type /Page /Type /Page")
    assert json.loads(run(config, "x", "--pdf", str(document), "--json").output)["needs"] == ["pdf_inputs"]
    assert json.loads(run(config, "x", "--audio", "2", "--json").output)["needs"] == ["audio_inputs"]


def test_a_schema_is_a_file_or_any(config: Path, tmp_path: Path) -> None:
    schema = tmp_path / "schema.json"
    schema.write_text('{"type": "object"}')
    for words in (("--schema", str(schema)), ("--structured",)):
        assert json.loads(run(config, "x", *words, "--json").output)["needs"] == ["structured_output"]
    assert json.loads(run(config, "x", "--json-mode", "--json").output)["needs"] == ["json_mode"]
    schema.write_text("[]")
    assert "a JSON schema, which is an object, not a list" in run(config, "x", "--schema", str(schema)).output


def test_a_conversation_in_place_of_a_prompt(config: Path, tmp_path: Path) -> None:
    chat = tmp_path / "chat.json"
    chat.write_text(json.dumps([{"role": "system", "content": "be brief " * 99}, {"role": "user", "content": "hello"}]))
    plan = json.loads(run(config, "--messages", str(chat), "--json").output)
    assert plan["input_tokens"] > 190
    chat.write_text('[{"content": "x"}]')
    assert "messages with a role" in run(config, "--messages", str(chat)).output
    for words in ((), ("hello", "--messages", str(chat))):
        assert "PROMPT" in run(config, *words).output


TERMS = {
    "deny": ("--deny", "small"), "allow": ("--allow", "large"), "pin": ("--pin", "large"),
    "require_tags": ("--require-tag", "good"), "data.regions": ("--region", "eu"),
    "data.training": ("--no-training",), "data.retention": ("--retention", "zero"), "max_cost": ("--max-cost-usd", "0"),
}  # fmt: skip


@pytest.mark.parametrize("rule", TERMS)
def test_the_terms_of_a_request_refuse_as_they_would_in_it(config: Path, rule: str) -> None:
    plan = json.loads(run(config, "hello", *TERMS[rule], "--json").output)
    assert {"model": "small", "rule": rule} in [{"model": r["model"], "rule": r["rule"]} for r in plan["refusals"]]


def test_another_policy_may_be_tried(config: Path) -> None:
    assert json.loads(run(config, "hello", "--policy", "fastest", "--json").output)["policy"] == "fastest"
    assert "'cheapest'" in run(config, "hello", "--policy", "cheepest").output


def test_what_scores_and_costs_consist_of(config: Path) -> None:
    told = run(config, "hello", "--policy", "weighted").output
    assert ["model", "quality", "cost", "latency", "queue", "score"] in [line.split() for line in told.splitlines()]
    plan = json.loads(run(config, "hello", "--policy", "weighted", "--json").output)
    rows = [line.split() for line in told[told.index("costs consist of") :].splitlines()]
    for candidate in plan["candidates"]:
        (row,) = [row for row in rows if row and row[0] == candidate["id"]]
        ins, out, fallback, together = (float(usd.lstrip("$")) for usd in row[2:6])
        assert ins + out + fallback == pytest.approx(together, rel=1e-3)
        assert together == pytest.approx(candidate["cost_usd"], rel=1e-3)


@pytest.mark.parametrize("otel", [True, {"attempts": "always"}])
def test_nothing_is_needed_or_made_for_where_records_would_go(
    config: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, otel: object
) -> None:
    monkeypatch.setitem(sys.modules, "opentelemetry", None)
    monkeypatch.setitem(sys.modules, "numpy", None)
    log = tmp_path / "decisions.jsonl"
    told = {"otel": otel, "jsonl": str(log), "log": True, "hashed_words": True}
    config.write_text(CONFIG + f"telemetry: {json.dumps(told)}\n")
    assert run(config, "hello").exit_code == 0
    assert not log.exists()


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


SCREENED = """
screen:
  labels:
    pii.email: {retention: zero}
    secret: block
"""


def test_a_screen_is_asked_and_told_of_without_the_text(tmp_path: Path) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(CONFIG.replace("{id: large,", "{id: large, data: {retention: zero},") + SCREENED)
    told = run(path, "write to jane@example.com")
    assert told.output.startswith("large")
    assert "small: data.retention: its retention is not stated, at most zero is allowed (asked for by pii.email)" in (
        " ".join(told.output.split())
    )
    plan = json.loads(run(path, "write to jane@example.com", "--json").output)
    assert plan["notes"] == ["the screen found pii.email (1) and asks for retention zero"]
    assert run(path, "AKIAIOSFODNN7EXAMPLE").exit_code == 1
