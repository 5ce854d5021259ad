"""Hooks before a request is planned: what they may be, what they may say, and that nothing is sent past them."""

from __future__ import annotations

import asyncio
import logging
import pickle
import re
import threading
from collections import namedtuple
from collections.abc import Callable
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import ConfigError, ModelCard, NoEligibleModel, Plan, Registry, Request, Router, Routing, routing
from capability_router.address import Address
from capability_router.catalog.entry import Entry
from capability_router.config import load
from capability_router.evaluation.answer import Answer
from capability_router.execution.run import Run
from capability_router.faults.kinds import Fault
from capability_router.money.spending import facts_of
from capability_router.testing import ScriptedEndpoint, assert_books_balanced, scripted_router

SAFE = {"regions": ["eu"], "retention": "zero", "training": False}
CARDS: dict[str, dict[str, Any]] = {
    "open": {"data": {"regions": ["us"], "retention": "30d", "training": True}},
    "safe": {"data": SAFE, "tags": ["vault"]},
    "also": {"data": {**SAFE, "regions": ["us"]}},
}
MAIL = "write to jane@example.com"
Finding = namedtuple("Finding", "entity_type start end score")


def made(screen: Any, scripts: dict[str, list[Any]] | None = None, **settings: Any) -> Router:
    return scripted_router(scripts or {id: ["ok"] for id in CARDS}, cards=CARDS, screen=screen, **settings)


def ask(router: Router, text: str = MAIL, **fields: Any) -> Run[str]:
    endpoint = ScriptedEndpoint(router.scripted, router.clock, stream=fields.get("stream", False))  # type: ignore[attr-defined]  # its script
    run = router.start(Request((text,), **fields), endpoint)
    assert "".join(run)
    return run


def calls(router: Router) -> dict[str, int]:
    return {name: model.calls for name, model in router.scripted.items() if model.calls}  # type: ignore[attr-defined]  # its script


def ids(plan: Plan) -> list[str]:
    return [each.id for each in plan.candidates]


def detect_email(content: str) -> list[dict[str, Any]]:
    at = content.find("jane@example.com")
    return [] if at < 0 else [{"type": "email", "value": content[at : at + 16], "start": at, "end": at + 16}]


# -- what is found and asked for ------------------------------------------------------------------


def test_without_a_screen_nothing_is_looked_at() -> None:
    router = made(None)
    assert not router.prepares
    assert ids(router.explain(Request((MAIL,)))) == ["open", "safe", "also"]


@pytest.mark.parametrize("screen", [["pii.email"], {"labels": ["pii"]}, detect_email, [detect_email], True])
def test_what_is_found_leaves_the_models_that_keep_nothing(screen: Any) -> None:
    router = made(screen)
    assert ids(router.explain(Request((MAIL,)))) == ["safe", "also"]
    assert ids(router.explain(Request(("good morning",)))) == ["open", "safe", "also"]
    assert ask(router).outcome.model == "safe"  # type: ignore[union-attr]  # it is over


def test_schemas_and_all_messages_are_looked_at() -> None:
    router = made(["pii.email"])
    for request in (Request(("hello", MAIL, "bye")), Request(("hello",), tools=f'{{"description": "{MAIL}"}}')):
        assert ids(router.explain(request)) == ["safe", "also"]


def test_of_chat_completions_all_that_is_sent_is_looked_at_once() -> None:
    router = made(True)
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": MAIL}}
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"description": MAIL}}}
    said: list[Any] = [
        {"content": [{"type": "text", "text": MAIL}]}, {"content": [{"type": "refusal", "refusal": MAIL}]},
        {"content": "so", "reasoning_content": MAIL}, {"content": None, "tool_calls": [call]},
        {"content": None, "function_call": {"name": "f", "arguments": MAIL}},
    ]  # fmt: skip
    plans = [router.explain([{"role": "assistant", **each}, {"role": "user", "content": "hello"}]) for each in said]
    plans += [router.explain("hello", **words) for words in ({"response_format": schema}, {"user": MAIL})]
    for plan in plans:
        assert (ids(plan), "pii.email (1)" in " ".join(plan.notes)) == (["safe", "also"], True)
    assert ids(router.explain("hello", extra_headers={"X-Who": MAIL}, api_key="k")) == ["open", "safe", "also"]


