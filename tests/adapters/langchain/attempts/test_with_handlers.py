"""A call of which handlers hear tells them what core's `generate` would, and asks the model's own method."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterator
from types import MappingProxyType
from typing import Any

import pytest
from langchain_core.callbacks import BaseCallbackHandler, manager
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, AIMessageChunk
from langchain_core.outputs import ChatGeneration, ChatGenerationChunk, ChatResult
from langchain_core.runnables.config import _merge_metadata_dicts
from langchain_core.tracers.context import collect_runs

from langchain_router import ChatRouter
from langchain_router.attempts import fast_path, with_handlers


class Streams(BaseChatModel):
    """Its stream says something else than its whole answer, so that one sees which was asked for."""

    @property
    def _llm_type(self) -> str:
        return "streams"

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        told = {"finish_reason": "stop", "stopped_by": str(stop)}
        return ChatResult(generations=[ChatGeneration(message=AIMessage("whole", response_metadata=told))])

    async def _agenerate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        return self._generate(messages, stop, run_manager, **kwargs)

    def _stream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Iterator[Any]:
        yield ChatGenerationChunk(message=AIMessageChunk("in ", response_metadata={}))
        yield ChatGenerationChunk(message=AIMessageChunk("parts", response_metadata={"finish_reason": "stop"}))

    async def _astream(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> Any:
        for chunk in self._stream(messages):
            yield chunk


class Taps(BaseCallbackHandler):
    """What core takes for a handler that wants a stream, by these two methods."""

    def tap_output_iter(self, run_id: Any, output: Iterator[Any]) -> Iterator[Any]:
        return output

    def tap_output_aiter(self, run_id: Any, output: AsyncIterator[Any]) -> AsyncIterator[Any]:
        return output


class Hearing(BaseCallbackHandler):
    """All that runs begin and end with, but for ids."""

    run_inline = True

    def __init__(self) -> None:
        self.told: list[Any] = []

    def on_chat_model_start(self, serialized: Any, messages: Any, *, run_id: Any, parent_run_id: Any, **t: Any) -> None:
        self.told.append(("begun", serialized, messages, parent_run_id is not None, t))

    def on_llm_end(self, response: Any, *, run_id: Any, parent_run_id: Any, **told: Any) -> None:
        (generation,) = response.generations[0]
        told_id = str(generation.message.id).replace(str(run_id), "")
        metadata = generation.message.response_metadata
        self.told.append(("ended", generation.text, metadata, told_id, response.llm_output, told))

    def on_llm_error(self, error: BaseException, *, run_id: Any, parent_run_id: Any, **told: Any) -> None:
        self.told.append(("failed", str(error), told["tags"]))


class Failing(Streams):
    """Has no answer."""

    def _generate(self, messages: Any, stop: Any = None, run_manager: Any = None, **kwargs: Any) -> ChatResult:
        raise ConnectionError("refused")


FIELDS: tuple[dict[str, Any], ...] = (
    {}, {"tags": ["own"]}, {"metadata": {"own": 1}}, {"verbose": True}, {"callbacks": [BaseCallbackHandler()]},
)  # fmt: skip


@pytest.mark.parametrize("stop", [None, ["x"]])
@pytest.mark.parametrize("fields", FIELDS, ids=lambda fields: next(iter(fields), "plain"))
async def test_handlers_hear_what_they_hear_of_core(
    stop: Any, fields: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def told() -> list[Any]:
        models = [(Failing(**fields), {"id": "failing"}), (Streams(**fields), {"id": "sound"})]
        router = ChatRouter(models, policy="single", max_retries=1)
        hearing = Hearing()
        metadata = {"who": "me", "lc_versions": {"mine": "1"}}
        config: Any = {"callbacks": [hearing], "tags": ["mine"], "metadata": metadata}
        router.invoke("hello", config, stop=stop)
        router.router.reset("failing")
        await router.ainvoke("hello", config, stop=stop)
        return hearing.told

    ours = await told()
    monkeypatch.setattr(fast_path, "_KNOWN", False)  # then core's own methods are called
    assert ours == await told()
    assert [event[0] for event in ours] == ["begun", "failed", "begun", "ended"] * 2


@pytest.mark.parametrize("taps", [True, False])
async def test_a_handler_that_wants_a_stream_gets_one(taps: bool) -> None:
    router = ChatRouter([Streams()])
    config: Any = {"callbacks": [Taps() if taps else BaseCallbackHandler()]}
    expected = "in parts" if taps else "whole"
    assert router.invoke("hello", config).content == expected
    assert (await router.ainvoke("hello", config)).content == expected


VERSIONS: tuple[dict[str, Any], ...] = (
    {}, {"own": 1}, {"lc_versions": {"one": "1"}}, {"a": 2, "lc_versions": {"one": "2", "two": "1"}, "own": 3},
    {"lc_versions": None}, {"lc_versions": MappingProxyType({"three": "1"})}, {"lc_versions": "four"},
)  # fmt: skip


@pytest.mark.parametrize("more", VERSIONS, ids=str)
@pytest.mark.parametrize("metadata", VERSIONS, ids=str)
def test_versions_add_up_as_in_core(metadata: dict[str, Any], more: dict[str, Any]) -> None:
    ours = with_handlers._with(metadata, more)
    assert list(ours.items()) == list(_merge_metadata_dicts(metadata, more).items())
    held = [part["lc_versions"] for part in (metadata, more) if isinstance(part.get("lc_versions"), dict)]
    assert all(ours["lc_versions"] is not versions for versions in held)


def test_cores_methods_are_those_that_were_read() -> None:
    """Where this fails core does something new there: read it, then add its names."""
    assert fast_path.names_in(BaseChatModel.generate, BaseChatModel.agenerate) <= fast_path._READ
    assert fast_path._KNOWN


def test_who_is_told_is_not_worked_out_twice(monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Any] = []
    configure = manager._configure
    monkeypatch.setattr(manager, "_configure", lambda *given, **by: made.append(given) or configure(*given, **by))
    config: Any = {"callbacks": [Hearing()]}
    ChatRouter([Streams()]).invoke("hello", config)
    assert len(made) == 1
    with collect_runs() as collected:  # who hears of the outermost run alone, and of each anew
        ChatRouter([Streams()]).invoke("hello", config)
    assert len(made) == 3
    assert [run.name for run in collected.traced_runs] == ["ChatRouter"]  # the roots


async def test_a_call_given_up_is_told_to_nobody_as_by_core(monkeypatch: pytest.MonkeyPatch) -> None:
    begun = asyncio.Event()

    class Hanging(Streams):
        async def _agenerate(self, *given: Any, **keywords: Any) -> ChatResult:
            begun.set()
            await asyncio.sleep(60)
            raise AssertionError("it was waited for")

    async def told() -> list[str]:
        begun.clear()
        hearing = Hearing()
        asked = asyncio.ensure_future(ChatRouter([Hanging()]).ainvoke("hello", {"callbacks": [hearing]}))
        await begun.wait()
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        return [event[0] for event in hearing.told]

    ours = await told()
    monkeypatch.setattr(fast_path, "_KNOWN", False)
    assert ours == await told() == ["begun"]


def test_a_class_with_its_own_method_is_called_by_it() -> None:
    class Own(Streams):
        def _generate_with_cache(self, *given: Any, **keywords: Any) -> ChatResult:
            return ChatResult(generations=[ChatGeneration(message=AIMessage("own"))])

    assert not fast_path.takes_fast_path(Own(), {})
    config: Any = {"callbacks": [Hearing()]}
    assert ChatRouter([Own()]).invoke("hello", config).content == "own"


def test_who_has_put_a_method_around_cores_sees_each_call(monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[Any] = []
    cores = BaseChatModel._generate_with_cache

    def around(self: Any, *given: Any, **keywords: Any) -> Any:
        seen.append(self)
        return cores(self, *given, **keywords)

    router, config = ChatRouter([Streams()]), {"callbacks": [Hearing()]}
    router.invoke("hello", config)  # type: ignore[arg-type]  # a RunnableConfig
    assert seen == []
    monkeypatch.setattr(BaseChatModel, "_generate_with_cache", around)
    router.invoke("hello", config)  # type: ignore[arg-type]  # likewise
    assert len(seen) == 1


class Tooled(Streams):
    """Takes tools, as a binding of keywords."""

    def bind_tools(self, tools: Any, **kwargs: Any) -> Any:
        return self.bind(tools=tools, **kwargs)


async def test_so_they_do_where_tools_are_bound(monkeypatch: pytest.MonkeyPatch) -> None:
    tool = {"type": "function", "function": {"name": "look", "parameters": {"type": "object", "properties": {}}}}

    async def told() -> list[Any]:
        router = ChatRouter([(Tooled(), {"id": "m", "tool_calling": True})]).bind_tools([tool], tool_choice="auto")
        hearing = Hearing()
        config: Any = {"callbacks": [hearing]}
        router.invoke("hello", config, stop=["x"])
        await router.ainvoke("hello", config)
        return hearing.told

    ours = await told()
    monkeypatch.setattr(fast_path, "_KNOWN", False)  # then core's own methods are called
    assert ours == await told()
    assert ours[0][-1]["invocation_params"]["tools"] == [tool]
