"""One running request: iterate over it once, sync or async, then read its outcome."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Callable, Generator, Iterable
from typing import Generic, Protocol, TypeVar

from capability_router.clock import Clock
from capability_router.execution.driving.drivers import adrive, drive
from capability_router.execution.endpoint import Endpoint
from capability_router.execution.machine import Execution
from capability_router.plan import Candidate, Plan
from capability_router.request import Outcome, Reply, Request

C = TypeVar("C")


class CallerTrace(Protocol):
    """What tracing needs to know of the code that made the request."""

    def asks(
        self, models: Iterable[tuple[str, object]], handlers: Iterable[object] = (), run_id: object = None
    ) -> None:
        """Set the models that may be called, as (id, model), and in LangChain the callback handlers and run id."""
        ...

    def entered(self) -> None:
        """The iteration begins, in the current context."""
        ...


class Run(Generic[C]):
    """The chunks of the answer. A second iteration raises RuntimeError.

    `outcome` is set when the run is over, also after an error or `close()`.
    """

    def __init__(
        self, request: Request, plan: Plan, machine: Execution, endpoint: Endpoint[C], clock: Clock,
        on_end: Callable[[Run[C]], None],
    ) -> None:  # fmt: skip
        self.request, self.plan = request, plan
        self._machine, self._endpoint, self._clock, self._on_end = machine, endpoint, clock, on_end
        self._begun = False
        self.caller: CallerTrace | None = None  # only with tracing

    def __iter__(self) -> Generator[C, None, None]:
        self._begin()
        return drive(self._machine, self._endpoint, self._clock, self._over)

    def __aiter__(self) -> AsyncGenerator[C, None]:
        self._begin()
        return adrive(self._machine, self._endpoint, self._clock, self._over)

    def _over(self) -> None:
        self._on_end(self)

    def _begin(self) -> None:
        if self._begun:
            raise RuntimeError(f"{self!r} was iterated before; start another for another answer")
        self._begun = True
        if self.caller is not None:
            self.caller.entered()

    @property
    def outcome(self) -> Outcome | None:
        """The result of the request; None while it runs."""
        over = self._machine.over
        return over.outcome if over is not None else None

    @property
    def attempt(self) -> int | None:
        """The number of the attempt that answers, from 1; None until it is known."""
        return self._machine.committed

    @property
    def begun(self) -> tuple[int, str]:
        """The number of interrupted attempts before the one that continues the answer, and the text they gave."""
        return self._machine.begun

    @property
    def attempts(self) -> int:
        """The number of attempts launched so far."""
        return len(self._machine.records) + (0 if self._machine.over else 1)

    @property
    def candidate(self) -> Candidate | None:
        """The candidate that answers; None until it is known."""
        return self._machine.candidate

    @property
    def reply(self) -> Reply:
        """The answering attempt's reply, once the run is over."""
        return self._machine.reply

    def __repr__(self) -> str:
        return f"<Run {self.request.id} {'over' if self.outcome else 'running'}>"
