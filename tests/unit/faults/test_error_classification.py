"""What an error brings along of an answer that it holds in part only goes before what can be read of that part."""

from __future__ import annotations

from capability_router.faults.classify import classify
from capability_router.faults.error_classification import ErrorClassification


class Partly(Exception):
    """An error over an answer of which it shows the beginning, as the built-in client raises it."""

    status_code = 400

    def __init__(self, told: object) -> None:
        super().__init__("rate limit: this model's maximum context length is 4096 tokens")
        self.told = told


def test_the_kind_the_window_and_the_wait_are_those_that_were_read_in_the_whole() -> None:
    fault = classify(Partly(ErrorClassification("context_overflow", 8_192, None)))
    assert (fault.kind, fault.window, fault.retry_after_s) == ("context_overflow", 8_192, None)
    assert "8,192 tokens" in fault.detail
    fault = classify(Partly(ErrorClassification("overloaded", None, 7.5)))
    assert (fault.kind, fault.window, fault.retry_after_s) == ("overloaded", None, 7.5)


def test_it_is_found_down_the_chain() -> None:
    outer = RuntimeError("no answer")
    outer.__cause__ = Partly(ErrorClassification("quota_exhausted", None, None))
    assert classify(outer).kind == "quota_exhausted"


def test_what_is_no_meaning_is_not_taken_for_one() -> None:
    assert classify(Partly("overloaded")).kind == "context_overflow"
