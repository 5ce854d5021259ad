"""A screen under both frameworks: each of their verbs, blocking, awaited, streamed; LangChain's own detectors."""

from __future__ import annotations

import asyncio
import pickle
from collections.abc import AsyncIterator, Iterator
from typing import Any

import pytest
from adapters.langchain.fakes import Scripted
from langchain.agents.middleware.pii import detect_credit_card, detect_email
from langchain_core.messages import AIMessage, HumanMessage, ToolMessage
from langchain_core.tools import tool
from llama_index.core.base.llms.types import CitableBlock, DocumentBlock, TextBlock
from llama_index.core.llms import ChatMessage, CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.prompts import PromptTemplate
from pydantic import BaseModel

from capability_router.errors import NoEligibleModel
from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

MAIL = "write to jane@example.com"
SAFE = {"id": "safe", "data": {"retention": "zero", "training": False}}
OPEN = {"id": "open", "data": {"retention": "30d", "training": True}}
CONFIG = {"policy": "single", "screen": {"labels": {"pii.email": {"retention": "zero"}, "secret": "block"}}}


class Plain(CustomLLM):
    """Completes texts."""

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="plain", context_window=9_000)

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text='{"total": 3}')

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Iterator[CompletionResponse]:  # type: ignore[override]  # the base's is one of generators
        yield CompletionResponse(text="one", delta="one")

    async def astream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Any:
        async def steps() -> AsyncIterator[CompletionResponse]:
            for response in self.stream_complete(prompt):
                yield response

        return steps()


class Sum(BaseModel):
    """A sum."""

    total: int


@tool
def look_up(name: str) -> str:
    """Look somebody up."""
    return name


def chain(screen: Any = CONFIG["screen"], **settings: Any) -> ChatRouter:
    return ChatRouter(models=[(Scripted(), OPEN), (Scripted(), SAFE)], policy="single", screen=screen, **settings)


def llama(screen: Any = CONFIG["screen"], **settings: Any) -> RouterLLM:
    return RouterLLM(models=[(Plain(), OPEN), (Plain(), SAFE)], policy="single", screen=screen, **settings)


async def read(given: Any) -> Any:
    """All that a verb gives; its last part."""
    given = await given if hasattr(given, "__await__") else given
    if hasattr(given, "__aiter__"):
        return [part async for part in given][-1]
    return list(given)[-1] if isinstance(given, Iterator) else given


CHAIN = ("invoke", "ainvoke", "stream", "astream")
LLAMA = ("complete", "acomplete", "stream_complete", "astream_complete")
CHATS = ("chat", "achat", "stream_chat", "astream_chat")


async def told(llm: Any, verb: str, text: str) -> Any:
    """What the reply tells of its router."""
    given = [ChatMessage(content=text)] if verb in CHATS else text
    got = await read(getattr(llm, verb)(given))
    return (got.response_metadata if verb in CHAIN else got.additional_kwargs)["router"]


async def answered(llm: Any, verb: str, text: str) -> str:
    return str((await told(llm, verb, text))["model"])


def made(verb: str, screen: Any = CONFIG["screen"]) -> Any:
    return chain(screen) if verb in CHAIN else llama(screen)


@pytest.mark.parametrize("verb", [*CHAIN, *LLAMA, *CHATS])
async def test_each_verb_goes_to_a_model_that_may_read_it(verb: str) -> None:
    llm = made(verb)
    plain, screened = await told(llm, verb, "hello"), await told(llm, verb, MAIL)
    assert (plain["model"], plain.get("screen")) == ("open", None)
    assert (screened["model"], screened["screen"]) == ("safe", "pii.email")
    with pytest.raises(NoEligibleModel, match=r"secret\.aws, which is sent to no model"):
        await answered(llm, verb, "AKIAIOSFODNN7EXAMPLE")


async def async_screen(request: Any) -> list[str]:
    await asyncio.sleep(0)
    return ["mail"] if any("@" in text for text in request.texts) else []