def test_the_longest_name_of_a_label_says_what_is_asked_for() -> None:
    labels = {
        "pii": {"data": {"regions": ["eu"]}},
        "pii.card": "block",
        "pii.ssn": "note",
        "*": {"require_tags": "vault"},
    }
    router = made({"labels": labels})
    for text, left in ((MAIL, ["safe"]), ("4111 1111 1111 1111", []), ("123-45-6789", ["open", "safe", "also"])):
        assert ids(router.explain(Request((text,)))) == left, text
    assert ids(router.explain(Request(("AKIAIOSFODNN7EXAMPLE",)))) == ["safe"]


@pytest.mark.parametrize(
    ("given", "left"),
    [
        (None, 3), ([], 3), ((), 3), ({}, 3), ("", 3), ("email", 2), (["a", "b.c", "a"], 2), ({"a"}, 2),
        ([Finding("EMAIL_ADDRESS", 0, 3, 0.9)], 2), (Finding("EMAIL_ADDRESS", 0, 3, 0.9), 2),
        ({"type": "email", "start": 0, "end": 3}, 2), ((label for label in ("x",)), 2),
        ({"retention": "zero"}, 2), ({"data": {"regions": ["us"]}}, 2), ({"require_tags": ["vault"]}, 1),
        ({"allow": ["also"]}, 1), ({"deny": ["open", "safe"]}, 1), (Routing(retention="zero", regions=("eu",)), 1),
        ({"labels": ["x"], "deny": ["open"]}, 2), ({"labels": ["x"]}, 2), ({"block": True}, 0), ({"block": False}, 3),
        (Routing(), 3),
    ],
    ids=repr,
)  # fmt: skip
def test_what_a_hook_may_say(given: Any, left: int) -> None:
    answers = iter([given])
    assert len(made(lambda request: next(answers)).explain(Request((MAIL,))).candidates) == left


@pytest.mark.parametrize(
    "given",
    [
        True, False, 3, b"email", object(), [3], [None], ["jane@example.com"], ["Jane Doe"], [["email"]], [""],
        {"jane@example.com": 1}, {"tenant": "jane@example.com"}, {"retention": "jane@example.com"}, {"training": True},
        {"block": "jane@example.com"}, {"labels": "jane@example.com"}, Routing(pin="jane@example.com"),
        {"allow": []}, {"data": {"regions": []}}, {"type": "jane", "block": True}, [{"type": "jane", "deny": ["open"]}],
    ],
    ids=repr,
)  # fmt: skip
def test_what_can_t_be_read_is_not_sent_nor_told(given: Any, caplog: pytest.LogCaptureFixture) -> None:
    router = made(lambda request: given)
    with pytest.raises(NoEligibleModel, match="what was not looked at is not sent") as caught:
        ask(router)
    assert not calls(router)
    assert "jane" not in f"{caught.value}{caplog.text}".lower()


def failing(text: str) -> None:
    raise ValueError(text)


def running_out(text: str) -> Any:
    return next(iter(()))


def failing_as_it_is_read(text: str) -> Any:
    yield "email"
    raise ValueError(text)


async def failing_later(text: str) -> None:
    await asyncio.sleep(0)
    raise ValueError(text)


@pytest.mark.parametrize(
    "screen", [failing, failing_later, [detect_email, failing], running_out, failing_as_it_is_read]
)
def test_a_hook_that_fails_bars_the_request_and_its_message_is_not_told(
    screen: Any, caplog: pytest.LogCaptureFixture
) -> None:
    router, records = made(screen), list[dict[str, Any]]()
    router.add_sink(records.append)
    with pytest.raises(NoEligibleModel) as caught:
        ask(router)
    assert {r.rule for r in caught.value.refusals} == {"screen"}
    assert re.search(r"raised (ValueError|StopIteration) at test_screen\.py:", str(caught.value))
    assert caught.value.__cause__ is None
    assert caught.value.__context__ is None
    assert router.flush()
    assert not calls(router)
    assert "jane" not in f"{caught.value}{caplog.text}{records}".lower()
    with pytest.raises(NoEligibleModel):
        asyncio.run(asyncio.wait_for(awaited(router), 20))


