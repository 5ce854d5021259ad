"""What a plan tells beside the order: made when it is read, once, and equal to a tuple."""

import copy

from capability_router.money.price import Price
from capability_router.policies.base import Terms
from capability_router.policies.lazy_tuple import LazyTuple
from capability_router.request import Request
from capability_router.testing import ask, scripted_router


def test_they_are_made_once_and_when_they_are_read() -> None:
    asked: list[int] = []

    def make() -> Terms:
        asked.append(1)
        return (("price", 0.5), ("weight", 0.25))

    figures = LazyTuple(make)
    assert not asked
    assert dict(figures) == {"price": 0.5, "weight": 0.25}
    assert (len(figures), figures[0], figures[1:]) == (2, ("price", 0.5), (("weight", 0.25),))
    assert asked == [1]


def test_they_pass_for_a_tuple() -> None:
    figures = LazyTuple(lambda: (("price", 0.5),))
    assert figures == (("price", 0.5),)
    assert (hash(figures), repr(figures)) == (hash((("price", 0.5),)), "(('price', 0.5),)")
    assert copy.copy(figures) == (("price", 0.5),)
    assert (figures + (1,), (1,) + figures) == ((("price", 0.5), 1), (1, ("price", 0.5)))  # noqa: RUF005
    assert type(figures + figures) is tuple


def test_a_plan_tells_those_of_its_own_request_after_others_have_moved_the_price() -> None:
    """Of a first request no cost is booked yet: what later ones took may not show in its figures."""
    router = scripted_router(
        {"a": ["ok"], "b": ["ok"]}, policy={"name": "adaptive", "cost_target_usd": 0.001},
        cards={name: {"price": Price(1, 2)} for name in "ab"},
    )  # fmt: skip
    first = router.explain(Request(("hello",)))
    for _ in range(3):
        ask(router)
    assert "cost_target_usd_now" not in dict(first.settings)
    assert "cost_target_usd_now" in dict(router.explain(Request(("hello",))).settings)
