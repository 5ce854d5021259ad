"""Whatever a hook says, no model may read a text that could not read it without the hook."""

from __future__ import annotations

from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from capability_router import Request, Router, Routing
from capability_router.testing import scripted_router

REGIONS, KEPT, TAGS, IDS = ("eu", "us", "ch"), ("zero", "7d", "30d", "365d"), ("a", "b"), ("m0", "m1", "m2", "m3", "m4")
CARDS: dict[str, dict[str, Any]] = {
    "m0": {"data": {"regions": ["eu"], "retention": "zero", "training": False}, "tags": ["a", "b"]},
    "m1": {"data": {"regions": ["us"], "retention": "30d", "training": False}, "tags": ["a"]},
    "m2": {"data": {"regions": ["eu", "us"], "retention": "7d", "training": True}},
    "m3": {"data": {"regions": ["ch"]}, "tags": ["b"]},
    "m4": {},
}


def some(values: tuple[str, ...]) -> st.SearchStrategy[list[str]]:
    return st.lists(st.sampled_from(values), min_size=1, unique=True)


TERMS = st.fixed_dictionaries(
    {},
    optional={
        "regions": some(REGIONS), "retention": st.sampled_from(KEPT), "training": st.just(False),
        "require_tags": some(TAGS), "allow": some((*IDS, "scripted:m1")), "deny": some((*IDS, "scripted:m2")),
    },
)  # fmt: skip
SAID = st.one_of(TERMS, st.none(), st.lists(st.sampled_from(["x", "y.z"])), st.integers(), st.text(max_size=5))
MEANT = st.one_of(TERMS.filter(bool), st.sampled_from(["block", "note"]))
LABELS = st.dictionaries(st.sampled_from(["x", "y", "y.z", "*"]), MEANT)


def eligible(
    terms: dict[str, Any], hooks: list[Any] | None, labels: dict[str, Any]
) -> tuple[list[str], Router, Request]:
    screen = None if hooks is None else {"detector": [lambda request, s=said: s for said in hooks], "labels": labels}
    router = scripted_router({id: ["ok"] for id in CARDS}, cards=CARDS, screen=screen)
    request = Request(("hello",), routing=Routing().merged(terms))
    return [each.id for each in router.explain(request).candidates], router, request


@settings(max_examples=80, deadline=None)
@given(TERMS, st.lists(SAID, min_size=1, max_size=3), LABELS)
def test_a_hook_only_forbids(terms: dict[str, Any], said: list[Any], labels: dict[str, Any]) -> None:
    without, _, _ = eligible(terms, None, {})
    left, router, request = eligible(terms, said, labels)
    assert set(left) <= set(without)
    for each in said:
        if isinstance(each, dict) and left:  # what it asked for holds of each that is left
            alone, _, _ = eligible(each, None, {})
            assert set(left) <= set(alone)
    screened = router._prepared(request)
    again = [each.id for each in router.explain(screened).candidates]
    assert again == left  # looked at once, and the same whoever asks


@settings(max_examples=40, deadline=None)
@given(TERMS, TERMS)
def test_the_order_of_hooks_does_not_matter(one: dict[str, Any], other: dict[str, Any]) -> None:
    assert eligible({}, [one, other], {})[0] == eligible({}, [other, one], {})[0]


VALUES: dict[str, st.SearchStrategy[Any]] = {
    "regions": some(REGIONS), "retention": st.sampled_from(KEPT), "training": st.just(False),
    "require_tags": some(TAGS), "allow": some(IDS), "deny": some(IDS),
}  # fmt: skip
PAIRS = st.one_of([st.tuples(st.just(name), value, value) for name, value in VALUES.items()])


@settings(max_examples=80, deadline=None)
@given(PAIRS)
def test_of_two_values_of_a_term_both_hold(pair: tuple[str, Any, Any]) -> None:
    name, stated, asked = pair
    by_terms, by_hook = (set(eligible({name: value}, None, {})[0]) for value in (stated, asked))
    assert set(eligible({name: stated}, [{name: asked}], {})[0]) == by_terms & by_hook
