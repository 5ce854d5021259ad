"""What an awaited call of the router costs the event loop: no more tasks and callbacks than its model's own call."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest
from adapters.langchain.fakes import Scripted
from langchain_core.callbacks import AsyncCallbackHandler

from langchain_router import AllCandidatesFailed, ChatRouter


class Loop(asyncio.SelectorEventLoop):
    """Counts the callbacks that it is given, and the tasks among them."""

    callbacks = tasks = 0

    def call_soon(self, *given: Any, **options: Any) -> asyncio.Handle:
        self.callbacks += 1
        return super().call_soon(*given, **options)

    def create_task(self, *given: Any, **options: Any) -> asyncio.Task[Any]:
        self.tasks += 1
        return super().create_task(*given, **options)


@pytest.fixture
def loop() -> Any:
    made = Loop()
    yield made
    made.run_until_complete(made.shutdown_asyncgens())
    made.close()


def counted(loop: Loop, model: Any) -> tuple[int, int]:
    """Callbacks and tasks of its second call; the first one makes what stays."""
    loop.run_until_complete(model.ainvoke("hi"))
    loop.callbacks = loop.tasks = 0
    assert loop.run_until_complete(model.ainvoke("hi")).content == "a b c"
    return loop.callbacks, loop.tasks


@pytest.mark.parametrize("settings", [{}, {"timeouts": {"total": 20}}], ids=["no clock", "a clock"])
def test_no_more_than_the_model_alone(loop: Loop, settings: dict[str, Any]) -> None:
    turns, tasks = counted(loop, ChatRouter([Scripted()], **settings))
    alone = counted(loop, Scripted())
    assert turns <= alone[0]  # one fewer: a model without asyncio has no executor's future beside its own
    assert tasks <= alone[1]


def test_whoever_listens_is_told_all_the_same(loop: Loop) -> None:
    class Listener(AsyncCallbackHandler):
        def __init__(self) -> None:
            self.heard: list[str] = []

        async def on_chain_start(self, *_: Any, **__: Any) -> None:
            self.heard.append("start")

        async def on_chain_end(self, *_: Any, **__: Any) -> None:
            self.heard.append("end")

        async def on_chain_error(self, *_: Any, **__: Any) -> None:
            self.heard.append("error")

    good, bad = Listener(), Listener()
    loop.run_until_complete(ChatRouter([Scripted()]).ainvoke("hi", {"callbacks": [good]}))
    broken = ChatRouter([Scripted(script=[ValueError("broken")])])
    with pytest.raises(AllCandidatesFailed):
        loop.run_until_complete(broken.ainvoke("hi", {"callbacks": [bad]}))
    assert (good.heard, bad.heard) == (["start", "end"], ["start", "error"])


def test_of_many_at_once_all_are_planned_and_then_all_sent(loop: Loop, monkeypatch: pytest.MonkeyPatch) -> None:
    """And each is planned after those before it were admitted, so that equal models share a burst."""
    log: list[str] = []

    class Sent(Scripted):
        async def _agenerate(self, *given: Any, **options: Any) -> Any:
            log.append("sent")
            return await super()._agenerate(*given, **options)

    card = {"model": "same", "price": {"input_mtok": 1.0, "output_mtok": 1.0}}
    llm = ChatRouter([(Sent(), {"id": id, **card}) for id in "ab"], policy="cheapest")
    start = type(llm.router).start

    def planned(self: Any, *given: Any, **options: Any) -> Any:
        log.append("planned")
        return start(self, *given, **options)

    monkeypatch.setattr(type(llm.router), "start", planned)

    async def wave() -> None:
        await asyncio.gather(*(llm.ainvoke("hi") for _ in range(4)))

    loop.run_until_complete(wave())
    assert log == [*["planned"] * 4, *["sent"] * 4]
    assert sorted(row["calls"] for row in llm.router.health()) == [2, 2]


@pytest.mark.parametrize("settings", [{}, {"timeouts": {"total": 20}}], ids=["no clock", "a clock"])
@pytest.mark.parametrize(
    ("url", "order"), [("http://a.test", ["refused", "sent"]), ("http://b.test", ["a turn", "sent"])]
)
def test_a_further_attempt_has_a_turn_of_its_own_on_another_server_alone(
    loop: Loop, settings: dict[str, Any], url: str, order: list[str]
) -> None:
    """On the same one it would let calls that failed together give back all their connections first."""
    log: list[str] = []

    class Hosted(Scripted):
        base_url: str

    class Refused(Hosted):
        async def _agenerate(self, *_: Any, **__: Any) -> Any:
            log.append("refused")
            asyncio.get_running_loop().call_soon(log.append, "a turn")
            raise ConnectionError("refused")

    class Sent(Hosted):
        async def _agenerate(self, *given: Any, **options: Any) -> Any:
            log.append("sent")
            return await super()._agenerate(*given, **options)

    llm = ChatRouter([Refused(base_url="http://a.test"), (Sent(base_url=url), {"id": "sent"})], **settings)
    assert loop.run_until_complete(llm.ainvoke("hi")).content == "a b c"
    assert log[log.index("sent") - 1 :][:2] == order
