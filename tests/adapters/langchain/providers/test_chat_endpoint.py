"""ChatEndpoint on its own: what is sent, what comes back, what goes wrong."""

from __future__ import annotations

import socket
from typing import Any

import pytest
from fakes import Recorder
from joke import Joke
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.load import dumps
from langchain_core.messages import AIMessage, FunctionMessage, HumanMessage, SystemMessage, ToolMessage
from langchain_core.outputs import LLMResult
from loopback.chat_server import ChatServer, piece, sse
from loopback.chat_server import reply as answer
from openai_server import USAGE, Server
from pydantic import SecretStr

from capability_router import ModelCard
from capability_router.endpoints.errors import EndpointError, EndpointStatusError, EndpointTimeout
from langchain_router import ChatEndpoint, ChatRouter, ConfigError
from langchain_router.messages.transcript import to_chat


def add(a: int, b: int) -> int:
    """Add two numbers."""
    return a + b


def endpoint(server: Server, **more: Any) -> ChatEndpoint:
    return ChatEndpoint(**{"base_url": server.url, "model": "ok-m", **more})


def test_what_comes_back(server: Server) -> None:
    reply = endpoint(server, provider="acme").invoke("hi")
    assert reply.content == "a b c"
    assert reply.usage_metadata == {"input_tokens": 10, "output_tokens": 3, "total_tokens": 13}
    told = {key: reply.response_metadata[key] for key in ("model_name", "model_provider", "finish_reason")}
    assert told == {"model_name": "ok-m", "model_provider": "acme", "finish_reason": "stop"}


def test_what_is_sent(server: Server) -> None:
    model = endpoint(server, temperature=0.5, max_tokens=9, stop=["x"], extra_body={"top_k": 4})
    model.invoke([SystemMessage("s"), HumanMessage("hi")], seed=7)
    _, body = server.seen[-1]
    assert body == {
        "model": "ok-m", "temperature": 0.5, "max_tokens": 9, "stop": ["x"], "top_k": 4, "seed": 7,
        "messages": [{"role": "system", "content": "s"}, {"role": "user", "content": "hi"}],
    }  # fmt: skip


def test_openais_thinking_models_get_their_own_name_of_the_limit_and_no_temperature(server: Server) -> None:
    llm = ChatRouter(models=[endpoint(server, model="gpt-5.4")], temperature=0, max_tokens=9)
    llm.invoke("hi")
    llm.invoke("hi", max_tokens=5)
    endpoint(server, model="o3", temperature=0).invoke("hi", temperature=0.5, model="gpt-4o")
    asked = [{name: value for name, value in body.items() if name != "messages"} for _, body in server.seen[-3:]]
    assert asked == [
        {"model": "gpt-5.4", "max_completion_tokens": 9},
        {"model": "gpt-5.4", "max_completion_tokens": 5},
        {"model": "gpt-4o", "temperature": 0.5},
    ]


def test_a_streams_pieces_add_up(server: Server) -> None:
    chunks = list(endpoint(server).stream("hi"))
    whole = chunks[0]
    for chunk in chunks[1:]:
        whole += chunk
    assert whole.content == "a b c"
    assert whole.usage_metadata["total_tokens"] == 13
    assert whole.response_metadata["finish_reason"] == "stop"
    assert whole.response_metadata["model_name"] == "ok-m"
    assert chunks[-1].chunk_position == "last"


class Counted(BaseCallbackHandler):
    """Reads what ChatOpenAI gives to handlers."""

    def __init__(self) -> None:
        self.seen: list[tuple[Any, Any]] = []

    def on_llm_end(self, response: LLMResult, **kwargs: Any) -> None:
        self.seen.append((response.llm_output, response.generations[0][0].generation_info))


def test_handlers_find_the_servers_counts_where_chat_openai_has_them(server: Server) -> None:
    counted = Counted()
    model = endpoint(server, provider="acme", callbacks=[counted])
    reply = model.invoke("hi")
    ChatRouter(models=[model]).invoke("hi")
    (output, info), of_attempt = counted.seen
    assert of_attempt == (output, info) == (
        {
            "token_usage": USAGE, "model_provider": "acme", "model_name": "ok-m", "system_fingerprint": "fp",
            "id": "chatcmpl-1",
        },
        {"finish_reason": "stop", "logprobs": None},
    )  # fmt: skip
    assert {**output, **info}.items() <= reply.response_metadata.items()


