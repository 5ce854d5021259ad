"""Whole requests whose money a store lends: sync, async, given up meanwhile, resumed, hedged."""

from __future__ import annotations

import asyncio
import sqlite3
import threading
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import pytest

from capability_router import (
    AllCandidatesFailed,
    BudgetEvent,
    BudgetExceeded,
    ConfigError,
    Request,
    RouterBusy,
    StoreError,
    routing,
)
from capability_router.clock import ManualClock, SystemClock
from capability_router.execution.driving import borrowing
from capability_router.execution.effects import Effect, Fund, Launch
from capability_router.execution.events import AlarmRang, Began, Cancelled, Faulted, Funded
from capability_router.execution.machine import Execution
from capability_router.faults.kinds import Fault
from capability_router.money.budget.budgets import Budgets
from capability_router.request import Reply
from capability_router.router import Router
from capability_router.stores.base import BudgetBalance, LeaseClaim, LeaseGrant
from capability_router.stores.sqlite.database import CorruptStore
from capability_router.testing import ScriptedEndpoint, ask, assert_books_balanced, scripted_router

COST = 16e-6  # USD of a scripted answer
REQUEST = Request(("hi",), max_tokens=10)


def shared_router(url: str, scripts: Any = None, limit: float = 1.0, **settings: Any) -> Router:
    settings = {"budgets": [{"scope": "global", "limit_usd": limit, "window": "total"}], "store": url, **settings}
    return scripted_router(scripts or {"a": ["ok"]}, **settings)


async def aask(router: Router, request: Request = REQUEST) -> str:
    run = router.start(request, ScriptedEndpoint(router.scripted, router.clock, stream=request.stream))  # type: ignore[attr-defined]
    return "".join([chunk async for chunk in run])


class Slow:
    """A room whose claims wait until the test lets them go."""

    inline = False

    def __init__(self, budgets: Budgets) -> None:
        self._room, self.asked, self.go = budgets.room, threading.Event(), threading.Event()
        budgets.room = self  # type: ignore[assignment]

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        self.asked.set()
        assert self.go.wait(30)
        return self._room.claim(claim)

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        return self._room.standings(budgets)


def test_a_request_is_paid_for_out_of_the_store(url: str) -> None:
    first, second = shared_router(url), shared_router(url)
    assert ask(first).outcome.model == "a"
    assert asyncio.run(aask(second))
    assert asyncio.run(aask(first, Request(("hi",), stream=True, max_tokens=10)))
    for router in (first, second):
        assert_books_balanced(router)
        router.close()
    assert [row["spent_usd"] for row in first.budgets.rows()] == [pytest.approx(3 * COST)]
    assert ask(first).outcome.model == "a"  # a closed router can go on being used
    first.close()
    second.close()


def test_the_cap_is_shared_and_the_error_says_how_it_stands(url: str) -> None:
    first, second = shared_router(url, limit=5e-5), shared_router(url, limit=5e-5)
    ask(first, REQUEST)
    first.close()
    ask(second, REQUEST)
    with pytest.raises(BudgetExceeded) as caught:
        [ask(second, REQUEST) for _ in range(5)]
    error = caught.value
    assert error.limit_usd is not None
    assert error.limit_usd == error.spent_usd + error.reserved_usd + error.left_usd  # type: ignore[operator]
    assert float(error.spent_usd) >= COST  # type: ignore[arg-type]
    assert_books_balanced(second)
    second.close()


async def test_a_store_that_is_slow_does_not_stop_the_event_loop(url: str) -> None:
    router = shared_router(url)
    slow = Slow(router.budgets)
    task = asyncio.create_task(aask(router))
    await asyncio.to_thread(slow.asked.wait, 30)
    assert not task.done()
    slow.go.set()
    assert await task
    assert_books_balanced(router)
    router.close()


