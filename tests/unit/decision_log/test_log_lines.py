"""`telemetry: {log: true}`: a line per decision, for whoever reads the application's log."""

from __future__ import annotations

import logging

import pytest

from capability_router.errors import RouterError
from capability_router.request import Request
from capability_router.testing import ask, scripted_router


@pytest.mark.parametrize(
    ("scripts", "line"),
    [
        ({"a": ["ok"]}, "-> a (first in order) attempts=1 cost_usd=1.6e-05 elapsed_s=0.000"),
        (
            {"a": ["overloaded:busy"], "b": ["ok"]},
            "-> b (fallback: a overloaded: busy) attempts=2 cost_usd=1.6e-05 elapsed_s=0.000",
        ),
        (
            {"a": ["auth"], "b": ["server_error"]},
            "-> None (no answer: a auth, b server_error) attempts=2 cost_usd=0.0 elapsed_s=0.000",
        ),
    ],
)
def test_a_line_says_who_answered_or_what_went_wrong(
    scripts: dict[str, list[str]], line: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "capability_router")
    router = scripted_router(scripts, telemetry={"log": True}, retry={"per_target": 0})
    try:
        ask(router, Request(("hello",), id="r1"))
    except RouterError:
        assert "None" in line
    router.close()
    assert [said.getMessage() for said in caplog.records if said.levelno == logging.INFO] == [f"r1 {line}"]


def test_a_request_that_no_model_can_take_says_so(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO, "capability_router")
    router = scripted_router({"a": ["ok"]}, telemetry={"log": True}, cards={"a": {"context_window": 10}})
    with pytest.raises(RouterError):
        ask(router, Request(("hello " * 99,), id="r1"))
    router.close()
    (said,) = [each.getMessage() for each in caplog.records if each.levelno == logging.INFO]
    assert said.startswith("r1 -> None (no eligible model) attempts=0 ")
