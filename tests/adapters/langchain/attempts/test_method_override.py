"""A likeness is a model's own state under another class: the model must not be able to tell that it was there."""

from __future__ import annotations

import asyncio
import gc
from typing import Any, ClassVar

import pytest
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_google_genai import ChatGoogleGenerativeAI
from pydantic import ConfigDict, Field

from langchain_router import ChatRouter
from langchain_router.attempts.in_threads import in_threads
from langchain_router.fleet.copies import with_keywords


class Answers(BaseChatModel):
    """Has a client that can be closed once, as SDKs have."""

    client: dict[str, bool] = Field(default_factory=dict)

    @property
    def _llm_type(self) -> str:
        return "answers"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        if self.client.get("closed"):
            raise RuntimeError("the client has been closed")
        told = {"finish_reason": "stop"}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("here", response_metadata=told))])


class Closes(Answers):
    """Closes its client when nobody has it any more."""

    def __del__(self) -> None:
        self.client["closed"] = True


class Awaited(Closes):
    """Is asked by asyncio, without a thread."""

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return self._generate(messages, stop, run_manager, **kwargs)


@pytest.mark.parametrize("kind", [Closes, Awaited])
def test_a_model_that_closes_its_client_at_its_end_is_not_ended_by_a_call(kind: type[Closes]) -> None:
    model, config = kind(), {"callbacks": [BaseCallbackHandler()]}
    router = ChatRouter([model])
    for _ in range(2):
        assert router.invoke("hello", config).content == "here"  # type: ignore[arg-type]
        assert asyncio.run(router.ainvoke("hello", config)).content == "here"  # type: ignore[arg-type]
    assert not model.client.get("closed")


class Gemini(ChatGoogleGenerativeAI):
    """Tells of its end, at which version 4.2.0 closes the client that all copies share."""

    ended: ClassVar[list[Any]] = []

    def __del__(self) -> None:
        self.ended.append(self.max_output_tokens)


def test_a_copy_for_one_call_ends_no_client_that_it_shares() -> None:
    model = Gemini(model="gemini-2.5-flash", google_api_key="made-up")  # type: ignore[call-arg]  # by its alias
    copy, left = with_keywords(model, {"max_tokens": 5, "stop": ["x"]})
    assert (copy.max_output_tokens, left) == (5, {"stop": ["x"]})  # type: ignore[attr-defined]  # it is Gemini's
    assert (isinstance(copy, Gemini), type(copy).__name__) == (True, "Gemini")
    assert copy.client is model.client  # type: ignore[attr-defined]
    del copy
    assert model.ended == []


class Retries(Closes):
    """Repeats calls by itself, so that a router calls a copy of it as long as it lives."""

    max_retries: int = 3
    temperature: float | None = None


Retries.__module__ = "langchain_fireworks.chat_models"
Retries.__name__ = "ChatFireworks"


def test_what_a_router_keeps_of_a_model_ends_no_client_of_it() -> None:
    model = Retries()
    router = ChatRouter([(model, {"id": "m"})])
    assert router.fleet["m"] is not model
    assert router.invoke("hello").content == "here"
    assert router.model_copy(update={"temperature": 0.5}).invoke("hello").content == "here"
    del router
    gc.collect()
    assert not model.client.get("closed")


def test_a_model_that_only_its_router_has_is_kept_open_as_long_as_that(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[dict[str, bool]] = []

    def named(*_: Any) -> Retries:
        model = Retries()
        made.append(model.client)
        return model

    monkeypatch.setattr("langchain_router.fleet.sources.named", named)
    router = ChatRouter(["fireworks:m"])
    assert router.invoke("hello").content == "here"
    assert made[0] == {}
    del router
    gc.collect()
    assert made[0] == {"closed": True}


class Only(Closes):
    """Has one object at most, made with a name."""

    made: ClassVar[list[str]] = []

    def __new__(cls, name: str, **given: Any) -> Any:
        cls.made.append(name)
        return super().__new__(cls)

    def __init__(self, name: str, **given: Any) -> None:
        super().__init__(**given)


def test_the_same_model_under_a_class_of_the_same_name() -> None:
    model = Closes()
    same = in_threads(model)
    assert same is not model
    assert isinstance(same, Closes)
    assert same.__dict__ is model.__dict__
    assert (type(same).__name__, type(same).__module__) == ("Closes", Closes.__module__)


async def test_a_likeness_is_not_made_as_models_are() -> None:
    router = ChatRouter([Only("one")])
    assert (await router.ainvoke("hello", {"callbacks": [BaseCallbackHandler()]})).content == "here"
    assert Only.made == ["one"]


class Listed(Answers):
    """Keeps a list of the classes derived from it, as registries do."""

    listed: ClassVar[dict[str, Any]] = {}

    def __init_subclass__(cls, **given: Any) -> None:
        super().__init_subclass__(**given)
        cls.listed[cls.__name__] = cls


class Member(Listed):
    """One of the list."""


async def test_nothing_is_derived_from_a_class_that_hears_of_it() -> None:
    model = Member()
    assert in_threads(model) is model
    assert (await ChatRouter([model]).ainvoke("hello", {"callbacks": [BaseCallbackHandler()]})).content == "here"
    assert Listed.listed == {"Member": Member}


class Slotted(Answers):
    """Keeps a count where pydantic does not look."""

    __slots__ = ("count",)

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        object.__setattr__(self, "count", asked(self) + 1)
        return super()._generate(messages, stop, run_manager, **kwargs)


class Validated(Answers):
    """Keeps its count where pydantic validates it, which puts another `__dict__` in."""

    model_config = ConfigDict(validate_assignment=True)
    count: int = 0

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        self.count += 1
        return super()._generate(messages, stop, run_manager, **kwargs)


def asked(model: Any) -> int:
    count: int = model.count
    return count


@pytest.mark.parametrize("kind", [Slotted, Validated])
async def test_a_model_whose_state_can_not_be_shared_is_asked_itself(kind: type[Answers]) -> None:
    model = kind()
    object.__setattr__(model, "count", 0)
    assert (await ChatRouter([model]).ainvoke("hello", {"callbacks": [BaseCallbackHandler()]})).content == "here"
    assert asked(model) == 1