async def awaited(router: Router, text: str = MAIL) -> Run[str]:
    request = await router.prepare(Request((text,)))
    run = router.start(request, ScriptedEndpoint(router.scripted, router.clock))  # type: ignore[attr-defined]  # its script
    assert "".join([chunk async for chunk in run])
    return run


# -- narrower, never wider ------------------------------------------------------------------------


def test_the_terms_of_the_request_stay_in_force() -> None:
    router = made(lambda request: {"retention": "30d", "regions": ["eu", "us"], "deny": ["also"], "require_tags": []})
    with routing(data={"retention": "zero", "regions": ["us"], "training": False}, deny=["safe"]):
        plan = router.explain(Request((MAIL,)))
    assert ids(plan) == []
    assert {r.model: r.rule for r in plan.refusals} == {"open": "data.retention", "safe": "deny", "also": "deny"}


@pytest.mark.parametrize(
    ("terms", "asked"),
    [({"data": {"regions": ["us"]}}, {"regions": ["eu"]}), ({"allow": ["open"]}, {"allow": ["safe"]})],
)
def test_terms_that_nothing_meets_leave_no_model(terms: Any, asked: Any) -> None:
    router = made(lambda request: asked)
    with routing(**terms), pytest.raises(NoEligibleModel, match="and none is both"):
        ask(router)
    assert not calls(router)


def test_a_model_has_several_names() -> None:
    router = made(lambda request: {"allow": ["scripted:safe", "also"]})
    with routing(allow=["safe", "open"]):
        assert ids(router.explain(Request((MAIL,)))) == ["safe"]


def test_a_pin_does_not_lead_past_it() -> None:
    with routing(pin="open"), pytest.raises(NoEligibleModel):
        ask(made(["pii.email"]))


def test_an_explained_request_that_was_looked_at_elsewhere_is_looked_at_again() -> None:
    seen = made(lambda request: None)
    request = asyncio.run(seen.prepare(Request((MAIL,))))
    assert ids(made(["pii.email"]).explain(request)) == ["safe", "also"]


# -- whatever is sent -----------------------------------------------------------------------------


def test_a_fallback_is_one_of_those_that_are_left() -> None:
    router = made(["pii.email"], {"open": ["ok"], "safe": ["overloaded"], "also": ["ok"]})
    assert ask(router).outcome.model == "also"  # type: ignore[union-attr]  # it is over
    assert "open" not in calls(router)
    assert_books_balanced(router)


def test_a_shadow_s_call_is_sent_to_one_of_those_that_are_left() -> None:
    dear, cheap = {"input_mtok": 9, "output_mtok": 9}, {"input_mtok": 1, "output_mtok": 1}
    prices = {"open": cheap, "safe": dear, "also": {"input_mtok": 5, "output_mtok": 5}}
    cards = {id: {**card, "price": prices[id], "max_output_tokens": 50} for id, card in CARDS.items()}
    shadow = {"name": "cheapest", "execute": 1.0, "budget_usd": 1}
    router = scripted_router({id: ["ok"] for id in CARDS}, cards=cards, screen=["pii.email"], shadow=shadow)
    again = lambda: ScriptedEndpoint(router.scripted, router.clock)  # type: ignore[attr-defined]  # noqa: E731 - its script
    for _ in router.start(Request((MAIL,)), again(), again=again):
        pass
    router.close()
    assert calls(router) == {"safe": 1, "also": 1}


def test_a_stream_is_resumed_by_one_of_those_that_are_left() -> None:
    cards = {id: {**card, "assistant_prefill": True} for id, card in CARDS.items()}
    scripts = {"safe": ["cut:3"], "open": ["ok"], "also": ["ok"]}
    router = scripted_router(scripts, cards=cards, screen=["pii.email"], resume=True)
    run = ask(router, stream=True, resumable=True)
    assert run.outcome is not None
    assert (run.outcome.model, run.outcome.resumed) == ("also", 1)
    assert calls(router) == {"safe": 1, "also": 1}


