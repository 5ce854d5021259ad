from __future__ import annotations

import json
from typing import Any

import pytest

from capability_router.simulator import SimulatedModel
from capability_router.simulator.answers import NOT_FOUND, SimulatedAnswer, answer
from capability_router.simulator.prompt import parse_prompt
from capability_router.simulator.tokens import text_tokens

BEST, WORST = SimulatedModel("m", skill=1.0), SimulatedModel("m", skill=0.0)
RAG = """Context information is below.
---------------------
file_path: a.md

The breaker opens after five failures. It closes after a successful probe. Bananas are yellow.
---------------------
Given the context information and not prior knowledge, answer the query.
Query: {}
Answer: """
LANGCHAIN_RAG = "Answer the question based only on the following context:\n{}\n\nQuestion: {}\n"


def tool(name: str, description: str, **properties: Any) -> dict[str, Any]:
    schema = {"type": "object", "properties": properties, "required": list(properties)}
    return {"type": "function", "function": {"name": name, "description": description, "parameters": schema}}


WEATHER = tool("get_weather", "The weather of a city.", city={"type": "string"})
MULTIPLY = tool("multiply", "Multiplies two numbers.", a={"type": "integer"}, b={"type": "integer"})


def say(content: Any, profile: SimulatedModel = BEST, **body: Any) -> SimulatedAnswer:
    messages = content if isinstance(content, list) else [{"role": "user", "content": content}]
    return answer(parse_prompt({"model": "m", "messages": messages, **body}), profile)


def calls(said: SimulatedAnswer) -> list[tuple[str, Any]]:
    return [(c.name, json.loads(c.arguments)) for c in said.calls]


def test_rag() -> None:
    assert say(RAG.format("When does the breaker open?")).text == "The breaker opens after five failures."
    assert say(RAG.format("Who wrote Hamlet?")).text == NOT_FOUND
    assert "yellow" in say(LANGCHAIN_RAG.format("Bananas are yellow. Apples are red.", "What are bananas?")).text


def test_context_in_the_system_message_and_in_the_history() -> None:
    system = {"role": "system", "content": "You are helpful. The office opens at nine in the morning."}
    assert say([system, {"role": "user", "content": "When does the office open?"}]).text.startswith("The office opens")
    history = [{"role": "user", "content": "My name is Bob."}, {"role": "assistant", "content": "Hello Bob!"}]
    assert say([*history, {"role": "user", "content": "What is my name?"}]).text == "My name is Bob."


def test_a_follow_up_is_rephrased() -> None:
    history = "Rephrase the follow up question.\nChat History:\nuser: hi\n"
    assert say(f"{history}Follow Up Input: And the price?\nStandalone question:").text == "And the price?"


def test_sums_labels_summaries() -> None:
    assert say("what is 17*23").text == "17*23 = 391"
    assert say("Classify the sentiment as positive, negative or neutral:\nI loved it").text == "positive"
    text = "Tides follow the moon. Tides are strong at full moon. Fish sleep. The moon turns around the earth."
    assert say(f"Summarise the following:\n\n{text}").text.startswith("Tides follow the moon.")


def test_tools_that_help_are_called_with_words_of_the_question() -> None:
    said = say("What's the weather in San Francisco, and what is 17*23?", tools=[WEATHER, MULTIPLY])
    assert said.finish == "tool_calls"
    assert calls(said) == [("get_weather", {"city": "San Francisco"}), ("multiply", {"a": 17, "b": 23})]
    assert len(say("Weather in Rome and 2*3?", tools=[WEATHER, MULTIPLY], parallel_tool_calls=False).calls) == 1
    assert say("Tell me a joke", tools=[WEATHER, MULTIPLY]).calls == ()
    assert say("Weather in Rome?", tools=[WEATHER], tool_choice="none").calls == ()


def test_forced_tools() -> None:
    assert calls(say("Hello", tools=[MULTIPLY], tool_choice="required")) == [("multiply", {"a": 3, "b": 3})]
    named = {"type": "function", "function": {"name": "multiply"}}
    assert [c.name for c in say("Weather in Rome?", tools=[WEATHER, MULTIPLY], tool_choice=named).calls] == ["multiply"]


def test_unicode_arguments() -> None:
    create = tool("create_customer", "Creates a customer.", customer_name={"type": "string"})
    said = say("Create a customer named 你好啊集团", tools=[create])
    assert said.calls[0].arguments == '{"customer_name":"你好啊集团"}'


