"""The machine by itself: a test tells it what happened and when, and reads what it wants done. Nothing is performed."""

from __future__ import annotations

from collections.abc import Iterable
from copy import copy
from typing import Any

from capability_router import Request, StoreError, Usage
from capability_router.execution.effects import Effect, Fund, Timeouts
from capability_router.execution.events import (
    AlarmRang,
    Began,
    Cancelled,
    ChunkArrived,
    Completed,
    Event,
    Faulted,
    Funded,
    SentLate,
)
from capability_router.faults.kinds import Fault
from capability_router.money.budget.budgets import Budgets
from capability_router.request import AttemptRecord, Finish, Outcome, Reply
from capability_router.stores.base import BudgetBalance, LeaseClaim, LeaseGrant
from capability_router.testing import ScriptedEndpoint, assert_books_balanced, scripted_router

NO_CLOCK = Timeouts()
GOOD = Reply(text="text", usage=Usage(10, 3), finish=Finish.STOP)
NONE = Reply()
CUT = Fault("connection", "reset")
HEDGE = {"on": True, "after_s": 2.0, "extra": 1.0}


class Stage:
    """One request over models of that many letters, under the real board, ledger and budgets. It begins at 100 s."""

    def __init__(
        self, ids: str = "abc", *, stream: bool = True, resumable: bool = False, able: str = "", **settings: Any
    ) -> None:
        cards = {id: {"assistant_prefill": id in able, **settings.pop(f"card_{id}", {})} for id in ids}
        self.router = scripted_router({id: ["ok"] for id in ids}, cards=cards, **settings)
        self._asks(stream, resumable)

    def _asks(self, stream: bool, resumable: bool) -> None:
        endpoint = ScriptedEndpoint({}, self.router.clock, stream=stream)
        self.run = self.router.start(Request(("hello",), stream=stream, resumable=resumable), endpoint)
        self.machine = self.run._machine

    def again(self, *, stream: bool = True, resumable: bool = False) -> Stage:
        """Another request over the same router."""
        stage = copy(self)
        stage._asks(stream, resumable)
        return stage

    def feed(self, event: Event) -> tuple[Effect, ...]:
        return self.machine.feed(event)

    def begin(self, at: float = 100.0) -> tuple[Effect, ...]:
        return self.feed(Began(at))

    def sent_late(self, at: float, attempt: int = 1) -> tuple[Effect, ...]:
        return self.feed(SentLate(at, attempt))

    def chunk(self, at: float, attempt: int = 1, **others: Reply) -> tuple[Effect, ...]:
        return self.feed(ChunkArrived(at, attempt, _numbered(others)))

    def completed(self, at: float, attempt: int = 1, reply: Reply = GOOD, **others: Reply) -> tuple[Effect, ...]:
        return self.feed(Completed(at, attempt, reply, _numbered(others)))

    def faulted(
        self, at: float, attempt: int = 1, fault: str | Fault = "overloaded", reply: Reply = NONE, **others: Reply
    ) -> tuple[Effect, ...]:
        fault = Fault(fault) if isinstance(fault, str) else fault
        return self.feed(Faulted(at, attempt, fault, reply, _numbered(others)))

    def funded(self, at: float, effects: tuple[Effect, ...]) -> tuple[Effect, ...]:
        """Perform the Fund that is first among these, and say so."""
        assert isinstance(effects[0], Fund)
        effects[0].borrow()
        return self.feed(Funded(at))

    def rang(self, at: float, **replies: Reply) -> tuple[Effect, ...]:
        return self.feed(AlarmRang(at, _numbered(replies)))

    def cancelled(self, at: float, **replies: Reply) -> tuple[Effect, ...]:
        return self.feed(Cancelled(at, _numbered(replies)))

    @property
    def outcome(self) -> Outcome:
        assert self.machine.over is not None
        assert_books_balanced(self.router)
        assert sorted(call.attempt for call in self.router.ledger.calls()) == [r.index for r in self.records]
        return self.machine.over.outcome

    @property
    def error(self) -> BaseException | None:
        assert self.machine.over is not None
        return self.machine.over.error

    @property
    def records(self) -> list[AttemptRecord]:
        return self.machine.records


class Lender:
    """A room of money that is asked as one far away is: not while a launch is being decided. `away` = it fails."""

    inline = False

    def __init__(self, budgets: Budgets) -> None:
        self._room, self.away, self.asked = budgets.room, False, 0
        budgets.room = self

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        self.asked += 1
        if self.away:
            raise StoreError("away")
        return self._room.claim(claim)

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        return self._room.standings(budgets)


def _numbered(replies: dict[str, Reply]) -> dict[int, Reply]:
    """`_2=reply` -> {2: reply}."""
    return {int(name[1:]): reply for name, reply in replies.items()}


def told(effects: tuple[Effect, ...]) -> list[Any]:
    """Effects as ("launch", 1, "a", "timeout"), ("alarm", 105.0), ("deliver", 1), ("abort", 1),
    ("fund",), ("finish", "a").
    """
    return [_told(effect) for effect in effects]


def _told(effect: Any) -> tuple[Any, ...]:
    name = type(effect).__name__
    if name == "Launch":
        return ("launch", effect.attempt, effect.candidate.id, effect.after)
    if name == "Conclude":
        return ("finish", effect.outcome.model)
    if name == "Fund":
        return ("fund",)
    if name == "SetAlarm":
        return ("alarm", effect.at)
    return (name.lower(), effect.attempt)
