# /// script
# [tool.peer]
# environment = "."
# ours = true
# [tool.peer.variants]
# "ours: endpoint" = {on_content_filter = "fallback"}
# "ours: endpoint, filter=return" = {on_content_filter = "return", only = ["filtered"]}
# ///
"""ChatRouter over the built-in client."""

from benchmarks.peers.drivers.capability_router_chat_openai import cards, settings
from benchmarks.peers.driving.chat_model import ChatModelCaller
from benchmarks.peers.driving.job import Job
from benchmarks.peers.driving.session import serve
from langchain_router import ChatRouter


def build(job: Job) -> ChatModelCaller:
    """The same settings; the models are endpoints."""
    endpoints = [{"base_url": model.base_url, "model": model.name, "api_key": "made-up"} for model in job.models]
    models = [{**card, "endpoint": endpoint} for card, endpoint in zip(cards(job), endpoints, strict=True)]
    return ChatModelCaller(ChatRouter(models=models, **settings(job)), job)


if __name__ == "__main__":
    serve(build)
