"""One event loop after the other over the same models, as `use_async=True` has it: a loop per query."""

from __future__ import annotations

import time
from typing import Any

import pytest
from adapters.llamaindex.chat_server import ChatServer, Say
from adapters.processes import Processes

_AT_ONCE, _LOOPS = 6, 3
_SCRIPT = """
import asyncio, sys
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai import OpenAI
from llamaindex_router import RouterLLM

kind, url, stream, at_once, loops = sys.argv[1:]
if kind == "langchain":
    from langchain_openai import ChatOpenAI
    first = ChatOpenAI(model="gpt-4o-mini", api_key="k", base_url=url)
else:
    first = OpenAI(model="gpt-4o-mini", api_key="k", api_base=url)
llm = RouterLLM(models=[first, {"id": "spare", "endpoint": {"base_url": url, "model": "spare"}}], policy="single")
asked = [ChatMessage(content="hi")]

async def one(streamed):
    if not streamed:
        return (await llm.achat(asked)).message.content
    return "".join([chunk.delta async for chunk in await llm.astream_chat(asked)])

async def all_at_once(streamed):
    return await asyncio.gather(*[one(streamed) for _ in range(int(at_once))])

for loop in range(int(loops)):  # the first leaves connections behind in any case: streams of this server close theirs
    assert asyncio.run(all_at_once(stream == "stream" and loop > 0)) == ["one two"] * int(at_once)
assert not any(row["held"] for row in llm.router.health()), llm.router.health()
print(llm.router.ledger.total().calls)
"""


@pytest.mark.parametrize("kind", ["llamaindex", "langchain"])
@pytest.mark.parametrize("stream", ["whole", "stream"])
def test_connections_of_a_closed_loop_are_no_failure_of_the_model(
    processes: Processes, server: ChatServer, kind: str, stream: str
) -> None:
    def slowly(_: dict[str, Any]) -> Say:
        time.sleep(0.05)  # so that each call has a connection of its own
        return Say("one two")

    server.script("gpt-4o-mini", slowly)
    ran = processes.run(_SCRIPT, kind, server.url, stream, str(_AT_ONCE), str(_LOOPS))
    assert ran.code == 0, ran.stderr[-2_000:]
    assert int(ran.stdout) == _AT_ONCE * _LOOPS
    assert not server.of("spare")
