"""A log that a ChatRouter wrote over real HTTP, with tools, schemas, images, terms and conversations, decided again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import yaml
from langchain_core.tools import tool
from unit.replay.logs import again

from capability_router import routing
from capability_router.simulator import Fleet
from langchain_router import ChatRouter

SCHEMA = {"title": "x", "type": "object", "properties": {"a": {"type": "string"}}}
POLICIES: dict[str, Any] = {
    "a target": {"name": "adaptive", "quality_target": 0.85}, "cheapest": {"name": "cheapest"},
    "weighted": {"name": "weighted"},
}  # fmt: skip


@tool
def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def talk(llm: ChatRouter, number: int) -> None:
    config: Any = {"configurable": {"thread_id": f"t{number // 3}"}}
    picture = [
        {"type": "text", "text": "what?"},
        {"type": "image_url", "image_url": {"url": "https://x.invalid/a.png"}},
    ]
    match number % 5:
        case 0:
            llm.bind_tools([add]).invoke(f"What is {number} + {number}?", config)
        case 1:
            llm.with_structured_output(SCHEMA).invoke(f"give JSON {number}", config)
        case 2:
            with routing(max_cost_usd=0.001, tags=["x"]):
                llm.invoke("Summarise: " + "words and words " * number, config)
        case 3:
            llm.invoke([{"role": "user", "content": picture}], config)
        case _:
            list(llm.stream(f"Prove why {number} = {number}", config))


@pytest.mark.parametrize("name", POLICIES)
def test_under_its_own_configuration_nothing_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path, log = tmp_path / "router.yaml", tmp_path / "decisions.jsonl"
    with Fleet.from_config(time_scale=0) as fleet:
        for variable, key in fleet.environment().items():
            monkeypatch.setenv(variable, key)
        words = {**fleet.router_config(), "telemetry": {"jsonl": str(log)}, "policy": POLICIES[name]}
        path.write_text(yaml.safe_dump(words))
        llm = ChatRouter.from_config(str(path))
        for number in range(25):
            talk(llm, number)
        llm.router.close()
    made, found = again(log, path)
    assert len(made) == 25
    assert [each.choice.model for each in made if each.changed] == []
    assert found.told == ()  # the cards too are the log's
    assert len({each.choice.model for each in made}) > 1
    assert again(log, "fastest")[1].changed > 0
