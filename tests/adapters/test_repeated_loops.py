"""`asyncio.run` again and again over the same models: every request at the provider is a call in the ledger."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from adapters.counts.test_bills import FLEET
from adapters.llamaindex.chat_server import ChatServer, Say
from adapters.llamaindex.provider_llms import need_anthropic
from adapters.processes import Processes
from adapters.provider_server import ProviderServer

from capability_router.simulator import Fleet

_AT_ONCE, _LOOPS = 3, 3
_MODELS = {
    "ChatOpenAI": "from langchain_openai import ChatOpenAI\nmodel = ChatOpenAI(model='ok', api_key='k', base_url=url)",
    "ChatAnthropic": "from langchain_anthropic import ChatAnthropic\n"
    "model = ChatAnthropic(model='ok', api_key='k', base_url=url)",
    "ChatGroq": "from langchain_groq import ChatGroq\nmodel = ChatGroq(model='ok', api_key='k', base_url=url)",
    "ChatMistralAI": "from langchain_mistralai import ChatMistralAI\n"
    "model = ChatMistralAI(model='ok', api_key='k', endpoint=url)",
    "ChatOllama": "from langchain_ollama import ChatOllama\nmodel = ChatOllama(model='ok', base_url=url)",
    "ChatGoogleGenerativeAI": "from langchain_google_genai import ChatGoogleGenerativeAI\n"
    "model = ChatGoogleGenerativeAI(model='ok', api_key='k', base_url=url)",
    "OpenAI": "from llama_index.llms.openai import OpenAI\n"
    "model = OpenAI(model='gpt-4o-mini', api_key='k', api_base=url)",
    "OpenAILike": "from llama_index.llms.openai_like import OpenAILike\n"
    "model = OpenAILike(model='ok', api_key='k', api_base=url, is_chat_model=True)",
    "Ollama": "from llama_index.llms.ollama import Ollama\n"
    "model = Ollama(model='ok', base_url=url, context_window=9_000)",
    "GoogleGenAI": "from llama_index.llms.google_genai import GoogleGenAI\n"
    "model = GoogleGenAI(model='gemini-2.5-flash', api_key='k', http_options={'base_url': url})",
    "Anthropic": "from llama_index.llms.anthropic import Anthropic\n"
    "model = Anthropic(model='claude-sonnet-4-5', api_key='k', base_url=url)",
}
_CHAT = ("ChatOpenAI", "ChatGroq", "ChatMistralAI", "OpenAI", "OpenAILike")
_SCRIPT = """
import asyncio, json, sys
url, at_once, loops, router, fresh = sys.argv[1:]

def made():
    %s
    card = (model, {"id": "first", "price": {"input_mtok": 1, "output_mtok": 2}})
    if router == "langchain":
        from langchain_router import ChatRouter
        return ChatRouter(models=[card], policy="single")
    from llamaindex_router import RouterLLM
    return RouterLLM(models=[card], policy="single")

async def all_at_once(llm):
    call = llm.ainvoke if router == "langchain" else llm.acomplete
    await asyncio.gather(*[call("hi") for _ in range(int(at_once))])

llms = [made()]
for number in range(int(loops)):
    if fresh and number:
        llms.append(made())
    asyncio.run(all_at_once(llms[-1]))
totals = [llm.router.ledger.total().to_dict() for llm in llms]
print(json.dumps([sum(total["calls"] for total in totals), sum(total["cost_pico"] for total in totals)]))
"""


Ran = Callable[..., list[int]]


@pytest.fixture
def ran(processes: Processes) -> Ran:
    """Calls and picodollars in the ledger. `fresh`: each loop has a model and a router of its own."""

    def run(name: str, url: str, router: str, *, fresh: bool = False) -> list[int]:
        script = _SCRIPT % _MODELS[name].replace("\n", "\n    ")
        ended = processes.run(script, url, str(_AT_ONCE), str(_LOOPS), router, "fresh" if fresh else "")
        assert ended.code == 0, ended.stderr[-2_000:]
        told: list[int] = json.loads(ended.stdout)
        return told

    return run


def _slowly(_: dict[str, Any]) -> Say:
    time.sleep(0.05)  # so that each call has a connection of its own
    return Say("one two")


class Counted:
    """Both servers, and how many requests they have had."""

    def __init__(self) -> None:
        self.chat, self.others = ChatServer(), ProviderServer()
        for model in ("ok", "gpt-4o-mini"):
            self.chat.script(model, _slowly)

    def url(self, name: str) -> str:
        return self.chat.url if name in _CHAT else f"{self.others.url}/ok"

    @property
    def requests(self) -> int:
        return len(self.chat.requests) + len(self.others.seen)


@pytest.fixture
def counted() -> Iterator[Counted]:
    both = Counted()
    yield both
    both.chat.close()
    both.others.close()


@pytest.mark.parametrize("fresh", [False, True], ids=["one model", "a fresh model for each"])
@pytest.mark.parametrize("name", list(_MODELS))
def test_the_provider_gets_each_request_once(ran: Ran, counted: Counted, name: str, fresh: bool) -> None:
    """LangChain's packages share a pool among the models of one address; some make their client at the first call."""
    if name == "Anthropic":
        need_anthropic()
    router = "langchain" if name.startswith("Chat") else "llamaindex"
    calls, _ = ran(name, counted.url(name), router, fresh=fresh)
    assert (calls, counted.requests) == (_AT_ONCE * _LOOPS, _AT_ONCE * _LOOPS)


def test_a_chain_model_behind_llamaindex_too(ran: Ran, counted: Counted) -> None:
    calls, _ = ran("ChatOpenAI", counted.chat.url, "llamaindex")
    assert (calls, counted.requests) == (_AT_ONCE * _LOOPS, _AT_ONCE * _LOOPS)


@pytest.mark.parametrize("name", ["ChatOpenAI", "OpenAILike"])
def test_the_ledger_has_every_bill(ran: Ran, name: str) -> None:
    fleet_config = {**FLEET, "providers": [{"name": "a", "models": [{"name": "ok", "skill": 1, "ttft_s": 0.2, "price": {
        "input_mtok": 1, "output_mtok": 2}}]}]}  # fmt: skip
    with Fleet.from_config(fleet_config) as fleet:
        (entry,) = fleet.router_config()["models"]
        router = "langchain" if name.startswith("Chat") else "llamaindex"
        _, booked = ran(name, str(entry["endpoint"]["base_url"]), router)
        rows = fleet.log()
    assert (len(rows), sum(row.cost_pico or 0 for row in rows)) == (_AT_ONCE * _LOOPS, booked)
