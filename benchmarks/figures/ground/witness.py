"""What is seen from outside of each request, and whether it is as promised. A broken promise is an AssertionError."""

from __future__ import annotations

from collections import Counter
from typing import Any

from capability_router.errors import AllCandidatesFailed, StreamInterrupted
from capability_router.execution.effects import Launch
from capability_router.money.price import usd
from capability_router.router import Router
from capability_router.testing import assert_books_balanced

from .virtual_fleet import PIECES

MOST_ATTEMPTS = 4


class Witness:
    """Counts, and checks each launch and each end as it comes."""

    def __init__(self, router: Router) -> None:
        self._router = router
        self.asked = self.refused = self.answered = self.failed = self.cancelled = self.interrupted = 0
        self.launches = self.hedges = 0
        self.kinds: Counter[str] = Counter()
        self._permits, self._deadline_s = router.board.config.half_open_permits, router.settings.deadline_s
        self._purses = router.budgets.leases if router.budgets.any else tuple
        self._breakers = [lane.breaker for lane in router.board._lanes.values()]

    @property
    def over(self) -> int:
        """Requests that have ended, one way or another."""
        return self.refused + self.answered + self.failed + self.cancelled

    def launched(self, journey: Any, launch: Launch, now: float) -> None:
        """A call begins."""
        self.launches += 1
        if launch.after == "silence":
            self.hedges += 1
        machine = journey.run._machine
        assert launch.attempt == machine.launched <= MOST_ATTEMPTS, "an attempt too many"
        assert machine.over is None, "launched after the end"
        assert not journey.given, "launched after the answer had begun"
        limit = journey.run.request.routing.deadline_s or self._deadline_s
        assert limit is None or now < journey.began + limit, "launched after the deadline"
        permits = self._permits
        for breaker in self._breakers:
            assert 0 <= breaker.probing <= permits, "probes beyond the permits"
        for purse in self._purses():
            assert purse.all_spent + purse.all_reserved <= purse.limit, "a cap was exceeded"
            assert purse.held + purse.spent - purse.reported <= purse.lent, "more is held than was lent"

    def ended(self, journey: Any, now: float, *, cancelled: bool) -> None:
        """A request is over: its outcome, its text and its error must be of one piece."""
        machine, given = journey.run._machine, journey.given
        outcome, error = machine.over.outcome, machine.over.error
        assert len(outcome.attempts) == machine.launched, "an attempt was lost"
        assert machine.committed is None or not machine._runs, "an attempt is still in flight"
        if cancelled:
            self.cancelled += 1
            assert error is None
            assert outcome.model is None
        elif error is None:
            self.answered += 1
            self._whole(journey, outcome)
        else:
            self.failed += 1
            self.kinds[type(error).__name__] += 1
            assert outcome.model is None
            self._broken(error, given)
        deadline = machine._deadline
        assert now <= deadline + 1e-6, f"ended {now - deadline} s after its deadline"

    def _whole(self, journey: Any, outcome: Any) -> None:
        text, given = journey.sim.providers[outcome.model].text, "".join(journey.given)
        if not given:  # an answer of nothing is handed on when no better one was found
            assert any(a.fault == "empty" for a in outcome.attempts), "an answer of nothing"
        elif journey.ask.request.stream or outcome.finish is not None:
            assert given == text * PIECES, f"{outcome.model} gave {given!r} for the whole"
        else:  # a unary reply that is short and says nothing of it can't be known
            assert given in (text, text * 2), f"{outcome.model} gave {given!r}"

    def _broken(self, error: Any, given: list[str]) -> None:
        if isinstance(error, StreamInterrupted):
            self.interrupted += 1
            assert given, "interrupted before anything was given"
            assert error.partial == "".join(given), "the partial text is another than was given"
        else:
            assert not given, "text was given and then lost"
        if isinstance(error, AllCandidatesFailed):
            assert error.failures, "failed, but nothing is told of it"

    def at_rest(self, providers: Any) -> None:
        """After the last end: everything is given back, and the books are the providers'."""
        router, providers = self._router, list(providers)
        assert self.over == self.asked, f"{self.asked} asked, {self.over} ended"
        assert_books_balanced(router)
        assert router.board.settled_twice == 0, "a permit was settled twice"
        assert not any(p.in_flight for p in providers), "a call was left open"
        total = router.ledger.total()
        calls = sum(p.calls for p in providers)
        assert total.calls == calls == self.launches, f"{calls} calls, {total.calls} booked, {self.launches} launched"
        billed = sum(p.billed for p in providers)
        assert total.cost_usd - total.estimated_usd == usd(billed), "the ledger is not the sum of the bills"
