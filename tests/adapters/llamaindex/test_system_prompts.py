"""A model's own system prompt holds behind a router wherever LlamaIndex would have used it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from adapters.llamaindex.chat_server import ChatServer, Say
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import CompletionResponse, MockLLM
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import BaseOutputParser
from pydantic import BaseModel

from llamaindex_router import RouterLLM

PROMPT = PromptTemplate("Tell about {place}.")
OWN = {"system_prompt": "Be brief."}


class City(BaseModel):
    """A city."""

    name: str


def told(body: dict[str, Any]) -> Say:
    """A city by a tool call, else a word."""
    tools = body.get("tools")
    return Say(tools=((tools[0]["function"]["name"], {"name": "Paris"}),)) if tools else Say("Paris")


async def asked(llm: Any) -> None:
    """In each way in which LlamaIndex puts a system prompt in front, and in the two in which it does not."""
    llm.predict(PROMPT, place="Paris")
    list(llm.stream(PROMPT, place="Paris"))
    await llm.apredict(PROMPT, place="Paris")
    assert [piece async for piece in await llm.astream(PROMPT, place="Paris")]
    FunctionCallingProgram.from_defaults(City, prompt=PROMPT, llm=llm)(place="Paris")
    llm.chat([ChatMessage(content="hi")])
    llm.complete("hi")


async def sent(server: ChatServer, llm: Any) -> list[Any]:
    """What the models were sent."""
    server.requests.clear()
    await asked(llm)
    return [body["messages"] for body in server.requests]


async def test_each_model_has_its_own(like: Callable[..., Any], server: ChatServer) -> None:
    server.script("a", told)
    alone = await sent(server, like("a", **OWN))
    assert sum(messages[0]["role"] == "system" for messages in alone) == 5
    router = RouterLLM(models=[like("a", **OWN)])
    assert await sent(server, router) == alone
    assert await sent(server, RouterLLM(models=[router])) == alone
    assert await sent(server, RouterLLM(models=[like("a")], **OWN)) == alone


def test_so_it_is_with_prompts_that_are_texts() -> None:
    own: dict[str, Any] = {"system_prompt": "Be brief.", "query_wrapper_prompt": PromptTemplate("<q>{query_str}</q>")}
    llm = RouterLLM(models=[MockLLM().model_copy(update=own)])
    assert llm.predict(PROMPT, place="Paris") == "<q>Be brief.\n\nTell about Paris.</q>"
    assert llm.complete("hi", formatted=True).text == "hi"


def test_a_model_is_given_a_plain_text() -> None:
    llm = RouterLLM(models=[Taking()])
    assert llm.predict(PROMPT, place="Paris") == "str"


class Taking(MockLLM):
    """Answers with the class of its prompt."""

    def complete(self, prompt: str, formatted: bool = False, **kwargs: Any) -> CompletionResponse:
        return CompletionResponse(text=type(prompt).__name__)


def test_what_a_model_puts_in_front_is_counted_where_it_is_sent() -> None:
    long = {"system_prompt": "Answer as a guide of the city would. " * 200}
    models = [MockLLM().model_copy(update=own) for own in (OWN, long, {})]
    llm, plain = RouterLLM(models=models), RouterLLM(models=[MockLLM()])
    sizes = []
    for each in (llm, plain):
        seen: list[Any] = []
        each.router.on_outcome(lambda request, _, seen=seen: seen.append(request))
        each.predict(PROMPT, place="Paris")
        each.complete("hi")
        each.chat([ChatMessage(content="hi")])
        sizes.append([sum(map(len, request.texts)) for request in seen])
        assert all(len(request.roles) == len(request.texts) for request in seen)
    put_in_front, *others = (own - without for own, without in zip(*sizes, strict=True))
    assert put_in_front == len(long["system_prompt"])
    assert others == [0, 0]


def test_a_parser_of_a_models_own_is_told_to_be_of_no_use(caplog: Any) -> None:
    class Loud(BaseOutputParser):
        def parse(self, output: str) -> str:
            return output.upper()

        def format(self, query: str) -> str:
            return query

    RouterLLM(models=[MockLLM()]).model_copy(update={"timeout": 3.0})
    assert "output_parser" not in caplog.text
    RouterLLM(models=[MockLLM().model_copy(update={"output_parser": Loud()})]).model_copy(update={"timeout": 3.0})
    assert caplog.text.count("is not used; give it to the RouterLLM, or to the prompt") == 1
    assert RouterLLM(models=[MockLLM()], output_parser=Loud()).predict(PROMPT, place="Paris") == "TELL ABOUT PARIS."
