# /// script
# dependencies = ["langchain==1.4.7", "langchain-openai==1.7.3"]
# [tool.peer]
# environment = "langchain"
# [tool.peer.variants]
# "with_fallbacks" = {}
# "with_fallbacks, max_retries=0" = {max_retries = 0}
# ///
"""LangChain's `with_fallbacks` over ChatOpenAI: with its default of two retries, and with none."""

from typing import Any

from benchmarks.peers.driving.chat_model import ChatModelCaller, chat_openai
from benchmarks.peers.driving.job import Job
from benchmarks.peers.driving.session import serve


class Fallbacks(ChatModelCaller):
    """Tools are bound to each model, as the how-to says."""

    def __init__(self, models: list[Any], job: Job) -> None:
        callers = [ChatModelCaller(model, job)._model for model in models]
        self._model = callers[0].with_fallbacks(callers[1:])


def build(job: Job) -> ChatModelCaller:
    return Fallbacks(chat_openai(job, **job.options), job)


if __name__ == "__main__":
    serve(build)
