"""The calls of a shadow: what may hinder them, and that the request never notices."""

from __future__ import annotations

import asyncio
import pickle
import threading
from collections.abc import Iterator
from typing import Any

import pytest

from capability_router import Request, routing
from capability_router.assembly.shadow_calls import MOST
from capability_router.execution.run import Run
from capability_router.router import Router
from capability_router.testing import ScriptedEndpoint, assert_books_balanced, scripted_router

DEAR, CHEAP = {"input_mtok": 10, "output_mtok": 10}, {"input_mtok": 1, "output_mtok": 1}
CARDS = {"strong": {"price": DEAR, "max_output_tokens": 100}, "small": {"price": CHEAP, "max_output_tokens": 100}}
ALL = {"name": "cheapest", "execute": 1.0, "budget_usd": 1}


def made(**settings: Any) -> Router:
    return scripted_router({"strong": ["ok"], "small": ["ok"]}, cards=CARDS, **{"shadow": ALL, **settings})


def endpoint(router: Router) -> ScriptedEndpoint:
    return ScriptedEndpoint(router.scripted, router.clock)  # type: ignore[attr-defined]  # its script


def ask(router: Router, again: Any, **fields: Any) -> Run[str]:
    run = router.start(Request(("hello",), **fields), endpoint(router), again=again)
    assert "".join(run)
    return run


def small_calls(router: Router) -> int:
    router._shadow_calls.close()
    return router.scripted["small"].calls  # type: ignore[attr-defined]  # its script


def test_it_is_made_once_and_teaches_nothing_but_health() -> None:
    router = made()
    told: list[str] = []
    router.on_outcome(lambda request, outcome: told.append(request.id))
    with routing(session="s"):
        run = ask(router, lambda: endpoint(router))
    assert small_calls(router) == 1
    assert told == [run.request.id]
    assert router.explain(Request(("hello",), answered_by="")).chosen.id == "strong"
    assert_books_balanced(router)


def test_without_another_endpoint_it_is_not_made() -> None:
    router = made()
    ask(router, None)
    assert small_calls(router) == 0


@pytest.mark.parametrize(
    "fields", [{"stream": True}, {"in_tool_loop": True}, {"follows": ("c",)}, {"model": "another"}], ids=str
)
def test_what_may_not_be_made_twice(fields: dict[str, Any]) -> None:
    router = made()
    ask(router, lambda: endpoint(router), **fields)
    assert small_calls(router) == 0


def test_an_endpoint_that_can_not_be_made_is_the_shadows_loss(caplog: pytest.LogCaptureFixture) -> None:
    def broken() -> Any:
        raise ZeroDivisionError("a secret of the prompt")

    router = made()
    assert ask(router, broken).outcome is not None
    assert small_calls(router) == 0
    assert "ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text


class Broken(ScriptedEndpoint):
    def start(self, launch: Any) -> Any:
        raise ZeroDivisionError("a secret of the prompt")


def test_an_error_within_it_is_told_by_its_class(caplog: pytest.LogCaptureFixture) -> None:
    router = made()
    ask(router, lambda: Broken({}, router.clock))
    router._shadow_calls.close()
    assert "a shadow's call ended with ZeroDivisionError" in caplog.text
    assert "secret" not in caplog.text
    assert_books_balanced(router)


class Waiting:
    """An endpoint whose answers wait."""

    keeps_time = True

    def __init__(self, router: Router, go: threading.Event) -> None:
        self._inner, self._go = endpoint(router), go

    def start(self, launch: Any) -> Any:
        attempt, go = self._inner.start(launch), self._go
        given = attempt.chunks

        def chunks() -> Iterator[str]:
            assert go.wait(10)
            yield from given()

        attempt.chunks = chunks  # type: ignore[method-assign]  # held up
        return attempt

    def fault(self, error: BaseException) -> Any:
        return self._inner.fault(error)


def test_at_most_so_many_are_under_way_and_nobody_waits_for_them() -> None:
    router, go = made(), threading.Event()
    for _ in range(MOST + 3):
        assert ask(router, lambda: Waiting(router, go)).outcome is not None
    assert len(router._shadow_calls._under_way) == MOST
    go.set()
    assert small_calls(router) == MOST
    assert not router._shadow_calls._under_way
    assert_books_balanced(router)


def test_what_a_closed_loop_has_left_hinders_nobody() -> None:
    router, loop = made(), asyncio.new_event_loop()
    left = [loop.create_task(asyncio.Event().wait()) for _ in range(MOST)]
    loop.run_until_complete(asyncio.sleep(0))
    router._shadow_calls._under_way.update(left)  # type: ignore[arg-type]  # only whether they are over is asked
    ask(router, lambda: endpoint(router))
    assert small_calls(router) == 0
    for task in left:
        task.cancel()
    loop.run_until_complete(asyncio.gather(*left, return_exceptions=True))
    loop.close()
    ask(router, lambda: endpoint(router))
    assert small_calls(router) == 1


def test_a_router_with_both_can_be_pickled() -> None:
    router = made(canary={"name": "cheapest", "share": 1.0})
    again = pickle.loads(pickle.dumps(router))  # noqa: S301 - what was just pickled
    assert again.explain("hello").reason.startswith("canary: ")
    assert again.settings.shadow == router.settings.shadow
    assert [spec.scope for spec in again.settings.budgets] == ["tag:router:shadow"]
