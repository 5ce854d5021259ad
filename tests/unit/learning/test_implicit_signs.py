"""Implicit signs: what is one, by how little it moves a model, and what takes it back."""

from __future__ import annotations

import json
from contextlib import suppress
from importlib.resources import files
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from capability_router import Request, RouterError, routing
from capability_router.clock import ManualClock
from capability_router.learning.implicit_signs import ALL, KEPT, LEAST, OWN, REMEMBERED, WEIGHTS, ImplicitSigns
from capability_router.learning.repeat_detector import LEAST_S, MOST_S, SESSIONS, TURNS, RepeatDetector
from capability_router.request import Finish, Reply, Usage
from capability_router.router import Router
from capability_router.routing import EVALUATION_TAG
from capability_router.testing import ask, scripted_router

SCHEMA = json.loads((files("capability_router.telemetry") / "record.schema.json").read_text(encoding="utf-8"))
REFUSAL = Reply(usage=Usage(10, 3), finish=Finish.REFUSAL, text="I can't help with that.")


def fed(signs: ImplicitSigns, tenant: str, model: str, number: int, bad: int, kind: str = "refusal") -> None:
    for at in range(number):
        signs.answered(tenant, f"{tenant} {model} {at}", model, kind if at < bad else "")


def test_alike_models_stay_alike_however_much_they_are_asked() -> None:
    signs = ImplicitSigns()
    for at in range(600):
        signs.answered("t", f"a {at}", "a", "refusal" if at % 10 == 0 else "")
        if at % 6 == 0:
            signs.answered("t", f"b {at}", "b", "refusal" if at % 60 == 0 else "")
    moved = signs.shifts("t")
    assert abs(moved["a"]) < 0.01
    assert abs(moved["b"]) < 0.02


def test_the_worse_one_falls_and_no_further_than_the_bounds() -> None:
    signs = ImplicitSigns()
    fed(signs, "t", "good", 400, 0)
    fed(signs, "t", "bad", 400, 400, "unparsable")
    moved = signs.shifts("t")
    assert moved["bad"] == pytest.approx(-OWN - ALL)
    assert moved["good"] == pytest.approx(OWN + ALL)
    assert signs.shifts("another")["bad"] == pytest.approx(-ALL), "what others saw counts for less"


def test_a_thousand_poisoning_tenants_do_no_more_than_one() -> None:
    signs = ImplicitSigns()
    for tenant in range(200):
        fed(signs, f"bot {tenant}", "a", 20, 20)
        fed(signs, f"bot {tenant}", "b", 20, 0)
    assert signs.shifts("honest") == {"a": pytest.approx(-ALL), "b": pytest.approx(ALL)}


def test_few_answers_say_nothing_and_no_sign_costs_nothing() -> None:
    signs = ImplicitSigns()
    fed(signs, "t", "a", 200, 0)
    assert signs.shifts("t") == {}
    fed(signs, "t", "b", int(LEAST) - 1, 5)
    assert "b" not in signs.shifts("t")


def test_a_score_takes_the_signs_back_exactly() -> None:
    clean, signs = ImplicitSigns(), ImplicitSigns()
    for each in (clean, signs):
        fed(each, "t", "a", 100, 10)
        fed(each, "t", "b", 100, 0)
    signs.late("t", "t a 99", "a", "retried")
    signs._all["a"].answered(0.0)  # time goes on
    signs._tenants["t"]["a"].answered(0.0)
    clean._all["a"].answered(0.0)
    clean._tenants["t"]["a"].answered(0.0)
    signs.retract_signs("t a 99", "a")
    assert signs._all["a"].bad == pytest.approx(clean._all["a"].bad, abs=1e-12)
    assert signs._tenants["t"]["a"].bad == pytest.approx(clean._tenants["t"]["a"].bad, abs=1e-12)
    signs.retract_signs("t a 99", "a")
    assert signs._all["a"].bad == pytest.approx(clean._all["a"].bad, abs=1e-12), "once"


def test_its_memory_is_bounded() -> None:
    signs = ImplicitSigns()
    for number in range(KEPT + 50):
        signs.answered(f"tenant {number}", f"r {number}", "a", "refusal")
        signs.shifts(f"tenant {number}")
    for number in range(REMEMBERED + 50):
        signs.answered("t", f"s {number}", "a", "refusal")
    assert (len(signs._tenants), len(signs._given)) == (KEPT, REMEMBERED)
    assert len(signs._shifts) <= KEPT


# -- in a router ----------------------------------------------------------------------------------


