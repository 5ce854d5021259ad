"""A model's own system prompt holds behind a router wherever LlamaIndex would have used it, and nowhere else."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from llama_index.core.base.llms.types import ChatMessage
from llama_index.core.llms import CompletionResponse, MockLLM
from llama_index.core.program import FunctionCallingProgram
from llama_index.core.prompts import PromptTemplate
from llama_index.core.types import BaseOutputParser
from pydantic import BaseModel

from capability_router.errors import NoEligibleModel
from capability_router.features import features
from capability_router.request import Request
from capability_router.token_counter import counter_of
from capability_router.tokens.estimate import estimate_tokens
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


def noted(llm: RouterLLM) -> list[Request]:
    """What the router was asked: by a prompt in its template, by a text, by messages."""
    seen: list[Request] = []
    llm.router.on_outcome(lambda request, _: seen.append(request))
    llm.predict(PROMPT, place="Paris")
    llm.complete("hi")
    llm.chat([ChatMessage(content="hi")])
    return seen


@pytest.mark.parametrize("counter", [None, len], ids=["estimated", "counted"])
def test_what_a_model_puts_in_front_is_counted_where_it_is_sent_and_not_shown(counter: Any) -> None:
    long = {"system_prompt": "Answer as a guide of the city would. " * 200}
    models = [MockLLM().model_copy(update=own) for own in (OWN, long, {})]
    settings = {"tokens": {"counter": counter}} if counter else {}
    own, plain = noted(RouterLLM(models=models, **settings)), noted(RouterLLM(models=[MockLLM()], **settings))
    assert [(request.texts, request.roles) for request in own] == [(r.texts, r.roles) for r in plain]
    count = counter_of(counter) if counter else None
    put_in_front, *others = (
        features(more, count).input_tokens - features(less, count).input_tokens
        for more, less in zip(own, plain, strict=True)
    )
    least = len(long["system_prompt"]) if counter else estimate_tokens(long["system_prompt"])
    assert least <= put_in_front < 1.05 * least + 10
    assert others == [0, 0]


def test_a_query_wrapper_is_counted_too() -> None:
    wrapper = {"query_wrapper_prompt": PromptTemplate("Be true to the passages. " * 100 + "{query_str}")}
    own, *_ = noted(RouterLLM(models=[MockLLM().model_copy(update=wrapper)]))
    assert own.texts == ("Tell about Paris.",)
    assert features(own).input_tokens > 400


def test_a_screen_and_an_evaluator_see_what_the_user_says() -> None:
    looked: list[str] = []
    own = {"system_prompt": "Complaints go to help@example.com."}
    llm = RouterLLM(
        models=[MockLLM().model_copy(update=own)], screen={"labels": {"pii.email": "block"}},
        evaluator=lambda inputs, outputs: looked.append(inputs) or True, evaluate={"share": 1.0},
    )  # fmt: skip
    assert llm.predict(PROMPT, place="Paris").startswith(own["system_prompt"])
    with pytest.raises(NoEligibleModel, match=r"pii\.email"):
        llm.predict(PROMPT, place="the house of jane@example.com")
    llm.router.close()
    assert looked == ["Tell about Paris."]


class Loud(BaseOutputParser):
    """Asks for a word, and makes it large."""

    def parse(self, output: str) -> str:
        return output.upper()

    def format(self, query: str) -> str:
        return f"{query} One word!"


async def test_a_parser_that_all_models_have_is_the_routers(
    like: Callable[..., Any], server: ChatServer, caplog: Any
) -> None:
    server.script("a", told)
    alone = like("a", **OWN, output_parser=Loud())
    answers = []
    for llm in (alone, RouterLLM(models=[alone]), RouterLLM(models=[RouterLLM(models=[alone, alone])])):
        answers.append((llm.predict(PROMPT, place="Paris"), await llm.apredict(PROMPT, place="Rome")))
        with pytest.raises(NotImplementedError):
            llm.stream(PROMPT, place="Paris")
    assert answers == [("PARIS", "PARIS")] * 3
    first, second, *others = [body["messages"] for body in server.requests if not body.get("stream")]
    assert first[-1]["content"] == "Tell about Paris. One word!"
    assert others == [first, second] * 2
    assert "output_parser" not in caplog.text
    stated = RouterLLM(models=[alone], output_parser=Quiet())
    assert stated.predict(PROMPT, place="Paris") == "paris"


class Quiet(Loud):
    """As a router's own."""

    def parse(self, output: str) -> str:
        return output.lower()


def test_a_parser_of_some_models_is_told_to_be_of_no_use(caplog: Any) -> None:
    mixed = [MockLLM().model_copy(update={"output_parser": Loud()}), MockLLM()]
    llm = RouterLLM(models=mixed).model_copy(update={"timeout": 3.0})
    assert caplog.text.count("the output_parser of MockLLM is not used") == 1
    assert llm.predict(PROMPT, place="Paris") == "Tell about Paris."
