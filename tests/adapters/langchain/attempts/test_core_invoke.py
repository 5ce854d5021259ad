"""An attempt leaves out what core's own `invoke` does of a config that is complete; nobody who listens can tell."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import Scripted
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.runnables import Runnable, RunnableLambda

from langchain_router import ChatRouter


class OwnInvoke(Scripted):
    """A class with methods of its own around core's: those are what an attempt calls, with the config."""

    invoked: int = 0

    def invoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        self.invoked += 1
        return super().invoke(input, config, **kwargs)

    async def ainvoke(self, input: Any, config: Any = None, **kwargs: Any) -> Any:
        self.invoked += 1
        return await super().ainvoke(input, config, **kwargs)


class CallWithHandlers(BaseCallbackHandler):
    """All that a model's run begins and ends with, but for ids."""

    def __init__(self) -> None:
        self.told: list[dict[str, Any]] = []

    def on_chat_model_start(
        self, serialized: Any, messages: Any, *, run_id: Any, parent_run_id: Any, **told: Any
    ) -> None:
        self.told.append({"messages": messages, "below": parent_run_id is not None, **told})

    def on_llm_end(self, response: Any, *, tags: Any = None, **_: Any) -> None:
        self.told.append({"tags": tags, "text": response.generations[0][0].text})


@pytest.mark.parametrize("listening", [[], [CallWithHandlers()]])
async def test_a_method_that_somebody_has_put_on_one_model_is_called(listening: list[BaseCallbackHandler]) -> None:
    model, seen = Scripted(), []

    def watched(own: Any) -> Any:
        def call(*given: Any, **options: Any) -> Any:
            seen.append(own.__name__)
            return own(*given, **options)

        return call

    for own in (model.invoke, model.ainvoke):
        object.__setattr__(model, own.__name__, watched(own))
    router = ChatRouter(models=[model])
    router.invoke("hi", {"callbacks": listening})
    await router.ainvoke("hi", {"callbacks": listening})
    assert seen == ["invoke", "ainvoke"]


CONFIGS: tuple[dict[str, Any], ...] = (
    {},
    {"tags": ["mine"], "metadata": {"who": "me"}, "run_name": "asked"},
    {"configurable": {"thread_id": "t", "checkpoint_ns": "n", "model": "m"}},
)


def _below(model: Runnable[Any, Any], **keywords: Any) -> Runnable[Any, Any]:
    return RunnableLambda(lambda text: model.invoke(text, **keywords), lambda text: model.ainvoke(text, **keywords))


@pytest.mark.parametrize("config", CONFIGS)
@pytest.mark.parametrize("keywords", [{}, {"stop": ["x"]}, {"temperature": 0.5}])
async def test_handlers_hear_the_same_as_of_a_class_whose_invoke_is_called(config: Any, keywords: Any) -> None:
    heard = []
    for kind in (Scripted, OwnInvoke):
        model = kind(metadata={"own": 1}, tags=["model's"])
        asked = _below(ChatRouter([(model, {"id": "m"})]), **keywords)
        handler = CallWithHandlers()
        asked.invoke("hello", {**config, "callbacks": [handler]})
        await asked.ainvoke("hello", {**config, "callbacks": [handler]})
        heard.append(handler.told)
        assert getattr(model, "invoked", 2) == 2
    assert len(heard[0]) == 4
    assert heard[0] == heard[1]
    assert heard[0][:2] == heard[0][2:]


async def test_a_method_put_around_cores_own_sees_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[str] = []
    invoke, ainvoke = BaseChatModel.invoke, BaseChatModel.ainvoke

    def watched(self: Any, *given: Any, **keywords: Any) -> Any:
        seen.append("invoke")
        return invoke(self, *given, **keywords)

    async def awatched(self: Any, *given: Any, **keywords: Any) -> Any:
        seen.append("ainvoke")
        return await ainvoke(self, *given, **keywords)

    asked = ChatRouter([Scripted()])
    asked.invoke("hello")
    assert seen == []
    monkeypatch.setattr(BaseChatModel, "invoke", watched)
    monkeypatch.setattr(BaseChatModel, "ainvoke", awatched)
    asked.invoke("hello")
    await asked.ainvoke("hello")
    assert seen == ["invoke", "ainvoke"]


def test_what_a_models_steps_call_is_below_its_run() -> None:
    class Asking(Scripted):
        def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
            RunnableLambda(lambda _: None).with_config(run_name="a step").invoke("x")
            return super()._generate(messages, stop, run_manager, **kwargs)

    class Names(BaseCallbackHandler):
        def __init__(self) -> None:
            self.names: list[str] = []

        def on_chain_start(self, serialized: Any, inputs: Any, *, name: str = "", **_: Any) -> None:
            self.names.append(name)

    handler = Names()
    ChatRouter([Asking()]).invoke("hello", {"callbacks": [handler]})
    assert handler.names == ["ChatRouter", "a step"]
