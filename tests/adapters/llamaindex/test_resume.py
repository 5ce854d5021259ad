"""A LlamaIndex stream that breaks off goes on with another model, from the text so far, where that is asked for."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import httpx
import pytest
from adapters.llamaindex.chat_server import ChatServer, Cut, Say
from adapters.llamaindex.provider_llms import NAMES, Make
from adapters.provider_server import ProviderServer
from llama_index.core.base.llms.types import ChatMessage, ChatResponse
from llama_index.core.llms import CompletionResponse, CustomLLM, LLMMetadata
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from llama_index.llms.openai import OpenAI
from pydantic import BaseModel, PrivateAttr

from capability_router.routing import Routing
from llamaindex_router import RouterLLM, StreamInterrupted
from llamaindex_router import call as calls
from llamaindex_router.translate import request_of

pytestmark = pytest.mark.filterwarnings("ignore:The model .* is deprecated:DeprecationWarning")  # the SDK's
ABLE = {"assistant_prefill": True, "price": {"input_mtok": 1.0, "output_mtok": 2.0}}
FIRST, SPARE = "gpt-4o-mini", "gpt-4o"
CHATS, COMPLETIONS = ("stream_chat", "astream_chat"), ("stream_complete", "astream_complete")
TOOLED = ("stream_chat_with_tools", "astream_chat_with_tools")
HI = [ChatMessage(content="hi")]


def note(text: str) -> str:
    """Note a text."""
    return text


@pytest.fixture
def gpt(server: ChatServer) -> Iterator[Callable[[str], OpenAI]]:
    """LlamaIndex's own OpenAI on the loopback server."""
    clients = {"http_client": httpx.Client(), "async_http_client": httpx.AsyncClient()}
    yield lambda model: OpenAI(model=model, api_base=server.url, api_key="k", **clients)
    clients["http_client"].close()


@pytest.fixture(params=["openai", "endpoint", "anthropic"])
def spare(
    request: pytest.FixtureRequest, gpt: Callable[[str], OpenAI], server: ChatServer, make: Make,
    built_in: Callable[..., Any],
) -> Any:  # fmt: skip
    server.script(SPARE, Say("three four"))
    if request.param == "anthropic":
        return make("anthropic")
    return gpt(SPARE) if request.param == "openai" else built_in(SPARE)


async def gathered(llm: RouterLLM, way: str) -> list[Any]:
    given: tuple[Any, ...] = (HI,)
    if way in COMPLETIONS:
        given = ("hi",)
    elif way in TOOLED:
        given = ([FunctionTool.from_defaults(note)], "hi")
    answer = getattr(llm, way)(*given)
    return [c async for c in await answer] if way.startswith("a") else list(answer)


def words(chunk: Any) -> str:
    return str((chunk.message.content if isinstance(chunk, ChatResponse) else chunk.text) or "")


def turns(server: ChatServer, providers: ProviderServer) -> list[dict[str, Any]]:
    """The messages of the last request to the spare model."""
    seen = [*server.of(SPARE), *(body for name, body in providers.seen if name == NAMES["anthropic"])]
    return list(seen[-1]["messages"])


@pytest.mark.parametrize("way", [*CHATS, *COMPLETIONS])
async def test_it_goes_on(
    gpt: Callable[[str], OpenAI], spare: Any, server: ChatServer, providers: ProviderServer, way: str
) -> None:
    server.script(FIRST, Cut(after=2))
    llm = RouterLLM(models=[gpt(FIRST), (spare, ABLE)], policy="single", resume=True)
    chunks = await gathered(llm, way)
    rest = "a b c" if providers.seen else "three four"
    assert words(chunks[-1]) == f"one two{rest}"
    assert "".join(c.delta or "" for c in chunks) == f"one two{rest}"
    so_far = ""
    for chunk in chunks:  # each holds the text so far; the built-in client's what has come with it, too
        so_far += chunk.delta or ""
        assert words(chunk).startswith(so_far)
    told = chunks[-1].additional_kwargs["router"]
    assert (told["resumed"], told["attempts"], told["fallback"]) == (1, 2, True)
    assert all(isinstance(c, ChatResponse if way in CHATS else CompletionResponse) for c in chunks)
    begun, *_, last = turns(server, providers)
    assert (begun["role"], last["role"]) == ("user", "assistant")
    assert last["content"] in ("one two", [{"type": "text", "text": "one two"}])