@pytest.mark.parametrize("way", ["sync", "async"])
def test_a_hedge_goes_to_one_of_those_that_are_left(way: str) -> None:
    models = {"open": GatedModel(("", "a")), "safe": GatedModel(("", "b"), shut=(0,)), "also": GatedModel(("", "c"))}
    entries = [
        Entry(ModelCard(id=id, provider="p", model=id, **CARDS[id]), None, Address(f"at:{id}", id)) for id in models
    ]
    router = Router(Registry(entries), policy="single", screen=["pii.email"], hedge={"after_s": 0.005, "extra": 1.0})
    endpoint = GatedEndpoint(models, stream=True)
    if way == "sync":
        text = "".join(router.start(Request((MAIL,), stream=True), endpoint))
    else:

        async def collected() -> str:
            request = await router.prepare(Request((MAIL,), stream=True))
            return "".join([chunk async for chunk in router.start(request, endpoint)])

        text = asyncio.run(collected())
    models["safe"].open()
    assert text == "c"
    assert models["open"].calls == 0


def test_what_an_evaluator_asks_the_router_is_held_to_the_same() -> None:
    asked: list[Routing] = []

    def judge(request: Request, answer: Answer) -> float:
        from capability_router import current_routing

        asked.append(current_routing())
        return 1.0

    router = made(["pii.email"], evaluator=judge, evaluate={"share": 1.0})
    ask(router)
    router.close()
    (terms,) = asked
    assert (terms.retention, terms.training) == ("zero", False)


def test_a_text_that_not_every_model_may_read_is_not_embedded(tmp_path: Any) -> None:
    pytest.importorskip("numpy", reason="the learned model needs numpy (the extra `learn`)")
    router, looked = made({"labels": {"pii.email": {"retention": "zero"}, "pii.ssn": "note"}}), list[str]()

    class Meanings:
        def before(self, request: Request) -> None:
            looked.extend(request.texts)

        async def abefore(self, request: Request) -> None:
            looked.extend(request.texts)

    router._meanings = Meanings()  # type: ignore[assignment]  # as far as it is asked
    for text in (MAIL, "123-45-6789", "hello"):
        router._prepared(Request((text,)))
        asyncio.run(router.prepare(Request((text,))))
    assert looked == ["123-45-6789", "123-45-6789", "hello", "hello"]


# -- when, where, how often -----------------------------------------------------------------------


def counting(kind: str) -> tuple[Callable[..., Any], list[threading.Thread]]:
    where: list[threading.Thread] = []

    def blocking(request: Request) -> list[str]:
        where.append(threading.current_thread())
        return ["x"]

    async def awaiting(request: Request) -> list[str]:
        await asyncio.sleep(0)
        return blocking(request)

    return (awaiting if kind == "async" else blocking), where


@pytest.mark.parametrize("kind", ["sync", "async"])
def test_a_request_is_looked_at_once(kind: str) -> None:
    hook, where = counting(kind)
    router = made(hook, {"open": ["ok"], "safe": ["overloaded"], "also": ["overloaded", "ok"]})
    run = ask(router)
    assert run.outcome is not None
    assert len(run.outcome.attempts) > 1
    asyncio.run(awaited(router))
    assert len(where) == 2


def test_a_blocking_hook_does_not_hold_an_event_loop_up_and_an_async_one_is_awaited_in_it() -> None:
    for kind in ("sync", "async"):
        hook, where = counting(kind)
        asyncio.run(awaited(made(hook)))
        assert (where == [threading.main_thread()]) is (kind == "async")


def test_an_answer_that_is_made_as_it_is_read_is_read_where_the_hook_runs() -> None:
    where: list[threading.Thread] = []

    def findings(text: str) -> Any:
        where.append(threading.current_thread())
        yield "email"

    asyncio.run(awaited(made(findings)))
    assert where != [threading.main_thread()]


