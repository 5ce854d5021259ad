"""The existing LangChain chains. Each is a function of the model: `ChatOpenAI` before, `ChatRouter` now."""

from __future__ import annotations

from typing import Any

from langchain_core.language_models import BaseChatModel
from langchain_core.messages import HumanMessage
from langchain_core.output_parsers import StrOutputParser
from langchain_core.prompts import ChatPromptTemplate
from langchain_core.runnables import Runnable
from pydantic import BaseModel, Field

from examples.demo.picture import as_data_url

CLASSES = ("billing", "technical", "shipping", "praise")


class Order(BaseModel):
    """An order as it is read from a customer's letter."""

    customer: str = Field(description="Who orders")
    quantity: int = Field(description="How many pieces")
    city: str = Field(description="Where to")


def classification(llm: BaseChatModel) -> Runnable[dict[str, str], str]:
    """A support message in, its category out."""
    prompt = ChatPromptTemplate.from_messages([
        ("system", "You sort support messages. Reply with the category alone."),
        ("human", "Classify the message into one of: " + ", ".join(CLASSES) + ".\n\nMessage: {message}"),
    ])  # fmt: skip
    return prompt | llm | StrOutputParser()


def summary(llm: BaseChatModel) -> Runnable[dict[str, str], str]:
    """A long text in, its key points out."""
    prompt = ChatPromptTemplate.from_messages([
        ("system", "You are a writer of short, sober summaries."),
        ("human", "Summarise the following text in three sentences.\n\n{text}"),
    ])  # fmt: skip
    return prompt | llm | StrOutputParser()


def reply(llm: BaseChatModel) -> Runnable[dict[str, str], str]:
    """A customer's question and the house rules in, a reply out."""
    prompt = ChatPromptTemplate.from_messages([
        ("system", "You are the shop's assistant and know its rules."),
        ("human", "{rules}\n\nQuestion: {question}"),
    ])  # fmt: skip
    return prompt | llm | StrOutputParser()


def extraction(llm: BaseChatModel) -> Runnable[dict[str, str], Any]:
    """A letter in, a typed order out (structured output)."""
    prompt = ChatPromptTemplate.from_messages([
        ("system", "You read orders out of letters."),
        ("human", "Extract the order from this letter: {letter}"),
    ])  # fmt: skip
    return prompt | llm.with_structured_output(Order)


def picture(llm: BaseChatModel) -> Runnable[dict[str, str], str]:
    """A picture and a question about it in, an answer out."""

    def ask(values: dict[str, str]) -> list[HumanMessage]:
        image = {"type": "image_url", "image_url": {"url": as_data_url()}}
        return [HumanMessage(content=[{"type": "text", "text": values["question"]}, image])]

    return ask | llm | StrOutputParser()
