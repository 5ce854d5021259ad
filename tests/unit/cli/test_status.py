"""`capability-router status`: a table that fits, what no process reports, several routers, JSON, watching."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from capability_router.address import fingerprint
from capability_router.cli import status as shown
from capability_router.cli.main import main
from capability_router.clock import SystemClock
from capability_router.drawing.table import wide
from capability_router.errors import StoreError
from capability_router.money.price import Price
from capability_router.request import Usage
from capability_router.stores.sqlite.store import SqliteStore
from capability_router.testing import ScriptedModel, ask, scripted_router


def row(model: str, **values: Any) -> dict[str, Any]:
    return {
        "model": model, "provider": "openai", "state": "closed", "held": "", "held_by": "", "in_flight": 0,
        "queue_s": 0.0, "ttft_s": 0.4, "recent_share": 1.0, "recent_calls": 10, "calls": 100, "answered": 100,
        "failed": 0, "refused": 0, "disabled": 0, **values,
    }  # fmt: skip


def report(*models: dict[str, Any], pid: int = 1, since: float = 0.0) -> str:
    return json.dumps({"version": 1, "host": "web", "pid": pid, "since": since, "every_s": 2, "models": models})


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> SqliteStore:
    monkeypatch.chdir(tmp_path)
    return SqliteStore(tmp_path / "router.db", SystemClock().unix)


def run(*words: str, columns: int | None = None) -> Result:
    env = {"COLUMNS": str(columns)} if columns else {}
    return CliRunner().invoke(main, ["status", *words], catch_exceptions=False, env=env)


CONFIG = """
name: front
models:
  - {id: gpt-5.4-with-a-rather-long-name-in-sweden, model: "openai:gpt-5.4"}
  - {id: mini, model: "openai:gpt-5.4-mini"}
budgets:
  - {scope: "model:openai:gpt-5.4-mini", limit_usd: 5}
  - {scope: "provider:openai", limit_usd: 20, window: day}
  - {scope: "tenant:acme", limit_usd: 1}
  - {scope: global, limit_usd: 2, on_exceed: warn}
store: sqlite:///router.db
"""


def test_it_is_readable_at_eighty_columns_and_at_sixty(store: SqliteStore) -> None:
    held = "breaker open for another 12 s"
    long = row("gpt-5.4-with-a-rather-long-name-in-sweden", state="open", held=held, held_by="breaker", in_flight=17,
               calls=1_234_567, ttft_s=12.3, recent_share=0.5)  # fmt: skip
    store.reports.tell("front", "a", report(long, row("mini")))
    store.reports.tell("front", "b", report(row("gpt-5.4-with-a-rather-long-name-in-sweden"), row("mini"), pid=2))
    Path("router.yaml").write_text(CONFIG, encoding="utf-8")
    for columns in (80, 60):
        text = run(columns=columns).stdout
        assert max(map(wide, text.splitlines())) <= columns, text
        flat = " ".join(text.split())
        assert "open" in flat
        assert "$20.00" in flat
        assert "2 processes, last word" in flat
    whole = run().stdout  # piped: nothing is folded
    assert f"{held} (1 of 2 processes)" in whole
    assert "1,234,667" in whole


def test_models_that_no_process_reports_are_told(store: SqliteStore) -> None:
    store.reports.tell("front", "a", report(row("mini")))
    store.reports.tell("another", "b", report(row("theirs")))
    Path("router.yaml").write_text(CONFIG, encoding="utf-8")
    seen = json.loads(run("--json").stdout)
    assert [each["model"] for each in seen["models"]] == ["mini"]  # of the router of this name alone
    assert seen["unheard"] == ["gpt-5.4-with-a-rather-long-name-in-sweden"]
    assert seen["models"][0]["left_usd"] == 5.0  # the least of those that stop calls and cover it
    assert "no process reports it" in run().stdout


KEYED = """
name: front
models:
  - {{id: g, provider: google_genai, endpoint: {{base_url: "http://127.0.0.1:9", model: g, api_key_env: GEMINI_KEY}}}}
  - {{id: a, provider: anthropic, endpoint: {{base_url: "http://127.0.0.1:8/v1", model: a, api_key_env: ACME_KEY}}}}
