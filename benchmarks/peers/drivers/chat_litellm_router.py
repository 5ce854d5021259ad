# /// script
# dependencies = ["litellm==1.106.2", "langchain-litellm==0.11.2"]
# [tool.peer]
# environment = "litellm"
# [tool.peer.variants]
# "ChatLiteLLMRouter, cooldowns" = {allowed_fails = 1, cooldown_time = 30}
# ///
"""langchain-litellm's ChatLiteLLMRouter over litellm.Router with cooldowns."""

from langchain_litellm import ChatLiteLLMRouter

from benchmarks.peers.drivers.litellm_router import router
from benchmarks.peers.driving.chat_model import ChatModelCaller
from benchmarks.peers.driving.job import Job
from benchmarks.peers.driving.session import serve


def build(job: Job) -> ChatModelCaller:
    return ChatModelCaller(ChatLiteLLMRouter(router=router(job), model=job.models[0].name), job)


if __name__ == "__main__":
    serve(build)
