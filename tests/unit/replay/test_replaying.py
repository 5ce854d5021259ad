"""A log replayed is the same decisions where nothing differs, and others where something does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from unit.replay.logs import CARDS, again, attempt, candidate, config, decision, lines, records, router_of, write

from capability_router.errors import ConfigError, NoEligibleModel
from capability_router.request import Need, Request
from capability_router.router import Router
from capability_router.routing import Routing
from capability_router.telemetry.digest import digest
from capability_router.testing import ask

TEXTS = [
    "hello",
    "Prove step by step why x = 2 + 2, and derive it",
    "Summarise: " + "many words " * 400,
    "code ```x```",
]


def requests(count: int = 40, **terms: Any) -> list[Request]:
    return [Request((f"{TEXTS[n % 4]} {n}",), id=f"r{n}", routing=Routing(**terms)) for n in range(count)]


POLICIES: dict[str, Any] = {
    "cheapest": "cheapest", "fastest": "fastest", "single": "single", "weighted": "weighted", "adaptive": "adaptive",
    "a target": {"name": "adaptive", "quality_target": 0.75},
    "a cost target": {"name": "adaptive", "cost_target_usd": 0.0004},
    "rules": {"name": "rules", "rules": [{"when": {"min_input_tokens": 100}, "then": ["large"]}, {"then": ["small"]}]},
}  # fmt: skip


@pytest.mark.parametrize("name", POLICIES)
def test_under_its_own_configuration_nothing_changes(tmp_path: Path, name: str) -> None:
    log = write(tmp_path / "log", requests(), policy=POLICIES[name])
    made, found = again(log, config(tmp_path / "same.yaml", POLICIES[name]))
    assert [each.choice.model for each in made] == [record["plan"]["chosen"] for record in records(log)]
    assert found.changed == 0
    assert found.cost is not None
    assert found.cost.logged == found.cost.replayed == sum(record["cost_pico"] for record in records(log))


def test_what_a_screen_asked_for_holds_without_the_text(tmp_path: Path) -> None:
    router = router_of(tmp_path / "log", screen={"labels": {"pii": {"training": False}, "secret": "block"}})
    for text in ("hello", "to jane@example.com", "AKIAIOSFODNN7EXAMPLE"):
        try:
            ask(router, text)
        except NoEligibleModel:
            assert text.startswith("AKIA")
    router.close()
    made, _ = again(tmp_path / "log", config(tmp_path / "other.yaml", "cheapest"))
    assert [each.choice.model for each in made] == ["small", "large", ""]


def test_whether_the_models_cards_are_the_logs_is_told(tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(2), policy="cheapest")
    told = records(log)
    other = config(tmp_path / "other.yaml", "cheapest")
    mark = digest(list(Router.from_config(other).registry.cards))
    for record in told:
        record["basis"]["registry"] = mark
    assert not again(lines(tmp_path / "own", *told), other)[1].told
    assert "cards differ" in again(log, other)[1].told[0]


@pytest.mark.parametrize("name", ["cheapest", "fastest", "weighted", "adaptive"])
def test_by_its_own_name_nothing_changes_either_without_any_configuration(tmp_path: Path, name: str) -> None:
    log = write(tmp_path / "log", requests(), policy=name)
    assert again(log, name)[1].changed == 0


def test_the_same_log_gives_the_same_findings(tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(), policy="cheapest")
    other = config(tmp_path / "other.yaml", "adaptive")
    first, second = (json.dumps(again(log, other)[1].to_dict()) for _ in range(2))
    assert first == second


def test_another_policy_over_what_the_log_saw(tmp_path: Path) -> None:
    dear = {"name": "rules", "rules": [{"then": ["large"]}]}
    made, found = again(write(tmp_path / "log", requests(10), policy=dear), "cheapest")
    assert {each.choice.model for each in made} == {"small"}
    (move,) = found.moves
    assert (move.old, move.new, move.requests) == ("large", "small", 10)
    assert move.examples == ("r0", "r1", "r2")
    assert found.quality is not None
    assert found.quality.logged > found.quality.replayed + 0.1


def test_what_the_new_model_costs_is_its_price_times_booked_tokens_as_it_usually_takes_them(tmp_path: Path) -> None:
    """Half of the log each: what both take of the same requests is known by then."""
    mixed = {"name": "rules", "rules": [{"when": {"tags": ["dear"]}, "then": ["large"]}, {"then": ["small"]}]}
    asked = [
        Request(("Tell me of a thing " * 20,), id=f"r{n}", routing=Routing(tags=("dear",) * (n % 2))) for n in range(60)
    ]
    log = write(tmp_path / "log", asked, policy=mixed)
    made, _ = again(log, config(tmp_path / "cheap.yaml", "cheapest"))
    last = made[-1]
    assert last.logged.chosen == "large"
    assert last.choice.model == "small"
    truly = 100 * 100_000 + 50 * 400_000  # what a call of the small one was booked with
    assert last.cost_pico == pytest.approx(truly, rel=0.1)
    kept = made[-2]
    assert not kept.changed
    assert kept.cost_pico == kept.logged.cost_pico == truly


def test_another_price_is_a_price_of_the_new_choice_and_no_change_of_the_old(tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(8), policy="cheapest")
    dearer = {**CARDS, "small": {**CARDS["small"], "price": {"input_mtok": 50, "output_mtok": 200}}}
    made, found = again(log, config(tmp_path / "other.yaml", "cheapest", dearer))
    assert {each.choice.model for each in made} == {"large"}
    assert found.cost is not None
    assert found.cost.replayed > 5 * found.cost.logged


def test_latency_is_what_the_model_took_in_the_log(tmp_path: Path) -> None:
    mixed = {"name": "rules", "rules": [{"when": {"tags": ["dear"]}, "then": ["large"]}, {"then": ["small"]}]}
    asked = [Request(("x",), id=f"r{n}", routing=Routing(tags=("dear",) * (n % 4 == 0))) for n in range(40)]
    _, found = again(write(tmp_path / "log", asked, policy=mixed), "cheapest")
    old, new = found.latency
    assert (old.p50, old.p95, old.mean) == (1.0, 3.0, 1.5)
    assert (new.p50, new.p95, new.mean) == (1.0, 1.0, 1.0)
    assert (found.evidence["small"].answers, found.evidence["small"].median_s) == (30, 1.0)


def test_a_model_that_the_log_never_saw_has_its_cards_word_and_no_evidence(tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(6), policy="cheapest")
    cards = {
        "new": {"price": {"input_mtok": 0.01, "output_mtok": 0.01}, "quality": {"default": 0.7}},
        "large": CARDS["large"],
    }
    made, found = again(log, config(tmp_path / "other.yaml", "cheapest", cards))
    assert {each.choice.model for each in made} == {"new"}
    assert found.lacks == {"small": 6}
    assert found.sources == {"card": 6}
    assert found.evidence["new"].attempts == 0
    assert (found.timed, found.guessed) == (0, 0)  # neither an answer nor a card tells how long it takes
    timed = {**cards, "new": {**cards["new"], "latency": {"ttft_s": 2.0, "tokens_per_s": 1e6}}}
    _, found = again(log, config(tmp_path / "timed.yaml", "cheapest", timed))
    assert (found.timed, found.guessed) == (6, 6)
    assert found.latency[1].p50 == pytest.approx(2.0, abs=0.01)
    assert "gave none of the new choices a chance" in found.scores.why or "no request" in found.scores.why


def test_the_same_model_under_another_id_is_no_change(tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(6), policy="cheapest")
    named = {f"my-{id}": {**card, "provider": "scripted", "model": id} for id, card in CARDS.items()}
    made, found = again(log, config(tmp_path / "other.yaml", "cheapest", named))
    assert found.changed == 0
    assert made[0].choice.model == "my-small"
    assert not found.lacks


def test_refusals_are_the_other_configurations_own(tmp_path: Path) -> None:
    asked = [Request(("x",), id="tools", needs=Need.TOOL_CALLING), Request(("x",), id="plain")]
    log = write(tmp_path / "log", asked, policy="cheapest")
    less = {id: {**card, "tool_calling": False} for id, card in CARDS.items()}
    made, found = again(log, config(tmp_path / "other.yaml", "cheapest", less))
    assert [each.choice.model for each in made] == ["", "small"]
    assert found.nobody == (0, 1)
    assert found.refused == {"tool_calling": (0, 1)}
    (move,) = found.moves
    assert (move.old, move.new) == ("large", "nobody")
    assert found.cost is not None
    assert found.cost.requests == 1  # who gets nobody pays nothing, and would look cheap


TERMS = {"deny": ("small",), "regions": ("eu",), "training": False, "pin": "large", "allow": ("large",)}


@pytest.mark.parametrize("term", TERMS)
def test_what_the_callers_terms_forbade_stays_forbidden(tmp_path: Path, term: str) -> None:
    routing = Routing(**{term: TERMS[term]})
    log = write(tmp_path / "log", [Request(("x",), id="1", routing=routing)], policy="cheapest")
    made, _ = again(log, config(tmp_path / "other.yaml", "cheapest"))
    assert made[0].choice.model == "large"
    (record,) = records(log)
    del record["terms"]  # of a record that does not tell them, the refusals do
    cards = {**CARDS, "unknown": {"price": {"input_mtok": 0.01, "output_mtok": 0.01}}}
    made, _ = again(lines(tmp_path / "older", record), config(tmp_path / "more.yaml", "cheapest", cards))
    assert made[0].choice.model == "large"
    assert {each.model: each.rule for each in made[0].choice.refusals}["unknown"] == "terms"


def test_a_model_that_was_out_then_is_out_in_the_replay(tmp_path: Path) -> None:
    held = decision(1, [candidate("large"), candidate("small", held="open until 3")])
    dead = decision(
        2, [candidate("large")], plan={"refusals": [{"model": "small", "rule": "credential", "detail": "rejected"}]}
    )
    made, _ = again(lines(tmp_path / "log", held, dead), config(tmp_path / "other.yaml", "cheapest"))
    assert [each.choice.model for each in made] == ["large", "large"]


def test_a_conversation_stays_where_the_replay_began_it(tmp_path: Path) -> None:
    def turn(number: int, session: str, loop: bool) -> dict[str, Any]:
        asked = {**decision(0, [])["request"], "in_tool_loop": loop}
        return decision(
            number, [candidate("large", 0.9, 1e-5), candidate("small", 0.6, 1e-6)], session=session, request=asked
        )

    path = lines(tmp_path / "log", turn(1, "s", False), turn(2, "s", True), turn(3, "", True))
    _, found = again(path, "cheapest")
    (move,) = found.moves
    assert (move.new, move.requests) == ("small", 3)
    assert any("1 answers to tool calls" in told for told in found.told)
    late = {"name": "rules", "rules": [{"when": {"min_input_tokens": 200}, "then": ["large"]}, {"then": ["small"]}]}
    grown = turn(2, "s", True)
    grown["plan"]["input_tokens"] = 500
    made, _ = again(lines(path, turn(1, "s", False), grown), config(tmp_path / "other.yaml", late))
    assert [each.choice.model for each in made] == ["small", "small"]  # the call's id is the small one's


def test_predictions_are_the_logs_or_the_configurations_as_asked(tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(8), policy="cheapest")
    praised = {**CARDS, "small": {**CARDS["small"], "quality": {"default": 0.95}}}
    other = config(tmp_path / "other.yaml", "cheapest", praised)
    then, now = again(log, other, predict="log")[1], again(log, other, predict="config")[1]
    assert then.quality is not None
    assert now.quality is not None
    assert now.quality.replayed > then.quality.replayed + 0.2
    assert (then.sources, now.sources) == ({"log": 8}, {"card": 8})


def test_failed_attempts_stay_in_the_cost_of_what_is_not_changed(tmp_path: Path) -> None:
    record = decision(1, [candidate("small"), candidate("large", usd=1.0)], model="large", cost_pico=77)
    record["attempts"] = [attempt("small", "overloaded"), attempt("large", pico=77)]
    nobody = decision(2, [candidate("small")], model=None, cost_pico=0)
    nobody["attempts"] = [attempt("small", "overloaded")]
    _, found = again(lines(tmp_path / "log", record, nobody), "cheapest")
    assert found.changed == 0
    assert found.cost is not None
    assert found.cost.replayed == 77
    assert found.unanswered == 1
    assert found.evidence["small"].failed == 2


@pytest.mark.parametrize(
    ("policy", "told"),
    [
        ("single", "takes the order of `models:`"), ("cheapst", "'cheapest'"), ("rules", "needs rules"),
        ("none.yaml", "neither a file nor a policy"),
    ],
)  # fmt: skip
def test_what_cannot_decide_says_why(tmp_path: Path, policy: str, told: str) -> None:
    log = lines(tmp_path / "log", decision(1, [candidate("a")]))
    with pytest.raises(ConfigError, match=told):
        again(log, policy)


def test_a_policys_name_over_a_configurations_models(tmp_path: Path) -> None:
    log = write(tmp_path / "log", requests(4), policy="cheapest")
    made, found = again(log, "single", config(tmp_path / "other.yaml", "cheapest", {"large": CARDS["large"]}))
    assert (found.policy, {each.choice.model for each in made}) == ("single", {"large"})
    with pytest.raises(ConfigError, match="is none"):
        again(log, tmp_path / "other.yaml", tmp_path / "other.yaml")


def test_what_a_configuration_has_beside_its_policy_is_told_and_needs_no_extra(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(__import__("sys").modules, "opentelemetry", None)
    log = write(tmp_path / "log", requests(4), policy="cheapest")
    other = config(
        tmp_path / "other.yaml", "cheapest", telemetry={"otel": True, "jsonl": str(tmp_path / "new.jsonl")},
        store=f"sqlite:///{tmp_path / 'router.db'}", canary={"name": "fastest", "share": 0.5},
        budgets=[{"scope": "global", "limit_usd": 1}],
    )  # fmt: skip
    before = {path.name for path in tmp_path.iterdir()}
    _, found = again(log, other)
    beside, cards = found.told
    assert beside == "Not replayed: canary, budgets; the policy's own picks are shown."
    assert "cards differ" in cards
    assert {path.name for path in tmp_path.iterdir()} == before
