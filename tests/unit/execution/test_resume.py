"""A stream that was cut off is continued elsewhere: only where that is asked for, possible, and then said."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest
from unit.execution.gated import GatedEndpoint, GatedModel

from capability_router import Request, StreamInterrupted, Usage
from capability_router.execution.effects import Launch
from capability_router.execution.run import Run
from capability_router.faults.kinds import Fault
from capability_router.request import Finish, Reply
from capability_router.router import Router
from capability_router.testing import assert_books_balanced, scripted_router

CUT = Fault("connection")


@pytest.fixture(params=["sync", "async"])
def play(request: pytest.FixtureRequest) -> Iterator[Any]:
    def play(router: Router, models: dict[str, GatedModel], **about: Any) -> tuple[str, Run[str], list[Launch]]:
        endpoint = GatedEndpoint(models, stream=True)
        run = router.start(Request(("hi",), stream=True, **{"resumable": True, **about}), endpoint)
        if request.param == "sync":
            return "".join(run), run, endpoint.launches
        return asyncio.run(_joined(run)), run, endpoint.launches

    return play


async def _joined(run: Run[str]) -> str:
    return "".join([chunk async for chunk in run])


def routed(*ids: str, able: str = "", **settings: Any) -> Router:
    cards = {id: {"assistant_prefill": id in able} for id in ids}
    return scripted_router({id: ["ok"] for id in ids}, cards=cards, **{"resume": True, **settings})


def test_another_model_goes_on_from_the_text_so_far(play: Any) -> None:
    models = {"a": GatedModel(("", "one ", CUT)), "b": GatedModel(("", "no")), "c": GatedModel(("", "two"))}
    router = routed("a", "b", "c", able="c")
    text, run, launches = play(router, models)
    assert text == "one two"
    assert [(la.candidate.id, la.prefix, la.after) for la in launches] == [("a", "", ""), ("c", "one ", "connection")]
    assert [(a.model, a.fault) for a in run.outcome.attempts] == [("a", "connection"), ("c", None)]
    assert run.outcome.annotation()["resumed"] == 1
    assert run.outcome.reason == "resumed on c: a lost its connection"
    assert "one" not in repr(launches)
    assert_books_balanced(router)


def test_the_tokens_are_those_of_all_parts(play: Any) -> None:
    models = {"a": GatedModel(("", "one ", CUT)), "b": GatedModel(("", "two"))}
    _, run, _ = play(routed("a", "b", able="b"), models)
    parts = [a.usage for a in run.outcome.attempts]
    assert run.outcome.usage.input_tokens == sum(p.input_tokens for p in parts) > parts[1].input_tokens
    assert run.outcome.usage.estimated


def test_it_may_be_cut_again_and_the_same_model_may_go_on(play: Any) -> None:
    models = {"a": GatedModel(("", "one ", CUT)), "b": GatedModel(("", "two ", CUT))}
    router = routed("a", "b", able="ab", retry={"attempts": 3})
    with pytest.raises(StreamInterrupted) as caught:
        play(router, models)
    assert caught.value.partial == "one two one "
    assert_books_balanced(router)


@pytest.mark.parametrize(
    ("able", "settings", "about"),
    [
        ("", {}, {}),
        ("b", {"resume": False}, {}),
        ("b", {}, {"resumable": False}),
        ("b", {"retry": {"attempts": 1}}, {}),
    ],
)
def test_else_it_ends_with_the_partial_text(play: Any, able: str, settings: Any, about: Any) -> None:
    models = {"a": GatedModel(("", "one ", CUT)), "b": GatedModel(("", "two"))}
    router = routed("a", "b", able=able, **settings)
    with pytest.raises(StreamInterrupted) as caught:
        play(router, models, **about)
    assert caught.value.partial == "one "
    assert models["b"].calls == 0
    assert_books_balanced(router)


def test_a_tool_call_that_has_begun_is_not_continued(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def half_a_call(self: Any) -> Reply:
        return Reply(text="".join(self._seen), tool_calls=1, usage=Usage(1, 1))

    monkeypatch.setattr("unit.execution.gated.GatedAttempt.reply", half_a_call)
    models = {"a": GatedModel(("", "one ", CUT)), "b": GatedModel(("", "two"))}
    with pytest.raises(StreamInterrupted):
        play(routed("a", "b", able="b"), models)


def test_without_a_cut_nothing_is_flagged(play: Any) -> None:
    _, run, _ = play(routed("a", able="a"), {"a": GatedModel(("", "one"))})
    assert "resumed" not in run.outcome.annotation()


TEXT = ("", "one ", CUT)


@pytest.mark.parametrize("kind", ["rate_limited", "auth", "bad_request", "server_error", "timeout", "empty", "unknown"])
def test_one_that_gives_nothing_is_followed_by_the_next_and_named_nowhere(play: Any, kind: str) -> None:
    models = {"a": GatedModel(TEXT), "b": GatedModel(("", Fault(kind))), "c": GatedModel(("", "two"))}
    router = routed("a", "b", "c", able="abc")
    text, run, launches = play(router, models)
    assert (text, [launch.candidate.id for launch in launches]) == ("one two", ["a", "b", "c"])
    assert run.outcome.reason == "resumed on c: a lost its connection"
    assert run.outcome.resumed == 1
    assert_books_balanced(router)


def test_who_has_not_been_asked_goes_before_who_broke_off(play: Any) -> None:
    models = {"a": GatedModel(TEXT), "b": GatedModel(("", "two ", CUT)), "c": GatedModel(("", "three"))}
    text, run, launches = play(routed("a", "b", "c", able="abc"), models)
    assert (text, [launch.candidate.id for launch in launches]) == ("one two three", ["a", "b", "c"])
    assert run.outcome.resumed == 2


def test_one_is_asked_again_no_more_often_than_a_model_may_be(play: Any) -> None:
    models = {"a": GatedModel(TEXT), "b": GatedModel(("", Fault("auth")))}
    router = routed("a", "b", able="ab", retry={"attempts": 9, "per_target": 1})
    with pytest.raises(StreamInterrupted) as caught:
        play(router, models)
    assert [failed.model for failed in caught.value.failures] == ["a", "b", "a"]
    told = str(caught.value)
    assert told.startswith("the stream of a (continuing the answer of a) broke off after text had been delivered")
    assert "no model could continue it: b rejected the credential." in told
    assert caught.value.partial == "one one "
    assert_books_balanced(router)


def test_an_empty_continuation_is_no_answer(play: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def ended(self: Any) -> Reply:
        return Reply(text="".join(self._seen), usage=Usage(1, 1), finish=None if self._seen[1:] else Finish.STOP)

    monkeypatch.setattr("unit.execution.gated.GatedAttempt.reply", ended)
    models = {"a": GatedModel(TEXT), "b": GatedModel(("",))}
    router = routed("a", "b", able="b", retry={"per_target": 0})
    with pytest.raises(StreamInterrupted, match=r"no model could continue it: b gave an empty answer") as caught:
        play(router, models)
    assert (caught.value.partial, [f.fault for f in caught.value.failures]) == ("one ", ["connection", "empty"])


@pytest.mark.parametrize("finish", [Finish.STOP, Finish.LENGTH, Finish.OTHER, None])
def test_what_breaks_after_its_terminal_reason_was_whole(
    play: Any, monkeypatch: pytest.MonkeyPatch, finish: Finish | None
) -> None:
    def ended(self: Any) -> Reply:
        return Reply(text="".join(self._seen), finish=finish)

    monkeypatch.setattr("unit.execution.gated.GatedAttempt.reply", ended)
    router = routed("a", able="", resume=False)
    if finish in (None, Finish.OTHER):
        with pytest.raises(StreamInterrupted):
            play(router, {"a": GatedModel(TEXT)})
        return
    text, run, _ = play(router, {"a": GatedModel(TEXT)})
    assert (text, run.outcome.finish, run.outcome.attempts[0].fault) == ("one ", finish, None)
    assert run.outcome.usage.estimated
    assert run.outcome.usage.output_tokens > 0
    assert_books_balanced(router)
