"""Every line that a router writes is what the JSON Schema says, and the schema says all that is in them."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import chdir
from copy import deepcopy
from dataclasses import replace
from importlib.resources import files
from tempfile import TemporaryDirectory
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from langchain_core.language_models import FakeListChatModel

from capability_router.errors import RouterError
from capability_router.request import Need, Request
from capability_router.routing import current_routing, routing
from capability_router.telemetry import decision_log
from capability_router.telemetry.records import SCHEMA_VERSION
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

SCRIPTS: dict[str, tuple[dict[str, list[str]], dict[str, Any], Request]] = {
    "answered": ({"a": ["ok"]}, {}, Request(("hello",))),
    "fallback": ({"a": ["rate_limited"], "b": ["ok"]}, {}, Request(("hello",), stream=True)),
    "none answers": ({"a": ["overloaded"] * 9, "b": ["auth"] * 9}, {"retry": {"wait": 0.1}}, Request(("hello",))),
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
    told = set(_told("decision", SCHEMA["$defs"]["decision"])) | set(_told("feedback", SCHEMA["$defs"]["feedback"]))
    never = {"decision.shadow.error"}  # of a policy that fails: tests/unit/policies/test_trials.py
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
    assert plan["chances"] == {"a": 0.5, "b": 0.5}
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


def test_readers_and_writers_mean_the_same_version() -> None:
    from capability_router.learning.logs import decisions

    assert SCHEMA["$defs"]["decision"]["properties"]["schema_version"]["const"] == SCHEMA_VERSION
    assert decision_log.SCHEMA_VERSION == decisions.SCHEMA_VERSION == SCHEMA_VERSION


def test_a_request_that_no_model_can_take_is_written_down_too() -> None:
    (record,) = written("none eligible")
    assert (record["model"], record["attempts"], record["cost_pico"]) == (None, [], 0)
    assert [told["rule"] for told in record["plan"]["refusals"]] == ["tenant"]
