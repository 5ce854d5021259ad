"""LangChain chat models as candidates, on the wire; one Router for both frameworks in one process."""

from __future__ import annotations

import asyncio
import gc
import json
import pickle
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Cut, Refuse, Say
from adapters.processes import Processes
from adapters.provider_server import INPUT, OUTPUT, ProviderServer
from langchain_anthropic import ChatAnthropic
from langchain_core.language_models.fake_chat_models import FakeListChatModel
from langchain_core.language_models.llms import BaseLLM
from langchain_core.outputs import LLMResult
from langchain_google_genai import ChatGoogleGenerativeAI
from langchain_ollama import ChatOllama
from langchain_openai import ChatOpenAI
from llama_index.core.agent.workflow import FunctionAgent
from llama_index.core.base.llms.types import ChatMessage, ImageBlock, MessageRole, TextBlock
from llama_index.core.callbacks import CallbackManager, TokenCountingHandler
from llama_index.core.memory import ChatMemoryBuffer
from llama_index.core.prompts import PromptTemplate
from llama_index.core.tools import FunctionTool
from pydantic import BaseModel

from capability_router.router import Router
from capability_router.tokens.estimate import estimate_tokens
from langchain_router import ChatRouter
from llamaindex_router import AllCandidatesFailed, BudgetExceeded, ConfigError, NoEligibleModel, RouterLLM, routing
from llamaindex_router.errors import StreamInterrupted

pytestmark = [
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),  # the SDKs' and LlamaIndex's agents' own
    pytest.mark.filterwarnings("ignore:unclosed:ResourceWarning"),  # google-genai leaves sockets to the collector
    # langchain-core 1.6.0, over an error of ChatGoogleGenerativeAI
    pytest.mark.filterwarnings("ignore:coroutine 'ClientResponse.json' was never awaited:RuntimeWarning"),
]
KEY = "sk-very-secret-0123456789"
HI = [ChatMessage(content="hi")]
PRICE = {"input_mtok": 1.0, "output_mtok": 2.0}
WAYS = ("chat", "achat", "stream_chat", "astream_chat")
STREAMS = WAYS[2:]
PARTNERS = {"anthropic": ChatAnthropic, "google_genai": ChatGoogleGenerativeAI, "ollama": ChatOllama}
Make = Callable[..., Any]


class City(BaseModel):
    """A city."""

    name: str
    people: int


def multiply(a: int, b: int) -> int:
    """Multiply two numbers."""
    return a * b


TOOL = FunctionTool.from_defaults(multiply)
ASK = Say(tools=(("multiply", {"a": 6, "b": 7}),))


@pytest.fixture(scope="module", autouse=True)
def collected() -> Iterator[None]:
    """The sockets that are left are collected while this module's filters hold, not in another's test."""
    yield
    gc.collect()


@pytest.fixture
def chain(server: ChatServer) -> Make:
    """ChatOpenAI on loopback, with the retries of its own that it has."""
    return lambda model, **settings: ChatOpenAI(
        model=model, base_url=server.url, api_key=KEY, stream_usage=True, **settings
    )


@pytest.fixture
async def partner(providers: ProviderServer) -> AsyncIterator[Make]:
    made: list[Any] = []

    def partner(provider: str, name: str) -> Any:
        key = {} if provider == "ollama" else {"api_key": KEY}
        made.append(PARTNERS[provider](model=name, base_url=providers.url, **key))
        return made[-1]

    yield partner
    for model in made:
        if isinstance(model, ChatOllama):
            model._client._client.close()
        if isinstance(model, ChatGoogleGenerativeAI):
            await model.client.aio.aclose()


def routed(*models: Any, **settings: Any) -> RouterLLM:
    return RouterLLM(models=[(m, {"price": PRICE}) for m in models], **{"policy": "single", **settings})


async def asked(llm: Any, way: str, *given: Any, **kwargs: Any) -> Any:
    method = getattr(llm, way)
    if not way.startswith("a"):
        gather = list if "stream" in way else lambda answer: answer
        return await asyncio.to_thread(lambda: gather(method(*given, **kwargs)))
    answer = await method(*given, **kwargs)
    return [c async for c in answer] if "stream" in way else answer


