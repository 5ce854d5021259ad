"""Caps on a credential: named by its mark in the ledger or by the variable that holds the key, never by the key."""

from __future__ import annotations

import json
import logging
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from capability_router import BudgetExceeded, ConfigError, Router
from capability_router.address import fingerprint
from capability_router.cli.main import main
from capability_router.money.budget.cap import BudgetSpec
from capability_router.testing import ScriptedModel, ask

KEYS = {"TEAM_A_KEY": "sk-team-a-4711", "TEAM_B_KEY": "sk-team-b-4712"}
MARKS = {name: fingerprint(key) for name, key in KEYS.items()}


@pytest.fixture(autouse=True)
def keys(monkeypatch: pytest.MonkeyPatch) -> None:
    for name, key in KEYS.items():
        monkeypatch.setenv(name, key)


def entry(id: str, variable: str | None) -> dict[str, Any]:
    named = {"api_key_env": variable} if variable else {}
    endpoint = {"base_url": "http://127.0.0.1:9/v1", "model": id, **named}
    return {"id": id, "endpoint": endpoint, "price": {"input_mtok": 1, "output_mtok": 2}, "max_output_tokens": 100}


def router(*caps: dict[str, Any], **more: Any) -> Router:
    models = [entry("a", "TEAM_A_KEY"), entry("a2", "TEAM_A_KEY"), entry("b", "TEAM_B_KEY"), entry("local", None)]
    made = Router(models, policy="single", budgets=list(caps), **more)
    made.scripted = {card.id: ScriptedModel(["ok"]) for card in made.registry.cards}  # type: ignore[attr-defined]  # what `ask` reads
    return made


@pytest.mark.parametrize("name", ["TEAM_A_KEY", MARKS["TEAM_A_KEY"]])
def test_a_spent_cap_leaves_out_all_models_of_the_key_and_no_other(name: str) -> None:
    made = router({"scope": f"credential:{name}", "limit_usd": 0})
    assert ask(made).outcome.model == "b"
    (call,) = made.ledger.calls()
    assert call.credential == MARKS["TEAM_B_KEY"]


def test_each_key_has_a_pot_and_what_needs_none_has_none() -> None:
    made = router({"scope": "credential:*", "limit_usd": 1}, {"scope": "credential:TEAM_B_KEY", "limit_usd": 0})
    for pin in ("a", "a2", "local"):
        with_pin(made, pin)
    with pytest.raises(BudgetExceeded, match="credential:TEAM_B_KEY"):
        with_pin(made, "b")
    rows = {row["scope"]: row["spent_usd"] for row in made.budgets.rows()}
    assert rows == {f"credential:{MARKS['TEAM_A_KEY']}": pytest.approx(2 * 16e-6), "credential:TEAM_B_KEY": 0}


def with_pin(made: Router, pin: str) -> None:
    from capability_router import routing

    with routing(pin=pin):
        ask(made)


@pytest.mark.parametrize("key", ["sk-team-a-4711", "gsk_4711abc", "AKIAIOSFODNN7EXAMPLE", "TEAM_A KEY", "*x"])
def test_a_key_in_the_place_of_its_name_is_an_error_that_does_not_quote_it(key: str) -> None:
    for made in (
        lambda: BudgetSpec(f"credential:{key}", 1.0),
        lambda: router({"scope": f"credential:{key}", "limit_usd": 1}),
    ):
        with pytest.raises(ConfigError, match="its mark in the ledger") as caught:
            made()
        assert key not in str(caught.value)


def test_a_key_that_no_model_uses_is_warned_of(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "capability_router"):
        router({"scope": "credential:TEAM_C_KEY", "limit_usd": 1}, {"scope": "credential:0123456789ab", "limit_usd": 1})
    assert [r.getMessage() for r in caplog.records] == [
        f"budgets: credential:{name}: no model's key has this mark, or is in a variable of this name; "
        "`capability-router ledger total --by credential` shows the marks that were used"
        for name in ("TEAM_C_KEY", "0123456789ab")
    ]


def test_the_scope_is_named_where_scopes_are() -> None:
    with pytest.raises(ConfigError, match="provider, credential as 'tenant:acme'"):
        BudgetSpec("team:x", 1.0)


def test_it_is_shown_at_the_terminal(tmp_path: Path) -> None:
    store = f"sqlite:///{tmp_path / 'r.db'}"
    made = router({"scope": "credential:*", "limit_usd": 1, "window": "day"}, store=store)
    ask(made)
    made.close()
    result = CliRunner().invoke(main, ["budgets", "--store", store, "--json"])
    assert [row["scope"] for row in json.loads(result.stdout)] == [f"credential:{MARKS['TEAM_A_KEY']}"]
