"""How long an answer a cap reserves for: a cap holds also where nobody states the model's limit."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import BudgetExceeded, Usage
from capability_router.catalog.card import ModelCard
from capability_router.eligibility import UNSTATED_TOKENS, longest
from capability_router.request import Request
from capability_router.testing import ScriptedModel, ask, scripted_router


@pytest.mark.parametrize(
    ("card", "call", "expected"),
    [
        ({}, {}, UNSTATED_TOKENS),
        ({"context_window": 32_768}, {}, 32_768 - 750),
        ({"context_window": 1_000}, {}, 250),  # a window that the input fills
        ({"context_window": 32_768, "max_output_tokens": 4_096}, {}, 4_096),
        ({"max_output_tokens": 4_096, "output_reserve": 2_000}, {}, 2_000),
        ({"max_output_tokens": 4_096, "output_reserve": 2_000}, {"max_tokens": 10}, 10),
    ],
)
def test_the_longest_answer_is_what_the_nearest_limit_leaves(
    card: dict[str, Any], call: dict[str, Any], expected: int
) -> None:
    assert longest(Request(("hi",), **call), ModelCard("a", **card), 1_000) == expected


@pytest.mark.parametrize(("card", "answer"), [({"context_window": 32_768}, 32_000), ({}, 128_000)])
def test_a_cap_holds_for_a_model_whose_output_limit_nobody_states(card: dict[str, Any], answer: int) -> None:
    """Answers as long as the window lets them be; 1,024 tokens had been reserved for each."""
    model = ScriptedModel(["ok"] * 100, usage=Usage(10, answer))
    limit = 2.5 * answer / 1e6
    router = scripted_router(
        {"a": model}, cards={"a": {"price": {"input_mtok": 0, "output_mtok": 1}, **card}},
        budgets=[{"scope": "global", "limit_usd": limit}],
    )  # fmt: skip
    for _ in range(2):
        ask(router)
    with pytest.raises(BudgetExceeded, match="set max_output_tokens or output_reserve on its entry"):
        ask(router)
    (row,) = router.budgets.rows()
    assert row["spent_usd"] == pytest.approx(2 * answer / 1e6)
    assert row["spent_usd"] <= limit
