"""LangChain's own integration suite over loopback HTTP: real clients, a scripted server."""

from __future__ import annotations

import base64
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from openai_server import Server

from capability_router.health.board import Verdict
from langchain_router import ChatEndpoint, ChatRouter

pytestmark = [  # langchain-openai's own warnings, given unwrapped as well
    pytest.mark.filterwarnings("ignore:OpenAI may require a filename"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
    pytest.mark.filterwarnings("ignore:Received a Pydantic BaseModel V1 schema"),
    pytest.mark.filterwarnings("ignore:LANGCHAIN_TESTS_USER_AGENT"),
]
_PIXEL = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
_ONE_START = pytest.mark.xfail(reason="demands exactly one model start, but an attempt failed", strict=True)


class _Suite(ChatModelIntegrationTests):
    """Every capability switched on; media are served from memory instead of the network."""

    server: Server

    @pytest.fixture(autouse=True)
    def _offline(self, server: Server, monkeypatch: pytest.MonkeyPatch) -> None:
        type(self).server = server
        monkeypatch.setattr(httpx, "get", lambda *_, **__: httpx.Response(200, content=_PIXEL))

    supports_image_inputs = supports_image_urls = supports_pdf_inputs = supports_audio_inputs = True
    supports_image_tool_message = supports_pdf_tool_message = supports_anthropic_inputs = True
    supports_json_mode = supports_model_override = returns_usage_metadata = True
    enable_vcr_tests = False
    model_override_value = "ok-override"


def _openai(server: Server, name: str) -> ChatOpenAI:
    return ChatOpenAI(
        model=name, base_url=server.url, api_key="sk-test", max_retries=0, use_responses_api=False, stream_usage=True
    )


class TestEndpointAlone(_Suite):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatEndpoint

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"base_url": self.server.url, "model": "ok-alone"}


class TestRouterOverChatOpenAI(_Suite):
    first = "ok-first"

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatRouter

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"models": [_openai(self.server, name) for name in (self.first, "ok-second")], "policy": "single"}


class TestRouterOverEndpoint(_Suite):
    first = "ok-first"

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatRouter

    @property
    def chat_model_params(self) -> dict[str, Any]:
        entries = [{"endpoint": {"base_url": self.server.url, "model": name}} for name in (self.first, "ok-second")]
        return {"models": entries, "policy": "single"}


class _FirstFails:
    """Everything holds with a failing first candidate but what demands exactly one start of a model: six tests."""

    @_ONE_START
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    def test_structured_output(self, model: BaseChatModel, schema_type: str) -> None:
        super().test_structured_output(model, schema_type)  # type: ignore[misc]  # the suite comes after it

    @_ONE_START
    @pytest.mark.parametrize("schema_type", ["pydantic", "typeddict", "json_schema"])
    async def test_structured_output_async(self, model: BaseChatModel, schema_type: str) -> None:
        await super().test_structured_output_async(model, schema_type)  # type: ignore[misc]  # the suite comes after it


class TestFirstAnswers429OverChatOpenAI(_FirstFails, TestRouterOverChatOpenAI):
    first = "fail-first"


class TestFirstAnswers429OverEndpoint(_FirstFails, TestRouterOverEndpoint):
    first = "fail-first"


class TestFirstCutsItsStreamOverChatOpenAI(_FirstFails, TestRouterOverChatOpenAI):
    first = "cut-first"


class TestFirstCutsItsStreamOverEndpoint(_FirstFails, TestRouterOverEndpoint):
    first = "cut-first"


class _FirstIsOpen:
    """The first candidate's breaker is open: nothing is sent to it, and nothing tells it from a healthy router."""

    first = "dead-first"

    @pytest.fixture
    def model(self, request: Any) -> BaseChatModel:
        model: Any = ChatRouter(**self.chat_model_params, **(getattr(request, "param", None) or {}))  # type: ignore[attr-defined]  # the suite's
        board, id = model.router.board, next(iter(model.router.registry.entries))
        now = model.router.clock.now
        for _ in range(board.config.consecutive):
            board.settle(board.admit(id, now()), Verdict(ok=False, blame="breaker"), now())
        assert board.admit(id, now()).kind == "breaker"
        return model  # type: ignore[no-any-return]  # a ChatRouter


class TestFirstIsOpenOverChatOpenAI(_FirstIsOpen, TestRouterOverChatOpenAI):
    first = "dead-first"


class TestFirstIsOpenOverEndpoint(_FirstIsOpen, TestRouterOverEndpoint):
    first = "dead-first"
