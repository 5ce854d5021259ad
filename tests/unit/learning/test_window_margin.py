"""Near a window's edge: the margin of an estimate orders, and never refuses; learned windows do both."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import AllCandidatesFailed, NoEligibleModel, Request
from capability_router.catalog.card import ModelCard
from capability_router.eligibility import EligibilityQuery, Eligible, screen
from capability_router.faults.kinds import Fault
from capability_router.features import features
from capability_router.learning.context_windows import LearnedWindow
from capability_router.learning.token_scales import TokenScale
from capability_router.plan import Plan
from capability_router.request import Finish, Reply, Usage
from capability_router.router import Router
from capability_router.testing import ScriptedModel, ask, scripted_router

SMALL, BIG = ModelCard("small", context_window=10_000), ModelCard("big", context_window=100_000)


def asked(tokens: int, **rest: Any) -> EligibilityQuery:
    return EligibilityQuery(Request(("hi",)), tokens, 0, **{"margin": 0.2, **rest})


def ids(found: Eligible) -> list[str]:
    return [card.id for card in found.cards]


def test_a_request_that_only_the_margin_makes_too_large_is_kept_and_marked() -> None:
    found = screen(asked(8_000), [SMALL, BIG])
    assert ids(found) == ["small", "big"]
    assert list(found.tight) == ["small"]
    assert "needs about 9,600 input tokens (estimated, +20 %) and 1,024 for the output, window 10,000" in found.notes[0]
    assert not screen(asked(7_000), [SMALL, BIG]).tight


def test_what_is_too_large_without_the_margin_is_refused_and_called_an_estimate() -> None:
    found = screen(asked(9_000), [SMALL, BIG])
    assert ids(found) == ["big"]
    assert (
        found.refusals[0].detail == "needs about 9,000 input tokens (estimated) and 1,024 for the output, window 10,000"
    )


def test_counted_tokens_have_no_margin() -> None:
    assert not screen(asked(8_976, margin=0.0), [SMALL]).tight
    assert screen(asked(8_977, margin=0.0), [SMALL]).refusals[0].detail.startswith("needs 8,977 input tokens and")


def test_a_window_by_the_models_own_word_narrows_and_never_widens() -> None:
    told = {
        "small": LearnedWindow(told=6_000),
        "big": LearnedWindow(told=500_000),
        "unknown": LearnedWindow(told=8_000),
    }
    found = screen(asked(7_500, learned=told), [SMALL, BIG, ModelCard("unknown")])
    assert ids(found) == ["big"]
    assert [r.detail[-41:] for r in found.refusals] == [
        "window 6,000 (from its own error message)"[-41:],
        "window 8,000 (from its own error message)"[-41:],
    ]
    assert ids(screen(asked(99_000, learned=told), [BIG])) == []


def test_a_bound_from_a_size_alone_orders_near_it_and_refuses_far_above() -> None:
    learned = {"small": LearnedWindow(bound=5_000, at=0.0)}
    near, above = screen(asked(5_500, learned=learned), [SMALL]), screen(asked(6_100, learned=learned), [SMALL])
    assert list(near.tight) == ["small"]
    assert above.refusals[0][1:] == (
        "learned_window", "needs about 6,100 input tokens (estimated), rejected about 5,000 as too long before",
    )  # fmt: skip
    assert not screen(asked(4_900, learned=learned), [SMALL]).tight
    later = screen(asked(6_100, learned=learned, now=7_200.0), [SMALL])
    assert list(later.tight) == ["small"]  # it has loosened to 6,000, and refuses from 7,200 on


CARDS = {"small": {"context_window": 10_000}, "big": {"context_window": 100_000}}
SENTENCE = "The committee met on Tuesday to decide whether the bridge should be closed for repairs. "


def request(tokens: int) -> Request:
    each = features(Request((SENTENCE * 100,))).text_tokens / 100
    return Request((SENTENCE * int(tokens / each),))


def order(plan: Plan) -> list[str]:
    return [candidate.id for candidate in plan.candidates]


def test_near_the_edge_the_larger_goes_first_and_the_smaller_stays() -> None:
    router = scripted_router({"small": ["ok"], "big": ["ok"]}, cards=CARDS)
    assert order(router.explain(request(6_000))) == ["small", "big"]
    assert order(router.explain(request(8_500))) == ["big", "small"]
    assert order(router.explain(request(9_500))) == ["big"]


def test_alone_it_is_tried() -> None:
    router = scripted_router({"small": ["ok"]}, cards=CARDS)
    assert ask(router, request(8_500)).outcome.model == "small"
    with pytest.raises(NoEligibleModel):
        ask(router, request(9_500))


def overflowing(window: int | None) -> Router:
    fault = Fault("context_overflow", window=window, status=400)
    return scripted_router({"small": [fault], "big": ["ok"]}, cards={"big": {"context_window": 100_000}})


def test_a_window_that_a_model_names_is_heeded_from_then_on() -> None:
    router = overflowing(8_192)
    assert order(router.explain(request(9_000))) == ["small", "big"]
    assert ask(router, request(9_000)).outcome.model == "big"
    assert order(router.explain(request(9_000))) == ["big"]
    assert order(router.explain(request(3_000))) == ["small", "big"]
    row = next(row for row in router.health() if row["model"] == "small")
    assert (row["window"], row["too_long"]) == (8_192, None)
    assert "window 8,192 (from its own error message)" in router.explain(request(9_000)).render()


def test_a_window_that_nobody_names_is_learned_from_the_size() -> None:
    router = overflowing(None)
    ask(router, request(9_000))
    assert order(router.explain(request(9_000))) == ["big", "small"]
    assert order(router.explain(request(12_000))) == ["big"]
    assert order(router.explain(request(8_000))) == ["small", "big"]
    row = next(row for row in router.health() if row["model"] == "small")
    assert row["window"] is None
    assert 8_500 < row["too_long"] < 9_500


def test_an_answer_to_a_larger_prompt_corrects_a_wrong_bound() -> None:
    fault = Fault("context_overflow", status=400)
    answer = Reply(usage=Usage(9_400, 5), finish=Finish.STOP, text="fine")
    router = scripted_router({"m": [fault, answer]})
    with pytest.raises(AllCandidatesFailed):
        ask(router, request(9_000))
    assert ask(router, request(9_400)).outcome.ok  # tight, but it is the only one
    assert router.health()[0]["too_long"] is None


def test_what_another_model_name_shows_is_not_learned_of_the_candidate() -> None:
    router = overflowing(8_192)
    ask(router, Request(request(9_000).texts, model="another"))
    assert router.health()[0]["window"] is None


def test_what_models_report_moves_their_figures_and_nobody_elses() -> None:
    usage = Usage(3_900, 3)
    router = scripted_router(
        {"a": ScriptedModel(["ok"], usage=usage), "b": ["ok"]},
        cards={"a": {"price": {"input_mtok": 1, "output_mtok": 0}}},
    )
    asked_for = request(3_000)
    before = router.explain(asked_for).candidates
    for _ in range(40):
        ask(router, asked_for)
    after = {c.id: c for c in router.explain(asked_for).candidates}
    assert after["a"].input_tokens == pytest.approx(3_900, rel=0.02)
    assert after["b"].input_tokens == before[1].input_tokens
    assert after["a"].cost_usd == pytest.approx(3_900e-6, rel=0.02)


def test_calls_that_were_planned_before_an_answer_came_do_not_teach_twice() -> None:
    router = scripted_router({"a": ScriptedModel(["ok"], usage=Usage(3_900, 3))})
    from capability_router.testing import ScriptedEndpoint

    endpoint = ScriptedEndpoint(router.scripted, router.clock)  # type: ignore[attr-defined]  # set by scripted_router
    runs = [router.start(request(3_000), endpoint) for _ in range(60)]
    for run in runs:
        list(run)
    assert router.explain(request(3_000)).candidates[0].input_tokens == pytest.approx(3_900, rel=0.02)


def test_a_learned_margin_takes_the_place_of_the_fifth() -> None:
    class Known:
        def tokens(self, card: ModelCard) -> int:
            return 8_500

        def scale(self, card: ModelCard) -> TokenScale:
            return TokenScale(1.0, 0.02)

    assert not screen(asked(8_500, sizes=Known()), [SMALL]).tight
    assert screen(asked(8_500), [SMALL]).tight


def test_parts_and_tools_count_by_each_models_maker() -> None:
    cards = {"gpt": {"provider": "openai", "model": "gpt-4o"}, "claude": {"provider": "anthropic", "model": "claude-x"}}
    router = scripted_router({"gpt": ["ok"], "claude": ["ok"]}, cards=cards)
    plain = router.explain(Request(("hi",))).candidates
    assert plain[0].input_tokens == plain[1].input_tokens
    with_image = router.explain(Request(("hi",), media=("image",))).candidates
    assert [c.input_tokens - plain[0].input_tokens for c in with_image] == [1_445, 4_784]
    tools = '{"name": "search", "description": "Search the web for pages", "parameters": {"q": {"type": "string"}}}'
    with_tools = router.explain(Request(("hi",), tools=tools)).candidates
    assert with_tools[0].input_tokens < with_tools[1].input_tokens - 340