def test_after_a_tool_result_it_is_quoted() -> None:
    asked = {"role": "user", "content": "What's the weather in Rome?"}
    call = {"id": "1", "type": "function", "function": {"name": "get_weather", "arguments": "{}"}}
    turns = [asked, {"role": "assistant", "content": None, "tool_calls": [call]}, {"role": "tool", "content": "21 °C"}]
    said = say(turns, tools=[WEATHER, MULTIPLY])
    assert said.calls == ()
    assert "21 °C" in said.text
    # a tool that answers in a structure is still to be called when a call is demanded
    assert [c.name for c in say(turns, tools=[WEATHER, MULTIPLY], tool_choice="required").calls] == ["multiply"]


def test_a_structure_is_filled_from_tool_results() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}, "temperature": {"type": "integer"}},
              "required": ["city", "temperature"]}  # fmt: skip
    form = {"type": "json_schema", "json_schema": {"name": "Weather", "schema": schema}}
    asked = {"role": "user", "content": "What is the weather in Oslo?"}
    for result in ("21 degrees in Oslo", '{"temperature": 21, "wind": 4}'):
        said = say([asked, {"role": "tool", "tool_call_id": "1", "content": result}], response_format=form)
        assert json.loads(said.text) == {"city": "Oslo", "temperature": 21}


def test_refining_keeps_the_better_answer() -> None:
    prompt = "1. **Rewrite** an original answer\nNew Context: {}\nQuery: {}\nOriginal Answer: {}\nNew Answer: "
    question = "When does the breaker open?"
    known, beside = "The breaker opens after five failures.", "Bananas are yellow and sweet."
    assert say(prompt.format(beside, question, known)).text == known
    assert known in say(prompt.format(known, question, NOT_FOUND)).text


def test_response_formats() -> None:
    schema = {
        "type": "object",
        "properties": {"name": {"type": "string"}, "age": {"type": "integer"}, "mood": {"enum": ["sad", "happy"]}},
        "required": ["name", "age", "mood"],
    }
    form = {"type": "json_schema", "json_schema": {"name": "Person", "schema": schema}}
    said = say("Extract: Ada Lovelace is 36 years old and happy.", response_format=form)
    assert json.loads(said.text) == {"name": "Ada Lovelace", "age": 36, "mood": "happy"}
    assert json.loads(say("what is 2+2 as JSON", response_format={"type": "json_object"}).text) == {"answer": "2+2 = 4"}


@pytest.mark.parametrize(
    "body", [{}, {"tools": [MULTIPLY]}, {"response_format": {"type": "json_object"}}], ids=["text", "tool", "json"]
)
def test_without_skill_the_answer_is_wrong_and_says_so(body: dict[str, Any]) -> None:
    right, wrong = say("what is 17*23", **body), say("what is 17*23", WORST, **body)
    assert right.correct
    assert not wrong.correct
    assert (right.text, right.calls) != (wrong.text, wrong.calls)
    assert wrong == say("what is 17*23", WORST, **body)


def test_skill_is_a_share_and_the_better_model_mostly_knows_what_the_weaker_knows() -> None:
    weak, strong = SimulatedModel("weak", skill=0.5), SimulatedModel("strong", skill=0.9)
    both = [(say(f"what is {n}*7", weak).correct, say(f"what is {n}*7", strong).correct) for n in range(1_000)]
    assert 0.45 < sum(w for w, _ in both) / 1_000 < 0.55
    assert 0.87 < sum(s for _, s in both) / 1_000 < 0.93
    assert sum(w and not s for w, s in both) < 60


def test_skill_by_task() -> None:
    profile = SimulatedModel("m", skill={"default": 1.0, "math": 0.0})
    assert not say("what is 2+2", profile).correct
    assert say("Hello", profile).correct


def test_stop_and_limits() -> None:
    assert say("what is 17*23", stop=["="]).text == "17*23 "
    cut = say("Tell me a joke about cats.", max_tokens=4)
    assert cut.finish == "length"
    assert text_tokens(cut.text) == 4
    assert not cut.correct
    thinker = SimulatedModel("m", skill=1.0, reasoning_output=True, reasoning_tokens=100)
    thought = say("what is 17*23", thinker)
    assert 60 <= thought.reasoning_tokens <= 140
    assert thought.output_tokens == thought.reasoning_tokens + 3
    assert say("what is 17*23", thinker, max_tokens=10).output_tokens <= 10