@pytest.mark.parametrize("screen", [detect_email, [detect_credit_card, detect_email], async_screen])
@pytest.mark.parametrize("verb", ["invoke", "astream", "complete", "astream_chat"])
async def test_so_does_it_with_functions_of_others(verb: str, screen: Any) -> None:
    llm = made(verb, screen)
    assert await answered(llm, verb, "hello") == "open"
    assert await answered(llm, verb, MAIL) == "safe"


def test_tool_calls_their_results_and_schemas_are_looked_at() -> None:
    calls = [{"name": "look_up", "args": {"name": "jane@example.com"}, "id": "c"}]
    for messages in (
        [HumanMessage("who?"), AIMessage("", tool_calls=calls), ToolMessage("found", tool_call_id="c")],
        [HumanMessage("who?"), ToolMessage([{"type": "text", "text": MAIL}], tool_call_id="c")],
        [HumanMessage([{"type": "text", "text": MAIL}])],
    ):
        assert chain().explain(messages).chosen.id == "safe"
    described = look_up.model_copy(update={"description": MAIL})
    assert chain().explain("hello", tools=[look_up]).chosen.id == "open"
    assert chain().explain("hello", tools=[described]).chosen.id == "safe"
    assert llama().explain([ChatMessage(content="hello"), ChatMessage(role="tool", content=MAIL)]).chosen.id == "safe"


def found_beside(*blocks: Any, **fields: Any) -> str:
    """The one that is chosen for a message with these blocks, or fields, and the label's count."""
    message = AIMessage(list(blocks), **fields) if blocks else AIMessage("", **fields)
    plan = chain().explain([HumanMessage("hello"), message, HumanMessage("so?")])
    return f"{plan.chosen.id} {' '.join(plan.notes).count('pii.email (1)')}"


@pytest.mark.parametrize(
    "block",
    [
        {"type": "tool_result", "tool_use_id": "t", "content": MAIL},
        {"type": "tool_result", "tool_use_id": "t", "content": [{"type": "text", "text": MAIL}]},
        {"type": "document", "source": {"type": "text", "media_type": "text/plain", "data": MAIL}},
        {"type": "tool_use", "id": "t", "name": "look_up", "input": {"name": MAIL}},
        {"type": "reasoning", "summary": [{"type": "summary_text", "text": MAIL}]},
        {"type": "reasoning_content", "reasoning_content": {"text": MAIL}},
        {"toolResult": {"toolUseId": "t", "content": [{"json": {"mail": MAIL}}]}},
    ],
)
def test_each_part_of_a_message_is_looked_at_once(block: dict[str, Any]) -> None:
    assert found_beside(block) == "safe 1"


def test_so_is_what_a_message_has_beside_its_content() -> None:
    function = {"name": "look_up", "arguments": f'{{"name": "{MAIL}"}}'}
    raw = [{"id": "t", "type": "function", "function": function}]
    assert found_beside(additional_kwargs={"tool_calls": raw}) == "safe 1"
    assert found_beside(additional_kwargs={"function_call": function}) == "safe 1"
    assert found_beside(invalid_tool_calls=[{"name": "f", "args": MAIL, "id": "t", "error": None}]) == "safe 1"
    call = {"name": "look_up", "args": {"name": MAIL}, "id": "t"}
    block = {"type": "tool_use", "id": "t", "name": "look_up", "input": {"name": MAIL}}
    assert found_beside(block, tool_calls=[call]) == "safe 1"


def test_so_are_calls_that_stand_in_the_content_alone() -> None:
    """Of a provider's own tools, beside a call of one that was bound."""
    call = {"name": "look_up", "args": {}, "id": "t"}
    for kind in ("server_tool_call", "tool_use"):
        block = {"type": kind, "id": "s", "name": "web_search", "args": {"query": MAIL}}
        assert found_beside(block, {**call, "type": "tool_call"}, tool_calls=[call]) == "safe 1"


