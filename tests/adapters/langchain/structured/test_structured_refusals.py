"""A refusal is no structured answer: the next model is asked, within the attempt budget, and no health is blamed."""

from __future__ import annotations

from typing import Any

import pytest
from fakes import USAGE, Scripted, calling
from langchain_core.messages import AIMessage
from langchain_core.output_parsers.openai_tools import PydanticToolsParser
from langchain_core.runnables import RunnableLambda
from pydantic import BaseModel

from langchain_router import ChatRouter


class Joke(BaseModel):
    """A joke."""

    setup: str


class Declined(Exception):
    """What a provider's package raises over a refusal."""


class Refusing(Scripted):
    """As ChatOpenAI: its parser raises over a refusal."""

    def with_structured_output(self, schema: Any, *, include_raw: bool = False, **kwargs: Any) -> Any:
        def read(message: AIMessage) -> Any:
            if message.additional_kwargs.get("refusal"):
                raise Declined("I cannot")
            return PydanticToolsParser(tools=[schema], first_tool_only=True).invoke(message)

        return self.bind() | RunnableLambda(read)


def refusal(**fields: Any) -> AIMessage:
    return AIMessage(content="", usage_metadata=dict(USAGE), **fields)


def by_openai() -> AIMessage:
    return refusal(additional_kwargs={"refusal": "I cannot"}, response_metadata={"finish_reason": "stop"})


def by_anthropic() -> AIMessage:
    return refusal(response_metadata={"stop_reason": "refusal"})


@pytest.mark.parametrize("said", [by_openai, by_anthropic])
async def test_the_next_model_is_asked(said: Any) -> None:
    willing = Refusing(name_="y", script=[calling("Joke", {"setup": "knock"})])
    router = ChatRouter(models=[Refusing(name_="x", script=[said()]), willing], policy="single")
    structured = router.with_structured_output(Joke)
    assert structured.invoke("tell") == Joke(setup="knock")
    assert await structured.ainvoke("tell") == Joke(setup="knock")
    assert [call.fault for call in router.router.ledger.calls()] == ["unparsable", None] * 2
    assert router.router.health()[0]["success_share"] == 1.0


def test_where_all_refuse_the_caller_gets_the_refusal_as_without_a_router() -> None:
    models = [Refusing(name_=str(i), script=[by_openai()]) for i in range(6)]
    router = ChatRouter(models=models, policy="single")
    with pytest.raises(Declined):
        router.with_structured_output(Joke).invoke("tell")
    assert sum(len(model.calls) for model in models) == 4  # the attempt budget


def test_a_refusal_in_words_still_reaches_the_caller() -> None:
    spare = Scripted(name_="y")
    router = ChatRouter(models=[Scripted(name_="x", script=[by_openai()]), spare], policy="single")
    assert router.invoke("tell").additional_kwargs["refusal"] == "I cannot"
    assert spare.calls == []
