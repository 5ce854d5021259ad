"""Whom a cap's scope names: providers by any of their names, and a warning where it is nobody."""

from __future__ import annotations

import logging

import pytest

from capability_router import BudgetExceeded, ConfigError, Router, routing
from capability_router.money.budget.cap import BudgetSpec
from capability_router.testing import ask, scripted_router

CARDS = {"g": {"provider": "google_genai"}, "o": {"provider": "openai"}}


def capped(scope: str) -> Router:
    caps = [{"scope": scope, "limit_usd": 0.0}]
    return scripted_router({"g": ["ok"], "o": ["ok"]}, cards=CARDS, budgets=caps)


@pytest.mark.parametrize("name", ["google", "google_genai", "gemini", "Google-GenAI", "vertexai"])
def test_a_provider_goes_by_any_of_its_names(name: str, caplog: pytest.LogCaptureFixture) -> None:
    router = capped(f"provider:{name}")
    assert ask(router).outcome.model == "o"
    assert not [r for r in caplog.records if "not registered" in r.getMessage()]


def test_a_named_provider_is_taken_out_of_the_cap_for_each() -> None:
    caps = [{"scope": "provider:*", "limit_usd": 0.0}, {"scope": "provider:gemini", "limit_usd": 5.0}]
    router = scripted_router({"o": ["ok"], "g": ["ok"]}, cards=CARDS, budgets=caps)
    assert ask(router).outcome.model == "g"


@pytest.mark.parametrize(
    ("scope", "hint"),
    [
        ("provider:opnai", "budgets: provider:opnai names 'opnai', which is not registered; did you mean 'openai'?"),
        ("model:gg", "budgets: model:gg names 'gg', which is not registered; did you mean 'g'?"),
    ],
)
def test_a_name_that_means_nobody_is_told_once(scope: str, hint: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "capability_router"):
        capped(scope)
    assert [r.getMessage() for r in caplog.records] == [hint]


@pytest.mark.parametrize("scope", ["model:*", "provider:*", "tenant:*"])
def test_a_cap_for_each_is_no_name(scope: str, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING, "capability_router"):
        capped(scope)
    assert caplog.records == []


@pytest.mark.parametrize("scope", ["tenant: acme ", " tenant:acme", "tenant :acme"])
def test_blanks_around_a_name_are_none_of_it(scope: str) -> None:
    assert BudgetSpec(scope, 1.0).scope == "tenant:acme"


@pytest.mark.parametrize("scope", ["tenant:ac*", "tag:*x", "tenant:**"])
def test_a_part_of_a_name_can_not_be_left_open(scope: str) -> None:
    with pytest.raises(ConfigError, match=r"'\*' stands alone"):
        BudgetSpec(scope, 1.0)


@pytest.mark.parametrize("scope", ["tenant: ", "tenant:", "global:x"])
def test_a_scope_without_a_name_is_none(scope: str) -> None:
    with pytest.raises(ConfigError, match="budget scope"):
        BudgetSpec(scope, 1.0)


def test_all_of_it_holds_in_a_router() -> None:
    caps = [{"scope": "provider:google", "limit_usd": 0.0}, {"scope": "provider:openai", "limit_usd": 0.0}]
    router = scripted_router({"g": ["ok"], "o": ["ok"]}, cards=CARDS, budgets=caps)
    with pytest.raises(BudgetExceeded):
        ask(router)


SPELLINGS = {"g": {"provider": "google_genai"}, "v": {"provider": "vertexai"}, "h": {"provider": "Gemini"}}


def test_each_provider_has_one_pot_however_its_models_spell_it() -> None:
    router = scripted_router(
        {name: ["ok"] for name in SPELLINGS}, cards=SPELLINGS, budgets=[{"scope": "provider:*", "limit_usd": 1.0}]
    )
    for name in SPELLINGS:
        with routing(pin=name):
            ask(router)
    (row,) = router.budgets.rows()
    assert (row["scope"], row["spent_usd"]) == ("provider:google", pytest.approx(3 * 16e-6))


def test_a_named_provider_has_one_name_in_rows_errors_and_stores() -> None:
    router = capped("provider:Google-GenAI")
    with routing(pin="g"), pytest.raises(BudgetExceeded) as caught:
        ask(router)
    assert caught.value.scope == "provider:google"
    assert [row["scope"] for row in router.budgets.rows()] == ["provider:google"]
    assert [row["scope"] for row in capped("provider:google").budgets.rows()] == ["provider:google"]


def test_two_spellings_of_one_provider_are_two_caps_on_it() -> None:
    caps = [{"scope": "provider:gemini", "limit_usd": 1.0}, {"scope": "provider:google", "limit_usd": 2.0}]
    with pytest.raises(ConfigError, match="provider:google has two caps"):
        scripted_router({"g": ["ok"]}, cards=CARDS, budgets=caps)
