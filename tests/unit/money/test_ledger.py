import threading
from decimal import Decimal

import pytest

from capability_router import ConfigError, Usage
from capability_router.money.ledger import Call, Ledger, Line


def call(request_id="r", attempt=1, model="a", cost=10**9, tenant="t", tags=("x",), estimated=False, **rest) -> Call:
    fields = {"task": "chat", "chain": "c", "framework": "langchain", "fault": None, "at": 1.0, "provider": "p"} | rest
    return Call(
        request_id,
        attempt,
        model,
        tenant=tenant,
        tags=tags,
        usage=Usage(10, 5, estimated=estimated),
        cost_pico=cost,
        **fields,
    )


def booked(*calls: Call) -> Ledger:
    ledger = Ledger()
    for c in calls:
        ledger.open(Line(c.request_id, c.attempt))
        ledger.settle(c)
    return ledger


def test_a_launch_is_booked_once() -> None:
    ledger = booked(call())
    ledger.settle(call())
    assert (ledger.total().calls, ledger.refused_settlements, ledger.unsettled) == (1, 1, 0)


def test_a_launch_that_was_never_opened_is_refused() -> None:
    ledger = Ledger()
    ledger.settle(call())
    assert ledger.total().calls == 0


def test_totals_by_several_dimensions() -> None:
    ledger = booked(call("1"), call("2", tenant="u", model="b", cost=5), call("3", tenant="u"))
    assert ledger.total(by=("tenant", "model")) == {
        ("t", "a"): ledger.total(by=("tenant",))[("t",)],
        ("u", "a"): ledger.total(by=("tenant", "model"))[("u", "a")],
        ("u", "b"): ledger.total(by=("model",))[("b",)],
    }
    assert ledger.total().cost_usd == Decimal(2 * 10**9 + 5).scaleb(-12)


def test_a_call_counts_once_for_each_of_its_tags() -> None:
    by_tag = booked(call("1", tags=("x", "y")), call("2", tags=())).total(by=("tag",))
    assert {group: total.calls for group, total in by_tag.items()} == {("",): 1, ("x",): 1, ("y",): 1}


def test_unknown_price_and_estimates_are_told_apart() -> None:
    total = booked(call("1", cost=None), call("2", estimated=True, cost=7)).total()
    assert (total.unpriced, total.estimated_usd, total.cost_usd) == (1, Decimal(7).scaleb(-12), Decimal(7).scaleb(-12))


def test_unknown_dimension() -> None:
    with pytest.raises(ConfigError, match="tenantt"):
        Ledger().total(by=("tenantt",))


def test_threads_book_exactly() -> None:
    ledger = Ledger(keep=10)

    def work(n: int) -> None:
        for i in range(500):
            ledger.open(Line(f"{n}-{i}", 1))
            ledger.settle(call(f"{n}-{i}", cost=i))
            ledger.settle(call(f"{n}-{i}", cost=i))

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    [t.start() for t in threads]
    [t.join() for t in threads]
    assert ledger.total().calls == 4_000
    assert ledger.total().cost_usd == Decimal(8 * sum(range(500))).scaleb(-12)
    assert (ledger.refused_settlements, ledger.unsettled, len(ledger.calls())) == (4_000, 0, 10)


def test_a_tag_given_twice_counts_once() -> None:
    assert booked(call("1", tags=("x", "x"))).total(by=("tag",))[("x",)].calls == 1
