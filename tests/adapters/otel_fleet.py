"""A real client of each framework over loopback HTTP behind a router whose first model is overloaded."""

from __future__ import annotations

from typing import Any

import httpx
from langchain_core.messages import HumanMessage, SystemMessage
from langchain_openai import ChatOpenAI
from llama_index.core.llms import ChatMessage
from llama_index.llms.openai_like import OpenAILike
from loopback.chat_server import USAGE, ChatServer, Step, completion, piece, reply, sse

from langchain_router import ChatRouter
from llamaindex_router import RouterLLM

PRICE = {"input_mtok": 1, "output_mtok": 2}
WAYS = ("whole", "awaited", "stream", "awaited stream")
SECRET, ANSWER = "the prompt's own words", "an answer in words"
BUSY = reply({"error": {"message": f"busy with {SECRET}", "code": "overloaded"}}, 503)


class Fleet:
    """A router over two models, each on a server of its own; the first is overloaded, the second answers as `told`."""

    def __init__(self, kind: str, names: tuple[str, str] = ("first", "second"), told: str = "m-2026") -> None:
        self.kind, self.names, self.told = kind, names, told
        self.first, self.second = ChatServer(BUSY), ChatServer()
        self._http, self._awaited = httpx.Client(), httpx.AsyncClient()
        self._routers: list[Any] = []
        self.budgets: list[dict[str, Any]] = []

    def made(self, **telemetry: Any) -> Any:
        make, router = (self._chain, ChatRouter) if self.kind == "langchain" else (self._llama, RouterLLM)
        servers = dict(zip(self.names, (self.first, self.second), strict=True))
        models = [(make(name, server.base_url), {"id": name, "price": PRICE}) for name, server in servers.items()]
        llm = router(
            models=models, policy="single", name=self.kind, telemetry={"otel": True, **telemetry}, budgets=self.budgets
        )
        self._routers.append(llm.router)
        return llm

    def _chain(self, model: str, url: str) -> Any:
        clients = {"http_client": self._http, "http_async_client": self._awaited}
        return ChatOpenAI(model=model, api_key="k", base_url=url, max_retries=0, stream_usage=True, **clients)  # type: ignore[arg-type]  # a plain key is taken too

    def _llama(self, model: str, url: str) -> Any:
        clients = {"http_client": self._http, "async_http_client": self._awaited}
        usage = {"stream_options": {"include_usage": True}}
        return OpenAILike(
            model=model, api_key="k", api_base=url, is_chat_model=True, context_window=9_000, max_retries=0,
            additional_kwargs=usage, **clients,
        )  # fmt: skip

    async def ask(self, llm: Any, way: str) -> str:
        self.second.script[:] = [self.answer(way)]
        text = await (self._chained if self.kind == "langchain" else self._llamed)(llm, way)
        assert llm.router.flush()
        return text

    def answer(self, way: str) -> Step:
        usage = {**USAGE, "usage": {**USAGE["usage"], "total_tokens": 11}}  # MLflow sums what is not there as well
        parts = [{**part, "model": self.told} for part in (piece(ANSWER), piece(finish="stop"), usage)]
        return sse(*parts) if "stream" in way else reply({**completion(ANSWER), "model": self.told})

    async def _chained(self, llm: Any, way: str) -> str:
        asked = [SystemMessage("be kind"), HumanMessage(SECRET)]
        if way == "whole":
            return str(llm.invoke(asked).content)
        if way == "awaited":
            return str((await llm.ainvoke(asked)).content)
        if way == "stream":
            return "".join(chunk.content for chunk in llm.stream(asked))
        return "".join([chunk.content async for chunk in llm.astream(asked)])

    async def _llamed(self, llm: Any, way: str) -> str:
        asked = [ChatMessage(role="system", content="be kind"), ChatMessage(content=SECRET)]
        if way == "whole":
            return str(llm.chat(asked).message.content)
        if way == "awaited":
            return str((await llm.achat(asked)).message.content)
        if way == "stream":
            return "".join(chunk.delta or "" for chunk in llm.stream_chat(asked))
        return "".join([chunk.delta or "" async for chunk in await llm.astream_chat(asked)])

    async def close(self) -> None:
        for router in self._routers:
            router.close()
        for server in (self.first, self.second):
            server.__exit__()
        self._http.close()
        await self._awaited.aclose()
