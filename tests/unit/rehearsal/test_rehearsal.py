from __future__ import annotations

import json
import random
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest
from unit.rehearsal.configurations import config, day, model, steady, who

from capability_router.errors import ConfigError
from capability_router.rehearsal.configuration import configuration_of
from capability_router.rehearsal.rehearsal import RehearsalOptions, rehearse
from capability_router.rehearsal.script.kinds import KINDS
from capability_router.rehearsal.traffic.synthetic import SyntheticTraffic
from capability_router.request import Need
from capability_router.router import Router

TWO = config(model("a"), model("b"))


def test_an_outage_costs_the_calls_until_the_breaker_opens_and_the_model_comes_back() -> None:
    found = day(TWO, "outage:a@10s+20s")
    ends = who(found)
    assert Counter(ends) == {"a": sum(end == "a" for end in ends), "b": 100 - sum(end == "a" for end in ends)}
    assert ends[:20] == ["a"] * 20
    assert set(ends[20:60]) == {"b"}
    assert ends[-1] == "a"
    (told,) = found.episodes
    assert (told.failed, told.how, told.over, told.away) == (told.calls, "breaker", True, False)
    assert told.left_s is not None
    assert 0 < told.left_s < 20
    assert told.back_s is not None
    kinds = [change.kind for change in found.run.changes]
    assert kinds[0] == "degraded"
    assert next(kind for kind in kinds if kind not in ("degraded", "recovered")) == "breaker_opened"
    assert found.router.success == 1.0
    assert found.calm.failed_calls == 0
    assert found.alone.during.answered <= 2  # its client repeats for a second or two
    assert found.alone.outside.success == 1.0


def test_connections_that_are_open_when_an_outage_begins_are_reset() -> None:
    slow = {"ttft_s": 1.0, "tokens_per_s": 10}
    found = day(
        config(model("a", latency=slow), model("b")), "outage:a@10s+20s", traffic=steady(40, stream=True, out=100)
    )
    cut = [row for row in found.run.rows if row.why == "interrupted"]
    assert cut
    assert all(row.at < 10.0 < row.at + 12 and row.end_s == pytest.approx(10.0) for row in cut)


@pytest.mark.parametrize(
    ("fault", "kinds"),
    [
        ("auth:a@10s", {"credential_disabled"}),
        ("quota:a@10s", {"credential_disabled"}),
        ("gone:a@10s", {"model_disabled"}),
        ("rate-limit=30s:a@10s", {"rate_limited"}),
    ],
)
def test_what_is_refused_is_left_alone_after_one_call(fault: str, kinds: set[str]) -> None:
    found = day(TWO, fault, traffic=steady(60))
    assert kinds <= {change.kind for change in found.run.changes}
    assert sum(t.model == "a" and bool(t.fault) for t in found.run.tries()) <= 2
    assert found.router.success == 1.0


def test_models_of_one_key_share_its_fate_and_those_of_another_do_not() -> None:
    words = config(model("a", "acme"), model("a2", "acme"), model("b"))
    found = day(words, "auth:a@10s", traffic=steady(60))
    assert set(who(found)[21:]) == {"b"}
    assert {row.model for row in day(words, "gone:a@10s", traffic=steady(60)).run.rows[21:]} == {"a2"}


def test_slow_is_slow_and_a_part_is_a_part() -> None:
    found = day(config(model("a")), "slow=x10", traffic=steady())
    usual = found.calm.latency_s(0.5)
    assert usual is not None
    assert found.router.latency_s(0.5) == pytest.approx(10 * usual)
    some = day(config(model("a"), model("b")), "errors=0.3:a,status=400", traffic=steady(400))
    failed = sum(bool(t.fault) for t in some.run.tries())
    assert 80 < failed < 160
    assert some.alone.whole.answered == 400 - failed  # the same calls, router or not


def test_a_hang_lasts_as_long_as_the_clocks_let_it() -> None:
    found = day(TWO, "hang:a", traffic=steady(4, every_s=1_000))
    assert all(row.model == "b" and 600 < row.elapsed_s < 602 for row in found.run.rows)
    bounded = day({**TWO, "timeouts": {"total": 2}}, "hang:a", traffic=steady(4, every_s=1_000))
    assert all(2 < row.elapsed_s < 4 for row in bounded.run.rows)


@pytest.mark.parametrize("kind", ["cut", "stall", "truncate", "stream-error"])
def test_a_stream_that_breaks_after_its_first_text_is_nobodys(kind: str) -> None:
    clocks = {**TWO, "timeouts": {"between_tokens": 2}}
    found = day(clocks, f"{kind}:a@10s+5s", traffic=steady(30, stream=True))
    assert set(who(found)[20:22]) == {"interrupted"}
    going_on = {
        **config(model("a"), model("b", assistant_prefill=True), resume=True),
        "timeouts": {"between_tokens": 2},
    }
    assert "b" in who(day(going_on, f"{kind}:a@10s+5s", traffic=steady(30, stream=True)))


