"""Models of which nobody states how long an answer can be, under a cap: told at the start, and in the refusal."""

from __future__ import annotations

import logging
from datetime import date
from pathlib import Path
from typing import Any

import pytest
import yaml
from click.testing import CliRunner

from capability_router import BudgetExceeded, Registry, Router
from capability_router.catalog.audit import audit
from capability_router.cli.main import main
from capability_router.config import Settings
from capability_router.request import Request
from capability_router.testing import ask, scripted_router

LIMITED: dict[str, Any] = {"max_output_tokens": 500}
CAP = {"scope": "global", "limit_usd": 0.1}


def two(*caps: dict[str, Any]) -> Router:
    return scripted_router({"a": ["ok"], "b": ["ok"]}, cards={"b": LIMITED}, budgets=list(caps or [CAP]))


def test_the_refusal_says_which_model_lacks_what_and_what_to_set() -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[CAP])
    with pytest.raises(BudgetExceeded) as caught:
        ask(router)
    assert (
        "131,072 output tokens are reserved, because a has no known output limit: set max_output_tokens "
        "or output_reserve on its entry, or max_tokens on the call"
    ) in str(caught.value)
    assert ask(router, Request(("hi",), max_tokens=100)).outcome.ok


def test_three_answers_are_three_times_as_long() -> None:
    router = scripted_router({"a": ["ok"]}, budgets=[CAP])
    with pytest.raises(BudgetExceeded, match="393,216 output tokens are reserved"):
        ask(router, Request(("hi",), answers=3))


def test_where_limits_are_known_the_refusal_says_so() -> None:
    router = scripted_router({"b": ["ok"]}, cards={"b": LIMITED}, budgets=[{**CAP, "limit_usd": 0.0001}])
    with pytest.raises(BudgetExceeded, match=r"to reserve less, state a smaller max_tokens on the call") as caught:
        ask(router)
    assert "no known output limit" not in str(caught.value)


@pytest.mark.parametrize("on_exceed", ["refuse", "degrade"])
def test_models_with_a_limit_go_first(on_exceed: str) -> None:
    router = two({**CAP, "on_exceed": on_exceed})
    assert ask(router).outcome.model == "b"
    plan = router.explain(Request(("hi",)))
    assert plan.chosen.id == "b"
    assert "a has no known output limit" in plan.reason


def test_a_spent_cap_refuses_all_the_same() -> None:
    with pytest.raises(BudgetExceeded) as caught:
        ask(two({**CAP, "limit_usd": 0.0005}))
    assert "a: global" in str(caught.value)
    assert "b: global" in str(caught.value)


TOLD = (
    "a has no known output limit, so each call without max_tokens reserves 131,072 output tokens ($0.262144) of the "
    "budgets; set max_output_tokens or output_reserve on its entry"
)


@pytest.mark.parametrize("scope", ["global", "tenant:*", "tag:x", "model:a", "provider:*", "provider:scripted"])
def test_it_is_told_at_the_start_once(scope: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "capability_router"):
        two({**CAP, "scope": scope}, {**CAP, "scope": scope, "window": "day"})
    assert [r.getMessage() for r in caplog.records] == [TOLD]


@pytest.mark.parametrize(
    "cap",
    [{"on_exceed": "warn"}, {"limit_usd": 0}, {"scope": "model:b"}, {"scope": "model:*", "on_exceed": "warn"}],
)
def test_where_no_cap_can_refuse_it_nothing_is_told(cap: dict[str, Any], caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "capability_router"):
        two({**CAP, **cap})
    assert caplog.records == []


@pytest.mark.parametrize("card", [LIMITED, {"output_reserve": 9}, {"price": {"input_mtok": 1, "output_mtok": 0}}])
def test_nor_of_models_whose_answers_have_a_limit_or_cost_nothing(
    card: dict[str, Any], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING, "capability_router"):
        scripted_router({"a": ["ok"]}, cards={"a": card}, budgets=[CAP])
    assert caplog.records == []


def test_the_catalog_check_tells_it_under_a_cap(tmp_path: Path) -> None:
    endpoint = {"base_url": "http://127.0.0.1:9/v1", "model": "m"}
    model = {"id": "m", "endpoint": endpoint, "price": {"input_mtok": 1, "output_mtok": 2}}
    config = tmp_path / "router.yaml"

    def check(**words: Any) -> str:
        config.write_text(yaml.safe_dump({"models": [model], **words}))
        return CliRunner().invoke(main, ["catalog", "check", "--config", str(config)]).stdout

    assert "output limit missing" in check(budgets=[CAP])
    assert "output limit missing" not in check()


def test_what_the_check_finds_is_for_information() -> None:
    registry = Registry.build([{"id": "m", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}])
    (found,) = [f for f in audit(registry, date(2026, 11, 26), 30, capped=True) if f.kind == "output limit missing"]
    assert not found.grave
    assert "max_tokens" in found.detail
    assert Settings.from_keywords(budgets=[CAP]).reviewed(registry).warnings
