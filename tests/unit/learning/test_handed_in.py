"""What a request teaches at its end is handed in: the garbage collector may end it in the middle of another's."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from capability_router.learning.implicit_signs import ImplicitSigns
from capability_router.learning.outcomes import AnsweredRequest, Outcomes
from capability_router.learning.output_lengths import OutputLengths


def a_length() -> tuple[object, Callable[[], None], Callable[[], bool]]:
    lengths = OutputLengths()
    return lengths._lock, lambda: lengths.learn("a", "chat", 100, 200), lambda: lengths.on("chat").common > 1.0


def an_outcome() -> tuple[object, Callable[[], None], Callable[[], bool]]:
    outcomes = Outcomes()
    answered = AnsweredRequest("a", "chat", version="a-2")
    return outcomes._lock, lambda: outcomes.note("first", answered), lambda: outcomes.scored("first", 1.0) is answered


def a_sign() -> tuple[object, Callable[[], None], Callable[[], bool]]:
    signs = ImplicitSigns()
    for model in ("a", "b"):
        for n in range(30):
            signs.answered("acme", str(n), model)

    def refused() -> None:
        found = signs.answered("acme", "first", "a", "refusal")
        assert found is not None
        assert (found.request_id, found.model, found.kind, found.weight) == ("first", "a", "refusal", 0.5)

    return signs._lock, refused, lambda: signs.shifts("acme").get("a", 0.0) < 0.0


def a_late_sign() -> tuple[object, Callable[[], None], Callable[[], bool]]:
    signs = ImplicitSigns()
    for model in ("a", "b"):
        for n in range(30):
            signs.answered("acme", str(n), model)

    def asked_again() -> None:
        found = signs.late("acme", "first", "a", "retried")
        assert (found.request_id, found.model, found.kind, found.weight) == ("first", "a", "retried", 0.25)

    return signs._lock, asked_again, lambda: signs.shifts("acme").get("a", 0.0) < 0.0


@pytest.mark.parametrize("case", [a_length, an_outcome, a_sign, a_late_sign])
def test_whoever_holds_the_lock_takes_in_what_was_handed_in_meanwhile(
    case: Callable[[], tuple[object, Callable[[], None], Callable[[], bool]]],
) -> None:
    lock, hand_in, is_in = case()
    with lock:  # type: ignore[attr-defined]  # a DeferringLock of each's own kind
        hand_in()  # in this very thread, as the garbage collector does: to wait would be for ever
    assert is_in()


def test_a_late_sign_is_no_further_answer() -> None:
    early, late = ImplicitSigns(), ImplicitSigns()
    for signs in (early, late):
        for model in ("a", "b"):
            for n in range(100):
                signs.answered("acme", f"{model}{n}", model)
    early.answered("acme", "x", "a", "retried")
    late.late("acme", "a99", "a", "retried")
    assert late.shifts("acme")["a"] < early.shifts("acme")["a"] < 0.0