async def test_a_request_given_up_while_the_store_is_asked_leaves_nothing_reserved(url: str) -> None:
    router = shared_router(url)
    slow = Slow(router.budgets)
    task = asyncio.create_task(aask(router))
    await asyncio.to_thread(slow.asked.wait, 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    slow.go.set()
    with router.budgets._counter:  # once the thread is done
        pass
    assert await aask(router)
    assert_books_balanced(router)
    router.close()
    assert [row["reserved_usd"] for row in router.budgets.rows()] == [0.0]


@pytest.mark.parametrize("asking", ["sync", "async"])
def test_a_store_that_is_held_does_not_outlast_the_deadline(url: str, asking: str) -> None:
    """A backup may hold its file for long. What it lends too late is given back."""
    router = shared_router(url, clock=SystemClock())
    slow = Slow(router.budgets)
    with routing(deadline_s=0.2):
        request = Request(("hi",), max_tokens=10)
    with pytest.raises(RouterBusy, match="before the store of the budgets had answered"):
        ask(router, request) if asking == "sync" else asyncio.run(aask(router, request))
    assert router.scripted["a"].calls == 0  # type: ignore[attr-defined]
    slow.go.set()
    with router.budgets._counter:  # once the thread is done
        pass
    assert ask(router).outcome.model == "a"
    assert_books_balanced(router)
    router.close()
    assert [row["reserved_usd"] for row in router.budgets.rows()] == [0.0]


def test_a_store_that_answers_in_time_is_waited_for(url: str) -> None:
    router = shared_router(url, clock=SystemClock(), deadline_s=30.0)
    Slow(router.budgets).go.set()
    assert ask(router).outcome.model == "a"
    assert asyncio.run(aask(router))
    router.close()


def test_without_a_thread_for_it_the_store_is_asked_in_the_caller_s(url: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """The pool may have kept the work for a thread that it has later."""
    kept: list[Callable[[], None]] = []

    def none_left(work: Callable[[], None]) -> None:
        kept.append(work)
        raise RuntimeError("can't start new thread")

    router = shared_router(url, clock=SystemClock(), deadline_s=30.0)
    monkeypatch.setattr(borrowing._pool.threads, "submit", none_left)
    assert ask(router).outcome.model == "a"
    (later,) = kept
    later()
    assert_books_balanced(router)
    router.close()


def test_a_fallback_is_paid_for_too(url: str) -> None:
    router = shared_router(url, {"a": ["overloaded"], "b": ["ok"]}, retry={"per_target": 0})
    assert ask(router).outcome.model == "b"
    assert_books_balanced(router)
    router.close()


def test_a_stream_that_goes_on_elsewhere_is_paid_for_by_the_store(url: str) -> None:
    cards = {"a": {"assistant_prefill": True}, "b": {"assistant_prefill": True}}
    router = shared_router(url, {"a": ["cut:3"], "b": ["ok"]}, cards=cards, resume=True, retry={"per_target": 0})
    slow = Slow(router.budgets)
    slow.go.set()
    run = ask(router, Request(("hi",), stream=True, resumable=True, max_tokens=10))
    assert run.outcome.resumed == 1
    assert run.outcome.model == "b"
    assert_books_balanced(router)
    router.close()


def test_degrade_takes_what_fits_and_says_so(url: str) -> None:
    cards = {"dear": {"price": {"input_mtok": 100, "output_mtok": 100}}, "cheap": {}}
    budget = {"scope": "tenant:acme", "limit_usd": 0.0005, "on_exceed": "degrade"}
    router = shared_router(url, {"dear": ["ok"], "cheap": ["ok"]}, cards=cards, budgets=[budget])
    with routing(tenant="acme"):
        run = ask(router, Request(("hi",), max_tokens=10))
    assert run.outcome.model == "cheap"
    assert run.outcome.reason.startswith("the budget leaves out dear: tenant:acme: $0.0005 of $0.0005 left (total)")
    router.close()


def test_max_cost_counts_every_attempt_of_a_request() -> None:
    cards = {name: {"price": {"input_mtok": 1, "output_mtok": 100}} for name in "ab"}
    router = scripted_router({"a": ["cut:3"], "b": ["ok"]}, cards=cards, retry={"per_target": 0})
    with routing(max_cost_usd=0.0011), pytest.raises(AllCandidatesFailed, match=r"max_cost_usd \$0.0011: .* is spent"):
        ask(router, Request(("hi",), max_tokens=10))
    with routing(max_cost_usd=0.01):
        assert ask(router, Request(("hi",), max_tokens=10)).outcome.model == "b"
    assert_books_balanced(router)


def test_redis_that_is_away_refuses_or_lets_through_as_asked() -> None:
    url = "redis://me:geheim@127.0.0.1:1/0"
    closed, opened = shared_router(url), shared_router("", store={"url": url, "when_away": "fail_open"})
    heard: list[BudgetEvent] = []
    closed.on_budget(heard.append)
    with pytest.raises(
        BudgetExceeded, match=r"budgets can't be read; nothing was sent\..*redis://me:\*\*\*@127"
    ) as caught:
        ask(closed)
    assert [(event.kind, event.scope) for event in heard] == [("store_away", "redis://me:***@127.0.0.1:1/0")]
    assert "geheim" not in str(heard) + heard[0].told
    assert "geheim" not in str(caught.value) + repr(closed) + repr(closed.store) + repr(closed.settings)
    assert ask(opened).outcome.model == "a"
    with pytest.raises(StoreError, match="away"):
        opened.budgets.rows()
    for router in (closed, opened):
        assert_books_balanced(router)
        router.close()


def damaged(path: Path) -> bytes:
    """A store of our own of which a page is lost."""
    router = scripted_router({"a": ["ok"]}, store=f"sqlite:///{path}")
    ask(router)
    router.close()
    path.write_bytes(path.read_bytes()[:4096] + b"\xa5" * 40_960)
    return path.read_bytes()


def test_a_damaged_file_is_an_error_under_a_cap_and_moved_aside_without(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    held, url = damaged(path), f"sqlite:///{path}"
    router = shared_router(url)
    with pytest.raises(CorruptStore, match=r"router.db is damaged.*restore it from a copy"):
        ask(router)
    assert path.read_bytes() == held
    assert router.budgets.reserved == 0
    router = shared_router(url, budgets=[])
    assert ask(router).outcome.model == "a"
    router.close()
    (aside,) = tmp_path.glob("router.db.damaged-*")
    assert aside.read_bytes() == held
    assert router.ledger.total().calls == 1


def test_zeros_that_a_crash_left_are_moved_aside_too(tmp_path: Path) -> None:
    path = tmp_path / "router.db"
    path.write_bytes(bytes(8192))
    router = shared_router(f"sqlite:///{path}", budgets=[])
    ask(router)
    router.close()
    assert [p.read_bytes() for p in tmp_path.glob("*.damaged-*")] == [bytes(8192)]


def diary(path: Path) -> None:
    path.write_text("dear diary, " * 99)


def invoices(path: Path) -> None:
    connection = sqlite3.connect(path)
    connection.execute("CREATE TABLE invoices (id INTEGER)")
    connection.close()


def broken_invoices(path: Path) -> None:
    invoices(path)
    path.write_bytes(path.read_bytes()[:100] + b"\xa5" * 4000)


@pytest.mark.parametrize(
    ("made", "told"),
    [
        (diary, "is no SQLite database.*left as it was"), (invoices, "another program's tables.*left as it was"),
        (broken_invoices, "is damaged"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("budgets", [[], [{"scope": "global", "limit_usd": 1}]])
def test_somebody_else_s_file_is_neither_moved_nor_written(tmp_path: Path, made: Any, told: str, budgets: Any) -> None:
    path = tmp_path / "router.db"
    made(path)
    held = path.read_bytes()
    router = shared_router(f"sqlite:///{path}", budgets=budgets)
    with pytest.raises(StoreError, match=told):
        ask(router)
    router.close()
    assert {p.name: p.read_bytes() for p in tmp_path.iterdir()} == {"router.db": held}


def test_a_file_that_cannot_be_made_is_a_clear_error(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=r"no/router.db can't be used: No such file"):
        ask(shared_router(f"sqlite:///{tmp_path / 'no' / 'router.db'}"))
    with pytest.raises(StoreError, match="Is a directory"):
        ask(shared_router(f"sqlite:///{tmp_path}"))


def test_a_router_makes_its_files_with_its_first_request(tmp_path: Path) -> None:
    router = shared_router(f"sqlite:///{tmp_path / 'r.db'}", ledger={"store": f"sqlite:///{tmp_path / 'l.db'}"})
    router.explain(REQUEST)
    assert list(tmp_path.iterdir()) == []
    ask(router)
    assert {"r.db", "l.db"} <= {path.name for path in tmp_path.iterdir()}
    router.close()


@pytest.mark.parametrize("use", [lambda r: r.budgets.rows(), lambda r: r.ledger.total()])
def test_a_router_that_is_only_read_makes_its_file_then(tmp_path: Path, use: Any) -> None:
    router = shared_router(f"sqlite:///{tmp_path / 'r.db'}")
    use(router)
    assert (tmp_path / "r.db").exists()
    router.close()


@pytest.mark.parametrize(
    ("store", "told"),
    [
        ("sqlte:///x.db", "did you mean 'sqlite'"),
        ("sqlite://x.db", "must be a URL"),
        ("redis", r"must be a URL such as [^;]*$"),  # and no "did you mean 'redis'"
        (
            "redis://:geheim@h/0?tiemout=1&password=geheim",
            r"redis://:\*\*\*@h/0 is no URL .* options: tiemout, password;",
        ),
        ("redis://:geheim@[::1/0", r"redis://\.\.\. is no URL that Redis' client reads"),
        ({"url": "memory://", "lease": 5}, "store.lease: unknown key; did you mean 'lease_s'"),
        ({"url": "memory://", "when_away": "open"}, "when_away must be one of fail_closed, fail_open"),
        ({"url": "memory://", "lease_s": 0}, "lease_s must be a duration above 0"),
        (5, "store must be a mapping"),
    ],
)
def test_wrong_stores_are_told(store: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told) as caught:
        scripted_router({"a": ["ok"]}, store=store)
    assert "geheim" not in str(caught.value)


def test_a_router_without_caps_starts_no_thread(tmp_path: Path) -> None:
    router = scripted_router({"a": ["ok"]}, store=f"sqlite:///{tmp_path / 'r.db'}", clock=ManualClock())
    ask(router)
    assert not [t for t in threading.enumerate() if t.name == "router store sync"]
    router.close()


def machine_of(router: Router, request: Request) -> Execution:
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=request.stream)  # type: ignore[attr-defined]
    return router.start(request, endpoint)._machine


def lent(machine: Execution, effects: tuple[Effect, ...], at: float) -> tuple[Effect, ...]:
    """Perform the Fund that must be first."""
    fund = effects[0]
    assert isinstance(fund, Fund)
    fund.borrow()
    return machine.feed(Funded(at))


def launched(effects: tuple[Effect, ...]) -> list[str]:
    return [effect.candidate.id for effect in effects if isinstance(effect, Launch)]


def test_a_hedge_whose_money_is_not_at_hand_is_not_made_and_its_model_stays_a_fallback(url: str) -> None:
    router = shared_router(url, {"a": ["ok"], "b": ["ok"]}, hedge={"after_s": 1.0, "extra": 1.0}, limit=0.00016)
    for _ in range(2):
        ask(router, REQUEST)  # so that the hedges' own budget has earned one
    machine = machine_of(router, Request(("hi",), stream=True, max_tokens=10))
    assert launched(lent(machine, machine.feed(Began(0.0)), 0.0)) == ["a"]
    assert launched(machine.feed(AlarmRang(1.0))) == []
    assert launched(machine.feed(Faulted(2.0, 1, Fault("server_error", status=500), Reply()))) == ["b"]
    machine.feed(Cancelled(3.0))
    assert_books_balanced(router)
    router.close()


def test_a_hedge_whose_money_is_at_hand_is_made() -> None:
    router = shared_router("memory://", {"a": ["ok"], "b": ["ok"]}, hedge={"after_s": 1.0, "extra": 1.0})
    for _ in range(2):
        ask(router, REQUEST)
    machine = machine_of(router, Request(("hi",), stream=True, max_tokens=10))
    assert launched(machine.feed(Began(0.0))) == ["a"]
    assert launched(machine.feed(AlarmRang(1.0))) == ["b"]
    machine.feed(Cancelled(3.0))
    assert_books_balanced(router)


def test_a_machine_that_is_cancelled_while_it_waits_for_money_gives_everything_back(url: str) -> None:
    router = shared_router(url)
    machine = machine_of(router, REQUEST)
    (fund, *_) = machine.feed(Began(0.0))
    assert isinstance(fund, Fund)
    machine.feed(Cancelled(0.5))
    fund.borrow()  # the store's answer comes late
    assert machine.over is not None
    assert machine.feed(Funded(1.0)) == ()
    assert_books_balanced(router)
    router.close()


def test_money_that_comes_after_the_deadline_is_given_back(url: str) -> None:
    router = shared_router(url, deadline_s=1.0)
    machine = machine_of(router, REQUEST)
    effects = lent(machine, machine.feed(Began(0.0)), 2.0)
    assert launched(effects) == []
    assert machine.over is not None
    assert_books_balanced(router)
    router.close()


@pytest.mark.parametrize("kind", ["memory://", "sqlite"])
def test_explain_says_what_a_budget_would_leave_out(kind: str, tmp_path: Path) -> None:
    url = kind if kind == "memory://" else f"sqlite:///{tmp_path / 'r.db'}"
    cards = {"dear": {"price": {"input_mtok": 100, "output_mtok": 100}}, "cheap": {}}
    cap = {"scope": "tag:nightly", "limit_usd": 0.0005}
    for on_exceed, order in (("degrade", ["cheap", "dear"]), ("refuse", ["dear", "cheap"])):
        router = shared_router(
            url, {"dear": ["ok"], "cheap": ["ok"]}, cards=cards, budgets=[{**cap, "on_exceed": on_exceed}]
        )
        with routing(tags=["nightly"]):
            plan = router.explain(Request(("hi",), max_tokens=10))
        assert [c.id for c in plan.candidates] == order
        told = {c.id: c.held for c in plan.candidates}
        assert told["dear"].startswith("budget: tag:nightly: $0.0005 of $0.0005 left")
        assert told["cheap"] == ""
        assert ("would refuse" in plan.render()) == (on_exceed == "refuse")
        assert router.explain(Request(("hi",), max_tokens=10)).chosen.id == "dear"
        assert router.budgets.reserved == 0
        router.close()


def test_feedback_on_an_id_that_no_store_can_hold_is_that_of_an_unknown_one(url: str) -> None:
    router = shared_router(url, policy={"name": "adaptive", "state": "store"})
    with pytest.raises(ConfigError, match="no such answered request"):
        router.feedback("\ud83d", 1.0)
    router.close()