async def last(llm: Any, way: str, *given: Any, **kwargs: Any) -> Any:
    answer = await asked(llm, way, *given, **kwargs)
    return answer[-1] if isinstance(answer, list) else answer


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("first", [Say("hello world"), Refuse(429)], ids=["well", "429"])
async def test_answers_tokens_and_fallback(chain: Make, server: ChatServer, way: str, first: Any) -> None:
    server.script("a", first)
    llm = routed(chain("a"), chain("b"))
    reply = await last(llm, way, HI)
    told = reply.additional_kwargs["router"]
    assert reply.message.content == "hello world"
    assert told["model"] == ("openai/b" if isinstance(first, Refuse) else "openai/a")
    assert told["cost_usd"] == pytest.approx(140e-6)
    assert len(server.of("a")) == 1  # its own retries are off


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", list(PARTNERS))
async def test_other_providers(partner: Make, provider: str, way: str) -> None:
    counter = TokenCountingHandler(tokenizer=str.split)
    llm = routed(partner(provider, "ok-m"))
    llm.callback_manager = CallbackManager([counter])
    chunks = await asked(llm, way, HI)
    reply = chunks[-1] if isinstance(chunks, list) else chunks
    assert reply.message.content == "a b c"
    assert {r.raw["model"] for r in (chunks if isinstance(chunks, list) else [chunks]) if "model" in r.raw} == {"ok-m"}
    (call,) = llm.router.ledger.calls()
    assert (call.usage.input_tokens, call.usage.output_tokens, call.usage.estimated) == (INPUT, OUTPUT, False)
    assert len(counter.llm_token_counts) == 1
    assert (counter.prompt_llm_token_count, counter.completion_llm_token_count) == (INPUT, OUTPUT)


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("provider", list(PARTNERS))
async def test_only_the_router_retries(partner: Make, providers: ProviderServer, provider: str, way: str) -> None:
    with pytest.raises(AllCandidatesFailed):
        await asked(routed(partner(provider, "fail-m"), retry={"attempts": 1, "per_target": 1}), way, HI)
    assert providers.calls("fail-m") == 1


@pytest.mark.parametrize("way", STREAMS)
@pytest.mark.parametrize("provider", list(PARTNERS))
async def test_cut_streams(partner: Make, chain: Make, provider: str, way: str) -> None:
    moved = await last(routed(partner(provider, "cut-m"), chain("b")), way, HI)
    assert moved.message.content == "hello world"
    with pytest.raises(StreamInterrupted) as caught:
        await asked(routed(partner(provider, "half-m"), chain("b")), way, HI)
    assert caught.value.partial == "a"


@pytest.mark.parametrize("way", ["chat_with_tools", "achat_with_tools", "stream_chat_with_tools",
                                 "astream_chat_with_tools"])  # fmt: skip
@pytest.mark.parametrize("provider", list(PARTNERS))
async def test_tools(partner: Make, provider: str, way: str) -> None:
    llm = routed(partner(provider, "ok-m"))
    called = await last(llm, way, [TOOL], "6 times 7?")
    (call,) = llm.get_tool_calls_from_response(called)
    assert (call.tool_name, call.tool_kwargs) == ("multiply", {"a": 3, "b": 3})
    result = ChatMessage(role=MessageRole.TOOL, content="9", additional_kwargs={"tool_call_id": call.tool_id})
    answer = await last(llm, way, [TOOL], chat_history=[*HI, called.message, result])
    assert answer.message.content == "a b c"


@pytest.mark.parametrize("way", ["structured_predict", "astructured_predict", "stream_structured_predict",
                                 "astream_structured_predict"])  # fmt: skip
async def test_objects(chain: Make, server: ChatServer, way: str) -> None:
    paris = {"name": "Paris", "people": 2}
    server.script("a", lambda body: Say(tools=((body["tools"][0]["function"]["name"], paris),)))
    found = await last(routed(chain("a")), way, City, PromptTemplate("Tell about {place}."), place="Paris")
    assert found == City(name="Paris", people=2)
    assert server.requests[0].get("tool_choice") == "required" or "stream" in way


