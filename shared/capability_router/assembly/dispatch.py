"""Makes a request's machine from its plan: what all requests of one router share in being carried out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from capability_router.catalog.registry import Registry
from capability_router.execution.bookkeeper import Bookkeeper
from capability_router.execution.execution_limits import ExecutionLimits
from capability_router.execution.hedge import Hedging
from capability_router.execution.machine import Execution
from capability_router.execution.retry import RetryBudget
from capability_router.execution.target_selector import AdmissionControl, TargetSelector
from capability_router.execution.wait_queue import WaitQueue
from capability_router.health.board import HealthBoard
from capability_router.plan import Plan
from capability_router.request import Request

if TYPE_CHECKING:
    from capability_router.config import Settings


class Dispatch:
    """The limits, the queue of those who wait, and the budgets for second attempts."""

    def __init__(self, settings: Settings, registry: Registry, board: HealthBoard) -> None:
        s, retry = settings, settings.retry
        self._board = board
        self._limits = ExecutionLimits(
            retry.attempts, retry.per_target, retry.wait, retry.max_wait_s, s.deadline_s, s.timeouts,
            s.on_content_filter,
        )  # fmt: skip
        self.queue = WaitQueue(retry.max_waiting)
        self._retries = RetryBudget(retry.budget_ratio, retry.budget_floor)
        self.hedging = Hedging(s.hedge.after_s, s.hedge.extra, board.usual_silence_s) if s.hedge.on else None
        self._continuing = {card.id for card in registry.cards if s.resume and card.assistant_prefill}
        self._keys = {entry.card.id: entry.key_variable for entry in registry if entry.key_variable}
        self.finish_reason_models = {entry.card.id for entry in registry if entry.gives_reason}
        self.unary_reason_models: set[str] = set()
        """Models whose whole replies state a finish reason. Many packages drop it from streams."""

    def wait_s(self, id: str, priority: str, now: float, alone_s: float) -> float:
        """Seconds that a newcomer waits for a model, behind those that wait already; `alone_s`: without these."""
        ahead = self.queue.ahead_of_newcomer(id, priority, now)
        return self._board.wait_s(id, now, ahead) if ahead else alone_s

    def machine(
        self, request: Request, plan: Plan, books: Bookkeeper, gate: AdmissionControl | None = None
    ) -> Execution:
        """For one request, which earns its share of second attempts. `gate` admits in the board's place."""
        self._retries.earn()
        if self.hedging is not None:
            self.hedging.budget.earn()
        limits = self._limits.under(request.routing.deadline_s)
        targets = TargetSelector(
            plan.candidates, gate or self._board, limits, self._retries, plan.input_tokens, self.queue,
            request.routing.priority, self._continuing if request.resumable else (), self._keys, plan.second,
        )  # fmt: skip
        return Execution(
            plan,
            limits,
            targets,
            self._board,
            books,
            request.stream,
            self.finish_reason_models,
            self.unary_reason_models,
            None if request.shown_live else self.hedging,
            request.brought,
            request.prepared_s,
        )
