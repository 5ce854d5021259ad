"""How a request that got no answer is told: what happened, what was not tried, what to change."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import pytest
from unit.execution.staged import CUT, Stage

from capability_router import (
    AllCandidatesFailed,
    BudgetExceeded,
    Reply,
    RouterBusy,
    StreamInterrupted,
    Usage,
    routing,
)
from capability_router.execution.outcome_texts import failure, together, why
from capability_router.faults.kinds import Fault
from capability_router.money.budget.denial import Denial
from capability_router.request import AttemptRecord

USD = 10**12  # picodollars
NO_RETRY = {"budget_floor": 0, "budget_ratio": 0.0}


def ended(*faults: Fault | str, at: float = 101.0, **settings: Any) -> BaseException:
    """The error of a request whose attempts failed like that, all at the same time."""
    stage = Stage(**settings)
    stage.begin()
    for attempt, fault in enumerate(faults, start=1):
        stage.faulted(at, attempt, fault)
    assert stage.error is not None
    return stage.error


def test_a_request_above_the_rate_limit_is_not_sent_again_and_is_told_what_to_change() -> None:
    stage = Stage(ids="a")
    stage.begin()
    stage.faulted(101.0, 1, Fault("rate_limited", "tokens", 429, too_large=True))
    told = str(stage.error)
    assert len(stage.records) == 1
    assert "a allows fewer tokens at a time than the request has (429)" in told
    assert "Shorten the request or lower max_tokens" in told
    assert stage.router.health()[0]["held"] == ""


def test_attempts_that_are_used_up() -> None:
    with routing(tenant="acme"):
        told = str(ended("overloaded", "auth", retry={"attempts": 2}))
    assert told == (
        'no answer for tenant "acme" after 2 attempts in 1.0 s: a overloaded (after 1.0 s); '
        "b rejected the credential (after 0.0 s). Check the API key of b, as given to it or in the environment "
        "variable that its client reads. Not reached within 2 attempts: c."
    )


def test_where_all_were_tried_another_model_is_advised() -> None:
    told = str(ended("overloaded", ids="a", retry={"per_target": 0}))
    advice = "Add another model, or see router.health() for the state of these."
    assert told.endswith(f"a overloaded (after 1.0 s). {advice}")


@pytest.mark.parametrize(("fault", "advice"), [
    (Fault("context_overflow", window=8_192), "Add a model with a window above 8,192 tokens."),
    (Fault("context_overflow"), "Add a model with a window larger than theirs."),
    (Fault("rate_limited", retry_after_s=600.0), "It asks to wait 600 s, retry.max_wait_s is 2 s. "
     "Raise that, or add another model."),
    (Fault("unsupported", "TypeError over the keyword seed"), "Leave that part out, or add a model that takes it."),
    (Fault("unsupported", "ValueError", error=ValueError("no such method")), "Leave that part out, or add a model that "
     "takes it. The details are in this error's `__cause__`."),
    (Fault("rate_limited", retry_after_s=2.0), "Add another model, or see router.health() for the state of these."),
])  # fmt: skip
def test_what_would_have_helped_is_told(fault: Fault, advice: str) -> None:
    told = str(ended(fault, ids="a", retry={"per_target": 0, "max_wait_s": 2.0}))
    assert told.endswith(f"). {advice}")


def test_only_where_all_left_the_same_part_out_is_it_to_be_left_out() -> None:
    assert "Leave that part out" in str(ended("unsupported", "unsupported", ids="ab"))
    assert "Leave that part out" not in str(ended("unsupported", "overloaded", ids="ab", retry={"per_target": 0}))


def test_where_nothing_but_routers_without_money_was_asked_the_first_ones_word_is_raised() -> None:
    first, second = BudgetExceeded("of a"), BudgetExceeded("of b")
    unpaid = (Fault("unsupported", error=first), Fault("unsupported", error=second))
    assert ended(*unpaid, ids="ab", retry={"per_target": 0}) is first
    mixed = ended(unpaid[0], "overloaded", ids="ab", retry={"per_target": 0})
    assert isinstance(mixed, AllCandidatesFailed)


def test_what_holds_the_models_in_the_end_is_told() -> None:
    error = ended(CUT, ids="a", health={"consecutive": 1}, retry=NO_RETRY)
    assert isinstance(error, AllCandidatesFailed)
    assert error.held_by == {"a": "breaker"}


def test_keys_are_to_be_looked_at_where_they_come_from() -> None:
    stage = Stage("abc")
    stage.machine._targets.keys = {"a": "TEAM_KEY", "c": "TEAM_KEY"}
    stage.begin()
    for attempt in (1, 2, 3):
        stage.faulted(101.0, attempt, "auth")
    assert (
        " Check the API key of a, c, in the environment variable TEAM_KEY. Check the API key of b, as given to it or "
        "in the environment variable that its client reads. Add another model"
    ) in str(stage.error)


@pytest.mark.parametrize(
    ("kind", "advice"),
    [
        ("quota_exhausted", "Check the plan and balance of the account whose API key a has."),
        ("not_found", "Check the model name and base_url of a."),
    ],
)
def test_what_is_wrong_with_an_account_or_a_name_is_to_be_looked_at(kind: str, advice: str) -> None:
    assert f" {advice} " in str(ended(kind, ids="a", retry={"per_target": 0}))


def test_a_request_that_fails_everywhere() -> None:
    told = str(ended("bad_request"))
    assert told.endswith(
        "No other model was tried: the request itself was rejected, so every model would. Fix the request."
    )


def test_what_a_provider_rejects_can_be_read_in_the_cause() -> None:
    rejected, down = ValueError("the details"), ConnectionError("down")
    error = ended(Fault("bad_request", error=rejected))
    assert error.__cause__ is rejected
    assert str(error).endswith(" Fix the request. The details are in this error's `__cause__`.")
    after_another = ended(Fault("connection", error=down), Fault("bad_request", error=rejected))
    assert after_another.__cause__ is down
    assert str(after_another).endswith(" Fix the request.")


@pytest.mark.parametrize("kind", ["content_filtered", "refusal"])
def test_filtered_content_that_is_to_be_returned(kind: str) -> None:
    hint = 'No other model was tried: on_content_filter is "return"; with "fallback" the next one is.'
    assert str(ended(kind)).endswith(hint)
    assert "on_content_filter" not in str(ended(kind, kind, kind, on_content_filter="fallback"))


@pytest.mark.parametrize(("at", "late"), [(105.0, True), (106.0, True), (104.9, False)])
def test_a_deadline(at: float, late: bool) -> None:
    told = str(ended("overloaded", at=at, deadline_s=5.0, retry={"attempts": 1}))
    end = "The deadline of 5 s is over; raise deadline_s. Not reached in that time: b, c."
    assert told.endswith(end if late else "Not reached within 1 attempts: b, c.")


@pytest.mark.parametrize(
    ("clock", "setting"),
    [
        ("connection", "connect"),
        ("first token", "first_token"),
        ("next token", "between_tokens"),
        ("whole answer", "total"),
    ],
)
def test_a_limit_that_was_too_short_is_named_with_its_figure(clock: str, setting: str) -> None:
    timeouts = {"connect": 1.5, "first_token": 2.5, "between_tokens": 3.5, "total": 4.5}
    fault = Fault("timeout", clock=clock)
    advice = f" timeouts.{setting} is {timeouts[setting]:g} s; raise it if its answers take longer. "
    assert advice in str(ended(fault, ids="a", timeouts=timeouts))
    assert "raise it" not in str(ended(Fault("timeout"), ids="a", timeouts=timeouts))  # the provider's own
    assert advice in str(ended(fault, ids="a", deadline_s=5.0, timeouts=timeouts)), "the deadline is not over"
    late = str(ended(fault, ids="a", at=105.0, deadline_s=5.0, timeouts=timeouts))
    assert "The deadline of 5 s is over; raise deadline_s. " in late
    assert "timeouts." not in late


def test_the_first_exception_is_the_cause() -> None:
    first, second = ValueError("one"), ValueError("two")
    faults = (Fault("overloaded"), Fault("overloaded", error=first), Fault("overloaded", error=second))
    error = ended(*faults, retry={"per_target": 0})
    assert error.__cause__ is first
    assert len(error.failures) == 3  # type: ignore[attr-defined]  # AllCandidatesFailed
    assert ended("auth", "auth", "auth").__cause__ is None


def test_what_an_sdk_raised_over_an_answer_is_raised_where_such_answers_are_returned() -> None:
    own = ValueError("finish reason content_filter")
    for kind in ("content_filtered", "refusal"):
        assert ended(Fault(kind, answered=True, error=own)) is own
        assert isinstance(ended(Fault(kind, error=own)), AllCandidatesFailed)
        moved = ended(*[Fault(kind, answered=True, error=own)] * 3, on_content_filter="fallback")
        assert isinstance(moved, AllCandidatesFailed)


def test_an_answer_cut_at_its_length_is_raised_when_nothing_better_came() -> None:
    own = ValueError("finish reason length")
    cut = Fault("length", answered=True, error=own)
    assert ended("overloaded", cut, "overloaded", retry={"per_target": 0}) is own
    other = Fault("overloaded", answered=True, error=own)
    assert isinstance(ended(other, other, other, retry={"per_target": 0}), AllCandidatesFailed)
    assert isinstance(ended(*[Fault("length", error=own)] * 3), AllCandidatesFailed)


def test_no_budget_is_left() -> None:
    caps = [
        {"scope": "model:a", "limit_usd": 0.0, "on_exceed": "degrade"},
        {"scope": "model:b", "limit_usd": 0.000001, "on_exceed": "degrade"},
    ]
    stage = Stage("ab", budgets=caps)
    stage.begin()
    assert isinstance(stage.error, BudgetExceeded)
    assert (stage.error.scope, stage.error.left_usd) == ("model:b", Decimal("0.000001")), "the one that leaves most"
    told = str(stage.error)
    assert told.startswith("the budget leaves no room for this request; nothing was sent. a: model:a: ")
    assert "; b: model:b: " in told


def test_of_a_budget_that_is_used_up_nothing_is_left() -> None:
    stage = Stage("a", budgets=[{"scope": "global", "limit_usd": 0.0}])
    stage.begin()
    assert isinstance(stage.error, BudgetExceeded)
    assert stage.error.left_usd == 0


def refused(**denials: Denial) -> BudgetExceeded:
    """The error of a request whose models were all forbidden like that."""
    machine = Stage("ab").machine
    machine._targets.denials.update(denials)
    error = failure((), (), machine._targets, machine._limits, "acme", 100.0, 0.0)
    assert isinstance(error, BudgetExceeded)
    return error


def cap(scope: str, left: int, **more: Any) -> Denial:
    return Denial(scope, left, f"of {scope}", "degrade", "day", **{"limit": 9 * USD, **more})


def test_the_cap_that_leaves_most_is_told_in_full() -> None:
    most = cap("global", 2 * USD, spent=4 * USD, reserved=3 * USD, resets_at=86_400.0)
    for denials in ({"a": most, "b": cap("model:b", USD)}, {"a": cap("model:b", USD), "b": most}):
        error = refused(**denials)
        assert (error.scope, error.window, error.resets_at) == ("global", "day", "1970-01-02T00:00:00Z")
        assert (error.limit_usd, error.spent_usd, error.reserved_usd, error.left_usd) == (9, 4, 3, 2)


def test_what_is_not_known_of_a_cap_is_none_and_an_overdrawn_one_leaves_nothing() -> None:
    error = refused(a=cap("global", -USD, limit=None, spent=0))
    assert (error.limit_usd, error.spent_usd, error.reserved_usd, error.left_usd) == (None, 0, None, 0)
    assert error.resets_at is None


def test_numbers_that_are_others_too_stay_with_them() -> None:
    error = refused(a=cap("global", USD, spent=USD, reserved=USD, private=True))
    assert (error.limit_usd, error.spent_usd, error.reserved_usd, error.left_usd) == (None, None, None, None)
    assert (error.scope, error.window) == ("global", "day")


def test_models_for_which_there_is_room_are_named() -> None:
    fits = cap("model:b", USD, fits=("small", "tiny"))
    for denials in ({"a": cap("global", USD), "b": fits}, {"a": fits, "b": cap("global", USD)}):
        error = refused(**denials)
        assert error.fits == ("small", "tiny")
        assert str(error).endswith(". What is left is enough for small, tiny")
    none = refused(a=cap("global", USD))
    assert (none.fits, str(none)) == (
        (), "the budget leaves no room for this request; nothing was sent. a: of global",
    )  # fmt: skip


def test_one_store_that_cannot_be_asked_is_the_reason() -> None:
    error = refused(a=cap("global", USD), b=cap("model:b", 0, store=True))
    assert str(error) == "the budgets can't be read; nothing was sent. a: of global; b: of model:b"


def test_no_model_is_free() -> None:
    stage = Stage("a", retry={"max_wait_s": 0.0}, card_a={"limits": {"concurrency": 1}})
    stage.router.board.admit("a", 100.0)
    stage.begin()
    assert isinstance(stage.error, RouterBusy)
    told = str(stage.error)
    assert told.startswith("no model is free (a: ")
    assert told.endswith(
        "). Waited 0.0 s; nothing was sent. Raise limits.concurrency, or raise retry.max_wait_s, or add a model."
    )


def test_no_time_is_left() -> None:
    with routing(deadline_s=0.0):
        stage = Stage("a")
    stage.begin()
    assert str(stage.error) == (
        "the deadline of 0 s is over (none is left). Waited 0.0 s; nothing was sent. Raise deadline_s, or add a model."
    )


def test_an_answer_that_breaks_off_tells_all_who_gave_it_and_why() -> None:
    cause = ConnectionResetError()
    stage = Stage(resume=True, resumable=True, able="b", retry={"attempts": 2})
    stage.begin()
    stage.chunk(100.5)
    stage.faulted(101.0, 1, CUT, Reply(text="one "))
    stage.chunk(101.5, 2)
    stage.faulted(102.0, 2, Fault("connection", "gone", error=cause), Reply(text="two "))
    error = stage.error
    assert isinstance(error, StreamInterrupted)
    assert (error.partial, [f.model for f in error.failures], error.__cause__) == ("one two ", ["a", "b"], cause)


def broken_off(reply: Reply, fault: Fault = CUT, **settings: Any) -> str:
    """What is told of an answer that broke off so."""
    stage = Stage(**settings)
    stage.begin()
    stage.chunk(100.5)
    stage.faulted(101.0, 1, fault, reply)
    return str(stage.error)


def test_an_answer_that_breaks_off_over_time_tells_which_limit_to_raise() -> None:
    silent, timeouts = Fault("timeout", clock="next token"), {"between_tokens": 3.5}
    advice = "timeouts.between_tokens is 3.5 s; raise it if its answers take longer."
    assert advice in broken_off(Reply(text="one "), silent, timeouts=timeouts)
    assert advice in broken_off(Reply(text="one "), silent, timeouts=timeouts, deadline_s=50.0)
    assert advice not in broken_off(Reply(text="one "), timeouts=timeouts)
    over = broken_off(Reply(text="one "), CUT, deadline_s=1.0)
    assert "raise deadline_s" not in over, "it was not the time that ended it"


def test_an_answer_that_breaks_off_tells_whether_there_is_text_and_what_was_not_tried() -> None:
    told = broken_off(Reply(text="one "), resume=True, resumable=True, able="bc", retry={"attempts": 1})
    assert "broke off after text had been delivered: lost its connection: reset. The partial text is in" in told
    assert told.endswith("Not reached within 1 attempts: b, c.")
    of_a_call = broken_off(Reply(tool_calls=1))
    assert "broke off after content other than text had been delivered" in of_a_call
    assert "There is no partial text" in of_a_call


def test_an_answer_that_breaks_off_is_told_of_those_who_gave_it_and_then_of_who_could_not_go_on() -> None:
    stage = Stage(resume=True, resumable=True, able="b")
    stage.begin()
    stage.chunk(100.5)
    stage.faulted(101.0, 1, CUT, Reply(text="one "))
    stage.faulted(102.0, 2, "auth")
    told = str(stage.error)
    assert told.startswith("the stream of a broke off after text had been delivered: lost its connection: reset.")
    assert "no model could continue it: b rejected the credential." in told


def test_what_an_sdk_raised_over_an_answer_that_was_being_given_is_raised_as_it_is() -> None:
    own = ValueError("finish reason length")
    stage = Stage()
    stage.begin()
    stage.chunk(100.5)
    stage.faulted(101.0, 1, Fault("length", answered=True, error=own), Reply(text="one "))
    assert stage.error is own


def record(index: int, model: str, *, usage: Usage | None = None, fault: str | None = "overloaded") -> AttemptRecord:
    return AttemptRecord(index, model, "p", fault, f"of {model}", 0.0, 1.0, None, usage or Usage(), 0, None)


def test_the_tokens_of_the_parts_are_added() -> None:
    parts = [record(1, "a", usage=Usage(1, 2, estimated=True)), record(2, "b", usage=Usage(3, 4))]
    assert together(parts) == Usage(4, 6, estimated=True)


def test_why_the_answer_is_from_whom_it_is() -> None:
    a, b, good = record(1, "a"), record(2, "b"), record(3, "c", fault=None)
    first = record(1, "a", fault=None)
    assert why("as planned", [first], first, None, None) == "as planned"
    assert why("as planned", [a, b, good], good, None, None) == "fallback: a of a"
    again = record(2, "a", fault=None)
    assert why("as planned", [a, again], again, None, None) == "again after: of a"
    assert why("as planned", [a, good], good, 1.25, None) == "hedge: a was silent for 1.25 s"
    assert why("as planned", [a, good], good, 0.0, None) == "hedge: a was silent for 0.00 s"
    assert why("as planned", [a, b], b, 1.25, None) == "nothing better was found: b of b"
    assert why("as planned", [a, b, good], good, 1.25, b) == "resumed on c: b of b"


def test_what_would_let_a_held_model_be_called_is_named() -> None:
    stage = Stage("a")
    stage.router.isolate("a")
    stage.begin()
    assert str(stage.error).endswith("Call router.reset('a'), or add a model.")
    for deadline_s, longer in ((1.0, "deadline_s"), (1.5, "retry.max_wait_s"), (2.0, "retry.max_wait_s")):
        stage = Stage("a", deadline_s=deadline_s, retry={"max_wait_s": 1.5}, card_a={"limits": {"rpm": 1}})
        stage.router.board.admit("a", 100.0)
        stage.begin()
        assert str(stage.error).endswith(f"Raise limits.rpm or limits.tpm, or raise {longer}, or add a model.")


def test_one_that_was_tried_is_not_said_to_be_untried() -> None:
    stage = Stage("a", health={"consecutive": 1}, retry=NO_RETRY)
    stage.begin()
    stage.faulted(101.0, 1, CUT)
    told = str(stage.error)
    assert "Not tried again: a: breaker open" in told
    assert "Not tried:" not in told
