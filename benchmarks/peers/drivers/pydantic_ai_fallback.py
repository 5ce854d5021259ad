# /// script
# dependencies = ["pydantic-ai-slim[openai]==2.68.0"]
# [tool.peer]
# environment = "pydantic-ai"
# [tool.peer.variants]
# "pydantic-ai FallbackModel" = {}
# ///
"""pydantic-ai's FallbackModel in an agent, over the openai SDK without retries."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

from openai import AsyncOpenAI
from pydantic_ai import Agent
from pydantic_ai.messages import ModelResponse
from pydantic_ai.models.fallback import FallbackModel
from pydantic_ai.models.openai import OpenAIChatModel
from pydantic_ai.providers.openai import OpenAIProvider

from benchmarks.peers.driving.caller import PeerAnswer
from benchmarks.peers.driving.job import Job
from benchmarks.peers.driving.session import serve


class AgentCaller:
    """An agent; a tool call counts when the agent has run it."""

    def __init__(self, job: Job) -> None:
        models = [OpenAIChatModel(model.name, provider=OpenAIProvider(openai_client=_client(model, job)))
                  for model in job.models]  # fmt: skip
        self._agent: Agent[None, str] = Agent(FallbackModel(*models))
        if job.tool:
            self._agent.tool_plain(lookup)

    def ask(self, prompt: str) -> PeerAnswer:
        return _read(self._agent.run_sync(prompt))

    async def aask(self, prompt: str) -> PeerAnswer:
        return _read(await self._agent.run(prompt))

    def read(self, prompt: str) -> Iterator[str]:
        yield from self._agent.run_stream_sync(prompt).stream_text(delta=True, debounce_by=None)

    async def aread(self, prompt: str) -> AsyncIterator[str]:
        async with self._agent.run_stream(prompt) as result:
            async for piece in result.stream_text(delta=True, debounce_by=None):
                yield piece


def lookup(city: str) -> str:
    """Looks a city up."""
    return f"{city} is a city."


def _client(model: Any, job: Job) -> AsyncOpenAI:
    return AsyncOpenAI(base_url=model.base_url, api_key="made-up", timeout=job.timeout_s, max_retries=0)


def _read(result: Any) -> PeerAnswer:
    responses = [message for message in result.all_messages() if isinstance(message, ModelResponse)]
    ran = [call.args_as_dict() for response in responses for call in response.tool_calls if _sound(call)]
    return PeerAnswer(result.output, ran[0] if ran else None)


def _sound(call: Any) -> bool:
    try:
        return bool(call.args_as_dict())
    except ValueError:
        return False


if __name__ == "__main__":
    serve(AgentCaller)
