"""Any LangChain chat model, or what behaves like one, as a caller."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from typing import Any

from benchmarks.peers.driving.caller import TOOL, PeerAnswer
from benchmarks.peers.driving.job import Job


class ChatModelCaller:
    """Calls `invoke`, `ainvoke`, `stream`, `astream`."""

    def __init__(self, model: Any, job: Job) -> None:
        self._model = model.bind_tools([TOOL]) if job.tool else model

    def ask(self, prompt: str) -> PeerAnswer:
        """One whole answer."""
        return _read(self._model.invoke(prompt))

    async def aask(self, prompt: str) -> PeerAnswer:
        """One whole answer."""
        return _read(await self._model.ainvoke(prompt))

    def read(self, prompt: str) -> Iterator[str]:
        """The text as it comes."""
        for chunk in self._model.stream(prompt):
            yield chunk.text

    async def aread(self, prompt: str) -> AsyncIterator[str]:
        """The text as it comes."""
        async for chunk in self._model.astream(prompt):
            yield chunk.text


def _read(message: Any) -> PeerAnswer:
    calls = message.tool_calls
    return PeerAnswer(str(message.text), calls[0]["args"] if calls else None)


def chat_openai(job: Job, **options: Any) -> list[Any]:
    """The job's models as ChatOpenAI, each with the job's time limit."""
    from langchain_openai import ChatOpenAI
    from pydantic import SecretStr

    return [
        ChatOpenAI(
            model=model.name, base_url=model.base_url, api_key=SecretStr("made-up"), timeout=job.timeout_s, **options
        )
        for model in job.models
    ]
