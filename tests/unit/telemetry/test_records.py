"""Every line that a router writes is what the JSON Schema says, and the schema says all that is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import chdir
from copy import deepcopy
from dataclasses import replace
from importlib.resources import files
from tempfile import TemporaryDirectory
from typing import Any, get_args

import pytest
from jsonschema import Draft202012Validator
from langchain_core.language_models import FakeListChatModel

from capability_router.decision_log import record_validation
from capability_router.decision_log.record_validation import SCHEMA_VERSION
from capability_router.errors import RouterError
from capability_router.health.condition import EventKind
from capability_router.money.price import AMOUNTS, Price
from capability_router.request import Need, Request, Usage
from capability_router.routing import current_routing, routing
from capability_router.testing import ManualClock, ask, scripted_router
from langchain_router import ChatRouter

SCHEMA: dict[str, Any] = json.loads(
    (files("capability_router.telemetry") / "record.schema.json").read_text(encoding="utf-8")
)


def closed(schema: Any) -> Any:
    """The same schema, which knows no field but its own."""
    if isinstance(schema, list):
        return [closed(each) for each in schema]
    if not isinstance(schema, dict):
        return schema
    made = {name: closed(each) for name, each in schema.items()}
    if "properties" in made and made.get("type") == "object":
        made["additionalProperties"] = False
    return made


STRICT = Draft202012Validator(closed(deepcopy(SCHEMA)))

PRICE: dict[str, Any] = {
    **{name: 0.5 + n for n, name in enumerate(AMOUNTS)}, "as_of": "2026-01-01",
    "tiers": [{"above": 1_000, "price": {"input_mtok": 7, "output_mtok": "0.25"}}],
}  # fmt: skip
SCRIPTS: dict[str, tuple[dict[str, list[str]], dict[str, Any], Request]] = {
    "answered": ({"a": ["ok"]}, {}, Request(("hello",))),
    "fallback": ({"a": ["rate_limited"], "b": ["ok"]}, {}, Request(("hello",), stream=True)),
    "none answers": (
        {"a": ["overloaded"] * 9, "b": ["auth"] * 9},
        {"retry": {"wait": 0.1}, "policy": {"name": "single", "seed": 1}},  # how long a key is left alone is drawn
        Request(("hello",)),
    ),
    "adaptive": ({"a": ["ok"], "b": ["ok"]}, {"policy": "adaptive"}, Request(("a" * 99, "b"), turns=2)),
    "weighted": ({"a": ["ok"]}, {"policy": {"name": "weighted", "weights": {"cost": 1.0}}}, Request(("hello",))),
    "refused": ({"a": ["ok"], "b": ["ok"]}, {"tenants": {"acme": ["b"]}}, Request(("x",), needs=Need.TOOL_CALLING)),
    "none eligible": ({"a": ["ok"]}, {"tenants": {"acme": ["b"]}}, Request(("x",))),
    "canary": ({"a": ["ok"], "b": ["ok"]}, {"canary": {"name": "cheapest", "share": 0.5}}, Request(("x",), answers=2)),
    "shadow": ({"a": ["ok"], "b": ["ok"]}, {"shadow": "cheapest"}, Request(("x",), max_tokens=9)),
    "content": ({"a": ["ok"]}, {"telemetry": {"capture_content": True}}, Request(("one", "two"))),
    "embedded": (
        {"a": ["ok"]},
        {
            "policy": {"name": "adaptive", "state": "state.json"},
            "embedder": lambda texts: [[1.0, 2.0] for _ in texts],
            "embedding": {"usd_per_mtok": 0.02, "within_ms": 20_000},
        },
        Request(("one", "two")),
    ),
    "screened": ({"a": ["ok"]}, {"screen": {"labels": {"pii.email": "note"}}}, Request(("jane@example.com",))),
    "priced": ({"a": ["ok"]}, {"cards": {"a": {"price": PRICE}}}, Request(("one", "two"))),
    "hashed": ({"a": ["ok"]}, {"telemetry": {"hashed_words": True}}, Request(("one", "two"))),
    "none meets the terms": ({"a": ["ok"]}, {}, Request(("x",))),
    "exploring": (
        {"a": ["ok"], "b": ["ok"]},
        {"policy": {"name": "adaptive", "state": "state.json", "exploration": 0.5, "seed": 1}},
        Request(("x",)),
    ),
}
TERMS: dict[str, dict[str, Any]] = {
    "none meets the terms": {
        "pin": "a", "allow": ["a"], "deny": ["b"], "require_tags": ["prod"], "quality_target": 0.9,
        "max_cost_usd": 0.01, "data": {"regions": ["eu"], "retention": "zero", "training": False},
    },
}  # fmt: skip


def written(name: str) -> list[dict[str, Any]]:
    scripts, settings, request = SCRIPTS[name]
    with TemporaryDirectory() as folder, chdir(folder):
        return _records(name, scripts, deepcopy(settings), request)


def _records(name: str, scripts: Any, settings: Mapping[str, Any], request: Request) -> list[dict[str, Any]]:
    router, kept = scripted_router(scripts, clock=ManualClock(), **settings), list[dict[str, Any]]()
    router.add_sink(kept.append)
    try:
        with routing(tenant="acme", tags=["x"], session="s", task="chat"):
            ask(router, replace(request, id="r1", routing=current_routing().merged(TERMS.get(name, {}))))
        router.feedback("r1", 0.5)
    except RouterError:
        assert name.startswith("none")
    router.close()
    assert kept
    return kept


@pytest.mark.parametrize("name", SCRIPTS)
def test_lines_are_what_the_schema_says(name: str) -> None:
    for record in written(name):
        STRICT.validate(json.loads(json.dumps(record)))


def test_the_schema_knows_no_field_that_never_comes() -> None:
    came = {path for name in SCRIPTS for record in written(name) for path in _paths(record, record["kind"])}
    told = {path for kind in ("decision", "feedback", "health") for path in _told(kind, SCHEMA["$defs"][kind])}
    never = {"decision.shadow.error"}  # of a policy that fails: tests/unit/policies/second_policy/test_trials.py
    assert told - came - never == set()


def _paths(value: Any, at: str) -> Iterator[str]:
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield f"{at}.{name}"
            yield from _paths(inner, f"{at}.{name}")
    elif isinstance(value, list):
        for inner in value:
            yield from _paths(inner, at)


def _told(at: str, schema: Mapping[str, Any]) -> Iterator[str]:
    schema = SCHEMA["$defs"][schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema
    if "items" in schema:
        yield from _told(at, schema["items"])
    for name, inner in schema.get("properties", {}).items():
        yield f"{at}.{name}"
        yield from _told(f"{at}.{name}", inner)


def test_a_langchain_calls_line_is_what_the_schema_says_and_has_no_text() -> None:
    llm = ChatRouter(models=[FakeListChatModel(responses=["the answer"])])
    kept = list[dict[str, Any]]()
    llm.router.add_sink(kept.append)
    llm.invoke("the question")
    (record,) = kept
    STRICT.validate(record)
    assert "the answer" not in json.dumps(record)
    assert "the question" not in json.dumps(record)
    llm.router.close()


def test_what_the_terms_ask_is_told_and_what_they_do_not_say_is_left_out() -> None:
    assert written("answered")[0]["terms"] == {}
    assert written("none meets the terms")[0]["terms"] == {
        "pin": "a", "allow": ["a"], "deny": ["b"], "require_tags": ["prod"], "regions": ["eu"], "retention": "zero",
        "training": False, "quality_target": 0.9, "max_cost_usd": 0.01,
    }  # fmt: skip


def test_the_chances_of_all_that_could_have_been_first_are_told() -> None:
    plan = written("exploring")[0]["plan"]
    assert set(plan["chances"]) == {"a", "b"}
    assert sum(plan["chances"].values()) == pytest.approx(1.0)
    assert 0.05 < plan["chances"]["b"] < 0.5 < plan["chances"]["a"], "nobody was scored: only the even part is tried"
    assert plan["chances"][plan["chosen"]] == plan["propensity"]
    assert "chances" not in written("answered")[0]["plan"]


def test_texts_are_recorded_if_asked_for() -> None:
    assert written("content")[0]["content"] == {"messages": ["one", "two"], "answer": "one two three"}


@pytest.mark.parametrize("name", SCRIPTS)
def test_the_same_inputs_give_the_same_bytes(name: str) -> None:
    first, second = (json.dumps(written(name)) for _ in range(2))
    assert first == second


def test_marks_tell_other_models_and_other_policies_apart_and_no_keys() -> None:
    def basis(cards: Mapping[str, Any], **settings: Any) -> Mapping[str, Any]:
        router, kept = scripted_router({"a": ["ok"]}, cards={"a": cards}, **settings), list[dict[str, Any]]()
        router.add_sink(kept.append)
        ask(router)
        router.close()
        found: Mapping[str, Any] = kept[0]["basis"]
        return found

    plain = basis({})
    assert basis({"context_window": 9_000})["registry"] != plain["registry"]
    assert basis({"context_window": 9_000})["policy"] == plain["policy"]
    seeded = basis({}, policy={"name": "single", "seed": 7})
    assert (seeded["registry"], seeded["seed"]) == (plain["registry"], 7)
    assert seeded["policy"] != plain["policy"]
    reached = {"base_url": "http://127.0.0.1:9", "headers": {"x-key": "one"}}
    other = {**reached, "headers": {"x-key": "two"}}
    assert basis({"endpoint": reached}) == basis({"endpoint": other})
    assert "canary_share" not in plain
    assert basis({}, canary={"name": "cheapest", "share": 0.25})["canary_share"] == 0.25


def test_a_record_says_what_each_model_would_have_cost() -> None:
    told = written("priced")[0]["basis"]["prices"]["a"]
    assert "as_of" not in told
    for usage in (Usage(900, 70, cache_read_tokens=30), Usage(1_001, 1)):
        assert Price.parse(json.loads(json.dumps(told))).cost(usage) == Price.parse(PRICE).cost(usage)


@pytest.mark.parametrize("name", SCRIPTS)
def test_what_is_written_has_no_flaw_for_readers(name: str) -> None:
    assert [record_validation.flaw(json.loads(json.dumps(record))) for record in written(name)] == [None] * len(
        written(name)
    )


def test_every_kind_in_the_schema_is_read() -> None:
    kinds = {
        SCHEMA["$defs"][each["$ref"].rpartition("/")[2]]["properties"]["kind"]["const"] for each in SCHEMA["oneOf"]
    }
    assert kinds == set(record_validation.KINDS)


def test_changes_of_health_are_lines_of_their_own() -> None:
    (told,) = (record for record in written("none answers") if record["kind"] == "health" and record["model"] == "b")
    assert (told["model"], told["event"]) == ("b", "credential_disabled")
    router, kept = scripted_router({"a": ["ok"]}), list[dict[str, Any]]()
    router.add_sink(kept.append)
    router.isolate("a")
    router.reset("a")
    router.close()
    assert [record["event"] for record in kept] == ["isolated", "reset"]


def test_every_change_of_health_is_in_the_schema() -> None:
    assert set(get_args(EventKind)) == set(SCHEMA["$defs"]["health"]["properties"]["event"]["enum"])
    (told,) = (record for record in written("fallback") if record["kind"] == "health")
    assert told["event"] == "rate_limited", "a 429 closes a gate"


def test_readers_and_writers_mean_the_same_version() -> None:
    assert SCHEMA["$defs"]["decision"]["properties"]["schema_version"]["const"] == SCHEMA_VERSION


def test_a_request_that_no_model_can_take_is_written_down_too() -> None:
    (record,) = written("none eligible")
    assert (record["model"], record["attempts"], record["cost_pico"]) == (None, [], 0)
    assert [told["rule"] for told in record["plan"]["refusals"]] == ["tenant"]
