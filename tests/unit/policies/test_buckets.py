"""One draw for all shares: even, below 1, and of its own for each name, seed and request."""

from __future__ import annotations

import pytest

from capability_router import Request, routing
from capability_router.policies.buckets import bucket, bucket_of, fraction


def test_the_highest_hash_is_below_one_and_the_lowest_is_zero() -> None:
    assert fraction(2**64 - 1) == 1.0 - 2.0**-53
    assert fraction(0) == 0.0
    assert fraction(1 << 63) == 0.5


def test_a_place_is_even_and_of_its_own() -> None:
    ids = [f"request {number}" for number in range(4_000)]
    at = [bucket(id, "canary", 0) for id in ids]
    assert sum(p < 0.1 for p in at) == pytest.approx(400, rel=0.15)
    for name, seed in (("shadow", 0), ("canary", 1)):
        both = sum(p < 0.1 and bucket(id, name, seed) < 0.1 for p, id in zip(at, ids, strict=True))
        assert both == pytest.approx(40, abs=25), "who is in one share is not thereby in another"


def test_a_session_counts_where_it_is_asked_for_and_never_passes_for_a_request() -> None:
    with routing(session="s"):
        one, two = Request(("a",)), Request(("b",))
    assert bucket_of(one, "n", None, sticky=True) == bucket_of(two, "n", 0, sticky=True)
    assert bucket_of(one, "n", None, sticky=False) != bucket_of(two, "n", None, sticky=False)
    assert bucket_of(one, "n", None, sticky=True) != bucket_of(Request(("a",), id="s"), "n", None, sticky=True)