def test_what_a_server_leaves_out_is_none() -> None:
    counted = Counted()
    with ChatServer(answer({"choices": [{"message": {"content": "hello"}}]})) as server:
        reply = ChatEndpoint(base_url=server.base_url, model="m").invoke("hi", {"callbacks": [counted]})
    ((output, info),) = counted.seen
    assert (output["token_usage"], output["model_name"], info) == (None, None, {"finish_reason": None})
    assert (reply.text, reply.usage_metadata) == ("hello", None)


SEVERAL = {
    "model": "m", "usage": {"prompt_tokens": 7, "completion_tokens": 4, "total_tokens": 11},
    "choices": [
        {"index": 1, "message": {"content": "second"}, "finish_reason": "length"},
        {"index": 0, "message": {"content": "first"}, "finish_reason": "stop"},
        {"index": 2, "message": {"content": None, "refusal": "no"}, "finish_reason": "stop"},
    ],
}  # fmt: skip


@pytest.mark.parametrize("routed", [False, True])
async def test_each_answer_that_a_call_asks_for_is_a_generation(routed: bool) -> None:
    reply = answer(SEVERAL, headers=["connection: close"])
    with ChatServer(reply, reply) as server:
        plain = ChatEndpoint(base_url=server.base_url, model="m")
        llm = ChatRouter(models=[plain], policy="single") if routed else plain
        prompt = [HumanMessage("hi")]
        for given in (llm.generate([prompt], n=3), await llm.agenerate([prompt], n=3)):
            (answers,) = given.generations
            assert [each.text for each in answers] == ["first", "second", ""]
            assert [(each.generation_info or {})["finish_reason"] for each in answers] == ["stop", "length", "stop"]
            messages: list[Any] = [each.message for each in answers]
            assert messages[2].additional_kwargs["refusal"] == "no"
            assert [message.usage_metadata and message.usage_metadata["total_tokens"] for message in messages] == [
                11, None, None,
            ]  # fmt: skip
        assert [seen.body["n"] for seen in server.seen] == [3, 3]


def test_the_probabilities_of_a_streams_tokens_are_all_kept() -> None:
    def told(text: str) -> dict[str, Any]:
        return {"choices": [{**piece(text)["choices"][0], "logprobs": {"content": [{"token": text, "logprob": -0.5}]}}]}

    with ChatServer(sse(told("a"), told("b"), piece(None, "stop"))) as server:
        chunks = list(ChatEndpoint(base_url=server.base_url, model="m").stream("hi", logprobs=True))
    whole = sum(chunks[1:], chunks[0])
    assert [token["token"] for token in whole.response_metadata["logprobs"]["content"]] == ["a", "b"]


def test_stream_usage_is_no_field_of_the_body(server: Server) -> None:
    model = endpoint(server)
    model.invoke("hi", stream_usage=True)
    counts = {asked: [c.usage_metadata for c in model.stream("hi", stream_usage=asked)] for asked in (True, False)}
    assert any(counts[True])
    assert not any(counts[False])
    whole, counting, silent = (body for _, body in server.seen[-3:])
    assert not any("stream_usage" in body for body in (whole, counting, silent))
    assert ("stream_options" in whole, counting["stream_options"]) == (False, {"include_usage": True})
    assert silent["stream_options"] == {"include_usage": False}


async def test_tool_calls_whole_and_streamed(server: Server) -> None:
    bound = endpoint(server).bind_tools([add], tool_choice="add")
    assert (await bound.ainvoke("hi")).tool_calls[0]["args"] == {"a": 3, "b": 3}
    whole: Any = None
    async for chunk in bound.astream("hi"):
        whole = chunk if whole is None else whole + chunk
    assert whole.tool_calls == [{"name": "add", "args": {"a": 3, "b": 3}, "id": "call_1", "type": "tool_call"}]
    assert server.seen[-1][1]["tool_choice"] == {"type": "function", "function": {"name": "add"}}


@pytest.mark.parametrize("text", ["", "I look."])
def test_a_call_from_before_there_were_tools_stays_before_its_result(text: str) -> None:
    called = {"name": "add", "arguments": '{"a": 1}'}
    history = [
        HumanMessage("hi"),
        AIMessage(text, additional_kwargs={"function_call": called}),
        FunctionMessage(name="add", content="3"),
    ]
    _, answer, result = to_chat(history)
    assert answer == {"role": "assistant", "content": text or None, "function_call": called}
    assert result == {"role": "function", "name": "add", "content": "3"}


