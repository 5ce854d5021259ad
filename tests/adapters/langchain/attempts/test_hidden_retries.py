"""Retries below the router, of packages whose SDKs repeat calls whatever `max_retries` says: counted in HTTP calls."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Callable
from functools import cached_property
from typing import Any

import httpx
import pytest
from adapters.watsonx_sdk import model_inference
from langchain_core.language_models import BaseChatModel
from langchain_core.outputs import ChatResult
from loopback.chat_server import ChatServer, reply

from langchain_router import AllCandidatesFailed, ChatRouter
from langchain_router.fleet.copies import without_retries

DOWN = reply({"message": "down", "error": {"message": "down"}}, 503, headers=["connection: close"])


def _bedrock(url: str) -> Any:
    """A class of that name and package, over the real client of AWS."""
    import boto3

    class ChatBedrockConverse(BaseChatModel):
        client: Any = None
        max_retries: int | None = None

        @property
        def _llm_type(self) -> str:
            return "bedrock"

        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            self.client.converse(modelId="m", messages=[{"role": "user", "content": [{"text": "hi"}]}])
            raise AssertionError

    ChatBedrockConverse.__module__ = "langchain_aws.chat_models.bedrock_converse"
    client = boto3.client(
        "bedrock-runtime", region_name="us-east-1", endpoint_url=url, aws_access_key_id="k", aws_secret_access_key="s"
    )
    return ChatBedrockConverse(client=client)


def _real_bedrock(url: str) -> Any:
    partner = pytest.importorskip("langchain_aws")
    keys = {"aws_access_key_id": "k", "aws_secret_access_key": "s"}
    return partner.ChatBedrockConverse(model="amazon.nova-v1:0", endpoint_url=url, region_name="us-east-1", **keys)


def _cohere(url: str) -> Any:
    return pytest.importorskip("langchain_cohere").ChatCohere(model="command-r", base_url=url, cohere_api_key="k")


def _fireworks(url: str) -> Any:
    return pytest.importorskip("langchain_fireworks").ChatFireworks(model="m", base_url=f"{url}/v1", api_key="k")


def _litellm(url: str) -> Any:
    return pytest.importorskip("langchain_litellm").ChatLiteLLM(model="openai/m", api_base=f"{url}/v1", api_key="k")


def _nebius(url: str) -> Any:
    """Derived from OpenAI's, without the whole clients: it holds their parts for chats alone."""
    from langchain_openai import ChatOpenAI

    model = type("ChatNebius", (ChatOpenAI,), {"__module__": "langchain_nebius.chat_models"})(
        model="m", base_url=url, api_key="k"
    )
    model.root_client = model.root_async_client = None
    return model


def _databricks(url: str) -> Any:
    """A class of that name and package: its SDKs are made at the first call, and of no other options than these."""
    from openai import AsyncOpenAI, OpenAI

    def sdk(kind: Any) -> Any:
        def made(self: Any) -> Any:
            tries = {} if self.max_retries is None else {"max_retries": self.max_retries}
            return type(kind.__name__, (kind,), {"with_options": None})(api_key="k", base_url=url, **tries)

        return made

    class ChatDatabricks(BaseChatModel):
        max_retries: int | None = None
        client = cached_property(sdk(OpenAI))
        async_client = cached_property(sdk(AsyncOpenAI))

        @property
        def _llm_type(self) -> str:
            return "databricks"

        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            self.client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
            raise AssertionError

        async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
            await self.async_client.chat.completions.create(model="m", messages=[{"role": "user", "content": "hi"}])
            raise AssertionError

    ChatDatabricks.__module__ = "databricks_langchain.chat_models"
    model = ChatDatabricks()
    assert (model.client.max_retries, model.async_client.max_retries) == (2, 2)  # as after calls of the user's own
    return model


def _watsonx(url: str) -> Any:
    """A class of that name and package, over what stands for ibm_watsonx_ai 1.8."""

    class ChatWatsonx(BaseChatModel):
        watsonx_model: Any = None

        @property
        def _llm_type(self) -> str:
            return "watsonx"

        def _generate(self, *_: Any, **__: Any) -> ChatResult:
            self.watsonx_model._inference._post_with_retry(f"{url}/ml").raise_for_status()
            raise AssertionError

        async def _agenerate(self, *_: Any, **__: Any) -> ChatResult:
            (await self.watsonx_model._inference._async_post_with_retry(f"{url}/ml")).raise_for_status()
            raise AssertionError

    ChatWatsonx.__module__ = "langchain_ibm.chat_models"
    return ChatWatsonx(watsonx_model=model_inference())


MAKES: list[Callable[[str], Any]] = [
    _bedrock, _real_bedrock, _cohere, _fireworks, _litellm, _nebius, _databricks, _watsonx,
]  # fmt: skip


@pytest.mark.filterwarnings("ignore")  # the packages' own, at import
@pytest.mark.parametrize("later", [False, True], ids=["invoke", "ainvoke"])
@pytest.mark.parametrize("make", MAKES)
def test_one_attempt_is_one_call(make: Callable[[str], Any], later: bool) -> None:
    with ChatServer(DOWN) as server:
        llm = ChatRouter(models=[make(server.base_url.removesuffix("/v1"))], retry={"attempts": 1})
        with pytest.raises(AllCandidatesFailed):
            asyncio.run(llm.ainvoke("hi")) if later else llm.invoke("hi")
        assert len(server.seen) == 1


def test_the_users_own_watsonx_goes_on_as_it_was() -> None:
    with ChatServer(DOWN) as server:
        model = _watsonx(server.base_url.removesuffix("/v1"))
        quiet = without_retries(model)
        with pytest.raises(httpx.HTTPStatusError):
            quiet.invoke("hi")
        assert len(server.seen) == 1
        del quiet
        gc.collect()  # a copy of the client closes nothing
        with pytest.raises(httpx.HTTPStatusError):
            model.invoke("hi")
        assert len(server.seen) == 1 + 44


def test_a_client_of_aws_that_the_user_made_still_retries(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("botocore.endpoint.time.sleep", lambda _: None)
    with ChatServer(DOWN) as server:
        model = _bedrock(server.base_url.removesuffix("/v1"))
        quiet = without_retries(model)
        for each in (quiet, model):
            with pytest.raises(Exception, match="503"):
                each.invoke("hi")
            assert (len(server.seen) > 1) == (each is model)