def test_an_async_hook_of_a_blocking_call_has_a_loop_of_its_own_wherever_that_is_made() -> None:
    hook, where = counting("async")
    router = made(hook)

    async def within() -> None:
        with routing(tenant="acme"):
            assert ids(router.explain(Request((MAIL,)))) == ["safe", "also"]

    assert ids(router.explain(Request((MAIL,)))) == ["safe", "also"]
    asyncio.run(within())
    assert [thread is threading.main_thread() for thread in where] == [True, False]


def test_an_async_hook_in_a_loop_of_its_own_fails_as_any_other() -> None:
    router = made(failing_later)

    async def within() -> None:
        assert ids(router.explain(Request((MAIL,)))) == []

    asyncio.run(within())


def test_a_request_that_is_given_up_is_not_sent() -> None:
    async def hanging(request: Request) -> None:
        await asyncio.sleep(60)

    router = made(hanging)

    async def given_up() -> None:
        async with asyncio.timeout(0.01):
            await awaited(router)

    with pytest.raises(TimeoutError):
        asyncio.run(given_up())
    assert not calls(router)


def test_a_long_text_is_looked_at_beside_the_event_loop(monkeypatch: pytest.MonkeyPatch) -> None:
    router, where = made(["pii.email"]), list[threading.Thread]()
    hook = router._screen._hooks[0]  # type: ignore[union-attr]  # it has one
    seen = hook._replace(look=lambda request: where.append(threading.current_thread()) or hook.look(request))  # type: ignore[func-returns-value]  # it is to be looked at as well
    monkeypatch.setattr(router._screen, "_hooks", (seen,))
    for text in (MAIL, MAIL + " and so on" * 3_000):
        assert asyncio.run(router.prepare(Request((text,)))).screened.found == {"pii.email": 1}  # type: ignore[union-attr]  # it was
    assert [thread is threading.main_thread() for thread in where] == [True, False]


def test_whether_a_hook_takes_a_text_is_told_by_its_parameter() -> None:
    given: list[Any] = []

    def annotated(whatever: str) -> None:
        given.append(whatever)

    def of_request(request: Any) -> None:
        given.append(request)

    for hook in (annotated, lambda text: given.append(text), of_request):
        made(hook).explain(Request(("one", "two"), tools="three"))
    assert given[:2] == ["one\n\ntwo\n\nthree"] * 2
    assert isinstance(given[2], Request)


# -- what is told ---------------------------------------------------------------------------------


def test_plans_records_and_errors_name_labels_counts_and_rules_and_never_the_text() -> None:
    router, records = made(["pii.email"]), list[dict[str, Any]]()
    router.add_sink(records.append)
    run = ask(router, f"{MAIL}, or to jane@example.com")
    assert run.outcome is not None
    assert (run.outcome.screen, run.outcome.annotation()["screen"]) == (("pii.email",), "pii.email")
    assert facts_of(run.outcome, run.request.routing)["screen"] == "pii.email"
    assert "the screen found pii.email (2) and asks for retention zero, training False" in run.plan.notes
    with routing(allow=["open"]), pytest.raises(NoEligibleModel) as caught:
        ask(router)
    told = "open: data.retention: keeps data 30d, at most zero is allowed (asked for by pii.email)"
    assert told in str(caught.value)
    assert router.flush()
    assert [record["screen"] for record in records] == [{"pii.email": 2}, {"pii.email": 1}]
    assert [record["terms"].get("retention") for record in records] == ["zero", "zero"]
    assert "jane" not in f"{records}{run.plan.render()}{run.request!r}{caught.value}".lower()


def test_a_request_in_which_nothing_is_found_has_no_word_of_it() -> None:
    router, records = made(["pii.email"]), list[dict[str, Any]]()
    router.add_sink(records.append)
    assert not ask(router, "good morning").plan.notes
    assert router.flush()
    assert "screen" not in records[0]


def test_a_block_is_told_with_its_label() -> None:
    plan = made({"labels": {"secret": "block"}}).explain(Request(("AKIAIOSFODNN7EXAMPLE",)))
    assert {r.rule for r in plan.refusals} == {"screen"}
    assert plan.refusals[0].detail == "the screen found secret.aws, which is sent to no model"