@pytest.mark.parametrize("settings", [{"timeouts": {"first_token": 20, "between_tokens": 20}}, {"hedge": {"on": True}}])
@pytest.mark.parametrize("way", CHATS)
async def test_so_it_does_in_threads(
    gpt: Callable[[str], OpenAI], server: ChatServer, settings: dict[str, Any], way: str
) -> None:
    server.script(FIRST, Cut(after=2))
    llm = RouterLLM(models=[gpt(FIRST), (gpt(SPARE), ABLE)], policy="single", resume=True, **settings)
    chunks = await gathered(llm, way)
    assert words(chunks[-1]) == "".join(c.delta or "" for c in chunks) == "one twohello world"
    assert chunks[-1].additional_kwargs["router"]["resumed"] == 1


async def test_each_chunk_says_so_from_there_on(gpt: Callable[[str], OpenAI], server: ChatServer) -> None:
    server.script(FIRST, Cut(after=1))
    llm = RouterLLM(models=[gpt(FIRST), (gpt(SPARE), ABLE)], policy="single", resume=True)
    told = [(words(c), c.additional_kwargs["router"].get("resumed")) for c in llm.stream_chat(HI)]
    assert {mark for text, mark in told if "hello" in text} == {1}
    assert {mark for text, mark in told if text == "one"} <= {None, 1}
    assert told[1] == ("one", None)


@pytest.mark.parametrize("provider", ["mistral", "deepseek", "openai"])
def test_the_beginning_is_marked_where_a_provider_wants_that(
    gpt: Callable[[str], OpenAI], built_in: Callable[..., Any], server: ChatServer, provider: str
) -> None:
    server.script(FIRST, Cut(after=2))
    llm = RouterLLM(models=[gpt(FIRST), (built_in(SPARE, provider=provider), ABLE)], policy="single", resume=True)
    list(llm.stream_chat(HI))
    (asked,) = server.of(SPARE)
    mark = {} if provider == "openai" else {"prefix": True}
    assert asked["messages"][-1] == {"role": "assistant", "content": "one two", **mark}


@pytest.mark.parametrize("way", TOOLED)
async def test_so_it_does_with_tools(gpt: Callable[[str], OpenAI], server: ChatServer, way: str) -> None:
    server.script(FIRST, Cut(after=2))
    server.script(SPARE, Say(tools=(("note", {"text": "x"}),)))
    llm = RouterLLM(models=[gpt(FIRST), (gpt(SPARE), ABLE)], policy="single", resume=True)
    last = (await gathered(llm, way))[-1]
    assert words(last) == "one two"
    assert [call.tool_name for call in llm.get_tool_calls_from_response(last)] == ["note"]
    assert [m["content"] for m in server.of(SPARE)[-1]["messages"]] == ["hi", "one two"]


def test_not_without_being_asked(gpt: Callable[[str], OpenAI], server: ChatServer) -> None:
    server.script(FIRST, Cut(after=2))
    llm = RouterLLM(models=[gpt(FIRST), (gpt(SPARE), ABLE)], policy="single")
    with pytest.raises(StreamInterrupted) as caught:
        list(llm.stream_chat(HI))
    assert caught.value.partial == "one two"
    assert not server.of(SPARE)


def test_a_growing_object_is_not_continued() -> None:
    asked = [calls.structured(Place, PromptTemplate("x"), None, {}, HI, stream=True), calls.chat(HI, {}, stream=True)]
    assert [request_of(call, Routing()).resumable for call in asked] == [False, True]


class Place(BaseModel):
    """A place."""

    name: str


