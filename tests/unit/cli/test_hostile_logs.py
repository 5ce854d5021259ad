"""A log in which any field may be anything: every command that takes a log reads it as far as it goes."""

from __future__ import annotations

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from capability_router import Request, routing
from capability_router.cli.main import main
from capability_router.testing import ScriptedModel, ask, scripted_router

ODD = (
    None, True, -1, 10**400, 1e308, float("nan"), "\x1b[31m<b>\ud800", "", [], [[]], {}, {"a": {}}, 1e-320, "9" * 5_000,
)  # fmt: skip
GONE = object()
HEALTH = {
    "schema_version": 1, "kind": "health", "at": 1.8e9, "router": "router", "model": "a", "event": "breaker_opened",
    "detail": "",
}  # fmt: skip
CONFIG = """
policy: cheapest
models: [{id: a, endpoint: {base_url: "http://127.0.0.1:9/v1", model: a}, price: {input_mtok: 1, output_mtok: 1}}]
"""


def places(value: object, way: tuple[Any, ...] = ()) -> Iterator[tuple[Any, ...]]:
    """The way to each part of a record; of a list the first two."""
    parts = value.items() if isinstance(value, dict) else enumerate(value[:2]) if isinstance(value, list) else ()
    for name, part in parts:
        yield (*way, name)
        yield from places(part, (*way, name))


def altered(record: dict[str, Any], way: tuple[Any, ...], odd: object) -> dict[str, Any]:
    made = copy.deepcopy(record)
    holder: Any = made
    for name in way[:-1]:
        holder = holder[name]
    if odd is GONE:
        del holder[way[-1]]
    else:
        holder[way[-1]] = odd
    return made


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A real router's log, then a record of each kind with each of its fields replaced by each odd value."""
    path = tmp_path_factory.mktemp("hostile") / "decisions.jsonl"
    models = {"a": ScriptedModel(["rate_limited", *["ok"] * 9]), "b": ["ok"] * 9, "c": []}
    router = scripted_router(
        models, cards={"c": {"tenants": ["globex"]}}, shadow="fastest", telemetry={"jsonl": str(path)}
    )
    for _ in range(5):
        with routing(tenant="acme", tags=["nightly"]):
            asked = Request(("hello",))
        ask(router, asked)
        router.feedback(asked.id, score=0.5)
    router.close()
    good = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    kinds = {record["kind"]: record for record in reversed(good)} | {"health": HEALTH}
    assert kinds["decision"]["attempts"][0]["fault"]
    assert kinds["decision"]["plan"]["refusals"]
    with path.open("a", encoding="utf-8") as file:
        for kind, record in kinds.items():
            for number, (way, odd) in enumerate((way, odd) for way in places(record) for odd in (*ODD, GONE)):
                own = record if kind != "decision" else {**record, "request_id": f"altered {number}"}
                file.write(json.dumps(altered(own, way, odd)) + "\n")
    return path


@pytest.mark.parametrize(
    "words",
    [
        ["report", "LOG", "--json"], ["report", "LOG", "-o", "OUT"], ["report", "LOG", "--trials"],
        ["tail", "LOG", "--no-follow", "-n", "1000000"], ["tail", "LOG", "--no-follow", "-n", "1000000", "--json"],
        ["replay", "LOG", "--policy", "cheapest"], ["replay", "LOG", "--policy", "CONFIG"],
        ["train", "LOG", "-o", "OUT", "--anyway"], ["rehearse", "CONFIG", "--traffic", "LOG", "--seconds", "1"],
    ],
    ids=" ".join,
)  # fmt: skip
def test_a_command_reads_what_can_be_read(log: Path, tmp_path: Path, words: list[str]) -> None:
    if words[0] == "train":
        pytest.importorskip("numpy", reason="train needs the extra `learn`")
    config = tmp_path / "router.yaml"
    config.write_text(CONFIG, encoding="utf-8")
    meant = {"LOG": str(log), "OUT": str(tmp_path / "out"), "CONFIG": str(config)}
    found = CliRunner().invoke(main, [meant.get(word, word) for word in words])
    assert found.exception is None or isinstance(found.exception, SystemExit), found.exc_info
    assert found.exit_code == (3 if words[0] == "train" else 0), found.output[-500:]
    if "--json" not in words:
        assert "\x1b" not in found.output
