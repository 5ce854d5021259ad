"""The store of one router in one process: gone when it ends."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from itertools import islice
from uuid import uuid4

from capability_router.concurrency.latch import Latch
from capability_router.stores.base import BudgetBalance, BudgetPeriod, LeaseClaim, LeaseGrant
from capability_router.stores.lending import BudgetState, lend, window_is_current
from capability_router.stores.lessons import (
    ANSWERS_KEPT,
    NONE,
    LessonEntry,
    LessonLine,
    LogHead,
    LogPage,
    LogSummary,
    ScorableAnswer,
)


class MemoryBudgets:
    """Pots in this process, lent whole: there is one holder only, the router's budgets."""

    inline = True

    def __init__(self, unix: Callable[[], float]) -> None:
        self._unix = unix
        self._pots: dict[tuple[str, str], tuple[BudgetPeriod, BudgetState]] = {}
        self._many = 64  # so many pots are looked through for some to forget

    def claim(self, claim: LeaseClaim) -> LeaseGrant:
        """See BudgetRoom. Its one holder calls it under a lock of its own."""
        pot, now = claim.pot, self._unix()
        found = self._pots.get((pot.budget, pot.window))
        till = found[1] if found is not None else BudgetState()
        self._pots[pot.budget, pot.window] = pot, till
        if len(self._pots) >= self._many:
            self._forget(now)
        return lend(till, claim, now, 1)

    def standings(self, budgets: Iterable[str] = ()) -> list[BudgetBalance]:
        """See BudgetRoom."""
        now, names = self._unix(), set(budgets)
        rows = []
        for pot, till in list(self._pots.values()):
            if (not names or pot.budget in names) and window_is_current(pot, now):
                till.turn(pot, now)
                total, reserved = till.total(), till.reserved(now)
                rows.append(BudgetBalance(pot.budget, pot.window, pot.limit, total, reserved, now, till.resets_at(pot)))
        return rows

    def _forget(self, now: float) -> None:
        """Drop the pots of windows that are over. One yet to begin comes again: the clock was set back."""
        for key in [key for key, (pot, _) in self._pots.items() if pot.ends is not None and pot.ends <= now]:
            del self._pots[key]
        self._many = 2 * len(self._pots) + 64


class _Log:
    """One log of lessons."""

    def __init__(self) -> None:
        self.head = LogHead(uuid4().hex)
        self.entries: deque[LessonEntry] = deque()
        self.numbers: dict[str, int] = {}
        self.text = ""


class MemoryLessons:
    """Logs in this process."""

    def __init__(self) -> None:
        self._logs: dict[str, _Log] = {}
        self._answers: dict[str, OrderedDict[str, str]] = {}
        self._lock = Latch()

    def append(self, name: str, writer: str, lines: Sequence[LessonLine]) -> None:
        """See LessonRoom."""
        with self._lock:
            log = self._logs.setdefault(name, _Log())
            for number, text in lines:
                if number > log.numbers.get(writer, 0):
                    log.numbers[writer] = number
                    log.head = log.head._replace(last=log.head.last + 1)
                    log.entries.append(LessonEntry(log.head.last, writer, number, text))

    def since(self, name: str, place: int, most: int) -> LogPage:
        """See LessonRoom."""
        with self._lock:
            log = self._logs.get(name)
            if log is None:
                return LogPage(LogHead(), [])
            return LogPage(log.head, list(islice((e for e in log.entries if e.place > place), most)))

    def summary(self, name: str) -> LogSummary | None:
        """See LessonRoom."""
        with self._lock:
            log = self._logs.get(name)
            return None if log is None or log.head.summed == NONE else LogSummary(*_place(log.head), log.text)

    def sum_up(self, name: str, summary: LogSummary, before: int) -> bool:
        """See LessonRoom."""
        with self._lock:
            log = self._logs.setdefault(name, _Log()) if not summary.epoch else self._logs.get(name)
            if log is None or log.head.summed != before or summary.epoch not in ("", log.head.epoch):
                return False
            log.head, log.text = log.head._replace(summed=summary.place), summary.text
            while log.entries and log.entries[0].place <= summary.place:
                log.entries.popleft()
            return True

    def keep(self, name: str, answers: Sequence[ScorableAnswer]) -> None:
        """See LessonRoom."""
        with self._lock:
            known = self._answers.setdefault(name, OrderedDict())
            for id, text in answers:
                known[id] = text
                known.move_to_end(id)
            while len(known) > ANSWERS_KEPT:
                known.popitem(last=False)

    def kept(self, name: str, id: str) -> str | None:
        """See LessonRoom."""
        with self._lock:
            known = self._answers.get(name)
            return None if known is None else known.get(id)


def _place(head: LogHead) -> tuple[str, int]:
    return head.epoch, head.summed


class MemoryStore:
    """`memory://`."""

    name = "memory://"
    calls = None  # the ledger has books of its own in memory
    reports = None  # no other process sees it

    def __init__(self, unix: Callable[[], float]) -> None:
        self.budgets = MemoryBudgets(unix)
        self.lessons = MemoryLessons()

    def open(self) -> None:
        """There is nothing to make ready."""

    def close(self) -> None:
        """There is nothing to close."""

    def __repr__(self) -> str:
        return "<MemoryStore>"