def test_spaces_are_not_doubled_where_the_parts_meet(gpt: Callable[[str], OpenAI], server: ChatServer) -> None:
    server.script(FIRST, Cut(after=2, text="one  two"))
    server.script(SPARE, Say(" two three"))
    llm = RouterLLM(models=[gpt(FIRST), (gpt(SPARE), ABLE)], policy="single", resume=True)
    chunks = list(llm.stream_chat(HI))
    assert words(chunks[-1]) == "".join(c.delta or "" for c in chunks) == "one two three"
    assert server.of(SPARE)[-1]["messages"][-1]["content"] == "one"


def test_a_part_that_breaks_off_again_is_continued_again(gpt: Callable[[str], OpenAI], server: ChatServer) -> None:
    server.script(FIRST, Cut(after=1))
    server.script(SPARE, Cut(after=2, text=" two three"), Say(" four"))
    llm = RouterLLM(models=[gpt(FIRST), (gpt(SPARE), ABLE)], policy="single", resume=True)
    chunks = list(llm.stream_chat(HI))
    assert words(chunks[-1]) == "one two four"
    assert chunks[-1].additional_kwargs["router"]["resumed"] == 2


def test_one_that_cannot_be_continued_again_says_by_whom_it_was(
    gpt: Callable[[str], OpenAI], server: ChatServer
) -> None:
    server.script(FIRST, Cut(after=1))
    server.script(SPARE, Cut(after=2, text=" two three"))
    llm = RouterLLM(models=[gpt(FIRST), (gpt(SPARE), ABLE)], policy="single", resume=True, max_retries=1)
    with pytest.raises(StreamInterrupted) as caught:
        list(llm.stream_chat(HI))
    assert caught.value.partial == "one two"
    assert [f.model for f in caught.value.failures] == [f"openai/{FIRST}", f"openai/{SPARE}"]
    assert "(continuing the answer of" in str(caught.value)
    assert "not tried" not in str(caught.value)


def test_a_model_of_plain_completions_gets_the_text_behind_its_prompt(
    gpt: Callable[[str], OpenAI], server: ChatServer
) -> None:
    server.script(FIRST, Cut(after=2))
    plain = Plain()
    llm = RouterLLM(models=[gpt(FIRST), (plain, ABLE)], policy="single", resume=True)
    assert [c.text for c in llm.stream_complete("hi")][-1] == "one two three"
    assert plain._prompts == ["<hi>one two"]


def test_what_wraps_its_prompt_does_not_wrap_the_beginning(gpt: Callable[[str], OpenAI], server: ChatServer) -> None:
    server.script(FIRST, Cut(after=2))
    plain = Plain().model_copy(
        update={"system_prompt": "Be brief.", "query_wrapper_prompt": PromptTemplate("<q>{query_str}</q>")}
    )
    first = gpt(FIRST)
    llm = RouterLLM(models=[first, (plain, ABLE)], policy="single", resume=True)
    assert [c.text for c in llm.stream_complete(llm._extend_prompt("hi"), formatted=True)][-1] == "one two three"
    assert plain._prompts == ["<q>Be brief.\n\nhi</q>one two"]


class Plain(CustomLLM):
    """Goes on with any text; gives increments only."""

    _prompts: list[str] = PrivateAttr(default_factory=list)

    def __init__(self) -> None:
        super().__init__(completion_to_prompt=lambda prompt: f"<{prompt}>")

    @property
    def metadata(self) -> LLMMetadata:
        return LLMMetadata(model_name="plain")

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        raise NotImplementedError

    def stream_complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> Iterator[CompletionResponse]:  # type: ignore[override]  # the base's is one of generators
        self._prompts.append(prompt if formatted else self.completion_to_prompt(prompt))
        for piece in (" ", "three"):
            yield CompletionResponse(text=piece, delta=piece)


def test_both_parts_are_booked_and_the_callers_list_is_as_it_was(
    gpt: Callable[[str], OpenAI], server: ChatServer
) -> None:
    server.script(FIRST, Cut(after=2))
    llm = RouterLLM(models=[gpt(FIRST), (gpt(SPARE), ABLE)], policy="single", resume=True)
    asked = list(HI)
    list(llm.stream_chat(asked))
    assert [call.fault for call in llm.router.ledger.calls()] == ["truncated", None]
    assert asked == HI
