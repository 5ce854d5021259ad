"""The ledger and the budgets are imported from the names of their rooms, as other rooms' nouns are."""

from __future__ import annotations

from importlib import import_module

import pytest


@pytest.mark.parametrize(
    ("room", "nouns"),
    [
        ("ledger", ("Ledger", "Call", "LaunchKey", "CostAttribution", "Total", "Totals")),
        ("budget", ("Budgets", "BudgetSpec", "BudgetEvent", "Denial")),
    ],
)
def test_a_room_of_money_gives_its_nouns(room: str, nouns: tuple[str, ...]) -> None:
    given = import_module(f"capability_router.money.{room}")
    assert set(given.__all__) == set(nouns)
    assert all(getattr(given, noun).__name__ == noun for noun in nouns if isinstance(getattr(given, noun), type))
