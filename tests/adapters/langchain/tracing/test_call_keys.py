"""The key of a single call reaches the server, and nothing that handlers, tracers, caches and dumps are given."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer
from fakes import Recorder
from langchain_core.caches import InMemoryCache
from langchain_core.callbacks import BaseCallbackHandler
from langchain_core.language_models import BaseChatModel
from langchain_core.load import dumps
from langchain_core.messages import HumanMessage
from langchain_core.tracers.schemas import Run

from langchain_router import ChatEndpoint, ChatRouter

KEY = "sk-of-this-call-0123456789"
BROUGHT = [
    {"api_key": KEY},
    {"extra_headers": {"Authorization": f"Bearer {KEY}"}},
    {"extra_headers": {"authorization": f"Bearer {KEY}", "x-session-token": KEY, "x-trace": "shown"}},
]
VERBS = ["invoke", "batch", "generate", "stream", "events", "ainvoke", "abatch", "agenerate", "astream", "aevents"]


class Heard(BaseCallbackHandler):
    """Keeps all that it is given, as a text."""

    def __init__(self) -> None:
        self.texts: list[str] = []

    def on_chat_model_start(self, *args: Any, **kwargs: Any) -> None:
        json.dumps({name: kwargs[name] for name in ("invocation_params", "options")})  # as many handlers do
        self.texts.append(repr((args, kwargs)))

    def on_chain_start(self, *args: Any, **kwargs: Any) -> None:
        self.texts.append(repr((args, kwargs)))

    def on_llm_end(self, *args: Any, **kwargs: Any) -> None:
        self.texts.append(repr((args, kwargs)))


@pytest.fixture
def chat() -> Iterator[ChatServer]:
    made = ChatServer()
    yield made
    made.close()


def endpoint(chat: ChatServer) -> ChatEndpoint:
    return ChatEndpoint(base_url=chat.url, model="m", api_key="sk-own")


def router(chat: ChatServer) -> ChatRouter:
    return ChatRouter(models=[{"id": "m", "endpoint": {"base_url": chat.url, "model": "m", "api_key": "sk-own"}}])


async def ask(model: BaseChatModel, verb: str, heard: list[BaseCallbackHandler], keywords: dict[str, Any]) -> None:
    config: Any = {"callbacks": heard}
    if verb in ("generate", "agenerate"):
        asked = getattr(model, verb)([[HumanMessage("hi")]], callbacks=heard, **keywords)
    elif "events" in verb:
        asked = getattr(model, verb.replace("events", "stream_events"))("hi", config, version="v3", **keywords)
    else:
        asked = getattr(model, verb)(["hi"] if "batch" in verb else "hi", config, **keywords)
    asked = await asked if hasattr(asked, "__await__") else asked
    if verb in ("stream", "events"):
        list(asked)
    elif verb in ("astream", "aevents"):
        [piece async for piece in asked]


def told(run: Run) -> str:
    """The run and those below it, as texts and as JSON."""
    own = run.model_dump()
    return dumps(own) + repr(own) + "".join(map(told, run.child_runs))


@pytest.mark.filterwarnings("ignore::langchain_core._api.beta_decorator.LangChainBetaWarning")
@pytest.mark.parametrize("brought", BROUGHT)
@pytest.mark.parametrize("verb", VERBS)
@pytest.mark.parametrize("make", [endpoint, router])
async def test_a_key_of_a_call_is_sent_and_never_shown(
    chat: ChatServer, make: Callable[[ChatServer], BaseChatModel], verb: str, brought: dict[str, Any]
) -> None:
    heard, tracer = Heard(), Recorder()
    await ask(make(chat), verb, [heard, tracer], brought)
    assert chat.keys == [f"Bearer {KEY}"]
    assert heard.texts
    assert KEY not in "".join(heard.texts)
    shown = "".join(map(told, [*tracer.roots, *tracer.run_map.values()]))  # a stream's task may end later
    assert KEY not in shown
    assert "**********" in shown


@pytest.mark.parametrize("brought", BROUGHT)
@pytest.mark.parametrize("make", [endpoint, router])
def test_a_bound_key_is_sent_and_stands_in_no_dump(
    chat: ChatServer, make: Callable[[ChatServer], BaseChatModel], brought: dict[str, Any]
) -> None:
    bound = make(chat).bind(**brought)
    heard = Heard()
    bound.invoke("hi", {"callbacks": [heard]})
    list(bound.stream("hi"))
    assert chat.keys == [f"Bearer {KEY}"] * 2
    assert KEY not in repr(bound) + str(bound.kwargs) + dumps(bound) + "".join(heard.texts)


def test_headers_without_a_secret_are_shown(chat: ChatServer) -> None:
    heard = Heard()
    router(chat).invoke("hi", {"callbacks": [heard]}, extra_headers={"x-trace": "abc-1", "x-api-key": KEY})
    assert "abc-1" in "".join(heard.texts)


class Kept(InMemoryCache):
    """Keeps the names under which answers are stored."""

    def __init__(self) -> None:
        super().__init__()
        self.names: list[str] = []

    def update(self, prompt: str, llm_string: str, return_val: Any) -> None:
        self.names.append(llm_string)
        super().update(prompt, llm_string, return_val)


def test_calls_with_different_keys_share_no_cached_answer_and_the_cache_holds_no_key(chat: ChatServer) -> None:
    model, cache = endpoint(chat), Kept()
    model.cache = cache
    for key in ("sk-one-0123456789", "sk-two-0123456789", "sk-one-0123456789"):
        model.invoke("hi", api_key=key)
        model.invoke("hi", extra_headers={"authorization": key})
    assert len(chat.keys) == 4
    assert "0123456789" not in "".join(cache.names)