@pytest.mark.parametrize("screen", [CONFIG["screen"], detect_email])
def test_keywords_of_a_call_are_looked_at_but_for_who_asks(screen: Any) -> None:
    schema = {"type": "json_schema", "json_schema": {"name": "s", "schema": {"description": MAIL}}}
    for words in ({"response_format": schema}, {"prediction": {"content": MAIL}}, {"extra_body": {"x": [MAIL]}}):
        assert chain(screen).bind(**words).explain("hello").chosen.id == "safe"
        assert llama(screen).explain("hello", **words).chosen.id == "safe"
    key = "sk-proj-Abc1Def2Ghi3Jkl4Mno5Pqr6Stu7Vwx8Yz90"
    own = {"api_key": key, "extra_headers": {"Authorization": f"Bearer {key}", "X-Who": MAIL}}
    assert chain(screen).bind(**own).explain("hello").chosen.id == "open"
    assert llama(screen).explain("hello", **own).chosen.id == "open"


def test_documents_of_llama_index_are_looked_at() -> None:
    text = DocumentBlock(data=MAIL.encode(), document_mimetype="text/plain", title="x")
    cited = CitableBlock(title=MAIL, source="y", content=[TextBlock(text="hello")])
    plain = CitableBlock(title="x", source="y", content=[TextBlock(text="hello")])
    chosen = [llama().explain([ChatMessage(blocks=[block])]).chosen.id for block in (text, cited, plain)]
    assert chosen == ["safe", "safe", "open"]


def test_structured_answers_too() -> None:
    chosen = chain().with_structured_output(Sum, method="json_mode")
    with pytest.raises(NoEligibleModel):
        chosen.invoke("AKIAIOSFODNN7EXAMPLE")
    assert llama().structured_predict(Sum, PromptTemplate("add up {what}"), what="1 and 2").total == 3
    with pytest.raises(NoEligibleModel):
        llama().structured_predict(Sum, PromptTemplate("add up {what}"), what="AKIAIOSFODNN7EXAMPLE")


FILE = """
policy: single
models:
  - {id: open, endpoint: {base_url: "http://127.0.0.1:9/v1", model: o}, data: {retention: 30d}}
  - {id: safe, endpoint: {base_url: "http://127.0.0.1:9/v1", model: s}, data: {retention: zero, training: false}}
screen:
  labels:
    pii: {retention: zero, training: false}
    secret: block
  phone_region: US
"""


@pytest.mark.parametrize("kind", [ChatRouter, RouterLLM])
def test_one_file_serves_both(kind: Any, tmp_path: Any) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(FILE)
    llm = kind.from_config(path)
    assert llm.explain("hello").chosen.id == "open"
    assert llm.explain("call (212) 555-0123").chosen.id == "safe"
    assert not llm.explain("postgres://app:hunter2@db/main").candidates


def test_copies_and_pickles_look_as_well() -> None:
    for copied in (llama(), llama().model_copy(), pickle.loads(pickle.dumps(llama()))):  # noqa: S301 - made here
        assert not copied.explain("AKIAIOSFODNN7EXAMPLE").candidates
    recipe = llama()._core._recipe.scrubbed()
    assert recipe.settings["screen"]["labels"]["secret"] == "block"
    assert chain().model_copy().explain(MAIL).chosen.id == "safe"
    bound = chain().bind_tools([look_up]).with_retry()
    with pytest.raises(NoEligibleModel):
        bound.invoke("AKIAIOSFODNN7EXAMPLE")


def test_a_recipe_from_a_mapping_keeps_its_screen() -> None:
    words = {"models": [{"id": "x", "endpoint": {"base_url": "http://127.0.0.1:9/v1", "model": "x"}}], **CONFIG}
    recipe = RouterLLM.from_config(words)._core._recipe.scrubbed()
    assert isinstance(recipe.config, dict)
    assert recipe.config["screen"] == CONFIG["screen"]


def test_nothing_of_the_text_is_in_the_error() -> None:
    for ask in (chain().invoke, llama().complete):
        with pytest.raises(NoEligibleModel) as caught:
            ask("AKIAIOSFODNN7EXAMPLE jane@example.com")  # type: ignore[operator]  # either verb
        assert "AKIA" not in str(caught.value)
        assert "jane" not in str(caught.value)


@pytest.mark.parametrize("verb", ["invoke", "ainvoke", "astream", "complete", "acomplete", "astream_chat"])
async def test_a_request_is_looked_at_once(verb: str) -> None:
    seen: list[str] = []

    def screen(text: str) -> None:
        seen.append(text)

    await answered(made(verb, screen), verb, MAIL)
    assert len(seen) == 1
