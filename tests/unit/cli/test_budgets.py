from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from capability_router import routing
from capability_router.cli.main import main
from capability_router.testing import ask, scripted_router

CAPS = [
    {"scope": "tenant:*", "limit_usd": 1, "on_exceed": "degrade"},
    {"scope": "global", "limit_usd": 5},
]


@pytest.fixture
def url(tmp_path: Path) -> str:
    """A store in which two tenants have spent 0.000016 USD a call."""
    url = f"sqlite:///{tmp_path / 'router.db'}"
    router = scripted_router({"a": ["ok"]}, store=url, budgets=CAPS)
    for tenant, calls in (("acme", 1), ("umbrella", 2)):
        with routing(tenant=tenant):
            [ask(router) for _ in range(calls)]
    router.close()
    return url


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["budgets", *words])


def test_a_configuration_s_caps_are_shown_as_they_stand(url: str, tmp_path: Path) -> None:
    config = tmp_path / "router.yaml"
    model = {"id": "a", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}
    config.write_text(json.dumps({"models": [model], "store": url, "budgets": CAPS}))
    found = run("--config", str(config), "--json")
    assert found.exit_code == 0, found.output
    rows = json.loads(found.stdout)
    assert [(r["scope"], r["window"], r["spent_usd"], r["left_usd"], r["on_exceed"]) for r in rows] == [
        ("tenant:acme", "total", 0.000016, 0.999984, "degrade"),
        ("tenant:umbrella", "total", 0.000032, 0.999968, "degrade"),
        ("global", "total", 0.000048, 4.999952, "refuse"),
    ]
    own = json.loads(run("--config", str(config), "--tenant", "acme", "--json").stdout)
    assert [r["scope"] for r in own] == ["tenant:acme"]
    assert run("--config", str(config)).output.splitlines()[0].split() == [
        "scope", "window", "at", "limit", "limit", "spent", "reserved", "left", "resets", "(UTC)",
    ]  # fmt: skip


def test_a_store_says_what_it_knows(url: str) -> None:
    table = run("--store", url).output
    assert [line.split()[0] for line in table.splitlines()[1:]] == ["global", "tenant:acme", "tenant:umbrella"]
    assert "$0.000048" in table
    own = run("--store", url, "--tenant", "acme").output
    assert "tenant:acme" in own
    assert "0.000032" not in own
    assert run("--store", url, "--tenant", "nobody").output == "no budgets\n"


def test_a_narrow_terminal_drops_what_a_store_does_not_know_first(url: str) -> None:
    shown = [
        CliRunner(env={"COLUMNS": str(width)}).invoke(main, ["budgets", "--store", url]).output
        for width in range(100, 50, -1)
    ]
    assert next(text for text in shown if "no room for" in text).endswith("(no room for: at limit)\n")


def test_a_store_that_cannot_be_read_is_one_line_without_its_password() -> None:
    found = run("--store", "redis://me:geheim@127.0.0.1:1/0")
    assert found.exit_code == 1
    why = "Connection refused: ConnectionError"
    assert found.output == f"Error: the store redis://me:***@127.0.0.1:1/0 can't be used: {why}\n"


def test_a_caller_s_name_neither_breaks_nor_steers_the_terminal(tmp_path: Path) -> None:
    url, name = f"sqlite:///{tmp_path / 'router.db'}", "acme\n\x1b[2Jglobal\u202e"
    router = scripted_router({"a": ["ok"]}, store=url, budgets=CAPS)
    with routing(tenant=name):
        ask(router)
    router.close()
    shown = run("--store", url).output
    assert [line.split()[0] for line in shown.splitlines()[1:]] == ["global", "tenant:acme??[2Jglobal?"]
    assert shown.replace("\n", "").isprintable()
    assert name in [r["scope"].partition(":")[2] for r in json.loads(run("--store", url, "--json").stdout)]


@pytest.mark.parametrize("columns", [60, 80, 120])
def test_the_table_fits(tmp_path: Path, columns: int) -> None:
    caps = [
        {"scope": "tenant:*", "limit_usd": 1, "on_exceed": "degrade"},
        {"scope": "global", "limit_usd": 1_234.5, "window": "rolling:86400"},
    ]
    name = "globex international corporation"
    router = scripted_router({"a": ["ok"]}, store=f"sqlite:///{tmp_path / 'router.db'}", budgets=caps)
    with routing(tenant=name):
        ask(router)
    router.close()
    command = ["budgets", "--store", f"sqlite:///{tmp_path / 'router.db'}"]
    shown = CliRunner(env={"COLUMNS": str(columns)}).invoke(main, command).output
    assert max(map(len, shown.splitlines())) <= columns
    words = " ".join(shown.split())
    for sure in ("$0.000016", "$0.999984", "$1,234.5", "$1,234.50", "globex", "rolling:86400"):
        assert sure in words
    assert ("no room for" in words) is (columns < 100)
    assert ("01-16 08:15" in words) is (columns >= 80)  # when the first of the last day's is a day old
