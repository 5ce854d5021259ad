"""Whatever happens in whatever order: attempts end once, one answer is given, and nothing is left behind."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from unit.execution.staged import GOOD, HEDGE, Stage

from capability_router import Reply, Usage
from capability_router.faults.kinds import KINDS, Fault
from capability_router.request import Finish

REPLIES = (GOOD, Reply(), Reply(text="half", usage=Usage(10, 2)), Reply(tool_calls=1, finish=Finish.TOOL_CALLS))
HOLDING = {"auth", "quota_exhausted", "not_found", "rate_limited", "context_overflow"}  # may concern other models too
steps = st.tuples(
    st.sampled_from(["chunk", "chunk", "completed", "faulted", "faulted", "rang", "rang", "cancelled", "sent_late"]),
    st.sampled_from([0.0, 0.4, 1.0, 2.0, 6.0, 6.0]),  # seconds since the step before
    st.integers(0, 1),  # which of the attempts in flight
    st.sampled_from([*sorted(KINDS), *["connection"] * 9]),
    st.sampled_from(REPLIES),
)
about = st.fixed_dictionaries(
    {
        "ids": st.sampled_from(["a", "ab", "abcd", "abcd"]), "able": st.sampled_from(["", "abcd", "abcd"]),
        "stream": st.sampled_from([True, True, False]), "resumable": st.just(True), "resume": st.just(True),
        "hedge": st.sampled_from([HEDGE, HEDGE, False]), "deadline_s": st.sampled_from([None, None, 5.0]),
        "timeouts": st.sampled_from([{}, {"first_token": 2.0, "total": 4.0}]),
        "on_content_filter": st.sampled_from(["return", "fallback"]),
    }
)  # fmt: skip


class Watch:
    """What the effects so far amount to; each new one is held against it."""

    def __init__(self, able: str = "") -> None:
        self.flying: list[int] = []
        self.launched = self.finished = 0
        self.answer: int | None = None
        self.continuing = False
        self.models: list[str] = []
        self.able = able  # who can go on with an answer and stays usable until asked

    def see(self, effect: Any, now: float) -> None:
        assert not self.finished, "something is wanted after the end"
        kind = type(effect).__name__
        if kind == "Launch":
            self.launched += 1
            assert effect.attempt == self.launched
            assert self.answer is None or (effect.prefix and not self.flying), "an attempt beside the answer"
            assert bool(effect.prefix) == (self.answer is not None)
            self.continuing = bool(effect.prefix)
            model = effect.candidate.id
            if self.continuing and model in self.models:
                assert set(self.able) <= set(self.models), "one is asked again while another was not asked at all"
            self.models.append(model)
            assert self.models.count(model) <= 2 + 1, "beyond per_target, and one more for a hedge that was aborted"
            self.flying.append(effect.attempt)
        elif kind == "Abort":
            self.flying.remove(effect.attempt)
        elif kind == "Deliver":
            assert self.answer in (None, effect.attempt) or self.continuing, "two models' texts in one answer"
            self.answer = effect.attempt
        elif kind == "SetAlarm":
            assert effect.at is None or effect.at >= now - 12.001  # sent late, and then the longest step
        else:
            self.finished += 1


@settings(max_examples=100, deadline=None)
@given(about, st.lists(steps, max_size=14), st.sampled_from([[], [("chunk", 0.4, 0, "", GOOD)]]))
def test_attempts_end_once_one_answer_is_given_and_nothing_is_left(
    about: dict[str, Any], script: list[Any], first: list[Any]
) -> None:
    kinds = {kind for what, _, _, kind, _ in script if what == "faulted"}
    able = "" if kinds & HOLDING else "".join(set(about["ids"]) & set(about["able"]))
    stage, watch, now = Stage(**about), Watch(able), 100.0
    for effect in stage.begin(now):
        watch.see(effect, now)
    launched = 1
    for what, gap, which, kind, reply in [*first, *script, ("cancelled", 0.0, 0, "", GOOD)]:
        now, new, launched = now + gap, launched, 0
        if what in ("chunk", "completed", "faulted", "sent_late"):
            if not watch.flying:
                continue
            attempt = watch.flying[which % len(watch.flying)]
            if what == "sent_late" and attempt != new:  # an attempt is sent after its launch, before all else
                now -= gap
                continue
            if what in ("completed", "faulted"):
                watch.flying.remove(attempt)
            more = {"completed": (reply,), "faulted": (Fault(kind or "unknown"), reply)}.get(what, ())
            effects = getattr(stage, what)(now, attempt, *more)
        else:
            effects = getattr(stage, what)(now, **{f"_{attempt}": reply for attempt in watch.flying})
        launched = next((effect.attempt for effect in effects if type(effect).__name__ == "Launch"), 0)
        for effect in effects:
            watch.see(effect, now)
        assert len(watch.flying) <= 2
    assert watch.finished == 1
    assert not watch.flying
    outcome = stage.outcome  # which holds the books against each other
    assert len(outcome.attempts) == watch.launched <= 4
    assert (outcome.model is None) or (outcome.attempts[(watch.answer or 0) - 1].model == outcome.model)
