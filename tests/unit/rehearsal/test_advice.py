"""Advice names what made requests fail, and what helps is measured."""

from __future__ import annotations

from typing import Any

import pytest
from unit.rehearsal.configurations import config, day, model, steady

from capability_router.rehearsal.advice import Advice
from capability_router.rehearsal.rehearsal import Rehearsal, RehearsalOptions, rehearse
from capability_router.rehearsal.traffic.synthetic import SyntheticTraffic
from capability_router.request import Need


def advice(found: Rehearsal, part: str) -> Advice:
    told = [each for each in found.advice if part in each.what]
    assert len(told) == 1, [each.what for each in found.advice]
    return told[0]


def advised(words: dict[str, Any], *faults: str, **asked: Any) -> Rehearsal:
    return day(words, *faults, advise=True, **asked)


def test_what_only_one_provider_can_take_is_named_with_its_share() -> None:
    words = config(model("a", "acme"), model("b", image_inputs=False))
    found = rehearse(
        words,
        RehearsalOptions(["outage:acme@30s+60s"], traffic=SyntheticTraffic(rate=5, vision=0.25, tools=0, structured=0)),
    )
    lost = [row for row in found.run.rows if not row.model and Need.IMAGE_INPUTS in row.shape.needs]
    told = advice(found, "Only a can take requests with vision, and is away under outage:acme@30s+60s")
    stranded = [row for row in lost if row.why == "failed"]
    assert f"({len(stranded)} requests) had nowhere to go (b: image_inputs)" in told.what
    assert told.mend == "Add a model of another provider than acme that takes vision."
    assert found.advice[0].lost == len(stranded) > 20


def test_windows_tell_how_large_the_requests_were() -> None:
    words = config(model("a"), model("b", context_window=8_000))
    found = advised(words, "outage:a", traffic=steady(20, input_tokens=40_000))
    assert "that takes up to 40,000 tokens of input" in advice(found, "had nowhere to go (b: context_window)").mend


def test_what_no_model_can_take_needs_no_fault() -> None:
    found = advised(config(model("a", image_inputs=False)), traffic=steady(20, needs=Need.IMAGE_INPUTS))
    told = advice(found, "No model can take requests with vision: 100.0 % of the traffic (20 requests)")
    assert told.mend == "Add a model that takes vision."


def test_where_everybody_is_away_nothing_is_advised_but_said() -> None:
    told = advice(advised(config(model("a"), model("b")), "outage@10s+5s"), "Every model is away under outage@10s+5s")
    assert told.mend == ""


def test_a_hang_without_clocks_is_told_and_the_clocks_are_rehearsed() -> None:
    found = advised(config(model("a"), model("b")), "hang:a@10s+20s")
    told = advice(found, "no clock of yours ends a call that hangs")
    assert told.mend.startswith("Write `timeouts: {first_token: ")
    assert told.tried.startswith("Rehearsed with it, longest: 60")
    clocked = config(model("a"), model("b"), timeouts={"total": 3})
    assert not [a for a in advised(clocked, "hang:a@10s+20s").advice if "no clock" in a.what]


def test_streams_that_broke_off_can_be_resumed_by_who_goes_on_with_them() -> None:
    words = config(model("a"), model("b", assistant_prefill=True))
    told = advice(advised(words, "cut:a@10s+9s", traffic=steady(60, stream=True)), "lost a stream after its first text")
    assert told.mend == "Write `resume: true`."
    assert told.tried.endswith("-> 0 requests.")
    poor = advised(config(model("a"), model("b")), "cut:a@10s+9s", traffic=steady(60, stream=True))
    assert "on a model whose card says" in advice(poor, "lost a stream").mend


def test_a_filters_refusals_can_fall_back() -> None:
    found = advised(config(model("a"), model("b")), "filter:a@10s+9s", traffic=steady(60))
    told = advice(found, "got the content filter's refusal")
    assert told.mend == "Write `on_content_filter: fallback`."
    assert told.tried == "Rehearsed with it, lost: 18 requests -> 0 requests."


def test_a_budget_is_named_with_its_first_refusal_and_what_it_does_without_faults() -> None:
    caps = [{"scope": "tenant:acme", "limit_usd": 0.005, "window": "day"}]
    words = config(model("a", max_output_tokens=400), budgets=caps)
    told = advice(advised(words, traffic=steady(60, tenant="acme", max_tokens=100)), "found no room in a budget")
    assert "budget tenant:acme (day): refusing" in told.what
    assert "(Without faults: " in told.what


def test_dear_fallbacks_are_told() -> None:
    words = config(model("a"), model("b", price={"input_mtok": 10, "output_mtok": 20}))
    assert "10.0 times" in advice(advised(words, "auth:a@10s"), "an answer cost").what


def test_a_learned_limit_that_costs_answers_is_named_and_rehearsed_without() -> None:
    """b becomes slow, so it is given fewer calls; the others go to a, which fails at three in ten."""
    words = config(model("b"), model("a"), health={"learns_limits": True}, retry={"attempts": 1})
    asked = (["slow=x10:b@10s+20s", "errors=0.3:a"], steady(1_200, 0.05, stream=True))
    found = advised(words, *asked[0], traffic=asked[1])
    lost = [row for row in found.run.rows if row.held_by.get("b") == "learned_limit"]
    assert len(lost) > 5
    told = advice(found, "b was full, by a limit of calls at once that was only learned")
    assert told.mend == "Write `health: {learns_limits: false}`."
    plain = day({**words, "health": {"learns_limits": False}}, *asked[0], traffic=asked[1])
    counts = [run.router.whole.requests - run.router.whole.answered for run in (found, plain)]
    assert told.tried == f"Rehearsed with it, lost: {counts[0]} requests -> {counts[1]} requests."
    assert counts[1] < counts[0] - 5
    assert not [a for a in advised({**words, "health": {"learns_limits": False}}, *asked[0], traffic=asked[1]).advice
                if "learned" in a.what]  # fmt: skip


@pytest.mark.parametrize("faults", [[], ["outage:a@10s+20s"]])
def test_where_all_goes_well_nothing_is_advised(faults: list[str]) -> None:
    assert advised(config(model("a"), model("b")), *faults).advice == []
