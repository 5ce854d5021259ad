"""For tests of what is built on the router: scripted models, a manual clock, a check of the books.

router = scripted_router({"a": ["overloaded", "ok"], "b": ["ok"]})
assert ask(router).outcome.model == "b"
assert_books_balanced(router)
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any

from capability_router.address import Address
from capability_router.catalog.card import ModelCard
from capability_router.catalog.entry import Entry
from capability_router.catalog.registry import Registry
from capability_router.clock import Clock, ManualClock
from capability_router.execution.effects import Launch
from capability_router.execution.run import Run
from capability_router.faults.kinds import KINDS, Fault
from capability_router.money.price import Price
from capability_router.request import Finish, Reply, Request, Usage
from capability_router.router import Router

if TYPE_CHECKING:
    from capability_router.simulator import FaultScript

__all__ = [
    "FaultScript", "ManualClock", "ScriptedEndpoint", "ScriptedModel", "ask", "assert_books_balanced",
    "scripted_router",
]  # fmt: skip


def __getattr__(name: str) -> Any:
    if name == "FaultScript":  # at first use: the simulator is an extra
        from capability_router.simulator import FaultScript

        return FaultScript
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


class ScriptedFault(Exception):
    """Raised by a scripted model; carries the fault that it stands for."""

    def __init__(self, fault: Fault) -> None:
        super().__init__(fault.kind)
        self.fault = fault


@dataclass
class ScriptedModel:
    """A model that follows a script, one step per call; the last step repeats.

    Steps: "ok", "ok:the text", "empty", "silent" (no terminal reason), any fault kind ("overloaded",
    "rate_limited", ...), "cut:N" (connection lost after N chunks), "stop:N" (ends cleanly after N
    chunks without a terminal reason), a Fault, or a Reply. `delay_s` passes on the clock per call.
    """

    steps: Sequence[str | Fault | Reply]
    chunks: Sequence[str] = ("", "one ", "two ", "three")
    usage: Usage | None = field(default_factory=lambda: Usage(10, 3))
    delay_s: float = 0.0
    calls: int = field(default=0, init=False)

    def next_step(self) -> str | Fault | Reply:
        """The step of this call."""
        step = self.steps[min(self.calls, len(self.steps) - 1)]
        self.calls += 1
        return step


class ScriptedAttempt:
    """One call of a scripted model; its chunks are texts."""

    keeps_time = True  # the clock of a script moves only when it says so

    def abort(self) -> None:
        """It holds nothing."""

    def __init__(self, model: ScriptedModel, clock: Clock, stream: bool) -> None:
        self._model, self._clock, self._stream = model, clock, stream
        self._seen: list[str] = []
        self._reply = Reply()

    def chunks(self) -> Iterator[str]:
        """The chunks of this step, or its fault."""
        self._clock.sleep(self._model.delay_s)
        yield from self._play(self._model.next_step())

    async def achunks(self) -> AsyncIterator[str]:
        """The same, asynchronously."""
        await self._clock.asleep(self._model.delay_s)
        for chunk in self._play(self._model.next_step()):
            yield chunk

    def commits(self, chunk: str) -> bool:
        """Whether the chunk has text."""
        self._seen.append(chunk)
        return bool(chunk)

    def reply(self) -> Reply:
        """What was seen."""
        known = self._reply
        return replace(known, text="".join(self._seen)) if self._seen and not known.text else known

    def _play(self, step: str | Fault | Reply) -> Iterator[str]:
        if isinstance(step, Fault):
            raise ScriptedFault(step)
        if isinstance(step, Reply):
            self._reply = step
            yield step.text
            return
        word, _, detail = step.partition(":")
        if word in KINDS and word not in ("empty",):
            raise ScriptedFault(Fault(word, detail))
        yield from self._texts(word, detail)
        if word == "cut":
            raise ScriptedFault(Fault("connection", "reset"))
        finish = None if word in ("stop", "silent") else Finish.STOP
        self._reply = Reply(self._model.usage, finish, "".join(self._seen))

    def _texts(self, word: str, detail: str) -> Sequence[str]:
        if word == "empty":
            return [""]
        if word in ("cut", "stop"):
            return self._model.chunks[: int(detail)]
        texts = ["", detail] if detail else list(self._model.chunks)
        return texts if self._stream else ["".join(texts)]


class ScriptedEndpoint:
    """Scripted models by id, as the endpoint of a run."""

    def __init__(self, models: Mapping[str, ScriptedModel], clock: Clock, *, stream: bool = False) -> None:
        self.models, self._clock, self._stream = dict(models), clock, stream
        self.launches: list[Launch] = []

    def start(self, launch: Launch) -> ScriptedAttempt:
        """An attempt on the launch's model."""
        self.launches.append(launch)
        return ScriptedAttempt(self.models[launch.candidate.id], self._clock, self._stream)

    def fault(self, error: BaseException) -> Fault | None:
        """The scripted fault; any other error passes through."""
        return error.fault if isinstance(error, ScriptedFault) else None


def scripted_router(
    scripts: Mapping[str, Sequence[str | Fault | Reply] | ScriptedModel], *, clock: Clock | None = None,
    cards: Mapping[str, Mapping[str, Any]] | None = None, **settings: Any,
) -> Router:  # fmt: skip
    """A router over scripted models; its script is at `router.scripted`. Policy `single` unless stated.

    `cards`: id -> card fields; the default is a price of 1 and 2 USD per million tokens.
    """
    entries = []
    for name in scripts:
        fields: dict[str, Any] = {"price": Price(input_mtok=1, output_mtok=2), **dict((cards or {}).get(name, {}))}
        fields = {"provider": "scripted", "model": name, **fields}
        card = ModelCard(id=name, **fields)
        entries.append(Entry(card, None, Address(f"scripted:{name}", name, name)))
    router = Router(Registry(entries), clock=clock or ManualClock(), **{"policy": "single", **settings})
    models = {n: s if isinstance(s, ScriptedModel) else ScriptedModel(list(s)) for n, s in scripts.items()}
    router.scripted = models  # type: ignore[attr-defined]  # for the test's own reading
    return router


def ask(router: Router, request: Request | str = "hello", *, stream: bool = False) -> Run[str]:
    """Carry a request out on a scripted router and give its finished run; `run.answer` is the text."""
    if isinstance(request, str):
        request = Request((request,), stream=stream)
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=request.stream)  # type: ignore[attr-defined]  # set by scripted_router
    run = router.start(request, endpoint)
    run.answer = "".join(run)  # type: ignore[attr-defined]  # for the test's own reading
    return run


def assert_books_balanced(router: Any) -> None:
    """Nothing is under way, reserved, held or booked twice. Call it when the router is at rest.

    `router`: a Router, or an adapter that holds one (ChatRouter, RouterLLM).
    """
    router = router if isinstance(router, Router) else router.router
    total = router.ledger.total()
    assert router.ledger.unsettled == 0, f"{router.ledger.unsettled} launches were never settled"  # noqa: S101 - an assertion is what this function is
    assert router.ledger.refused_settlements == 0, "a launch was settled twice"  # noqa: S101 - see above
    assert router.budgets.reserved == 0, f"{router.budgets.reserved} picodollars are still reserved"  # noqa: S101 - see above
    busy = {row["model"]: row["in_flight"] for row in router.health() if row["in_flight"]}
    assert not busy, f"permits not given back: {busy}"  # noqa: S101 - see above
    by_model = router.ledger.total(by=("model",))
    assert sum(t.calls for t in by_model.values()) == total.calls, "the totals by model do not add up"  # noqa: S101 - see above