def test_the_same_call_in_both_forms_is_sent_once() -> None:
    call = {"name": "add", "args": {}, "id": "c"}
    answer = AIMessage("", tool_calls=[call], additional_kwargs={"function_call": {"name": "add", "arguments": "{}"}})
    assert to_chat([answer])[0].keys() == {"role", "content", "tool_calls"}


@pytest.mark.parametrize(("audio", "sent"), [({"id": "a", "transcript": "It rains."}, "It rains."), ({"id": "a"}, "")])
def test_of_a_spoken_answer_the_words_are_sent(audio: dict[str, str], sent: str) -> None:
    assert to_chat([AIMessage("", additional_kwargs={"audio": audio})]) == [{"role": "assistant", "content": sent}]
    assert to_chat([AIMessage("Yes.", additional_kwargs={"audio": audio})])[0]["content"] == "Yes."


def test_a_tool_call_that_is_no_json_is_told_as_invalid(server: Server) -> None:
    reply = endpoint(server, model="bad-m").bind_tools([add]).invoke("hi")
    assert reply.tool_calls == []
    assert reply.invalid_tool_calls[0]["args"] == '{"'


@pytest.mark.parametrize("method", ["json_schema", "function_calling", "json_mode"])
def test_structured_output_by_every_method(server: Server, method: Any) -> None:
    model = endpoint(server)
    assert model.with_structured_output(Joke, method=method).invoke("joke") == Joke(setup="test", punchline="test")
    raw = model.with_structured_output(Joke, method=method, include_raw=True).invoke("joke")
    assert raw["parsed"] == Joke(setup="test", punchline="test")
    assert isinstance(raw["raw"], AIMessage)
    sent = server.seen[-1][1]
    assert ("tools" if method == "function_calling" else "response_format") in sent


def test_structured_output_goes_by_the_card(server: Server) -> None:
    endpoint(server, structured_output=False, tool_calling=True).with_structured_output(Joke).invoke("joke")
    assert "tools" in server.seen[-1][1]
    with pytest.raises(ConfigError, match="method"):
        endpoint(server).with_structured_output(Joke, method="magic")  # type: ignore[arg-type]  # on purpose
    with pytest.raises(ConfigError, match="none of the bound tools"):
        endpoint(server).bind_tools([add], tool_choice="subtract")


class Loose(Joke):
    """A joke with an optional part."""

    rating: int = 3


def test_openai_itself_is_asked_strictly_for_a_class_that_may_be_strict(server: Server) -> None:
    ours, theirs = (endpoint(server, provider=name) for name in ("openai", "acme"))
    for model, schema in ((ours, Joke), (ours, Loose), (theirs, Joke), (ours, Joke.model_json_schema())):
        model.with_structured_output(schema).invoke("joke")
    ours.with_structured_output(Joke, strict=False).invoke("joke")
    ours.invoke("joke", response_format=Joke)
    told = [body["response_format"]["json_schema"] for _, body in server.seen[-6:]]
    assert [part.get("strict") for part in told] == [True, None, None, None, False, True]
    assert [part["schema"].get("additionalProperties") for part in told] == [False, None, None, None, None, False]


@pytest.mark.parametrize(
    ("provider", "model", "told"), [("openai", "ok-m", False), ("openai", "o3", None), ("acme", "ok-m", None)]
)
def test_openai_itself_is_asked_for_one_call_of_a_schemas_tool(
    server: Server, provider: str, model: str, told: bool | None
) -> None:
    made = endpoint(server, provider=provider, model=model)
    made.with_structured_output(Joke, method="function_calling").invoke("joke")
    assert server.seen[-1][1].get("parallel_tool_calls") is told


def test_errors_are_the_clients_own(server: Server) -> None:
    with pytest.raises(EndpointStatusError) as caught:
        endpoint(server, model="fail-m", max_retries=5).invoke("hi")
    assert caught.value.status_code == 429
    assert server.calls("fail-m") >= 1
    with pytest.raises(EndpointError):
        ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m").invoke("hi")


def test_a_silent_server_is_given_up_after_the_timeout() -> None:
    with socket.socket() as silent:
        silent.bind(("127.0.0.1", 0))
        silent.listen()
        model = ChatEndpoint(base_url=f"http://127.0.0.1:{silent.getsockname()[1]}/v1", model="m", timeout=0.05)
        with pytest.raises(EndpointTimeout):
            model.invoke("hi")


