"""Each rule of the table: what passes, what is refused, and with which numbers."""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, NamedTuple, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capability_router import ModelCard, Need, Price, Request, routing
from capability_router.catalog.card import CAPABILITIES
from capability_router.eligibility import (
    _BY_ROOM,
    _BY_SIZE,
    _BY_TERMS,
    BARRED,
    OF_THE_MOMENT,
    OF_THE_REQUEST,
    OUT_OF_USE,
    RULES,
    WINDOWS,
    CardIndex,
    EligibilityQuery,
    EligibilityRule,
    Eligible,
    _may_be_tight,
    screen,
)
from capability_router.health.bans import BanSubject
from capability_router.learning.context_windows import LearnedWindow
from capability_router.routing import Routing


def card(id: str = "m", **fields: Any) -> ModelCard:
    return ModelCard(id=id, **fields)


def ask(tokens: int = 100, *, needs: Need = Need.NONE, max_tokens: int | None = None, **rest: Any) -> EligibilityQuery:
    return EligibilityQuery(Request(("hi",), needs=needs, max_tokens=max_tokens), tokens, int(needs), **rest)


def one(result: Eligible) -> tuple[str, str]:
    assert not result.cards
    return result.refusals[0].rule, result.refusals[0].detail


def test_the_window_counts_input_and_reserve() -> None:
    fits = card(context_window=2_000)  # reserve: a quarter, 500
    assert screen(ask(1_500), [fits]).cards == [fits]
    assert one(screen(ask(1_501), [fits])) == (
        "context_window", "needs 1,501 input tokens and 500 for the output, window 2,000",
    )  # fmt: skip


def test_reserve_is_the_calls_max_tokens_then_the_models_then_a_default() -> None:
    m = card(context_window=10_000, output_reserve=3_000)
    assert screen(ask(7_000), [m]).cards
    assert not screen(ask(7_001), [m]).cards
    assert screen(ask(9_990, max_tokens=10), [m]).cards
    assert not screen(ask(8_977), [card(context_window=10_000)]).cards  # 1,024
    assert screen(ask(9_900), [card(context_window=10_000, max_output_tokens=100)]).cards


def test_max_input_and_max_output() -> None:
    m = card(max_input_tokens=1_000, max_output_tokens=50)
    assert one(screen(ask(1_001), [m]))[0] == "max_input_tokens"
    assert one(screen(ask(10, max_tokens=51), [m]))[0] == "max_output_tokens"
    assert screen(ask(1_000, max_tokens=50), [m]).cards


def test_an_unknown_window_refuses_nothing() -> None:
    assert screen(ask(10**9), [card()]).cards


@pytest.mark.parametrize("name", [n for n in CAPABILITIES if n != "streaming"])
def test_each_capability(name: str) -> None:
    need = CAPABILITIES[name]
    yes, no, unknown = card("yes", **{name: True}), card("no", **{name: False}), card("unknown")
    result = screen(ask(needs=need), [yes, no, unknown])
    assert result.cards == [yes]
    assert {(r.model, r.rule) for r in result.refusals} == {("no", name), ("unknown", name)}
    alone = screen(ask(needs=need), [no, unknown])
    assert alone.cards == [unknown]
    assert name in alone.notes[0]
    assert not screen(ask(needs=need), [unknown], unknown="refuse").cards
    assert screen(ask(needs=need), [yes, unknown], unknown="allow").cards == [yes, unknown]


def test_streaming_is_refused_only_where_it_is_denied() -> None:
    result = screen(ask(needs=Need.STREAMING), [card("a"), card("b", streaming=False), card("c", streaming=True)])
    assert [c.id for c in result.cards] == ["a", "c"]


def test_unknowns_that_complement_each_other_are_kept_rather_than_none() -> None:
    a, b = card("a", tool_calling=True), card("b", image_inputs=True)
    result = screen(ask(needs=Need.TOOL_CALLING | Need.IMAGE_INPUTS), [a, b])
    assert result.cards == [a, b]
    assert len(result.notes) == 2


def test_max_cost_counts_the_reserve_and_unknown_prices_never_pass() -> None:
    with routing(max_cost_usd=0.001):
        cheap, dear, unknown = card("cheap", price=Price(0.1, 0.1)), card("dear", price=Price(10, 10)), card("unknown")
        result = screen(ask(100, max_tokens=100), [cheap, dear, unknown])
    assert [c.id for c in result.cards] == ["cheap"]
    assert {r.model: r.rule for r in result.refusals} == {"dear": "max_cost", "unknown": "max_cost"}


