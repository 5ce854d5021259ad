"""Model objects that show neither where they call nor with which key: what happens to one tells nothing of another.

They are of one class and of one name here, as those of a company's own gateway or of a test may be.
"""

from __future__ import annotations

import time
from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from pydantic import Field

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM


class Status(Exception):
    """As an SDK's, with an HTTP status."""

    def __init__(self, status: int) -> None:
        super().__init__(f"HTTP {status}")
        self.status_code = status


class Chat(BaseChatModel):
    error: Exception | None = None
    pause_s: float = 0.0
    said: list[dict[str, Any]] = Field(default_factory=list)

    @property
    def _llm_type(self) -> str:
        return "own"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.said.append(kwargs)
        time.sleep(self.pause_s)
        if self.error:
            raise self.error
        return ChatResult(generations=[ChatGeneration(message=AIMessage("yes"))])


class Settings:
    """A client whose settings are read as attributes: a name that it doesn't have is a KeyError."""

    def __getattr__(self, name: str) -> Any:
        return {"url": "http://127.0.0.1"}[name]


class Calling(Chat):
    client: Any = Field(default_factory=Settings)
    root_client: Any = Field(default_factory=Settings)


class Text(CustomLLM):
    error: Exception | None = None
    pause_s: float = 0.0

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="own")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        time.sleep(self.pause_s)
        if self.error:
            raise self.error
        return CompletionResponse(text="yes")

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        yield self.complete(prompt)


def told(models: list[Any], adapter: str, **settings: Any) -> dict[str, Any]:
    """What the router said on the answer of a call of these models in order."""
    if adapter == "chat":
        return ChatRouter(models=models, policy="single", **settings).invoke("x").response_metadata["router"]
    return RouterLLM(models=models, policy="single", **settings).complete("x").additional_kwargs["router"]


KINDS = {"chat": ("chat", Chat), "text": ("text", Text), "chat in LlamaIndex": ("text", Chat)}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("status", [401, 402, 403, 404])
def test_a_refused_key_or_name_bars_only_the_model_that_was_refused(kind: str, status: int) -> None:
    adapter, model = KINDS[kind]
    said = told([model(error=Status(status)), model()], adapter)
    assert (said["attempts"], said["model"].endswith("#2")) == (2, True)


@pytest.mark.parametrize("kind", KINDS)
def test_what_is_held_is_the_one_that_was_isolated(kind: str) -> None:
    adapter, model = KINDS[kind]
    router = (ChatRouter if adapter == "chat" else RouterLLM)(models=[model(), model()], policy="single").router
    first, second = router.registry.entries
    router.isolate(first)
    assert {row["model"]: row["held_by"] for row in router.health()} == {first: "isolated", second: ""}


@pytest.mark.parametrize("kind", KINDS)
def test_one_is_a_hedge_for_another(kind: str) -> None:
    adapter, model = KINDS[kind]
    assert told([model(pause_s=0.4), model()], adapter, hedge={"after_s": 0.02, "extra": 1.0})["model"].endswith("#2")


@pytest.mark.parametrize("adapter", ["chat", "text"])
def test_a_client_may_fail_on_attributes_that_it_does_not_have(adapter: str) -> None:
    assert told([Calling()], adapter)["attempts"] == 1


def test_a_default_for_which_a_class_has_no_field_goes_with_its_calls() -> None:
    child = Chat()
    router = ChatRouter(models=[child], temperature=0.5, max_tokens=9)
    router.invoke("x")
    router.invoke("x", temperature=0.9)
    router.temperature = None
    router.invoke("x")
    assert child.said == [
        {"temperature": 0.5, "max_tokens": 9}, {"temperature": 0.9, "max_tokens": 9}, {"max_tokens": 9},
    ]  # fmt: skip