budgets: {budgets}
store: sqlite:///router.db
"""


@pytest.mark.parametrize(
    ("scope", "left"),
    [
        ("provider:gemini", {"g": 3.0}), ("provider:google_genai", {"g": 3.0}), ("provider:*", {"g": 3.0, "a": 3.0}),
        ("credential:GEMINI_KEY", {"g": 3.0}), ("credential:MARK", {"g": 3.0}), ("credential:*", {"g": 3.0, "a": 3.0}),
        ("model:*", {"g": 3.0, "a": 3.0}), ("model:google:g", {"g": 3.0}), ("tenant:acme", {}),
    ],
)  # fmt: skip
@pytest.mark.parametrize("keyed", [True, False])
def test_left_is_what_caps_on_its_provider_its_key_and_itself_leave_however_they_are_written(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch, scope: str, left: dict[str, float], keyed: bool
) -> None:
    """Whoever looks need not have the keys, which the reports know by their marks."""
    marks = {"g": fingerprint("key of g"), "a": fingerprint("key of a")}
    if keyed:
        monkeypatch.setenv("GEMINI_KEY", "key of g")
    names = {"g": "google_genai", "a": "anthropic"}
    store.reports.tell("front", "w", report(*(row(m, provider=p, credential=marks[m]) for m, p in names.items())))
    scope = scope.replace("MARK", marks["g"])
    config = KEYED.format(budgets=json.dumps([{"scope": scope, "limit_usd": 3}]))
    Path("router.yaml").write_text(config, encoding="utf-8")
    seen = json.loads(run("--json").stdout)["models"]
    assert {each["model"]: each["left_usd"] for each in seen if each["left_usd"] is not None} == left


def test_what_was_spent_is_taken_off_with_a_configuration_and_without(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    caps = [{"scope": "provider:*", "limit_usd": 3}, {"scope": "model:a", "limit_usd": 9, "on_exceed": "warn"}]
    Path("router.yaml").write_text(KEYED.format(budgets=json.dumps(caps)), encoding="utf-8")
    card = {"provider": "google_genai", "price": Price(100_000, 0), "max_output_tokens": 10}
    models = {"g": ScriptedModel(["ok"], usage=Usage(10, 1))}
    router = scripted_router(models, cards={"g": card}, budgets=caps, store="sqlite:///router.db", name="front")
    ask(router)
    router.close()
    told = report(row("g", provider="google_genai"), row("a", provider="anthropic"))
    SqliteStore(tmp_path / "router.db", SystemClock().unix).reports.tell("front", "w", told)
    for words, whole in (((), 3.0), (("--store", "sqlite:///router.db"), None)):
        seen = {each["model"]: each["left_usd"] for each in json.loads(run(*words, "--json").stdout)["models"]}
        assert seen == {"g": 2.0, "a": whole}  # of whom nothing was spent a store knows nothing


def test_without_a_configuration_all_routers_of_a_store_are_shown(store: SqliteStore) -> None:
    store.reports.tell("front", "a", report(row("mini")))
    store.reports.tell("back", "b", report(row("mini", state="half_open")))
    text = run("--store", "sqlite:///router.db").stdout
    assert "front: mini" in text
    assert "back: mini" in text
    assert "half-open" in text


def test_means_weigh_calls_and_unknown_stays_unknown(store: SqliteStore) -> None:
    busy = row("a", ttft_s=1.0, took_s=5.0, answered=300, failed=100, recent_share=0.5, recent_calls=30, in_flight=2)
    idle = row("a", ttft_s=0.2, took_s=1.0, answered=100, recent_share=1.0, recent_calls=10, in_flight=1)
    new = row("b", ttft_s=None, answered=0, calls=0, recent_share=None, recent_calls=0)
    store.reports.tell("front", "a", report(busy, new))
    store.reports.tell("front", "b", report(idle, new))
    a, b = json.loads(run("--store", "sqlite:///router.db", "--json").stdout)["models"]
    assert (a["ttft_s"], a["success_share"], a["recent_share"], a["in_flight"]) == (0.8, 0.8, 0.625, 3)
    assert (a["took_s"], b["took_s"]) == (4.0, None)  # a process of an older release does not tell it
    assert (b["ttft_s"], b["success_share"], b["recent_share"]) == (None, None, None)


def test_nobody_is_heard(store: SqliteStore) -> None:
    store.open()
    Path("router.yaml").write_text(CONFIG, encoding="utf-8")
    text = run().stdout
    assert text.count("no process reports it") == 2
    assert "No process is heard of: none runs, or none has made its first request." in text


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "there is no file router.yaml"),
        (["--store", "memory://"], "can't be seen from outside its process"),
        (["--store", "sqlite:///none.db"], "no store at 'none.db'"),
        (["--store", "rediss://user:PLAINSECRET@127.0.0.1:1/0"], "can't be used"),
        (["--store", "ftp://host"], "unknown kind 'ftp'"),
        (["--store", "redis:/:PLAINSECRET@127.0.0.1/0"], "write a URL"),
    ],
)
def test_what_can_not_be_looked_at_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], told: str
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run(*words)
    assert result.exit_code == 1
    assert told in result.stderr
    assert "PLAINSECRET" not in result.stderr
    assert not list(tmp_path.iterdir())


def test_watching_goes_on_until_it_is_stopped_also_over_a_store_that_was_away(
    store: SqliteStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    store.reports.tell("front", "a", report(row("mini")))
    looks: list[int] = []
    view = shown._view

    def seldom(*words: Any) -> Any:
        looks.append(1)
        if len(looks) == 2:
            raise StoreError("the store is away")
        return view(*words)

    def sleep(_: object, seconds: float) -> None:
        assert seconds == 2.0
        if len(looks) == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(shown, "_view", seldom)
    monkeypatch.setattr(SystemClock, "sleep", sleep)
    result = run("--store", "sqlite:///router.db", "--watch", "--json")
    assert [json.loads(line)["models"][0]["model"] for line in result.stdout.splitlines()] == ["mini", "mini"]
    assert "the store is away; asked again in 2 s" in result.stderr
    assert result.exit_code == 0


def test_names_from_a_store_steer_no_terminal(store: SqliteStore) -> None:
    store.reports.tell("front", "a", report(row("evil\x1b[2Jname", held="\x07ding")))
    assert "\x1b" not in run("--store", "sqlite:///router.db").stdout


def test_processes_beyond_some_are_counted(store: SqliteStore) -> None:
    for number in range(20):
        store.reports.tell("front", f"w{number}", report(row("mini"), pid=number))
    assert "20 processes" in (text := run("--store", "sqlite:///router.db").stdout)
    assert "and 12 more" in text
