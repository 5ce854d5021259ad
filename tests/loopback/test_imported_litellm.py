"""A LiteLLM configuration over real servers: what was imported calls whom LiteLLM would, in both frameworks."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner
from llama_index.core.llms import ChatMessage
from loopback.chat_server import ChatServer, completion, reply

from capability_router import NoEligibleModel, routing
from capability_router.cli.main import main
from capability_router.endpoints import connection_pool
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

CONFIG = """
model_list:
  - model_name: chat
    litellm_params: {{model: openai/first, api_base: "{first}/", api_key: PLAINSECRET-1, weight: 3}}
  - model_name: chat
    litellm_params: {{model: openai/second, api_base: "{second}", api_key: os.environ/SECOND_KEY, weight: 1}}
  - model_name: broken
    litellm_params: {{model: openai/down, api_base: "{down}", api_key: none}}
  - model_name: spare
    litellm_params: {{model: hosted_vllm/spare, api_base: "{second}", extra_headers: {{X-Team: os.environ/TEAM}}}}
router_settings:
  fallbacks: [{{"broken": ["spare"]}}]
  num_retries: 0
  model_group_alias: {{gpt-4o: chat}}
"""


class Servers:
    """What the three were asked for: model, key and team of each call."""

    def __init__(self) -> None:
        self.first, self.second = ChatServer(reply(completion("first"))), ChatServer(reply(completion("second")))
        self.down = ChatServer(reply({"error": {"message": "no"}}, 500))

    def models(self, server: ChatServer) -> list[str]:
        return [seen.body["model"] for seen in server.seen]


@pytest.fixture
def servers() -> Iterator[Servers]:
    made = Servers()
    with made.first, made.second, made.down:
        yield made
    connection_pool.close_idle()


@pytest.fixture
def written(servers: Servers, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    for name, value in {"OPENAI_API_KEY": "one", "SECOND_KEY": "two", "TEAM": "blue"}.items():
        monkeypatch.setenv(name, value)
    source, target = tmp_path / "config.yaml", tmp_path / "router.yaml"
    urls = {name: getattr(servers, name).base_url for name in ("first", "second", "down")}
    source.write_text(CONFIG.format(**urls), encoding="utf-8")
    result = CliRunner().invoke(main, ["import", "litellm", str(source), "-o", str(target)], catch_exceptions=False)
    assert result.exit_code == 0
    return target


def test_a_name_is_asked_for_by_a_tag_and_shared_by_weights(servers: Servers, written: Path) -> None:
    llm = ChatRouter.from_config(str(written))
    for name in ["chat", "gpt-4o"] * 20:
        with routing(require_tags=[name]):
            llm.invoke("hello")
    counts = len(servers.first.seen), len(servers.second.seen)
    assert sum(counts) == 40
    assert 15 < counts[0] < 40  # of 40, three in four: beyond that once in 80,000 runs
    assert {seen.headers["authorization"] for seen in servers.first.seen} == {"Bearer one"}
    assert {seen.headers["authorization"] for seen in servers.second.seen} == {"Bearer two"}
    assert set(servers.models(servers.first)) == {"first"}
    assert servers.down.seen == []


def test_a_failed_group_is_followed_by_its_fallback_and_by_no_other(servers: Servers, written: Path) -> None:
    llm: Any = RouterLLM.from_config(str(written))
    with routing(require_tags=["broken"]):
        answer = llm.chat([ChatMessage(content="hello")])
    assert answer.message.content == "second"
    assert servers.models(servers.second) == ["spare"]
    (call,) = servers.second.seen
    assert "authorization" not in call.headers
    assert call.headers["x-team"] == "blue"
    assert servers.down.seen
    assert servers.first.seen == []


def test_a_name_that_is_none_reaches_no_model(servers: Servers, written: Path) -> None:
    llm = ChatRouter.from_config(str(written))
    with routing(require_tags=["gpt-5"]), pytest.raises(NoEligibleModel):
        llm.invoke("hello")
    assert not servers.first.seen + servers.second.seen + servers.down.seen