@pytest.mark.parametrize(
    ("terms", "data", "rule"),
    [
        ({"regions": ["eu"]}, {"regions": ["eu"]}, None),
        ({"regions": ["eu", "us"]}, {"regions": ["eu"]}, None),
        ({"regions": ["eu"]}, {"regions": ["eu", "us"]}, "data.regions"),
        ({"regions": ["eu"]}, {}, "data.regions"),
        ({"retention": "zero"}, {"retention": "zero"}, None),
        ({"retention": "zero"}, {"retention": "30d"}, "data.retention"),
        ({"retention": "30d"}, {"retention": "7d"}, None),
        ({"retention": "30d"}, {"retention": "forever"}, "data.retention"),
        ({"retention": "30d"}, {}, "data.retention"),
        ({"training": False}, {"training": False}, None),
        ({"training": False}, {"training": True}, "data.training"),
        ({"training": False}, {}, "data.training"),
        ({"training": True}, {}, None),
    ],
)
def test_data_rules(terms: dict, data: dict, rule: str | None) -> None:
    with routing(data=terms):
        result = screen(ask(), [card(data=data)])
    assert [r.rule for r in result.refusals] == ([rule] if rule else [])


def test_names_tags_and_tenants() -> None:
    a, b, c = card("a", tags=["prod"]), card("b", tags=["prod", "eu"]), card("c", tenants=["acme"])
    with routing(require_tags=["eu"]):
        assert [x.id for x in screen(ask(), [a, b]).cards] == ["b"]
    assert [x.id for x in screen(ask(), [a, b, c]).cards] == ["a", "b"]
    with routing(tenant="acme"):
        assert [x.id for x in screen(ask(), [a, b, c]).cards] == ["a", "b", "c"]
    with routing(deny=["a"]):
        assert [x.id for x in screen(ask(deny=frozenset("a")), [a, b]).cards] == ["b"]
    assert [x.id for x in screen(ask(pin="b"), [a, b]).cards] == ["b"]


class Bar(NamedTuple):
    what: str

    def told(self, id: str, now: float) -> str:
        return f"{id!r} disabled at {now:g}"


def test_barred_models_are_refused_with_the_reason() -> None:
    for what in ("credential", "model"):
        found = screen(ask(now=12.0), [card("a")], barred={"a": Bar(what)})
        assert one(found) == (what, "'a' disabled at 12")


cards = st.builds(
    lambda i, w, t, s, p: ModelCard(id=f"m{i}", context_window=w, tool_calling=t, structured_output=s, price=p),
    st.integers(0, 10**6), st.none() | st.integers(1, 10_000), st.sampled_from([True, False, None]),
    st.sampled_from([True, False, None]), st.none() | st.just(Price(1, 1)),
)  # fmt: skip


@given(st.lists(cards, max_size=8, unique_by=lambda c: c.id), st.integers(0, 12_000), st.sampled_from(list(Need)))
def test_every_model_is_either_eligible_or_refused_by_name(models: list[ModelCard], tokens: int, need: Need) -> None:
    result = screen(ask(tokens, needs=need), models)
    assert sorted([c.id for c in result.cards] + [r.model for r in result.refusals]) == sorted(m.id for m in models)
    assert all(r.rule and r.detail for r in result.refusals)
    for model in result.cards:
        assert not int(need) & model.cannot
        assert model.context_window is None or tokens < model.context_window


def test_a_wrapped_models_own_output_is_kept_free_even_beyond_the_cards() -> None:
    tight = card(context_window=1_000, max_output_tokens=100, output_reserve=800)
    assert one(screen(ask(500), [tight]))[0] == "context_window"


def test_needs_that_no_model_is_known_to_meet_together_are_told_so() -> None:
    some = [card("a", tool_calling=True), card("b", image_inputs=True)]
    found = screen(ask(needs=Need.TOOL_CALLING | Need.IMAGE_INPUTS), some)
    assert [c.id for c in found.cards] == ["a", "b"]
    assert all("known to have all that is needed" in note for note in found.notes)
    allowed = screen(ask(needs=Need.TOOL_CALLING), [card("a")], unknown="allow")
    assert "unknown models are allowed" in allowed.notes[0]


_sizes = st.one_of(st.none(), st.integers(min_value=1, max_value=40))
_cards = st.lists(st.tuples(_sizes, _sizes, _sizes, _sizes), min_size=1, max_size=4)


