"""Requests whose chunks the test hands over itself, to a performance, to see what it does with them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from unit.execution.staged import Lender

from capability_router import Request, Usage
from capability_router.clock import ManualClock
from capability_router.execution.driving.effect_runner import EffectRunner
from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.request import Finish, Reply
from capability_router.testing import assert_books_balanced, scripted_router


class Spoken:
    """An attempt whose chunks the test hands over itself; "" is no content."""

    keeps_time = True

    def __init__(self, index: int) -> None:
        self.index = index
        self.seen: list[str] = []
        self.aborted = 0
        self.finish: Finish | None = Finish.STOP

    def commits(self, chunk: str) -> bool:
        self.seen.append(chunk)
        return bool(chunk)

    def abort(self) -> None:
        self.aborted += 1

    def reply(self) -> Reply:
        return Reply(text="".join(self.seen) or "not shown", usage=Usage(10, self.index), finish=self.finish)


class Failed(Exception):
    """A provider's fault of that kind."""

    def __init__(self, kind: str, cause: BaseException | None = None) -> None:
        super().__init__(kind)
        self.kind, self.cause = kind, cause


class Shown:
    """A performance of one request over models of these letters.

    `broken`: what starting an attempt raises; `lent`: its money comes from a store.
    """

    def __init__(
        self, ids: str = "ab", *, stream: bool = True, broken: Any = None, lent: bool = False,
        resumable: bool = False, limits_b: Mapping[str, int] | None = None, **settings: Any,
    ) -> None:  # fmt: skip
        self.clock = ManualClock()
        self.clock.sleep(100.0)
        cards: dict[str, dict[str, Any]] = {id: {"assistant_prefill": resumable} for id in ids}
        if limits_b is not None:
            cards["b"]["limits"] = limits_b
        self.router = scripted_router({id: ["ok"] for id in ids}, cards=cards, clock=self.clock, **settings)
        if lent:
            Lender(self.router.budgets)
        self.run = self.router.start(Request(("hello",), stream=stream, resumable=resumable), self)  # type: ignore[arg-type]
        self.show: EffectRunner[str] = EffectRunner(self.run._machine, self, self.clock)  # type: ignore[arg-type]
        self.broken: dict[int, Exception] = broken or {}
        self.attempts: dict[int, Spoken] = {}
        self.show.begin()

    def start(self, launch: Launch) -> Spoken:
        if launch.attempt in self.broken:
            raise self.broken[launch.attempt]
        return self.attempts.setdefault(launch.attempt, Spoken(launch.attempt))

    def fault(self, error: BaseException) -> Fault | None:
        return Fault(error.kind, error=error.cause) if isinstance(error, Failed) else None

    def started(self) -> list[int]:
        indexes = [index for index, _ in self.show.started()]
        for index in indexes:
            self.show.sends(index)
        return indexes

    def faults(self) -> list[tuple[str, str | None]]:
        assert_books_balanced(self.router)
        return [(r.model, r.fault) for r in self.run._machine.records]