def test_bad_construction_says_what_to_change(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    with pytest.raises(ConfigError, match="NO_SUCH_KEY"):
        ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m", api_key_env="NO_SUCH_KEY")
    with pytest.raises(ConfigError, match="context_window"):
        ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m", context_windw=5)
    with pytest.raises(ConfigError, match="did you mean 'temperature'"):
        ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m", tempereture=0)
    with pytest.raises(ConfigError, match="context_window"):
        ChatEndpoint(base_url="http://127.0.0.1:9/v1", model="m", context_window=-5)
    with pytest.raises(ConfigError, match="base_url"):
        ChatEndpoint(base_url="localhost:9", model="m")


def test_a_card_becomes_a_model_and_says_the_same_of_itself() -> None:
    card = ModelCard(
        id="mine", provider="acme", context_window=9000, tool_calling=True, image_inputs=False,
        endpoint={"base_url": "http://127.0.0.1:9/v1", "model": "m", "headers": {"x-team": "t"}},
    )  # fmt: skip
    model = ChatEndpoint.from_card(card)
    assert (model.model, model.provider, model.headers) == ("m", "acme", {"x-team": "t"})
    assert model.profile == {"tool_calling": True, "image_inputs": False}
    assert model._get_ls_params()["ls_provider"] == "acme"


def test_no_secret_is_shown() -> None:
    model = ChatEndpoint(
        base_url="http://127.0.0.1:9/v1", model="m", api_key=SecretStr("sk-secret"), headers={"authorization": "sk-h"}
    )
    with pytest.raises(EndpointError) as caught:
        model.invoke("hi")
    shown = [repr(model), str(model.asdict()), str(caught.value), model.model_dump_json(), repr(model.client)]
    assert not any("sk-" in text for text in shown)


def test_a_key_in_a_urls_query_is_sent_and_not_shown(server: Server) -> None:
    model, runs = ChatEndpoint(base_url=f"{server.url}?key=sk-secret", model="m"), Recorder()
    ChatRouter(models=[model]).invoke("hi", {"callbacks": [runs]})
    (run,) = runs.roots
    shown = [repr(model), str(model), str(model.asdict()), model.model_dump_json(), dumps(model), str(run.child_runs)]
    shown += [str((child.extra, child.serialized)) for child in run.child_runs]
    assert not any("sk-secret" in text for text in shown)
    assert model.model_copy().base_url.endswith("?key=sk-secret")
    other = ChatEndpoint(base_url=f"{server.url}?key=sk-other", model="m")
    assert model._get_llm_string() != other._get_llm_string()  # a cache tells them apart


@pytest.mark.parametrize(
    "block",
    [
        {"type": "file", "file_id": "file-1"}, {"type": "file", "file_id": "file-1", "filename": "a.pdf"},
        {"type": "file", "source_type": "id", "id": "file-1"}, {"type": "file", "file": {"file_id": "file-1"}},
    ],
)  # fmt: skip
def test_a_file_that_the_server_has_is_sent_by_its_id_alone(block: dict[str, Any]) -> None:
    (message,) = to_chat([HumanMessage([{"type": "text", "text": "read"}, block])])
    assert message["content"][1] == {"type": "file", "file": {"file_id": "file-1"}}


def test_messages_of_every_kind() -> None:
    call = {"name": "add", "args": {"a": "é"}, "id": "c1", "type": "tool_call"}
    messages = [
        HumanMessage("hi", name="ann"), AIMessage("", tool_calls=[call]), ToolMessage("3", tool_call_id="c1"),
        AIMessage([{"type": "thinking", "thinking": "x"}, {"type": "text", "text": "done"}]),
        HumanMessage([{"type": "image", "base64": "aGk=", "mime_type": "image/png"}]),
        HumanMessage([{"type": "file", "base64": "aGk=", "mime_type": "application/pdf"}]),
    ]  # fmt: skip
    user, assistant, tool, plain, image, file = to_chat(messages)
    assert user == {"role": "user", "content": "hi", "name": "ann"}
    assert assistant["content"] is None
    assert assistant["tool_calls"][0]["function"] == {"name": "add", "arguments": '{"a": "é"}'}
    assert tool == {"role": "tool", "content": "3", "tool_call_id": "c1"}
    assert (plain["role"], plain["content"]) == ("assistant", "done")
    assert image["content"][0]["image_url"]["url"] == "data:image/png;base64,aGk="
    assert file["content"][0]["file"]["file_data"] == "data:application/pdf;base64,aGk="
