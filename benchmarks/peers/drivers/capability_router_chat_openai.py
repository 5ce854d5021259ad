# /// script
# dependencies = ["langchain==1.4.7", "langchain-openai==1.7.3", "httpx==0.28.1", "pyyaml==6.0.4", "tenacity==9.2.1"]
# [tool.peer]
# environment = "langchain"
# ours = true
# [tool.peer.variants]
# "ours: ChatOpenAI" = {on_content_filter = "fallback"}
# "ours: ChatOpenAI, filter=return" = {on_content_filter = "return", only = ["filtered"]}
# ///
"""ChatRouter over ChatOpenAI objects, in the environment of LangChain's own: the same client in the same version."""

from typing import Any

from benchmarks.peers.driving.chat_model import ChatModelCaller, chat_openai
from benchmarks.peers.driving.job import Job
from benchmarks.peers.driving.session import serve
from langchain_router import ChatRouter


def build(job: Job) -> ChatModelCaller:
    """Policy `single` takes the models in their order, as the peers do."""
    router = ChatRouter(models=list(zip(chat_openai(job), cards(job), strict=True)), **settings(job))
    return ChatModelCaller(router, job)


def cards(job: Job) -> list[dict[str, Any]]:
    return [{"id": model.name, "context_window": model.window} for model in job.models]


def settings(job: Job) -> dict[str, Any]:
    named = ("first_token", "between_tokens") if job.streamed else ("total",)
    clocks = dict.fromkeys(named, job.timeout_s)
    return {"policy": "single", "timeouts": clocks, "on_content_filter": job.options["on_content_filter"]}


if __name__ == "__main__":
    serve(build)
