"""LangChain's own integration suite over loopback HTTP: real clients, a scripted server."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from typing import Any

import httpx
import pytest
from langchain_core.language_models import BaseChatModel
from langchain_openai import ChatOpenAI
from langchain_tests.integration_tests import ChatModelIntegrationTests
from openai_server import Server

from langchain_router import ChatEndpoint, ChatRouter

_PIXEL = base64.b64decode("iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==")
_EXACTLY_ONE_START = (
    "test_structured_output", "test_structured_output_async", "test_structured_output_pydantic_2_v1",
    "test_structured_output_optional_param", "test_structured_few_shot_examples",
)  # fmt: skip


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

    @pytest.fixture
    def model(self, request: Any, server: Server) -> BaseChatModel:
        extra = getattr(request, "param", None) or {}
        return self.built(server, **self.standard_chat_model_params, **extra)

    def built(self, server: Server, **params: Any) -> BaseChatModel:
        raise NotImplementedError


def _openai(server: Server, name: str) -> ChatOpenAI:
    return ChatOpenAI(model=name, base_url=server.url, api_key="sk-test", max_retries=0, use_responses_api=False)


class TestEndpointAlone(_Suite):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatEndpoint

    def built(self, server: Server, **params: Any) -> BaseChatModel:
        return ChatEndpoint(**{"base_url": server.url, "model": "ok-alone", **params})


class TestRouterOverChatOpenAI(_Suite):
    first = "ok-first"

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatRouter

    def built(self, server: Server, **params: Any) -> BaseChatModel:
        return ChatRouter(models=[_openai(server, self.first), _openai(server, "ok-second")], policy="single", **params)


class TestRouterOverEndpoint(_Suite):
    first = "ok-first"

    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatRouter

    def built(self, server: Server, **params: Any) -> BaseChatModel:
        entries = [{"endpoint": {"base_url": server.url, "model": name}} for name in (self.first, "ok-second")]
        return ChatRouter(models=entries, policy="single", **params)
