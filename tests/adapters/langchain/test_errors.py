"""The errors that a ChatRouter raises are LangChain's own, too, and survive copies."""

from __future__ import annotations

import asyncio
import copy
import pickle
from collections.abc import Callable
from typing import Any, ClassVar

import pytest
from fakes import Scripted
from langchain_core import exceptions as core
from langchain_core.messages import HumanMessage
from routers import DOWN, add, router

from langchain_router import AllCandidatesFailed, ChatRouter, NoEligibleModel, RouterBusy


class RateLimited(core.ModelRateLimitError):
    status_code = 429


def test_all_failed_is_also_the_model_error_of_the_first_fault() -> None:
    slow, down = Scripted(script=[RateLimited("slow down")]), Scripted(script=[DOWN], name_="y")
    model = router(slow, down, retry={"attempts": 2})
    with pytest.raises(core.ModelRateLimitError) as caught:
        model.invoke("hi")
    error = caught.value
    assert isinstance(error, AllCandidatesFailed)
    assert error.is_retryable
    assert [f.fault for f in error.failures] == ["rate_limited", "connection"]
    assert isinstance(error.__cause__, RateLimited)


class Strange(Exception):
    """An error that nothing identifies."""


@pytest.mark.parametrize(
    ("first", "class_"),
    [
        (RateLimited("slow down"), core.ModelRateLimitError), (DOWN, core.ModelConnectionError),
        (Strange("?"), core.ModelError), (core.ContextOverflowError("too long"), core.ContextOverflowError),
    ],
)  # fmt: skip
def test_an_overflow_of_any_model_shows_to_code_that_shortens_the_messages(first: Exception, class_: Any) -> None:
    longer = Scripted(script=[core.ContextOverflowError("too long")], name_="y")
    with pytest.raises(core.ContextOverflowError) as caught:
        router(Scripted(script=[first]), longer, retry={"attempts": 2}).invoke("hi")
    error = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own bytes
    assert isinstance(error, AllCandidatesFailed)
    assert isinstance(error, core.ContextOverflowError)
    assert isinstance(error, class_)
    assert isinstance(caught.value.__cause__, type(first))


class SlowDown(RateLimited):
    """With the wait that the provider asked for."""

    body: ClassVar = {
        "error": {"message": "Rate limit reached. Please try again in 20s.", "code": "rate_limit_exceeded"}
    }


@pytest.mark.parametrize("way", ["invoke", "ainvoke", "stream"])
def test_a_router_that_waits_for_a_providers_limit_is_rate_limited_itself(way: str) -> None:
    """After a 429 the model's gate is shut, and the next calls are turned away without being sent."""
    model = router(Scripted(script=[SlowDown("slow"), SlowDown("slow")]), retry={"attempts": 1, "max_wait_s": 0.01})
    asks: dict[str, Callable[[], Any]] = {
        "invoke": lambda: model.invoke("hi"), "ainvoke": lambda: asyncio.run(model.ainvoke("hi")),
        "stream": lambda: list(model.stream("hi")),
    }  # fmt: skip
    with pytest.raises(core.ModelRateLimitError):
        model.invoke("hi")
    with pytest.raises(core.ModelRateLimitError) as caught:
        asks[way]()
    busy = pickle.loads(pickle.dumps(caught.value))  # noqa: S301 - its own bytes
    assert isinstance(busy, RouterBusy)
    assert isinstance(busy, core.ModelRateLimitError)
    assert busy.is_retryable
    assert busy.held_by
    assert busy.retry_after_s is not None
    assert 0 < busy.retry_after_s <= 20


def test_no_eligible_model_is_a_context_overflow_if_every_window_is_too_small() -> None:
    with pytest.raises(core.ContextOverflowError) as caught:
        router((Scripted(), {"context_window": 100})).invoke("word " * 500)
    assert isinstance(caught.value, NoEligibleModel)
    with pytest.raises(core.ModelInvalidRequestError):
        router((Scripted(), {"tool_calling": False})).bind_tools([add]).invoke("hi")


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda e: pickle.loads(pickle.dumps(e))])  # noqa: S301 - its own bytes
def test_errors_survive_copies_and_other_processes(duplicate: Any) -> None:
    router = ChatRouter(models=[{"id": "a", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "m"}}])
    with pytest.raises(AllCandidatesFailed) as caught:
        router.invoke("hi")
    again = duplicate(caught.value)
    assert str(again) == str(caught.value)
    assert [f.model for f in again.failures] == ["a", "a"]
    assert isinstance(again, core.ModelConnectionError)
    with pytest.raises(NoEligibleModel) as none:
        router.invoke("hi", config={"configurable": {"router": {"pin": "b"}}})
    assert duplicate(none.value).refusals == none.value.refusals


async def test_an_error_of_one_list_leaves_no_other_call_under_way() -> None:
    class Twofold(Scripted):
        async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            for _ in range(20 if messages[0].content == "long" else 0):
                await asyncio.sleep(0)
            if messages[0].content == "bad":
                raise DOWN
            return self._generate(messages, stop)

    model = router(Twofold(), retry={"attempts": 1})
    with pytest.raises(AllCandidatesFailed):
        await model.agenerate([[HumanMessage("bad")], [HumanMessage("long")]])
    assert model.router.ledger.unsettled == 0
    assert sorted(str(c.fault) for c in model.router.ledger.calls()) == ["None", "connection"]


@pytest.mark.parametrize("mistake", [ValueError, TypeError, NotImplementedError, KeyError, AttributeError])
def test_a_mistake_within_a_package_is_told_as_such(mistake: type[Exception]) -> None:
    with pytest.raises(AllCandidatesFailed) as raised:
        ChatRouter(models=[Scripted(script=[mistake("odd")])]).invoke("hello")
    assert isinstance(raised.value, mistake) == (mistake is not AttributeError)
    assert type(raised.value.__cause__) is mistake
