from __future__ import annotations

import json
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from unit.rehearsal.configurations import config, day, model, who
from unit.report.decisions import BEGAN, attempt, decision

from capability_router.catalog.card import ModelCard
from capability_router.errors import ConfigError
from capability_router.rehearsal.traffic import logged as module
from capability_router.rehearsal.traffic.logged import logged
from capability_router.rehearsal.traffic.synthetic import SyntheticTraffic, parse_tenants
from capability_router.request import Need

ABLE = [ModelCard("a", tool_calling=True, structured_output=True, image_inputs=True)]


def test_made_up_traffic_has_the_shares_and_sizes_that_were_asked_for() -> None:
    asked = SyntheticTraffic(
        rate=50, input_tokens=1_000, output_tokens=100, streams=0.25, tools=0.5, vision=0.1, max_tokens=300
    )
    found = asked.traffic(100, ABLE, 1)
    shapes, count = found.shapes, len(found.shapes)
    assert count == pytest.approx(5_000, rel=0.05)
    assert all(0 <= one.at <= two.at < 100 for one, two in pairwise(shapes))
    assert sorted(s.input_tokens for s in shapes)[count // 2] == pytest.approx(1_000, rel=0.1)
    assert sorted(s.out for s in shapes)[count // 2] == pytest.approx(100, rel=0.1)
    for need, share in ((Need.TOOL_CALLING, 0.5), (Need.IMAGE_INPUTS, 0.1), (Need.STRUCTURED_OUTPUT, 0.1)):
        assert sum(need in s.needs for s in shapes) / count == pytest.approx(share, abs=0.02)
    assert sum(s.stream for s in shapes) / count == pytest.approx(0.25, abs=0.02)
    assert {s.max_tokens for s in shapes} == {300}
    assert all(s.media == (("image",) if Need.IMAGE_INPUTS in s.needs else ()) for s in shapes)


def test_nothing_is_asked_for_that_no_model_has_unless_it_was_stated() -> None:
    poor = [ModelCard("a", tool_calling=False, structured_output=False)]
    assert {s.needs for s in SyntheticTraffic().traffic(60, poor, 1).shapes} == {Need.NONE}
    assert {s.needs for s in SyntheticTraffic(tools=1).traffic(60, poor, 1).shapes} == {Need.TOOL_CALLING}


def test_tenants_have_their_weights() -> None:
    tenants = parse_tenants("acme, umbrella:3")
    shapes = SyntheticTraffic(rate=50, tenants=tenants).traffic(40, ABLE, 1).shapes
    assert sum(s.tenant == "umbrella" for s in shapes) / len(shapes) == pytest.approx(0.75, abs=0.04)
    assert parse_tenants("2") == {"tenant-1": 1.0, "tenant-2": 1.0}


@pytest.mark.parametrize(
    "wrong", [{"rate": 0}, {"rate": float("inf")}, {"input_tokens": -1}, {"streams": 1.5}, {"vision": -0.1}]
)
def test_impossible_traffic_is_told(wrong: dict[str, Any]) -> None:
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        SyntheticTraffic(**wrong)
    with pytest.raises(ConfigError, match="more than 200,000"):
        SyntheticTraffic(rate=1e6).traffic(100, ABLE, 1)
    with pytest.raises(ConfigError, match="cannot read the tenant"):
        parse_tenants("acme:many")


def log(path: Path, *records: Any) -> Path:
    lines = (record if isinstance(record, str) else json.dumps(record) for record in records)
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8")
    return path


def test_a_log_gives_times_sizes_needs_and_owners(tmp_path: Path) -> None:
    plan = {"task": "extract", "needs": ["image_inputs", "tool_calling"], "input_tokens": 90, "output_tokens": 33,
            "refusals": [{"model": "b", "rule": "data.regions", "detail": ""}, {"model": "c", "rule": "context_window"},
                         {"model": "stranger", "rule": "deny", "detail": ""}]}  # fmt: skip
    asked = {"media": ["image"], "turns": 4, "max_tokens": 500, "in_tool_loop": True, "service": "flex"}
    told = decision(7, plan=plan, request=asked, stream=True, tags=["nightly"], chain="c1", session="s1")
    lost = decision(8.5, attempt("a", "auth"), plan=plan)
    found = logged(log(tmp_path / "log", lost, told), models=["a", "b", "c"])
    first, second = found.shapes
    assert (first.at, second.at) == (0.0, pytest.approx(1.5))
    assert found.unix_s == pytest.approx(BEGAN + 7)
    assert (first.input_tokens, first.out) == (100, 10)  # as it was counted
    assert (second.input_tokens, second.out) == (90, 33)  # as it was foreseen
    assert first.needs == Need.IMAGE_INPUTS | Need.TOOL_CALLING
    assert (first.media, first.turns, first.max_tokens, first.stream) == (("image",), 4, 500, True)
    assert (first.tenant, first.tags, first.chain, first.session) == ("acme", ("nightly",), "c1", "s1")
    assert (first.task, first.in_tool_loop, first.service, first.deny) == ("extract", True, "flex", ("b",))


def test_models_are_as_quick_as_in_the_log(tmp_path: Path) -> None:
    seen = {"ttft_s": 0.25, "output_tokens": 75}
    records = [decision(n, {**attempt("a", took=1.0), **seen}, stream=True) for n in range(20)]
    found = day(config(model("a"), model("b")), traffic=logged(log(tmp_path / "log", *records)))
    assert found.voices["a"] == (0.25, 100.0, "log")
    assert found.voices["b"].source == "card"
    assert day(config(model("a")), latency={"a": (3.0, 9.0)}).voices["a"] == (3.0, 9.0, "given")


def test_replies_that_were_not_streamed_tell_how_quick_models_are_unless_streams_do(tmp_path: Path) -> None:
    whole = {"ttft_s": 2.0, "output_tokens": 75}  # as older logs had it: the time of the whole reply
    records = [decision(n, {**attempt(id, took=2.0), **whole}, stream=False) for n, id in enumerate("abab" * 5)]
    records += [
        decision(30 + n, {**attempt("b", took=1.0), "ttft_s": 0.25, "output_tokens": 75}, stream=True) for n in range(5)
    ]
    found = day(config(model("a"), model("b")), traffic=logged(log(tmp_path / "log", *records)))
    assert found.voices == {"a": (0.5, 50.0, "log"), "b": (0.25, 100.0, "log")}


def test_the_busiest_stretch_and_a_denser_one(tmp_path: Path) -> None:
    at = [*range(0, 100, 10), *(100 + n / 10 for n in range(50)), *range(200, 300, 10)]
    path = log(tmp_path / "log", *(decision(each) for each in at))
    busy = logged(path, seconds=5)
    assert len(busy.shapes) == 50
    assert (busy.seconds, busy.shapes[0].at) == (5, 0.0)
    assert "50 of 70 requests" in busy.notes[0]
    dense = logged(path, speed=10)
    assert dense.shapes[-1].at == pytest.approx(29.0)
    assert len(dense.shapes) == 70
    with pytest.raises(ConfigError, match="speed"):
        logged(path, speed=0)


def test_a_hostile_log_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    bad = [
        "not json", '{"kind": "decision"', "[]", "null", '{"kind": "decision", "schema_version": 99}',
        json.dumps({**decision(1), "at": 1e300}), json.dumps({**decision(1), "elapsed_s": -5}),
        json.dumps({**decision(1), "at": float("nan")}), json.dumps({**decision(1), "tenant": {"a": 1}}),
        json.dumps({**decision(1), "plan": ["?"]}),
    ]  # fmt: skip
    odd = {
        **decision(2, tenant=None, tags=None, session=None, stream=None, chain=None),
        "input_tokens": 1e11, "plan": None, "request": {"media": ["smell", 4], "turns": "many",
        "max_tokens": True, "answers": 10**30, "service": "<script>\x1b[31m" + "x" * 9_999},
    }  # fmt: skip
    strange = {**decision(3), "plan": {"needs": [1, "to fly", "tool_calling"], "refusals": [{}, {"rule": None}]}}
    found = logged(log(tmp_path / "log", *bad, odd, strange), models=["a"])
    assert len(found.shapes) == 2
    assert "log: 10 lines were left out: 2 × at is not a time from 1970 to 2100" in found.notes[0]
    first, second = found.shapes
    assert first.input_tokens == 10_000_000
    assert (first.media, first.turns, first.max_tokens, first.tenant, first.stream) == ((), 1, None, "", False)
    assert len(first.service) == 120
    assert first.service.isprintable()
    assert second.needs == Need.TOOL_CALLING
    played = day(config(model("a")), traffic=found)
    assert sorted(who(played)) == ["a", "refused"]  # ten million tokens fit nobody


def test_what_is_no_log_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="cannot read the decision log"):
        logged(tmp_path / "none")
    with pytest.raises(ConfigError, match=r"no decision in it \(1 line was left out: 1 × no JSON\)"):
        logged(log(tmp_path / "log", "dear diary"))


def test_a_log_is_read_with_its_older_files_and_of_a_long_one_the_newest_requests(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    log(tmp_path / "log.1", *(decision(n) for n in range(30)))
    path = log(tmp_path / "log", *(decision(n) for n in range(29, 60)))
    whole = logged(path)
    assert (len(whole.shapes), whole.notes) == (60, ("log: 1 line was left out: 1 × a record that was there before",))
    monkeypatch.setattr(module, "MOST", 20)
    part = logged(path)
    assert len(part.shapes) == 20
    assert part.unix_s == pytest.approx(BEGAN + 40)
    assert "40 × older than the newest 20 requests" in part.notes[0]


def test_the_pace_of_a_model_is_that_of_its_last_answers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_ANSWERS", 10)
    monkeypatch.setattr(module, "_MODELS", 2)
    slow, quick = ([{**attempt(m), "ttft_s": wait} for m in ("a", "b", "c")] for wait in (0.9, 0.2))
    told = [decision(n, *(slow if n < 50 else quick), stream=True) for n in range(60)]
    found = logged(log(tmp_path / "log", *told)).paces
    assert {name: pace.ttft_s for name, pace in found.items()} == {"a": 0.2, "b": 0.2}
