# /// script
# dependencies = ["langchain==1.4.7", "langchain-openai==1.7.3"]
# [tool.peer]
# environment = "langchain"
# [tool.peer.variants]
# "ModelFallbackMiddleware" = {}
# ///
"""LangChain's ModelFallbackMiddleware in `create_agent`, over ChatOpenAI without retries."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from langchain.agents import create_agent
from langchain.agents.middleware import ModelFallbackMiddleware

from benchmarks.peers.driving.caller import PeerAnswer
from benchmarks.peers.driving.chat_model import chat_openai
from benchmarks.peers.driving.job import Job
from benchmarks.peers.driving.session import serve


def lookup(city: str) -> str:
    """Looks a city up."""
    return f"{city} is a city."


class Agent:
    """An agent; a tool call counts when the agent has run it."""

    def __init__(self, job: Job) -> None:
        first, *others = chat_openai(job, max_retries=0)
        tools = [lookup] if job.tool else []
        self._agent = create_agent(first, tools=tools, middleware=[ModelFallbackMiddleware(*others)])

    def ask(self, prompt: str) -> PeerAnswer:
        return _read(self._agent.invoke(_said(prompt)))

    async def aask(self, prompt: str) -> PeerAnswer:
        return _read(await self._agent.ainvoke(_said(prompt)))

    def read(self, prompt: str) -> Iterator[str]:
        for chunk, _ in self._agent.stream(_said(prompt), stream_mode="messages"):
            yield chunk.text

    async def aread(self, prompt: str) -> AsyncIterator[str]:
        async for chunk, _ in self._agent.astream(_said(prompt), stream_mode="messages"):
            yield chunk.text


def _said(prompt: str) -> Any:
    return {"messages": [{"role": "user", "content": prompt}]}


def _read(state: Any) -> PeerAnswer:
    calls = [call for message in state["messages"] for call in getattr(message, "tool_calls", [])]
    return PeerAnswer(state["messages"][-1].text, calls[0]["args"] if calls else None)


if __name__ == "__main__":
    serve(Agent)
