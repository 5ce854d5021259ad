"""What a caller catches or is called with can be had from the package that the caller uses."""

from __future__ import annotations

from types import ModuleType

import pytest

import capability_router
import langchain_router
import llamaindex_router
from capability_router import RouterError

ERRORS = [
    name for name in capability_router.__all__
    if isinstance(found := getattr(capability_router, name), type) and issubclass(found, RouterError)
]  # fmt: skip


@pytest.mark.parametrize("package", [langchain_router, llamaindex_router], ids=lambda package: package.__name__)
@pytest.mark.parametrize("name", [*ERRORS, "BudgetEvent"])
def test_both_adapters_give_the_core_s_errors_and_events(package: ModuleType, name: str) -> None:
    assert name in package.__all__
    assert getattr(package, name) is getattr(capability_router, name)


def test_the_errors_are_found() -> None:
    assert {"RouterError", "StoreError", "BudgetExceeded", "AllCandidatesFailed"} <= set(ERRORS)
