"""Every kind of failure the providers document or send, in the shape in which it reaches a router."""

from __future__ import annotations

from collections import Counter
from typing import Any

import pytest
from unit.faults.shapes import CASES, NOW, build

from capability_router.faults import KINDS, classify


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_the_fault_is_what_the_provider_means(case: dict[str, Any]) -> None:
    fault = classify(build(case["raised"]), NOW)
    told = {name: getattr(fault, name) for name in case["expect"]}
    if told.get("retry_after_s") is not None:
        told["retry_after_s"] = pytest.approx(told["retry_after_s"])
    assert told == case["expect"]


@pytest.mark.parametrize("case", CASES, ids=[case["id"] for case in CASES])
def test_no_hint_is_made_up(case: dict[str, Any]) -> None:
    fault = classify(build(case["raised"]), NOW)
    assert (fault.retry_after_s is None) == ("retry_after_s" not in case["expect"])
    assert (fault.window is None) == ("window" not in case["expect"])
    assert fault.again is case["expect"].get("again", True)


def test_the_corpus_is_broad() -> None:
    assert len(CASES) >= 200
    assert len({case["id"] for case in CASES}) == len(CASES)
    kinds = Counter(case["expect"]["kind"] for case in CASES)
    judged = {"truncated", "empty"}  # no exception tells of these: faults.completeness finds them
    assert set(kinds) == set(KINDS) - judged
    assert len({case["wrapper"] for case in CASES}) >= 20