# -- settings -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("screen", "told"),
    [
        (["pii.emial"], "did you mean 'pii.email'"),
        ({"labels": {"pii": {"retention": "never"}}}, "pii: routing term 'retention' must be 'zero' or days"),
        ({"labels": {"pii": {"retenton": "zero"}}}, "did you mean 'retention'"),
        ({"labels": {"pii": {"training": True}}}, "can only forbid models"),
        ({"labels": {"pii": "blok"}}, "must be block, note, or a mapping"),
        ({"labels": {"pii": None}}, "must be block, note, or a mapping"),
        ({"labels": "pii"}, "must be a list of labels"),
        ({"detector": "my.module:screen"}, "a file names none"),
        ({"detector": []}, "nothing would be looked at"),
        ({"detector": 3}, "must be a function of a text or of the Request"),
        ({"lables": {}}, "did you mean 'labels'"), (3, "screen must be a mapping"),
        (lambda: None, "without such a parameter"), (lambda *, text: None, "without such a parameter"),
        (Request, "must be a function"), ({"labels": {"pii": {}}}, "pii: nothing is asked for; write note"),
        ({"labels": {"pii": {"retention": None}}}, "nothing is asked for"),
        ({"labels": {"pii": {"regions": []}}}, "regions is an empty list, which no model meets; write `block`"),
    ],
)  # fmt: skip
def test_what_makes_no_screen_says_so(screen: Any, told: str) -> None:
    with pytest.raises(ConfigError, match=told):
        made(screen)


def test_a_detector_of_its_own_may_stand_beside_the_built_in_one() -> None:
    router = made(
        {"detector": ["builtin", detect_email], "labels": {"email": "note", "secret": "block", "mine": "note"}}
    )
    assert ids(router.explain(Request((MAIL,)))) == ["open", "safe", "also"]
    assert ids(router.explain(Request(("AKIAIOSFODNN7EXAMPLE",)))) == []


def test_a_function_over_a_file_is_held_to_the_files_labels() -> None:
    entry = {"id": "a", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "a"}, "data": SAFE}
    file = {"models": [entry], "screen": {"labels": {"email": "note", "secret": "block"}}}
    ours, both = load(file, screen=detect_email), load(file, screen=["builtin", detect_email])
    for laid in (ours, both):
        assert laid.screen is not None
        assert laid.screen.hooks()[0].name == "detect_email"
        assert {name: demand.block for name, demand in laid.screen.labels.items()} == {"email": False, "secret": True}
    assert "nothing looks for 'secret'" in " ".join(ours.warnings)
    assert not both.warnings
    assert load(file, screen=False).screen is None


def test_labels_that_no_model_may_read_are_warned_of() -> None:
    labels = {"pii": {"regions": ["ch"]}, "secret": "block", "pii.ssn": {"allow": ["sfae"]}}
    warnings = " ".join(made({"labels": labels}).settings.warnings)
    assert "no model gives what 'pii' asks for (regions ch)" in warnings
    assert "screen.labels.pii.ssn.allow names 'sfae', which is not registered; did you mean 'safe'?" in warnings
    assert "'secret'" not in warnings
    assert not made(True).settings.warnings


def test_a_router_in_another_process_looks_as_well() -> None:
    for screen in ({"labels": {"secret": "block"}}, detect_email):
        router = pickle.loads(pickle.dumps(made(screen)))  # noqa: S301 - made here
        assert ids(router.explain(Request((f"AKIAIOSFODNN7EXAMPLE {MAIL}",)))) != ["open", "safe", "also"]
    with pytest.raises((pickle.PicklingError, AttributeError, TypeError)):
        pickle.dumps(made(lambda request: "x"))


def test_a_hook_hears_of_no_fault_of_a_model() -> None:
    hook, where = counting("sync")
    router = made(hook, {"open": ["ok"], "safe": [Fault("server_error", "")], "also": ["ok"]})
    ask(router)
    assert len(where) == 1


def test_what_is_found_is_logged_by_no_one(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.DEBUG):
        ask(made(["pii.email"]))
    assert "jane" not in caplog.text