def test_an_overflow_is_about_inputs_above_it() -> None:
    assert set(who(day(TWO, "overflow=1000:a", traffic=steady(9, input_tokens=900)))) == {"a"}
    assert set(who(day(TWO, "overflow=1000:a", traffic=steady(9, input_tokens=1_100)))) == {"b"}


def test_a_filters_refusal_is_handed_on_unless_a_fallback_is_asked_for() -> None:
    assert set(who(day(TWO, "filter:a", traffic=steady(9)))) == {"failed"}
    assert set(who(day({**TWO, "on_content_filter": "fallback"}, "filter:a", traffic=steady(9)))) == {"b"}


def test_malformed_arguments_are_of_calls_with_tools() -> None:
    tools = steady(9, needs=Need.TOOL_CALLING)
    assert set(who(day({**TWO, "on_content_filter": "fallback"}, "malformed:a", traffic=tools))) == {"b"}
    assert set(who(day(TWO, "malformed:a", traffic=steady(9)))) == {"a"}


def test_limits_of_the_cards_are_kept_by_the_router_and_met_by_one_alone() -> None:
    words = config(model("a", limits={"rpm": 60}), model("b"))
    found = day(words, traffic=steady(400, every_s=0.1))
    assert found.router.success == 1.0
    assert found.router.failed_calls == 0
    assert {"a", "b"} == set(who(found))
    assert found.alone.failed_calls > 100


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_beyond_a_limit_ends_whatever_else_is_wrong(kind: str) -> None:
    words = config(model("a", limits={"rpm": 30}), timeouts={"total": 2}, retry={"max_wait_s": 1})
    found = day(words, kind, traffic=steady(60, every_s=0.1, stream=True))
    assert len(found.run.rows) == found.alone.whole.requests == 60


def test_a_rate_that_is_cut_lets_some_through() -> None:
    found = day(TWO, "rate-limit:a,rpm=60", traffic=steady(400, every_s=0.1))
    refused = [t for t in found.run.tries() if t.fault == "rate_limited"]
    assert refused
    assert sum(row.model == "a" for row in found.run.rows) >= 60


def test_budgets_are_the_routers_own() -> None:
    caps = [{"scope": "tenant:acme", "limit_usd": 0.01, "window": "day"}]
    words = config(model("a", max_output_tokens=500), budgets=caps)
    found = day(words, traffic=steady(100, tenant="acme", max_tokens=100))
    assert {"a", "budget"} == set(who(found))
    assert found.router.cost_pico <= 0.01 * 1e12
    assert any(cap.kind == "refusing" for cap in found.run.caps)


def test_the_same_question_gets_the_same_bytes_and_another_seed_others() -> None:
    asked = RehearsalOptions(["errors=0.3:a@20s+40s"], traffic=SyntheticTraffic(rate=3), expect="success>=99%")
    one, same = (json.dumps(rehearse(TWO, asked).to_dict()) for _ in range(2))
    assert one == same
    assert json.dumps(rehearse(TWO, asked._replace(seed=2)).to_dict()) != one


def test_chance_elsewhere_is_left_as_it_was() -> None:
    random.seed(5)
    expected = random.random()
    random.seed(5)
    day(TWO, "errors=0.5:a", traffic=steady(9))
    assert random.random() == expected


async def test_it_can_be_asked_for_from_within_an_event_loop() -> None:
    assert day(TWO, "outage:a", traffic=steady(9)).router.success == 1.0


def test_a_living_router_is_rehearsed_and_left_as_it_is() -> None:
    router = Router.from_config(TWO)
    found = rehearse(router, RehearsalOptions(["outage:a"], traffic=steady(30)))
    assert set(who(found)) == {"b"}
    assert router.ledger.total().calls == 0
    assert [row["state"] for row in router.health()] == ["closed", "closed"]


