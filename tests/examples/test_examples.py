"""Every example is run as its reader runs it: in a fresh interpreter, from the project's folder."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from capability_router.decision_log.reading import read_log

ROOT = Path(__file__).resolve().parents[2]
MODELS = ("alder-nano", "birch-mini", "cedar-large", "dogwood-chat", "elder-8k", "elder-think")


def _run(*words: str) -> str:
    """Standard output; fails with all that was said when the exit code is not 0."""
    return _both(*words)[0]


def _both(*words: str) -> tuple[str, str]:
    """Standard output and standard error."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith("LANGSMITH_")}  # no key
    environment = {**inherited, "PYTHONUTF8": "1", "COLUMNS": "160", "TERM": "dumb"}
    command = [sys.executable, *words]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, encoding="utf-8", timeout=240, env=environment)  # noqa: S603 - our own files
    assert done.returncode == 0, f"{done.stdout}\n{done.stderr}"
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout, done.stderr


def test_quickstart_langchain() -> None:
    said = _run("examples/quickstart_langchain.py")
    assert "Gift cards are valid for three years." in said
    assert "'fallback': True" in said
    assert all(model in said for model in MODELS)
    assert "globex" in said


def test_quickstart_llamaindex() -> None:
    said = _run("examples/quickstart_llamaindex.py")
    assert "Gift cards are valid for three years" in said
    assert "Returns are accepted for 30 days" in said
    assert "'fallback': False" in said


def test_langsmith_traces() -> None:
    said = _run("examples/langsmith_traces.py")
    plain, refused, busy, _ = said.split("\n\n")
    for trace in (plain, refused, busy):
        routed = next(line for line in trace.splitlines() if line.startswith("  ChatRouter"))
        assert routed.split()[1:3] == ["chain", "success"]
        assert routed.split()[-1].startswith("$0.0000")
        assert trace.count(" in, ") == 1  # tokens stand on the run that was billed, and nowhere else
    assert "| chosen    birch/birch-mini (adaptive)" in plain
    assert "elder/elder-8k: structured_output: does not support structured_output" in refused
    assert "cedar/cedar-large: max_cost: may cost $0.0156" in refused
    failed, billed = [line.split() for line in busy.splitlines() if line.startswith("    ChatEndpoint")]
    assert failed[1:] == ["llm", "error:", "rate_limited", "birch-mini"]
    assert billed[1:3] == ["llm", "success"]
    assert "| failed    1 birch/birch-mini: rate_limited" in busy
    for page in ("tracing.md", "tracing/langsmith.md"):  # whose figures move with the frameworks' tool schemas
        text = (ROOT / "docs" / page).read_text(encoding="utf-8")
        shown = next(block for block in text.split("```\n") if "a busy day" in block)
        assert set(_without_figures(shown)) <= set(_without_figures(said))


def _without_figures(text: str) -> list[str]:
    return [re.sub(r"[\d.,]+", "#", line) for line in text.splitlines()]


def test_an_evaluator_teaches_the_router() -> None:
    """What is scored is drawn by lot: one run in twenty or so learns too little, three in a row don't."""
    runs: list[str] = []
    while not (runs and _taught(runs[-1])):
        assert len(runs) < 3, "\n".join(runs)
        runs.append(_run("examples/evaluator.py"))
        scored = int(re.findall(r"evaluations: {'scored': (\d+)}", runs[-1])[0])
        assert 80 < scored < 160
        assert f"booked under router:evaluation: {scored} calls" in runs[-1]


def _taught(said: str) -> bool:
    """At first the cheapest ones are asked, whose sums are wrong half the time, later those that are able."""
    rounds = [line.split(maxsplit=3) for line in said.splitlines()[1:7]]
    answered = [dict(re.findall(r"(\S+) (\d+)", who)) for *_, who in rounds]
    able = [sum(int(times) for name, times in each.items() if name[:5] in ("birch", "cedar")) for each in answered]
    return able[0] < 20 and sum(able[2:]) > 40 + 4 * able[0]


def test_rag_query_engine_shows_each_call_its_model_and_why() -> None:
    said = _run("examples/rag_query_engine.py")
    few, many, rest = said.partition("\n80 passages: ")[0], *said.partition("\n80 passages: ")[2].split("\nWhy not", 1)
    assert "elder/elder-8k" in few  # the cheapest does for a small prompt
    assert "dogwood/dogwood-chat" in many  # the cheapest that holds the long one
    assert "not elder/elder-8k        context_window: needs 24,001 input tokens" in rest
    assert 'context_window="min": 4 calls' in rest
    assert "2 attempts  fallback: elder/elder-8k rate limited (429)" in rest