@given(_cards, st.integers(min_value=0, max_value=40), st.one_of(st.none(), st.integers(min_value=1, max_value=40)))
def test_leaving_rules_of_size_out_changes_no_verdict(sizes: Any, tokens: int, max_tokens: int | None) -> None:
    names = ("context_window", "max_input_tokens", "max_output_tokens", "output_reserve")
    cards = [card(f"m{i}", **dict(zip(names, each, strict=True))) for i, each in enumerate(sizes)]
    asked = ask(tokens, max_tokens=max_tokens)
    of_size = [rule for rule in RULES if rule.name in ("max_input_tokens", "context_window", "max_output_tokens")]
    expected = [
        next(((c.id, rule.name, told) for rule in of_size if (told := rule.check(asked, c)) is not None), None)
        for c in cards
    ]
    assert [tuple(refusal) for refusal in screen(asked, cards).refusals] == [e for e in expected if e is not None]


TERMS: list[dict[str, Any]] = [
    {"pin": "m"}, {"allow": ["m"]}, {"deny": ["m"]}, {"require_tags": ["t"]}, {"data": {"regions": ["eu"]}},
    {"data": {"retention": "zero"}}, {"data": {"training": False}},
]  # fmt: skip


@pytest.mark.parametrize("terms", TERMS)
def test_each_term_that_may_forbid_a_model_says_so(terms: dict[str, Any]) -> None:
    with routing(**terms) as bound:
        assert bound.binding


def test_terms_that_only_attribute_forbid_nothing() -> None:
    with routing(tenant="acme", tags=["nightly"], max_cost_usd=1, deadline_s=2, data={"training": True}) as stated:
        assert not stated.binding


def some(field: Field[Any]) -> Any:
    """A value that states this term."""
    words = str(field.type)
    return ("x",) if words.startswith("tuple") else False if words.startswith("bool") else "x"


@pytest.mark.parametrize("rule", _BY_TERMS, ids=lambda rule: rule.name)
def test_a_rule_that_is_only_asked_of_binding_terms_is_about_one_of_them(rule: EligibilityRule) -> None:
    by_name = {f.name: f for f in fields(Routing)}
    assert rule.term in by_name
    if rule.term == "tenant":  # asked where cards or the configuration name tenants: the test of names, above
        return
    assert Routing(**{rule.term: some(by_name[rule.term])}).binding


@pytest.mark.parametrize("rule", [*_BY_ROOM, *_BY_SIZE], ids=lambda rule: rule.name)
def test_a_rule_on_sizes_is_asked_of_every_request(rule: EligibilityRule) -> None:
    assert rule.term in ("", "max_cost_usd")
    assert rule in RULES


@pytest.mark.parametrize(
    "learned", [None, {"a": LearnedWindow(told=700)}, {"b": LearnedWindow(bound=300)}], ids=["", "told", "bound"]
)
@pytest.mark.parametrize("wanted", [None, 1, 400, 2_000])
def test_no_rule_on_room_refuses_what_none_of_them_is_asked_of(wanted: int | None, learned: Any) -> None:
    cards = [
        card("a", context_window=1_000), card("b", context_window=9_000, max_input_tokens=900),
        card("c", context_window=2_000, output_reserve=900), card("d"),
    ]  # fmt: skip
    asks = [
        ask(tokens, max_tokens=wanted, learned=learned, margin=m) for tokens in range(0, 2_000, 50) for m in (0.0, 0.2)
    ]
    refused = [any(rule.check(each, one) for rule in _BY_ROOM for one in cards) for each in asks]
    tight = [_may_be_tight(each, CardIndex(cards)) for each in asks]
    assert any(refused)
    assert not any(no and not may for no, may in zip(refused, tight, strict=True))


def test_the_terms_of_the_table_are_all_that_bind() -> None:
    bind = {f.name for f in fields(Routing) if f.default in ((), None) and Routing(**{f.name: some(f)}).binding}
    assert bind == {rule.term for rule in _BY_TERMS} - {"tenant"}


def test_what_other_rooms_are_told_of_the_rules_covers_each_of_them() -> None:
    names = {rule.name for rule in RULES}
    terms = {rule.term for rule in RULES if rule.name in OF_THE_REQUEST}
    assert terms == {rule.term for rule in RULES} - {"", "tenant"}
    assert set(get_args(BanSubject)) == OUT_OF_USE
    assert {"learned_window"} == OF_THE_MOMENT - OUT_OF_USE
    assert not OF_THE_MOMENT & OF_THE_REQUEST
    assert names >= WINDOWS
    rest = {rule.name for rule in RULES if rule.of == "model"}
    assert names | {BARRED} == rest | OF_THE_REQUEST | (OF_THE_MOMENT - OUT_OF_USE) | {"tenant"}