def test_no_network_no_key_and_no_file_is_touched(tmp_path: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("A_KEY", "B_KEY", "SECRET"):
        monkeypatch.delenv(name, raising=False)
    words = {
        **TWO, "store": "redis://no.such.host:1/0", "ledger": {"store": "sqlite:///ledger.db"},
        "telemetry": {"jsonl": "decisions.jsonl", "log": True}, "name": "${SECRET}",
        "health": {"probe": True}, "shadow": "cheapest",
    }  # fmt: skip
    seen: list[str] = []
    watching = [True]

    def hook(event: str, _: Any) -> None:
        if watching[0] and (event.startswith("socket.") or event == "sqlite3.connect"):
            seen.append(event)

    sys.addaudithook(hook)
    found = day(words, "outage:a@10s+20s")
    watching[0] = False
    assert seen == []
    assert list(tmp_path.iterdir()) == []
    assert found.router.success == 1.0
    assert any("stand-in was put in: SECRET" in note for note in found.notes)
    assert any(note.startswith("not rehearsed: store") for note in found.notes)


def test_two_learned_states_of_one_name_stay_apart(tmp_path: Path) -> None:
    for folder in ("now", "next", "rehearsed"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "state.json").write_text(folder, encoding="utf-8")
    states = {name: {"name": "adaptive", "state": str(tmp_path / name / "state.json")} for name in ("now", "next")}
    source = {**config(model("a")), "policy": states["now"], "canary": {"share": 0.5, **states["next"]}}
    settings = configuration_of(source, 1, tmp_path / "rehearsed").settings
    assert settings.canary is not None
    copies = (settings.policy.state, settings.canary.state)
    assert [Path(str(copy)).read_text(encoding="utf-8") for copy in copies] == ["now", "next"]


def test_a_canary_without_a_state_yet_does_not_begin_with_the_policys(tmp_path: Path) -> None:
    for folder in ("now", "next", "rehearsed"):
        (tmp_path / folder).mkdir()
    (tmp_path / "now" / "state.json").write_text("now", encoding="utf-8")
    states = {name: {"name": "adaptive", "state": str(tmp_path / name / "state.json")} for name in ("now", "next")}
    source = {**config(model("a")), "policy": states["now"], "canary": {"share": 0.5, **states["next"]}}
    settings = configuration_of(source, 1, tmp_path / "rehearsed").settings
    assert settings.canary is not None
    policy, canary = Path(str(settings.policy.state)), Path(str(settings.canary.state))
    assert policy.read_text(encoding="utf-8") == "now"
    assert canary.parent.is_dir()
    assert not canary.exists()


def test_a_learned_state_is_read_and_left_as_it_is(tmp_path: Any) -> None:
    state = tmp_path / "state.json"
    policy = {"name": "adaptive", "state": str(state)}
    assert day({**TWO, "policy": policy}, traffic=steady(9)).router.success == 1.0
    assert not state.exists()
    state.write_text("{}", encoding="utf-8")
    assert day({**TWO, "policy": policy}, traffic=steady(9)).router.success == 1.0
    assert state.read_text(encoding="utf-8") == "{}"


@pytest.mark.parametrize(
    ("asked", "told"),
    [
        (RehearsalOptions(["outage:c"]), "no provider, model, key or tag 'c'"),
        (RehearsalOptions(["outage:a@30x"]), "a time behind @ or + has a unit: 500ms, 30s"),
        (RehearsalOptions(["outage:key:FOO"]), "there are keys: A_KEY, B_KEY"),
        (RehearsalOptions(["outage:tag:prod"]), "this configuration has no tags"),
        (RehearsalOptions(["outage:a@300s"], seconds=60), "begins at 300 s, and the run ends at 60 s"),
        (RehearsalOptions(presets=["provder-down"]), "did you mean 'provider-down'"),
        (RehearsalOptions(seconds=-1), "seconds must be a number above 0"),
        (RehearsalOptions(alone="c"), "no model 'c'"),
        (RehearsalOptions(latency={"c": (1, 1)}), "no model 'c'"),
        (RehearsalOptions(expect="speed>1"), "unknown metric 'speed'"),
    ],
)
def test_what_is_wrong_is_told_before_anything_is_played(asked: RehearsalOptions, told: str) -> None:
    with pytest.raises(ConfigError) as raised:
        rehearse(TWO, asked)
    assert told in str(raised.value)


@pytest.mark.parametrize(
    "target", ["acme", "provider:acme", "a", "acme:m-a", "model:a", "key:ACME_KEY", "ACME_KEY", "prod"]
)
def test_a_target_is_a_provider_a_model_a_key_or_a_tag(target: str) -> None:
    found = day(config(model("a", "acme", tags=["prod"]), model("b")), f"outage:{target}", traffic=steady(9))
    assert [spell.models for spell in found.spells] == [("a",)]


def test_presets_are_aimed_at_the_busiest_model() -> None:
    words = config(model("dear", price={"input_mtok": 9, "output_mtok": 9}), model("b", "house"))
    words["policy"] = "cheapest"
    found = day(words, presets=["provider-down", "key-revoked"], traffic=steady())
    assert [spell.line.text for spell in found.spells] == ["outage:house@25%+40%", "auth:key:HOUSE_KEY@25%"]
    assert [spell.from_s for spell in found.spells] == [12.5, 12.5]
    assert day(words, presets=["provider-down:dear"]).spells[0].models == ("dear",)


@pytest.mark.parametrize(
    ("limits", "faults", "learns", "states"),
    [
        ({"concurrency": 2}, [], False, {"", "full"}), ({"rpm": 30}, [], False, {"", "limited"}),
        ({}, ["slow=x10:b@2s+20s"], True, {"", "full"}), ({}, ["rate-limit=5s:b@2s+4s"], False, {"", "limited"}),
        ({}, ["auth:b@5s"], False, {"", "off"}), ({}, ["outage:b@5s+20s"], False, {"", "open"}),
    ],
    ids=["at once", "a minute", "learned", "its provider", "key", "breaker"],
)  # fmt: skip
def test_how_a_model_stood_is_what_its_health_says_holds_it(
    limits: dict[str, int], faults: list[str], learns: bool, states: set[str]
) -> None:
    words = config(model("b", limits=limits), model("a"), health={"learns_limits": learns})
    found = day(words, *faults, traffic=steady(600, 0.05, stream=True))
    assert {look.state for look in found.run.looks if look.model == "b"} - {"doubted"} == states
