# /// script
# dependencies = ["langchain==1.4.7", "langchain-openai==1.7.3", "langchain-model-router==0.1.0"]
# [tool.peer]
# environment = "langchain"
# [tool.peer.variants]
# "langchain-model-router" = {only = ["well", "http_500"]}
# ///
"""langchain-model-router, which picks a route for a request and has no failover, over ChatOpenAI as it comes."""

from langchain_model_router import ChatRouter

from benchmarks.peers.driving.chat_model import ChatModelCaller, chat_openai
from benchmarks.peers.driving.job import Job
from benchmarks.peers.driving.session import serve


def build(job: Job) -> ChatModelCaller:
    """The first model is the default route, and the one that the strategy names."""
    names = [model.name for model in job.models]
    routes = dict(zip(names, chat_openai(job), strict=True))
    router = ChatRouter(routes=routes, strategy=lambda request: names[0], default_route=names[0])
    return ChatModelCaller(router, job)


if __name__ == "__main__":
    serve(build)
