# /// script
# dependencies = ["litellm==1.106.2", "langchain-litellm==0.11.2"]
# [tool.peer]
# environment = "litellm"
# [tool.peer.variants]
# "litellm.Router" = {}
# "litellm.Router, cooldowns" = {allowed_fails = 1, cooldown_time = 30}
# "litellm.Router, short cooldowns" = {allowed_fails = 1, cooldown_time = 5, only = ["http_500", "refused"]}
# ///
"""litellm.Router: with `fallbacks=` only, and with the cooldown settings of its documentation (30 s; 5 s)."""

from collections.abc import AsyncIterator, Iterator
from typing import Any

import litellm

from benchmarks.peers.driving.caller import TOOL, PeerAnswer
from benchmarks.peers.driving.job import Job
from benchmarks.peers.driving.session import serve

litellm.telemetry = False
litellm.suppress_debug_info = True


def router(job: Job) -> litellm.Router:
    """Every kind of fallback that it has, from the first model to the others."""
    first, *others = [model.name for model in job.models]
    falls: list[Any] = [{first: others}]
    typed = {"context_window_fallbacks": falls, "content_policy_fallbacks": falls} if job.options else {}
    windows = any(model.window for model in job.models)
    return litellm.Router(
        model_list=[_deployment(model, job) for model in job.models], fallbacks=falls, timeout=job.timeout_s,
        stream_timeout=job.timeout_s, enable_pre_call_checks=windows, **typed, **job.options,
    )  # fmt: skip


def _deployment(model: Any, job: Job) -> dict[str, Any]:
    params = {"model": f"openai/{model.name}", "api_base": model.base_url, "api_key": "made-up"}
    known = {"model_info": {"max_input_tokens": model.window}} if model.window else {}
    return {"model_name": model.name, "litellm_params": {**params, "timeout": job.timeout_s}, **known}


class RouterCaller:
    """`completion` and `acompletion`."""

    def __init__(self, job: Job) -> None:
        self._router = router(job)
        self._asked: dict[str, Any] = {"model": job.models[0].name, **({"tools": [TOOL]} if job.tool else {})}

    def ask(self, prompt: str) -> PeerAnswer:
        return _read(self._router.completion(messages=_said(prompt), **self._asked))

    async def aask(self, prompt: str) -> PeerAnswer:
        return _read(await self._router.acompletion(messages=_said(prompt), **self._asked))

    def read(self, prompt: str) -> Iterator[str]:
        for chunk in self._router.completion(messages=_said(prompt), stream=True, **self._asked):
            yield chunk.choices[0].delta.content or "" if chunk.choices else ""

    async def aread(self, prompt: str) -> AsyncIterator[str]:
        async for chunk in await self._router.acompletion(messages=_said(prompt), stream=True, **self._asked):
            yield chunk.choices[0].delta.content or "" if chunk.choices else ""


def _said(prompt: str) -> list[dict[str, str]]:
    return [{"role": "user", "content": prompt}]


def _read(response: Any) -> PeerAnswer:
    import json

    message = response.choices[0].message
    calls = message.tool_calls
    return PeerAnswer(message.content or "", json.loads(calls[0].function.arguments) if calls else None)


if __name__ == "__main__":
    serve(RouterCaller)
