"""Conversations stay on a model while that is right: by their messages, their session, their tool calls."""

from __future__ import annotations

from typing import Any

import pytest

from capability_router import Request, routing
from capability_router.policies.affinity import Affinity, StickyModel, cached_after
from capability_router.request import Finish, Reply, Usage
from capability_router.router import Router
from capability_router.testing import ScriptedModel, ask, scripted_router

SYSTEM = "You are terse."
FIRST = Request((SYSTEM, "hi"))
GOES_ON = Request((SYSTEM, "hi", "hello", "and now?"))
LONG = Usage(input_tokens=20_000, output_tokens=100)


def noted(request: Request = FIRST, *, cached: int = 0, calls: tuple[str, ...] = ()) -> Affinity:
    affinity = Affinity({"a", "b"})
    affinity.note(request, Reply(tool_call_ids=calls), "b", cached, at=0.0)
    return affinity


def test_a_prompt_that_begins_with_an_answered_one_goes_on_with_it() -> None:
    assert noted().of(GOES_ON, 1.0) == StickyModel("b")
    assert noted(cached=2_000).of(GOES_ON, 1.0) == StickyModel("b", cached_tokens=2_000)


@pytest.mark.parametrize("other", [FIRST, Request((SYSTEM, "other", "hello", "hm")), Request(("hi", "hello"))])
def test_other_prompts_are_other_conversations(other: Request) -> None:
    assert noted(cached=2_000).of(other, 1.0) == StickyModel("")


def test_a_cache_grows_cold() -> None:
    assert noted(cached=2_000).of(GOES_ON, 301.0) == StickyModel("b")


def test_a_session_is_kept_when_its_middle_was_summarised() -> None:
    with routing(session="s"):
        affinity = noted(Request((SYSTEM, "hi")), cached=2_000)
        assert affinity.of(Request((SYSTEM, "summary", "and now?")), 1.0) == StickyModel("b")
        assert affinity.of(Request(("Another agent of the thread.", "hi")), 1.0) == StickyModel("")
    assert affinity.of(Request((SYSTEM, "summary", "and now?")), 1.0) == StickyModel("")


def test_another_tenants_conversation_is_another_one() -> None:
    """Also where a server gives tool calls the same names in each, and both call their sessions alike."""
    follows = Request((SYSTEM, "hi", "add", "3"), follows=("call_0",), in_tool_loop=True)
    with routing(tenant="acme", session="s"):
        affinity = noted(Request((SYSTEM, "hi")), cached=2_000, calls=("call_0",))
        assert affinity.of(Request(follows.texts, follows=("call_0",)), 1.0).model == "b"
    for tenant in ("umbrella", ""):
        with routing(tenant=tenant, session="s"):
            for other in ({"follows": ("call_0",)}, {}):
                assert affinity.of(Request(follows.texts, **other), 1.0) == StickyModel("")


def test_tool_loops_bind() -> None:
    follows = Request((SYSTEM, "hi", "add", "3"), follows=("c1",), in_tool_loop=True)
    assert noted(calls=("c1",)).of(follows, 1.0) == StickyModel("b", binding=True)


def test_of_a_tool_call_its_own_message_knows_best() -> None:
    """Ids such as call_0 are given anew in every conversation by some servers."""
    elsewhere = Request(("x", "call_0", "3"), follows=("call_0",), answered_by="a")
    assert noted(calls=("call_0",)).of(elsewhere, 1.0) == StickyModel("a", binding=True)


def test_messages_from_another_process_say_who_answered() -> None:
    assert Affinity({"a", "b"}).of(Request(("x", "y", "z"), answered_by="a"), 1.0) == StickyModel("a")
    assert Affinity({"a", "b"}).of(Request(("x", "y", "z"), answered_by="gone"), 1.0) == StickyModel("")


def test_what_is_kept_is_bounded() -> None:
    affinity = Affinity({"a"}, keep=3)
    for i in range(10):
        affinity.note(Request((f"{i}",)), Reply(tool_call_ids=(f"c{i}",)), "a", 0, at=0.0)
    assert [affinity.of(Request((f"{i}", "", "?")), 0.0).model for i in (6, 7, 9)] == ["", "a", "a"]


@pytest.mark.parametrize(
    ("provider", "usage", "expected"),
    [
        ("openai", LONG, 20_000),  # caches by itself
        ("openai", Usage(input_tokens=1_000), 0),  # too short
        ("anthropic", LONG, 0),  # only what is marked
        ("anthropic", Usage(input_tokens=20_000, cache_creation_tokens=18_000), 18_000),
        ("amazon_bedrock", Usage(input_tokens=9_000, cache_read_tokens=7_000, cache_creation_tokens=1_000), 8_000),
    ],
)
def test_what_a_provider_has_cached_afterwards(provider: str, usage: Usage, expected: int) -> None:
    assert cached_after(provider, usage) == expected


def two(policy: Any, cached_price: float | None = 0.1, usage: Usage = LONG) -> Router:
    """Equal models, but that `b` is a little dearer."""
    prices = {"a": {"input_mtok": 1.0, "output_mtok": 2.0}, "b": {"input_mtok": 1.2, "output_mtok": 2.4}}
    if cached_price is not None:
        prices["b"]["cache_read_mtok"] = cached_price
    cards = {id: {"provider": "openai", "price": prices[id]} for id in prices}
    script = {"a": ["ok"], "b": [Reply(usage=usage, text="ok", finish=Finish.STOP)]}
    router = scripted_router(script, cards=cards, policy=policy)
    with routing(pin="b"):
        ask(router, Request((SYSTEM, "x " * 20_000)))
    return router


NEXT = (SYSTEM, "x " * 20_000, "ok", "and now?")


@pytest.mark.parametrize("policy", ["cheapest", "adaptive", "weighted"])
def test_a_warm_cache_keeps_a_conversation(policy: str) -> None:
    plan = two(policy).explain(Request(NEXT))
    assert plan.chosen.id == "b"
    assert plan.reason.startswith("stays on the conversation's model: ")
    assert any("20,000 input tokens are likely in its provider's cache" in note for note in plan.notes)


def test_what_does_not_pay_does_not_keep_it() -> None:
    assert two("cheapest", cached_price=None).explain(Request(NEXT)).chosen.id == "a"
    assert two("cheapest").explain(Request(("another",))).chosen.id == "a"


def test_adaptive_changes_a_conversations_model_for_more_than_a_trifle_only() -> None:
    equal = {id: {"provider": "p", "quality": {"default": q}} for id, q in (("a", 0.81), ("b", 0.80))}
    better = {**equal, "a": {"provider": "p", "quality": {"default": 0.9}}}
    for cards, expected in ((equal, "b"), (better, "a")):
        usual = {id: ScriptedModel(["ok"], usage=Usage(10, 220)) for id in cards}
        router = scripted_router(usual, cards=cards, policy="adaptive")
        with routing(pin="b"):
            ask(router, Request(FIRST.texts))
        plan = router.explain(GOES_ON)
        assert plan.chosen.id == expected
        assert (dict(plan.candidates[0].terms).get("staying") == 0.02) is (expected == "b")
        total = {c.id: sum(value for _, value in c.terms) for c in plan.candidates}
        assert total == pytest.approx({c.id: c.score for c in plan.candidates})


def test_a_conversation_moves_when_its_model_may_not_be_used() -> None:
    router = two("cheapest")
    with routing(deny=["b"]):
        assert router.explain(Request(NEXT)).chosen.id == "a"
