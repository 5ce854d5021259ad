"""LangChain's own unit suite."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_tests.unit_tests import ChatModelUnitTests

from langchain_router import ChatEndpoint, ChatRouter


class TestChatEndpointUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatEndpoint

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key": "sk-test"}

    @property
    def init_from_env_params(self) -> tuple[dict[str, str], dict[str, Any], dict[str, Any]]:
        params = {"base_url": "http://127.0.0.1:9/v1", "model": "m", "api_key_env": "ENDPOINT_KEY"}
        return {"ENDPOINT_KEY": "sk-env"}, params, {"api_key_env": "ENDPOINT_KEY"}


class TestChatRouterUnit(ChatModelUnitTests):
    @property
    def chat_model_class(self) -> type[BaseChatModel]:
        return ChatRouter

    @property
    def chat_model_params(self) -> dict[str, Any]:
        return {"models": [ChatEndpoint(base_url="http://127.0.0.1:9/v1", model=name) for name in ("a", "b")]}
