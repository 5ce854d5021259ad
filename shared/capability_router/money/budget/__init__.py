"""Budgets: caps on what is spent, reserved before a launch and settled after it."""

from capability_router.money.budget.budgets import Budgets
from capability_router.money.budget.cap import BudgetSpec
from capability_router.money.budget.denial import BudgetEvent, Denial

__all__ = ["BudgetEvent", "BudgetSpec", "Budgets", "Denial"]