class Made:
    def __init__(self, scripts: Any, **settings: Any) -> None:
        self.clock, self.rows = ManualClock(), list[dict[str, Any]]()
        self.router: Router = scripted_router(scripts, clock=self.clock, **{"policy": "adaptive", **settings})
        self.router.add_sink(self.rows.append)

    @property
    def signs(self) -> list[tuple[str, str, float]]:
        self.router.close()
        found = [row for row in self.rows if row["kind"] == "sign"]
        for row in found:
            Draft202012Validator(SCHEMA).validate(row)
            assert row["source"] == "implicit"
        return [(row["model"], row["sign"], row["weight"]) for row in found]


@pytest.mark.parametrize("fault", ["refusal", "unparsable", "malformed_tool_call"])
def test_a_fallback_from_a_poor_answer_is_a_sign_against_who_gave_it(fault: str) -> None:
    made = Made({"a": [fault], "b": ["ok"]}, on_content_filter="fallback")
    with routing(tenant="acme", pin=None, deny=[]):
        run = ask(made.router)
    assert made.signs[0] == (run.outcome.attempts[0].model, fault, WEIGHTS[fault])  # type: ignore[union-attr]  # it is over


def test_a_refusal_that_is_handed_over_is_one_too() -> None:
    made = Made({"a": [REFUSAL]})
    ask(made.router)
    assert made.signs == [("a", "refusal", 0.5)]


@pytest.mark.parametrize("fault", ["overloaded", "timeout", "rate_limited", "connection"])
def test_a_providers_trouble_is_no_sign(fault: str) -> None:
    made = Made({"a": [fault, "ok"], "b": [fault, "ok"]}, retry={"wait": "none", "per_target": 2})
    for _ in range(3):
        with suppress(RouterError):
            ask(made.router)
    assert made.signs == []


@pytest.mark.parametrize("settings", [{"policy": {"name": "adaptive", "implicit": False}}, {"policy": "cheapest"}])
def test_it_can_be_switched_off_and_is_where_nobody_reads_it(settings: Any) -> None:
    made = Made({"a": [REFUSAL]}, **settings)
    ask(made.router)
    assert made.signs == []
    assert made.router.planner.signs is None


def test_signs_move_the_choice_and_a_score_takes_them_back() -> None:
    cards = {name: {"quality": {"default": 0.8}} for name in "ab"}
    made = Made({"a": [REFUSAL], "b": ["ok"]}, cards=cards)
    ids = []
    for pin in ("a", "b"):
        for _ in range(30):
            with routing(pin=pin, tenant="acme"):
                ids.append(ask(made.router).request.id)
    before = {c.id: c.quality for c in made.router.explain(Request(("hello",))).candidates}
    with routing(tenant="acme"):
        moved = {c.id: c.quality for c in made.router.explain(Request(("hello",))).candidates}
    assert moved["a"] < before["a"] < before["b"] < moved["b"], "its own tenant sees more of it"
    assert before["b"] - before["a"] <= 2 * ALL + 1e-9
    assert made.router.explain(Request(("hello",))).notes == (
        "believed quality, moved by implicit signs: a -0.05, b +0.05",
    )
    for id in ids[:30]:
        made.router.feedback(id, 0.8)
    assert made.router.explain(Request(("hello",))).notes == ()
    assert {m: round(by, 9) for m, by in made.router.planner.signs.shifts("acme").items()} == {"a": 0.0, "b": 0.0}  # type: ignore[union-attr]  # it has them


@pytest.mark.parametrize(
    ("policy", "canary"),
    [({"name": "cheapest"}, {"name": "adaptive"}), ({"name": "adaptive"}, {"name": "adaptive", "implicit": False})],
)
def test_a_second_policy_reads_signs_by_its_own_settings(policy: dict[str, Any], canary: dict[str, Any]) -> None:
    """Whatever the router's own policy does."""
    cards = {name: {"quality": {"default": 0.8}} for name in "ab"}
    made = Made({"a": [REFUSAL], "b": ["ok"]}, cards=cards, policy=policy, canary={**canary, "share": 1.0})
    for pin in ("a", "b"):
        for _ in range(30):
            with routing(pin=pin):
                ask(made.router)
    told = made.router.explain(Request(("hello",))).notes
    assert ("moved by implicit signs" in "".join(told)) == canary.get("implicit", True)


# -- the same again -------------------------------------------------------------------------------

SYSTEM, QUESTION = "You are a clerk.", "What is the capital of Australia?"


def told(made: Made, *asked: tuple[Any, ...], session: str = "s", **terms: Any) -> list[tuple[str, str, float]]:
    """Signs of requests, each (seconds since the last answer, model, texts, fields)."""
    for pause, model, texts, *more in asked:
        made.clock.advance(pause)
        with routing(**{"session": session, "pin": model, **terms}):
            ask(made.router, Request(tuple(texts), **(more[0] if more else {})))
    return made.signs


def chat() -> Made:
    return Made({"a": ["ok"], "b": ["ok"]})


