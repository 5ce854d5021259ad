"""Models whose answers come when the test lets them: threads and tasks wait at a gate, nothing is timed."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import AsyncIterator, Iterator, Sequence
from typing import Any

from capability_router.execution.effects import Launch
from capability_router.faults.kinds import Fault
from capability_router.request import Finish, Reply, Usage


class GatedModel:
    """Gives its chunks, each behind a gate that is open unless its index is among `shut`; a Fault is raised.

    `opens`: the model whose gates open when this one is called.
    """

    def __init__(
        self, chunks: Sequence[str | Fault | BaseException], shut: Sequence[int] = (), *, opens: Any = None
    ) -> None:
        self.chunks, self._opens = chunks, opens
        self.gates = {i: threading.Event() for i in shut}
        self.reached = threading.Event()  # set when a call has come to a gate
        self.calls = self.closed = self.aborted = 0

    def begin(self) -> None:
        self.calls += 1
        if self._opens is not None:
            self._opens.open()

    def open(self) -> None:
        for gate in self.gates.values():
            gate.set()


class GatedAttempt:
    """One call. It keeps no time: that is for the drivers."""

    keeps_time = False

    def __init__(self, model: GatedModel, stream: bool) -> None:
        self._model, self._stream = model, stream
        self._seen: list[str] = []
        self._ended = False

    def chunks(self) -> Iterator[str]:
        self._model.begin()
        try:
            for i, step in enumerate(self._steps()):
                if i in self._model.gates:
                    self._model.reached.set()
                    self._model.gates[i].wait(20)
                yield _given(step)
            self._ended = True
        finally:
            self._model.closed += 1

    async def achunks(self) -> AsyncIterator[str]:
        self._model.begin()
        try:
            for i, step in enumerate(self._steps()):
                while i in self._model.gates and not self._model.gates[i].is_set():  # noqa: ASYNC110 - a gate is opened by any thread
                    await asyncio.sleep(0.001)
                yield _given(step)
            self._ended = True
        finally:
            self._model.closed += 1

    def _steps(self) -> Sequence[Any]:
        texts = [step for step in self._model.chunks if isinstance(step, str)]
        return self._model.chunks if self._stream or len(texts) < len(self._model.chunks) else ["".join(texts)]

    def abort(self) -> None:
        self._model.aborted += 1

    def commits(self, chunk: str) -> bool:
        self._seen.append(chunk)
        return bool(chunk)

    def reply(self) -> Reply:
        done = Finish.STOP if self._ended else None
        return Reply(usage=Usage(10, 3) if self._ended else None, finish=done, text="".join(self._seen))


class Raised(Exception):
    """Carries a fault."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


def _given(step: str | Fault | BaseException) -> str:
    if isinstance(step, Fault):
        raise Raised(step)
    if isinstance(step, BaseException):
        raise step
    return step


class GatedEndpoint:
    """Gated models by id."""

    def __init__(self, models: dict[str, GatedModel], *, stream: bool) -> None:
        self.models, self._stream = models, stream
        self.launches: list[Launch] = []

    def start(self, launch: Launch) -> GatedAttempt:
        self.launches.append(launch)
        return GatedAttempt(self.models[launch.candidate.id], self._stream)

    def fault(self, error: BaseException) -> Fault | None:
        return error.fault if isinstance(error, Raised) else None