@pytest.mark.parametrize("way", ["stream_structured_predict", "astream_structured_predict"])
async def test_an_object_in_a_streamed_call_without_counts_is_estimated_by_its_arguments(
    chain: Make, server: ChatServer, way: str
) -> None:
    paris = {"name": "Paris", "people": 2}
    server.script("a", lambda body: Say(tools=((body["tools"][0]["function"]["name"], paris),)))
    llm = routed(ChatOpenAI(model="a", base_url=server.url, api_key=KEY, stream_usage=False))
    await last(llm, way, City, PromptTemplate("Tell about {place}."), place="Paris")
    (call,) = llm.router.ledger.calls()
    assert (call.usage.output_tokens, call.usage.estimated) == (estimate_tokens(json.dumps(paris)), True)


@pytest.mark.parametrize("first", ["well", "429", "cut"])
async def test_agents(chain: Make, server: ChatServer, first: str) -> None:
    def answering(body: dict[str, Any]) -> Say:
        end = body["messages"][-1]
        return Say(f"it is {end['content']}") if end["role"] == "tool" else ASK

    server.script("a", {"well": answering, "429": Refuse(429), "cut": Cut(0)}[first])
    server.script("b", answering)
    agent = FunctionAgent(tools=[TOOL], llm=routed(chain("a"), chain("b")))
    answer = await agent.run("6 times 7?", memory=ChatMemoryBuffer.from_defaults(token_limit=3_000))
    assert str(answer) == "it is 42"


def test_defaults_and_call_options_reach_the_model(chain: Make, partner: Make, providers: ProviderServer,
                                                   server: ChatServer) -> None:  # fmt: skip
    llm = routed(chain("a"), partner("ollama", "ok-m"), temperature=0.25, max_tokens=77)
    llm.chat(HI)
    llm.chat(HI, max_tokens=5)
    assert [b["temperature"] for b in server.requests] == [0.25, 0.25]
    assert [b.get("max_tokens") or b["max_completion_tokens"] for b in server.requests] == [77, 5]
    with routing(pin="ollama/ok-m"):
        llm.chat(HI)
    options = providers.seen[-1][1]["options"]
    assert (options["temperature"], options["num_predict"]) == (0.25, 77)


def test_pictures(chain: Make, server: ChatServer) -> None:
    routed(chain("gpt-4o")).chat([ChatMessage(blocks=[TextBlock(text="look"), ImageBlock(url="http://h/p.png")])])
    kinds = [part["type"] for part in server.requests[0]["messages"][0]["content"]]
    assert kinds == ["text", "image_url"]


def test_a_model_without_tools_is_never_given_any(chain: Make, server: ChatServer) -> None:
    fake = FakeListChatModel(responses=["no tools here"])
    server.script("b", ASK)
    llm = routed(fake, chain("b"))
    assert llm.chat(HI).message.content == "no tools here"
    assert llm.chat_with_tools([TOOL], "6 times 7?").additional_kwargs["router"]["model"] == "openai/b"
    with pytest.raises(NoEligibleModel, match="tool_calling"):
        routed(FakeListChatModel(responses=["x"])).chat_with_tools([TOOL], "6 times 7?")


class Completer(BaseLLM):
    """LangChain's other kind of model, which takes a text and no messages."""

    def _generate(self, *_: Any, **__: Any) -> LLMResult:
        raise NotImplementedError

    @property
    def _llm_type(self) -> str:
        return "completer"


def test_what_can_not_be_called_is_told_at_once(chain: Make) -> None:
    with pytest.raises(ConfigError, match="Completer"):
        RouterLLM(models=[Completer()])
    with pytest.raises(ConfigError, match="LangChain chat models"):
        RouterLLM(router=Router([(Completer(), {"id": "c"})]))


SHOWN = (repr, str, lambda o: str(o.to_dict()), lambda o: o.to_json(), lambda o: str(o.to_payload()),
         lambda o: pickle.dumps(o).decode("latin-1"))  # fmt: skip


