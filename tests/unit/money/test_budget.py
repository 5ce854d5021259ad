import threading

import pytest

from capability_router import ConfigError
from capability_router.money.budget import Budgets, BudgetSpec, Hold, window_id

DAY = 1_800_000_000.0
ONE = 10**12


def test_spent_and_reserved_never_exceed_the_cap() -> None:
    budgets = Budgets([BudgetSpec("global", 1.0)])
    held: list[Hold] = []
    lock = threading.Lock()

    def work() -> None:
        for _ in range(50):
            hold = budgets.reserve(["global"], ONE // 100, DAY)
            if isinstance(hold, Hold):
                with lock:
                    held.append(hold)
                budgets.settle(hold, ONE // 100, DAY)

    threads = [threading.Thread(target=work) for _ in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert len(held) == 100
    assert budgets.reserved == 0


def test_a_reservation_blocks_until_it_is_settled_for_less() -> None:
    budgets = Budgets([BudgetSpec("tenant:acme", 1.0)])
    first = budgets.reserve(["tenant:acme"], ONE, DAY)
    assert isinstance(first, Hold)
    assert not isinstance(budgets.reserve(["tenant:acme"], 1, DAY), Hold)
    budgets.settle(first, ONE // 2, DAY)
    assert isinstance(budgets.reserve(["tenant:acme"], ONE // 2, DAY), Hold)


def test_tenants_do_not_share() -> None:
    budgets = Budgets([BudgetSpec("tenant:a", 0.0), BudgetSpec("tenant:b", 1.0)])
    assert not isinstance(budgets.reserve(["tenant:a"], 1, DAY), Hold)
    assert isinstance(budgets.reserve(["tenant:b"], 1, DAY), Hold)


def test_windows_turn() -> None:
    budgets = Budgets([BudgetSpec("global", 1.0, "day"), BudgetSpec("global", 10.0, "rolling:60")])
    hold = budgets.reserve(["global"], ONE, DAY)
    budgets.settle(hold, ONE, DAY)  # type: ignore[arg-type]
    assert not isinstance(budgets.reserve(["global"], 1, DAY), Hold)
    assert isinstance(budgets.reserve(["global"], 1, DAY + 86_400), Hold)


def test_rolling_window_forgets() -> None:
    budgets = Budgets([BudgetSpec("global", 1.0, "rolling:60")])
    budgets.settle(budgets.reserve(["global"], ONE, DAY), ONE, DAY)  # type: ignore[arg-type]
    assert not isinstance(budgets.reserve(["global"], 1, DAY + 59), Hold)
    assert isinstance(budgets.reserve(["global"], ONE, DAY + 61), Hold)


def test_all_or_nothing_over_several_budgets() -> None:
    budgets = Budgets([BudgetSpec("global", 1.0), BudgetSpec("tag:x", 0.1)])
    assert not isinstance(budgets.reserve(["global", "tag:x"], ONE // 2, DAY), Hold)
    assert budgets.reserved == 0


def test_unknown_price_under_a_cap_is_denied_but_warn_lets_it_through() -> None:
    denied = Budgets([BudgetSpec("global", 1.0)]).reserve(["global"], None, DAY)
    assert "unknown" in denied.told
    assert isinstance(Budgets([BudgetSpec("global", 1.0, on_exceed="warn")]).reserve(["global"], None, DAY), Hold)


@pytest.mark.parametrize(
    "bad",
    [{"scope": "tennant:a"}, {"scope": "tenant"}, {"window": "fortnight"}, {"limit_usd": -1}, {"on_exceed": "explode"}],
)
def test_bad_specs(bad: dict) -> None:
    with pytest.raises(ConfigError):
        BudgetSpec(**{"scope": "global", "limit_usd": 1.0, **bad})


def test_window_ids() -> None:
    assert window_id("month", DAY) == "2027-01"
    assert window_id("day", DAY) == "2027-01-15"
    assert window_id("minute", DAY) != window_id("minute", DAY + 60)


def test_a_cap_on_a_model_reaches_it_by_any_of_its_names() -> None:
    meant = {"openai:gpt": ["openai/gpt", "openai/gpt#2"]}
    budgets = Budgets([BudgetSpec("model:openai:gpt", 1.0)], lambda name: meant.get(name, ()))
    assert isinstance(budgets.reserve(["global", "model:openai/gpt"], ONE, DAY), Hold)
    assert not isinstance(budgets.reserve(["global", "model:openai/gpt#2"], 1, DAY), Hold)
    assert isinstance(budgets.reserve(["global", "model:other"], ONE, DAY), Hold)


@pytest.mark.parametrize("window", ["rolling:0", "rolling:", "rolling:.", "rolling:²", "rolling:-5"])
def test_a_rolling_window_has_a_length(window: str) -> None:
    with pytest.raises(ConfigError, match="above 0"):
        BudgetSpec("global", 1.0, window)
