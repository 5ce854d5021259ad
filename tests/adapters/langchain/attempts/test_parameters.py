"""What handlers are told of a model's parameters is what core tells, by whichever way it was asked for."""

from __future__ import annotations

from typing import Any

import pytest
from langchain_core.language_models import BaseChatModel
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from pydantic import ConfigDict

from langchain_router.attempts import parameters


class Bare(FakeListChatModel):
    """Has none of the fields for which core looks."""

    responses: list[str] = ["ok"]  # noqa: RUF012 - a field


class ChatFielded(Bare):
    model: str = "one"
    temperature: float | None = 0.5
    max_tokens: Any = None

    @property
    def _identifying_params(self) -> dict[str, Any]:
        return {"model": self.model}


class OfClass(Bare):
    max_tokens = 7  # type: ignore[assignment]
    model_config = ConfigDict(ignored_types=(int,))

    @property
    def model_name(self) -> str:
        return "named"

    @property
    def temperature(self) -> float:
        raise AttributeError("not set yet")


class Open(Bare):
    model_config = ConfigDict(extra="allow")


class OwnWords(Bare):
    model: str = "one"

    def _get_ls_params(self, stop: Any = None, **kwargs: Any) -> Any:
        return {"ls_provider": "own"}

    def dict(self, **kwargs: Any) -> dict[str, Any]:
        return {"own": True}


class Elsewhere(Bare):
    def __getattr__(self, name: str) -> Any:
        return "elsewhere" if name == "model_name" else super().__getattr__(name)  # type: ignore[misc]  # pydantic's


MODELS: tuple[BaseChatModel, ...] = (
    Bare(), ChatFielded(), OfClass(), Open(model="extra", temperature=1), OwnWords(), Elsewhere(),
)  # fmt: skip


@pytest.mark.parametrize("kwargs", [{}, {"model": "two", "temperature": 1, "max_tokens": 5, "user": "me"}], ids=str)
@pytest.mark.parametrize("stop", [None, ["x"]], ids=str)
@pytest.mark.parametrize("model", MODELS, ids=lambda model: type(model).__name__)
def test_core_tells_the_same(model: BaseChatModel, stop: Any, kwargs: dict[str, Any]) -> None:
    told = parameters.langsmith_params(model, stop, kwargs)
    cores: Any = model._get_ls_params_with_defaults(stop=stop, **kwargs)
    assert list(told.items()) == list(cores.items())
    invoked = parameters.invocation(model, stop, kwargs)
    assert list(invoked.items()) == list(model._get_invocation_params(stop=stop, **kwargs).items())


def test_a_field_that_was_changed_is_told_as_it_is() -> None:
    model = ChatFielded()
    assert parameters.langsmith_params(model, None, {})["ls_model_name"] == "one"
    model.model = "two"
    assert parameters.langsmith_params(model, None, {})["ls_model_name"] == "two"
    assert parameters.invocation(model, None, {})["model"] == "two"


def test_cores_methods_are_those_that_were_read() -> None:
    """Where this fails core does something new there: read it, then add its names."""
    assert parameters._TOLD_BY_CORE is not None
    assert parameters._CALLED_BY_CORE is not None


def test_a_model_is_not_asked_for_fields_that_it_lacks() -> None:
    asked: list[str] = []
    lacking = Bare.__getattr__  # type: ignore[attr-defined]  # pydantic's

    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(parameters, "_told", lambda kind: parameters._TOLD_BY_CORE)
        patched.setattr(Bare, "__getattr__", lambda self, name: asked.append(name) or lacking(self, name))
        parameters.langsmith_params(Bare(), None, {})
    assert asked == []


def test_who_has_put_a_method_around_cores_is_asked(monkeypatch: pytest.MonkeyPatch) -> None:
    cores, seen = BaseChatModel._get_ls_params, []

    def around(self: Any, *given: Any, **keywords: Any) -> Any:
        seen.append(self)
        return cores(self, *given, **keywords)

    model = Bare()
    monkeypatch.setattr(BaseChatModel, "_get_ls_params", around)
    parameters.langsmith_params(model, None, {})
    assert seen == [model]
