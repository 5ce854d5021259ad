"""Under which chain a call is booked, with and without a tracer, and that caps on chains hold."""

from __future__ import annotations

import asyncio
import copy
import pickle
import uuid
from collections.abc import Callable
from typing import Any

import pytest
from adapters.langchain.fakes import Scripted
from adapters.langchain.routers import router
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable, RunnableLambda
from langchain_core.tools import tool
from langchain_core.tracers import BaseTracer
from langgraph.graph import MessagesState, StateGraph

from capability_router import BudgetExceeded
from langchain_router import AllCandidatesFailed, ChatRouter
from langchain_router.runs import RUNS, OutermostRuns

ASKED = {"x": 1}
PRICED = {"id": "a", "price": {"input_mtok": 1, "output_mtok": 1, "per_request": 1}, "max_output_tokens": 10}


class Silent(BaseTracer):
    def _persist_run(self, run: Any) -> None:
        pass


async def read(chunks: Any) -> list[Any]:
    return [chunk async for chunk in chunks]


VERBS: dict[str, Callable[[Runnable[Any, Any]], Any]] = {
    "invoke": lambda chain: chain.invoke(ASKED),
    "stream": lambda chain: list(chain.stream(ASKED)),
    "batch": lambda chain: chain.batch([ASKED]),
    "ainvoke": lambda chain: asyncio.run(chain.ainvoke(ASKED)),
    "astream": lambda chain: asyncio.run(read(chain.astream(ASKED))),
    "abatch": lambda chain: asyncio.run(chain.abatch([ASKED])),
}


def chains(llm: ChatRouter) -> list[str]:
    return [call.chain for call in llm.router.ledger.calls()]


def prompted(llm: Any) -> Runnable[Any, Any]:
    return ChatPromptTemplate.from_template("Say {x}") | llm | StrOutputParser()


@pytest.mark.parametrize("traced", [False, True], ids=["untraced", "traced"])
@pytest.mark.parametrize("verb", VERBS)
def test_a_chain_is_booked_under_its_name(verb: str, traced: bool) -> None:
    llm = router(Scripted())
    options: dict[str, Any] = {"callbacks": [Silent()]} if traced else {}
    VERBS[verb](prompted(llm).with_config(run_name="c1", **options))
    VERBS[verb](prompted(llm).with_config(**options))
    VERBS[verb](prompted(llm.with_config(run_name="own")).with_config(run_name="c1", **options))
    assert chains(llm) == ["c1", "", "own"]
    assert len(RUNS) == 0


def test_the_outermost_name_counts_and_a_name_in_the_config_too() -> None:
    llm = router(Scripted())
    inner = prompted(llm).with_config(run_name="inner")
    (RunnableLambda(lambda x: x) | inner).invoke(ASKED, {"run_name": "outer"})
    (RunnableLambda(lambda x: x) | inner).invoke(ASKED)
    assert chains(llm) == ["outer", "inner"]


@pytest.mark.parametrize(("name", "booked"), [("graph9", "graph9"), (None, "node")])
def test_a_graph_is_booked_under_its_name_else_under_its_nodes(name: str | None, booked: str) -> None:
    llm = router(Scripted())
    graph = StateGraph(MessagesState)
    graph.add_node("node", lambda state: {"messages": [llm.invoke(state["messages"])]})
    graph.set_entry_point("node")
    graph.compile(name=name).invoke({"messages": [("user", "hi")]})
    assert chains(llm) == [booked]


def test_what_a_tool_calls_belongs_to_the_chain_that_calls_the_tool() -> None:
    llm = router(Scripted())

    @tool
    def ask_again(x: int) -> str:
        """Ask a model."""
        return str(prompted(llm).invoke({"x": x}))

    RunnableLambda(lambda x: ask_again.invoke(x)).invoke(ASKED, {"run_name": "outer"})
    assert chains(llm) == ["outer"]
    assert len(RUNS) == 0


@pytest.mark.parametrize(("scope", "pot"), [("chain:c1", "chain:c1"), ("chain:*", "chain:c1")])
def test_a_cap_on_a_chain_holds_without_a_tracer(scope: str, pot: str) -> None:
    llm = router((Scripted(), PRICED), budgets=[{"scope": scope, "limit_usd": 2.5, "window": "day"}])
    chain, other = (prompted(llm).with_config(run_name=name) for name in ("c1", "c2"))
    for _ in range(2):
        chain.invoke(ASKED)
    with pytest.raises(BudgetExceeded, match=f"{pot}: "):
        chain.invoke(ASKED)
    assert other.invoke(ASKED) == "a b c"


def test_calls_without_a_chain_are_one_more_under_a_cap_for_each() -> None:
    llm = router((Scripted(), PRICED), budgets=[{"scope": "chain:*", "limit_usd": 1.5, "window": "day"}])
    llm.invoke("hi")
    with pytest.raises(BudgetExceeded, match=r"chain:\(none\)"):
        llm.invoke("hi")
    assert prompted(llm).invoke(ASKED, {"run_name": "c1"}) == "a b c"


def test_a_chain_that_fails_or_is_left_is_forgotten() -> None:
    llm = router(Scripted(script=[ValueError("broken")]))
    with pytest.raises(AllCandidatesFailed):
        prompted(llm).invoke(ASKED, {"run_name": "c1"})
    chunks = prompted(router(Scripted())).stream(ASKED, {"run_name": "c1"})
    next(chunks)
    assert len(RUNS) > 0
    chunks.close()
    assert len(RUNS) == 0


def test_runs_that_never_end_are_forgotten_oldest_first() -> None:
    runs, ids = OutermostRuns(most=10), [uuid.uuid4() for _ in range(25)]
    for number, id in enumerate(ids):
        runs.on_chain_start(None, None, run_id=id, name=f"r{number}")
        assert len(runs) <= 10
    assert (runs.outermost(ids[0]), runs.outermost(ids[-1])) == ("", "r24")


def test_a_configuration_that_is_copied_keeps_the_one_that_hears() -> None:
    assert copy.deepcopy([RUNS])[0] is copy.copy(RUNS) is pickle.loads(pickle.dumps(RUNS)) is RUNS  # noqa: S301 - our own bytes


def test_a_models_own_run_is_not_listened_to() -> None:
    heard: list[list[Any]] = []

    class Looking(Scripted):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            heard.append(list(run_manager.handlers))
            return super()._generate(messages, stop, run_manager, **kwargs)

    prompted(router(Looking())).invoke(ASKED, {"run_name": "c1"})
    assert heard == [[]]