def test_agent_workflow_hands_over_and_gives_no_tool_to_a_model_without() -> None:
    said = _run("examples/agent_workflow.py")
    assert "not dogwood/dogwood-chat: does not support tool_calling" in said
    assert "stock({'article': 'lamp'}) = 4 pieces of lamp in stock" in said
    assert "handoff({'to_agent': 'sums', 'reason': 'a sum'})" in said
    assert "multiply({'a': 6, 'b': 7}) = 42" in said
    assert "2 attempts" in said.partition(" fails from here on")[2]
    assert "dogwood" not in said.partition("The bill")[2]


@pytest.fixture(scope="module")
def demo_run(tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str, Path]:
    """Its output, what it said on standard error, and its folder."""
    out = tmp_path_factory.mktemp("demo")
    return *_both("-m", "examples.demo", "--quick", "--out", str(out)), out


@pytest.fixture(scope="module")
def demo(demo_run: tuple[str, str, Path]) -> tuple[str, Path]:
    said, _, out = demo_run
    return said, out


def test_the_demo_warns_of_nothing(demo_run: tuple[str, str, Path]) -> None:
    """A reader's first five minutes: what the file says of one policy is not told of the baselines' as useless."""
    assert demo_run[1] == ""


def test_the_demo_shows_the_swap_the_requests_and_a_whole_plan(demo: tuple[str, Path]) -> None:
    said, _ = demo
    titles = ("The swap", "Every request", "The plan of", "Totals by tenant", "Totals by model", "three ways", "books")
    assert [title for title in titles if title not in said] == []
    plan = said[said.index("The plan of") : said.index("Totals by tenant")]
    assert all(model in plan for model in MODELS)
    assert "not eligible" in plan


def test_the_demo_balances_its_books(demo: tuple[str, Path]) -> None:
    said, _ = demo
    books = said[said.index("The books") : said.index("Cut off:")]
    lines = [line.split() for line in books.splitlines() if line.strip()]
    by_policy = {line[0]: line for line in lines if line[0] in ("adaptive", "always", "static")}
    assert len(by_policy) == 3
    for line in by_policy.values():
        ledger, bills, difference = line[-4:-1]
        assert (ledger, difference) == (bills, "0")


def test_the_readme_shows_the_comparison_that_the_demo_ends_with(demo: tuple[str, Path]) -> None:
    said, _ = demo
    blocks = (ROOT / "README.md").read_text(encoding="utf-8").split("```")
    head, _, *rows = next(block for block in blocks if "always the strongest" in block).strip("\n").splitlines()
    printed = said[said.index("The same requests, three ways") :].splitlines()
    columns = next(line for line in printed if line.split()[:1] == ["policy"])
    assert [name for name in re.split(r"\s{2,}", head.strip()) if name not in columns] == []
    assert len(rows) == 3
    for row in rows:
        assert any(line.startswith(" " + re.split(r"\s{2,}", row.strip())[0] + " ") for line in printed), row


def test_the_demo_meets_the_outage_and_answers_all_the_same(demo: tuple[str, Path]) -> None:
    _, out = demo
    decisions = read_log(out / "decisions-adaptive.jsonl").decisions
    assert {d["framework"] for d in decisions} == {"langchain", "llamaindex"}
    assert {d["tenant"] for d in decisions} == {"acme", "globex", "initech"}
    assert sum(d["model"] is None for d in decisions) <= 1  # a stream that the outage cut after its first text
    assert any(d["stream"] for d in decisions)
    single = read_log(out / "decisions-always-the-strongest.jsonl").decisions
    assert {d["model"] for d in single} <= {"cedar/cedar-large", None}
    assert [a for d in (*decisions, *single) for a in d["attempts"] if a["fault"] in ("connection", "rate_limited")]
    elsewhere = [d for d in decisions if d["provider"] in ("alder", "dogwood")]
    assert not [d for d in elsewhere if d["tenant"] == "globex"]  # their texts stay in the EU


def test_the_demo_writes_its_page(demo: tuple[str, Path]) -> None:
    _, out = demo
    page = (out / "report.html").read_text(encoding="utf-8")
    assert page.count("<svg") >= 3
    assert "<script" not in page
    assert "always the strongest" in page