@pytest.mark.parametrize("show", SHOWN)
def test_no_key_in_any_form(chain: Make, partner: Make, show: Callable[[Any], str]) -> None:
    llm = routed(chain("a"), partner("anthropic", "m"), partner("google_genai", "m"))
    assert KEY not in show(llm)
    assert KEY not in repr(llm._core.children) + repr(llm.router.registry.entries)
    assert KEY not in show(llm._core.children.get("openai/a"))


WORKER = """
import pickle, sys
from llama_index.core.llms import ChatMessage
print(pickle.loads(sys.stdin.buffer.read()).chat([ChatMessage(content="hi")]).additional_kwargs["router"]["model"])
"""


def test_another_process_makes_its_own(processes: Processes, chain: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPENAI_API_KEY", "from-the-environment")
    data = pickle.dumps(routed(chain("a", temperature=0.5)))
    ran = processes.run(WORKER, stdin=data)
    assert ran.stdout.split() == ["openai/a"], ran.stderr


# -- one Router, both frameworks


def test_chain_models_of_one_router_serve_both(chain: Make, server: ChatServer) -> None:
    models = [(chain("a"), {"id": "a", "price": PRICE}), (chain("b"), {"id": "b", "price": PRICE})]
    chat = ChatRouter(models=models, policy="single")
    llm = RouterLLM(router=chat.router)
    server.script("a", Refuse(429, headers={"retry-after": "30"}))
    assert chat.invoke("hi").response_metadata["router"]["attempts"] == 2
    told = llm.chat(HI).additional_kwargs["router"]
    assert (told["model"], told["attempts"]) == ("b", 1)  # the gate that the chain met holds for the engine


def endpoints(server: ChatServer) -> list[dict[str, Any]]:
    return [{"id": m, "price": PRICE, "endpoint": {"base_url": server.url, "model": m}} for m in ("a", "b")]


def test_breakers_are_shared(server: ChatServer) -> None:
    router = Router.from_config({"policy": "single", "models": endpoints(server), "retry": {"per_target": 1}})
    chat, llm = ChatRouter(router=router), RouterLLM(router=router)
    server.script("a", Refuse(500))
    for _ in range(3):
        chat.invoke("hi")
        llm.chat(HI)
    met = len(server.of("a"))
    assert met == 2  # one failure by each: from the second on others go first, for both
    assert llm.chat(HI).additional_kwargs["router"]["attempts"] == 1
    assert chat.invoke("hi").response_metadata["router"]["attempts"] == 1
    assert len(server.of("a")) == met


def test_budgets_and_books_are_shared(server: ChatServer) -> None:
    budget = {"scope": "tenant:acme", "limit_usd": 0.0040, "window": "day", "on_exceed": "refuse"}
    config = {"policy": "single", "models": endpoints(server), "budgets": [budget], "retry": {"attempts": 1}}
    router = Router.from_config(config)
    chat, llm = ChatRouter(router=router, max_tokens=100), RouterLLM(router=router, max_tokens=100)
    server.script("a", Say("hello", usage=(1_000, 900)))
    with routing(tenant="acme"):
        chat.invoke("hi")
        llm.chat(HI)
        with pytest.raises(BudgetExceeded):
            llm.chat(HI)
        with pytest.raises(BudgetExceeded):
            chat.invoke("hi")
    total = router.ledger.total(by=("tenant",))[("acme",)]
    assert total.calls == len(server.requests) == 2
    assert {call.framework for call in router.ledger.calls()} == {"langchain", "llamaindex"}


def test_one_file_serves_both(server: ChatServer, tmp_path: Any) -> None:
    path = tmp_path / "router.yaml"
    path.write_text(
        f"policy: single\nmodels:\n  - id: e\n    endpoint: {{base_url: '{server.url}', model: e}}\n"
        f"  - id: o\n    model: openai:gpt-4o\n"
    )
    keys = {"api_key": "k"}
    chat, llm = ChatRouter.from_config(path, **keys), RouterLLM.from_config(path, **keys)
    assert chat.invoke("hi").response_metadata["router"]["model"] == "e"
    assert llm.chat(HI).additional_kwargs["router"]["model"] == "e"
    assert [c.id for c in chat.router.registry.cards] == [c.id for c in llm.router.registry.cards]
    assert [c.context_window for c in chat.router.registry.cards][1:] == [128_000]