AGAINST_A, FOR_B = ("a", "retried", WEIGHTS["retried"]), ("b", "accepted", WEIGHTS["accepted"])


@pytest.mark.parametrize(
    "again",
    [
        [QUESTION], ["  what is the capital of  AUSTRALIA?"], ["The capital of Australia, please"],
        ["What is the capital of Australia? Answer briefly."], [QUESTION, "It is Sydney.", QUESTION],
        [QUESTION, "It is Sydney.", "What is the capital of Australia really?"],
    ],
    ids=str,
)  # fmt: skip
def test_the_same_again_speaks_against_the_answer_before(again: list[str]) -> None:
    assert told(chat(), (0, "a", [QUESTION]), (20, "b", again)) == [AGAINST_A]


@pytest.mark.parametrize(
    "asked",
    [
        (20, "b", ["What is the capital of Austria?"]), (20, "b", ["And what is its population?"]),
        (LEAST_S - 0.5, "b", [QUESTION]), (MOST_S + 1, "b", [QUESTION]), (20, "b", [SYSTEM, QUESTION]),
        (20, "b", [QUESTION], {"in_tool_loop": True}), (20, "b", [QUESTION], {"tools": "{}"}), (20, "b", ["2 + 2?"]),
        (20, "b", [QUESTION, "It is Canberra.", "Thanks!"]),
    ],
    ids=["other word", "goes on", "a program", "later", "another agent", "tool loop", "other tools", "sum", "thanks"],
)  # fmt: skip
def test_what_is_not_the_same_again(asked: tuple[Any, ...]) -> None:
    assert told(chat(), (0, "a", [QUESTION]), asked) == []


def test_numbers_are_told_apart() -> None:
    assert (
        told(chat(), (0, "a", ["How much is 17 times 23 euros?"]), (9, "a", ["How much is 17 times 24 euros?"])) == []
    )


def test_long_texts_are_the_same_word_for_word_alone() -> None:
    passage = "Returns are accepted for thirty days after the purchase was delivered. " * 20
    first, other = f"{passage}\n\nHow long are returns accepted?", f"{passage}\n\nWhat do returns cost?"
    assert told(chat(), (0, "a", [first]), (20, "a", [other])) == []
    assert told(chat(), (0, "a", [first]), (20, "a", [first])) == [AGAINST_A]


@pytest.mark.parametrize("terms", [{"session": ""}, {"priority": "batch"}, {"tags": [EVALUATION_TAG]}], ids=str)
def test_who_is_no_user_in_a_session(terms: dict[str, Any]) -> None:
    assert told(chat(), (0, "a", [QUESTION]), (20, "b", [QUESTION]), **terms) == []


def test_sessions_and_tenants_are_apart() -> None:
    made = chat()
    assert told(made, (0, "a", [QUESTION]), session="one") == []
    assert told(made, (20, "a", [QUESTION]), session="two") == []
    assert told(made, (20, "a", [QUESTION]), session="one", tenant="acme") == []


def test_another_models_answer_that_was_not_asked_for_again_speaks_for_it() -> None:
    asked = (0, "a", [QUESTION]), (20, "b", [QUESTION]), (30, "a", ["And what is its population?"])
    assert told(chat(), *asked) == [AGAINST_A, FOR_B]
    asked = (0, "a", [QUESTION]), (20, "a", [QUESTION]), (30, "a", ["And what is its population?"])
    assert told(chat(), *asked) == [AGAINST_A], "the same model's says nothing"


def test_who_goes_on_asking_the_same_is_a_program() -> None:
    assert told(chat(), *[(10, "a", [QUESTION])] * 9) == [AGAINST_A] * 2


def test_a_scored_answer_has_its_score() -> None:
    made = chat()
    with routing(session="s", pin="a"):
        run = ask(made.router, Request((QUESTION,)))
    made.router.feedback(run.request.id, 1.0)
    assert told(made, (20, "b", [QUESTION])) == []


def test_our_own_fallback_is_nobodys_retry() -> None:
    made = Made({"a": ["overloaded"], "b": ["ok"]}, retry={"wait": "none"})
    with routing(session="s"):
        ask(made.router, Request((QUESTION,)))
    assert made.signs == []


def test_sessions_are_bounded_and_hold_no_text() -> None:
    retries, made = RepeatDetector(), chat()
    for number in range(SESSIONS + 20):
        with routing(session=f"s{number}"):
            request = Request((SYSTEM, f"{QUESTION} {number}"))
        run = ask(made.router, request)
        for _ in range(4):
            retries.ended(request, run.outcome, run.reply, float(number))  # type: ignore[arg-type]  # it is over
    assert len(retries._turns) == SESSIONS
    assert max(map(len, retries._turns.values())) == TURNS
    assert "Australia" not in str(list(retries._turns.items()))
    assert "clerk" not in str(list(retries._turns.items()))
